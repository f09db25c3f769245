"""What has to be done so that the models are as the manifest says, as a value: nothing here asks or changes anything.

A digest that is not the pinned one is told and left as it is: whether it is to be taken is a person's decision. Nothing
is removed here, and what a service uses is not put out of memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.models.manifest import in_short
from sutazai_ops.models.memory import refuses

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sutazai_ops.models.manifest import Wanted
    from sutazai_ops.models.memory import Server
    from sutazai_ops.models.ollama import InMemory, Present

SHOWN = 19
"""Characters of a digest: `sha256:` and twelve digits, as Ollama shows."""
SPARE_BYTES = 500_000_000
"""What is left free on the disk beside a pull: whatever else is written there goes on."""
BEFORE = "-before-"
"""What follows the tag in the name under which an old model waits while a new one comes."""


class Act(StrEnum):
    """What is done about a model."""

    PULL = "pull"
    KEEP = "keep"
    MOVED = "moved"
    """It is there with another digest than the pinned one: told, and left as it is."""
    NO_ROOM = "no room"
    """It would have to be pulled, and the disk is too full."""
    UNLOAD = "unload"
    """It is in memory, nobody names it, and those that are to be warm need the room."""
    WARM = "warm"
    UNFIT = "does not fit"
    """It is to be warm, and does not fit beside those that come first."""


DONE_BY_US = frozenset({Act.PULL, Act.UNLOAD, Act.WARM})
"""What carrying a plan out does; `moved`, `no room` and `does not fit` are a person's to decide."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing about one model."""

    model: str
    server: str
    act: Act
    because: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One Ollama as it is now."""

    server: Server
    present: Sequence[Present] = ()
    loaded: Sequence[InMemory] = ()
    takes: Mapping[str, int] = field(default_factory=dict)
    """Bytes in memory by model, measured or reckoned; none for one of which that is not known."""
    free: int | None = None
    """Bytes on the disk of its models; None where that cannot be asked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in that order."""

    steps: Sequence[Step]
    notes: Sequence[str] = ()
    """What a person should know beside it."""

    @property
    def changes(self) -> list[Step]:
        """What there is to do, for us or for a person."""
        return [step for step in self.steps if step.act is not Act.KEEP]

    def of(self, *acts: Act) -> Iterator[Step]:
        """The steps of these kinds."""
        return (step for step in self.steps if step.act in acts)


def plan_models(
    wanted: Sequence[Wanted],
    seen: Seen,
    pins: Mapping[str, str],
    users: Mapping[str, Collection[str]],
    others: Collection[str] = (),
) -> Plan:
    """Decide about every model of one server.

    Args:
        wanted: its models, in the order in which they are warmed.
        seen: what it has.
        pins: the digest that each has to have, by name; none for one that nobody has pinned.
        users: the services that name each, by name.
        others: models of the manifest that are not decided about now.
    """
    there = {one.name: one for one in seen.present}
    found = list(_on_disk(wanted, seen, there, pins))
    lacking = {step.model for step in found if step.act in {Act.NO_ROOM, Act.MOVED}}
    warm = [model for model in wanted if model.warm and model.name not in lacking]
    found += _in_memory(warm, seen, users, {*(model.name for model in wanted), *others})
    return Plan(found, tuple(_notes(wanted, seen, there, pins)))


def _on_disk(
    wanted: Sequence[Wanted], seen: Seen, there: Mapping[str, Present], pins: Mapping[str, str]
) -> Iterator[Step]:
    free = seen.free
    for model in wanted:
        present, pin = there.get(model.name), pins.get(model.name)
        if present is None:
            if free is not None and model.size is not None and model.size + SPARE_BYTES > free:
                yield Step(model.name, seen.server.name, Act.NO_ROOM, _too_full(model.size, free))
                continue
            if free is not None:
                free -= model.size or 0
            yield Step(model.name, seen.server.name, Act.PULL, "it is not there" + _about(model.size))
        elif pin is not None and present.digest != pin:
            yield Step(
                model.name,
                seen.server.name,
                Act.MOVED,
                f"it is {present.digest[:SHOWN]} and pinned is {pin[:SHOWN]}; it is left as it is",
            )
        else:
            yield Step(model.name, seen.server.name, Act.KEEP, "as pinned" if pin else "there, and not pinned")


def _in_memory(
    warm: Sequence[Wanted], seen: Seen, users: Mapping[str, Collection[str]], known: Collection[str]
) -> Iterator[Step]:
    """Who leaves and who comes: the warm set in its order, as far as it fits beside what others use."""
    loaded = {one.name: one.size for one in seen.loaded}
    # What was not pulled yet takes no less than its download.
    takes = {**{model.name: model.size for model in warm if model.size}, **seen.takes, **loaded}
    together: dict[str, int | None] = {}
    fitting: list[Wanted] = []
    for model in warm:
        why = refuses(model.name, together, takes.get(model.name), seen.server)
        if why:
            yield Step(model.name, seen.server.name, Act.UNFIT, why)
            continue
        together[model.name] = takes.get(model.name)
        fitting.append(model)
    coming = [model for model in fitting if model.name not in loaded]
    standing: dict[str, int | None] = dict(loaded)
    for model in coming:
        for stray in _strays(standing, together, users, known):
            if not refuses(model.name, standing, takes.get(model.name), seen.server):
                break
            del standing[stray]
            yield Step(stray, seen.server.name, Act.UNLOAD, f"nobody names it, and {model.name} needs the room")
        why = refuses(model.name, standing, takes.get(model.name), seen.server)
        if why:
            yield Step(model.name, seen.server.name, Act.UNFIT, f"now: {why}")
            continue
        standing[model.name] = takes.get(model.name)
        yield Step(model.name, seen.server.name, Act.WARM, "it is to be in memory before anybody asks")


def _strays(
    standing: Mapping[str, int | None],
    together: Collection[str],
    users: Mapping[str, Collection[str]],
    known: Collection[str],
) -> list[str]:
    """What is in memory and neither to be warm, nor of the manifest, nor named by a service; the largest first."""
    loose = [name for name in standing if name not in together and name not in known and not users.get(name)]
    return sorted(loose, key=lambda name: -(standing[name] or 0))


def _notes(
    wanted: Sequence[Wanted],
    seen: Seen,
    there: Mapping[str, Present],
    pins: Mapping[str, str],
) -> Iterator[str]:
    loose = [model.name for model in wanted if model.name in there and model.name not in pins]
    if loose:
        yield f"not pinned, so whatever the registry calls so is taken: {', '.join(loose)} (sutazai-ops models lock)"
    for model in wanted:
        present = there.get(model.name)
        if present and model.quantization and present.quantization and present.quantization != model.quantization:
            yield f"{model.name} is quantized as {present.quantization} and meant as {model.quantization}"
        if model.context and model.context != seen.server.context:
            yield (
                f"{model.name} is warmed for {model.context:,} tokens and {seen.server.name} loads for"
                f" {seen.server.context:,}: whoever does not ask for as many has it loaded anew (OLLAMA_CONTEXT_LENGTH)"
            )
    if seen.free is None:
        yield f"how much room the disk of {seen.server.name} has cannot be asked, so it is not checked before a pull"
    unknown = [one.name for one in wanted if one.warm and one.name in there and one.name not in seen.takes]
    unknown = [name for name in unknown if name not in {one.name for one in seen.loaded}]
    if unknown and seen.server.memory is not None:
        yield f"how much memory they take is not known before they were loaded: {', '.join(unknown)}"


def _too_full(size: int, free: int) -> str:
    return f"it needs {human.size(size)} and {human.size(SPARE_BYTES)} to spare, and {human.size(max(free, 0))} is free"


def _about(size: int | None) -> str:
    return f": about {human.size(size)}" if size else ""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a model on the disk when those are removed that nobody needs."""

    model: str
    server: str
    size: int
    keep: bool
    because: str


def plan_prune(
    seen: Seen, manifest: Collection[str], users: Mapping[str, Collection[str]], under_way: Collection[str] = ()
) -> list[Fate]:
    """Decide about every model on the disk of one server.

    Args:
        seen: what it has.
        manifest: the names of all models that there should be.
        users: the services that name each, by name.
        under_way: models that are being pulled, the old one of which waits under a name of its own.
    """
    loaded = {one.name for one in seen.loaded}

    def kept(name: str) -> str:
        if services := users.get(name):
            return f"{in_short(services)} {'names' if len(services) == 1 else 'name'} it"
        if name in manifest:
            return "the manifest has it"
        if name in loaded:
            return "it is in memory"
        if any(name.startswith(f"{one}{BEFORE}") for one in under_way):
            return "it is put back if the pull that is under way fails"
        return ""

    return [
        Fate(one.name, seen.server.name, one.size, bool(why := kept(one.name)), why or "nobody names it")
        for one in seen.present
    ]
