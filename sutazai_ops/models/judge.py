"""Judges one model by what its server has: each check a verdict with its reason. What cannot be known is not good."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.errors import OpsError
from sutazai_ops.models.bench import PROMPTS, left
from sutazai_ops.models.collections import lengths
from sutazai_ops.models.plan import SHOWN, Act

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.installation import Installation
    from sutazai_ops.models.fleet import House
    from sutazai_ops.models.manifest import Wanted
    from sutazai_ops.models.ollama import InMemory, Present
    from sutazai_ops.models.plan import Plan, Seen

WORDS = 8
"""Tokens of an answer that says whether a model answers."""


class Outcome(StrEnum):
    """What a check came to."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    """It could not be known, or nobody has said what is right: worth knowing, and nothing is wrong now."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check came to, and why."""

    outcome: Outcome
    because: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of one model."""

    here: Installation
    model: Wanted
    house: House
    seen: Seen
    plan: Plan
    pin: str | None
    users: Sequence[str]

    @property
    def present(self) -> Present | None:
        """The model on the disk."""
        return next((one for one in self.seen.present if one.name == self.model.name), None)

    @property
    def loaded(self) -> InMemory | None:
        """The model in memory."""
        return next((one for one in self.seen.loaded if one.name == self.model.name), None)


def as_pinned(case: Case) -> Verdict:
    """Whether it is there with the digest that it was pinned to."""
    if case.present is None:
        return Verdict(Outcome.BAD, "it is not there")
    digest = case.present.digest
    figures = {"digest": digest, "pinned": case.pin or "not pinned"}
    if case.pin is None:
        return Verdict(Outcome.OPEN, "nobody has pinned it: sutazai-ops models lock", figures)
    if case.pin != digest:
        return Verdict(Outcome.BAD, f"it is {digest[:SHOWN]} and pinned is {case.pin[:SHOWN]}", figures)
    return Verdict(Outcome.GOOD, "as pinned", figures)


def answers_in_time(case: Case) -> Verdict:
    """Whether it answers within its limit, in memory: nothing is loaded for the asking."""
    if case.loaded is None:
        return Verdict(Outcome.OPEN, "unknown: it is not in memory, where it should be")
    ollama, name, stays = case.house.ollama, case.model.name, left(case.loaded)
    try:
        began = time.monotonic()
        if ollama.shape(name).makes_words:
            ollama.say(name, PROMPTS[0], tokens=WORDS, stays=stays)
        else:
            ollama.vectors(name, [PROMPTS[0]], stays=stays)
        took = time.monotonic() - began
    except OpsError as error:
        return Verdict(Outcome.BAD, error.what)
    limit = case.model.answers_within
    because = f"it took {human.duration(took)}, and may take {human.duration(limit)}"
    figures = {"seconds": round(took, 3), "limit_seconds": limit}
    return Verdict(Outcome.GOOD if took <= limit else Outcome.BAD, because, figures)


def dimension(case: Case) -> Verdict:
    """Whether its vectors are as long as the manifest and the collections that it names expect them."""
    if case.present is None:
        return Verdict(Outcome.BAD, "it is not there")
    found, wanted = _vector_length(case), case.model.dimension
    figures = {"dimension": found, **({} if wanted is None else {"expected": wanted})}
    if wanted is not None and wanted != found:
        return Verdict(Outcome.BAD, f"its vectors have {found} numbers, and {wanted} are expected", figures)
    taken, unknown = _taken(case)
    figures |= {f"dimension of {name}": length for name, length in taken.items()}
    wrong = [f"{name} takes {length}" for name, length in taken.items() if length != found]
    if wrong:
        return Verdict(Outcome.BAD, f"its vectors have {found} numbers, and {', '.join(wrong)}", figures)
    if unknown:
        return Verdict(Outcome.OPEN, f"unknown: {', '.join(unknown)}", figures)
    if wanted is None and not taken:
        because = f"its vectors have {found} numbers, and the manifest does not say what is expected"
        return Verdict(Outcome.OPEN, because, figures)
    return Verdict(Outcome.GOOD, f"its vectors have {found} numbers, as is expected", figures)


def _vector_length(case: Case) -> int:
    """Measured where the model is in memory, and by its own file where it is not: nothing is loaded for the asking."""
    ollama, name = case.house.ollama, case.model.name
    if case.loaded is not None:
        return len(ollama.vectors(name, [PROMPTS[0]], stays=left(case.loaded))[0].numbers)
    return ollama.shape(name).dimension or 0


def _taken(case: Case) -> tuple[dict[str, int], list[str]]:
    """How long the vectors of each collection are, and what could not be known of the others."""
    taken: dict[str, int] = {}
    unknown: list[str] = []
    for whole in case.model.collections:
        store, _, name = whole.partition("/")
        try:
            length = lengths(case.here, store, [name])[name]
        except OpsError as error:
            unknown.append(error.what)
            continue
        if length is None:
            unknown.append(f"{store} has no collection {name} yet, or it takes any")
        else:
            taken[whole] = length
    return taken, unknown


def fits(case: Case) -> Verdict:
    """Whether it fits beside those that are warmed before it."""
    unfit = next((step for step in case.plan.of(Act.UNFIT) if step.model == case.model.name), None)
    takes, limit = case.seen.takes.get(case.model.name), case.seen.server.memory
    known = {"memory_bytes": takes, "limit_bytes": limit}
    figures = {name: value for name, value in known.items() if value is not None}
    if unfit is not None:
        return Verdict(Outcome.BAD, unfit.because, figures)
    if takes is None:
        return Verdict(Outcome.OPEN, "unknown: what it takes is not known before it was loaded", figures)
    return Verdict(Outcome.GOOD, f"it takes {human.memory(takes)}", figures)


def there_for_its_users(case: Case) -> Verdict:
    """Whether no service names it in vain."""
    who = ", ".join(case.users)
    if not who:
        return Verdict(Outcome.GOOD, "no service names it", {"used_by": "nobody"})
    if case.present is None:
        return Verdict(Outcome.BAD, f"it is not there, and is asked for by {who}", {"used_by": who})
    return Verdict(Outcome.GOOD, f"it is there for {who}", {"used_by": who})


JUDGES = {
    "as_pinned": as_pinned,
    "answers_in_time": answers_in_time,
    "dimension": dimension,
    "fits": fits,
    "there_for_its_users": there_for_its_users,
}
"""By the name of the check."""
