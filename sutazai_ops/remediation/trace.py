"""A trace: what breaks when, recorded or made up, for the guard to be tried on.

docs/remediation/simulate.md shows one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.monitoring.duration import LONGEST, Duration
from sutazai_ops.monitoring.entries import first_wrong
from sutazai_ops.platform.model import ServiceName
from sutazai_ops.remediation.incidents import HOST
from sutazai_ops.remediation.playbook import Action, Check
from sutazai_ops.remediation.verdict import Mode
from sutazai_ops.words import nearest
from sutazai_ops.yaml_file import read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sutazai_ops.monitoring.thresholds import Rulebook
    from sutazai_ops.yaml_file import YamlFile

PAGE = "docs/remediation/simulate.md"


def _for_good(value: object) -> object:
    return f"{int(LONGEST)}s" if value == "for good" else value


def _is_a_pace(seconds: float) -> float:
    if seconds == 0:
        raise ValueError("nothing comes again after no time at all")
    return seconds


Pace = Annotated[Duration, AfterValidator(_is_a_pace)]
"""After how long something comes again."""


class TracedService(Model):
    """One service of the platform that is made up."""

    needs: tuple[ServiceName, ...] = ()
    """What it stands on."""
    holds_state: bool = False
    may_disrupt: bool = False
    """Whether somebody opted in to its being disrupted unasked, though it holds state."""
    backup_age: Duration | None = None
    """Of its newest verified backup at the beginning; none if left out. It grows as the time passes."""
    backed_up_every: Pace | None = None
    """A new one is there after each such time; never another if left out."""
    grace: Duration = 30.0
    """How long it may take after a start."""
    released_lately: bool = False
    """Whether there is a release to go back to."""
    measures: bool = False
    """Whether it is one of those that measure."""

    def age_of_backup(self, elapsed: float) -> float | None:
        """Of its newest verified backup at a time, in seconds."""
        if self.backup_age is None:
            return None
        age = self.backup_age + elapsed
        return age % self.backed_up_every if self.backed_up_every else age

    @property
    def failed_checks(self) -> frozenset[Check]:
        """What rungs may ask for beforehand and is not so."""
        so = {Check.RUNS: True, Check.RELEASED_LATELY: self.released_lately, Check.MEASURES: self.measures,
              Check.POSTGRES: False, Check.CACHES: False}  # fmt: skip
        return frozenset(check for check in Check if not so[check])


class Stretch(Model):
    """A part of the trace."""

    start: Duration = Field(default=0.0, alias="from")
    until: Duration | None = None
    """The end of the trace if left out."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.until is not None and self.until < self.start:
            raise ValueError("it ends before it begins: until is earlier than from")
        return self


class Broken(Stretch):
    """One threshold that is broken for one target."""

    threshold: str
    service: ServiceName | None = None
    """None for the host."""
    lasting: Duration | None = None
    """With `every`: how long it is broken each time."""
    every: Pace | None = None
    """It comes and goes: broken again after each such time."""
    mended_by: Mapping[Action, Annotated[Duration, BeforeValidator(_for_good)]] = Field(default_factory=dict)
    """For how long an action makes it whole, or `for good`; one that is not named does nothing to it."""

    @model_validator(mode="after")
    def _says_both_of_a_flap(self) -> Self:
        if (self.every is None) != (self.lasting is None):
            raise ValueError("every and lasting go together: how often it comes, and how long it stays each time")
        return self

    @property
    def target(self) -> str:
        """What it is about."""
        return self.service or HOST

    def is_broken(self, elapsed: float) -> bool:
        """Whether it is so at a time, in seconds from the beginning, while nothing has mended it."""
        if elapsed < self.start or (self.until is not None and elapsed >= self.until):
            return False
        return self.every is None or (elapsed - self.start) % self.every < (self.lasting or 0.0)

    def breaks_next(self, elapsed: float) -> float:
        """When it will be so, at that time or after it; infinity where it will not be again."""
        if self.is_broken(elapsed):
            return elapsed
        turn = self.start
        if elapsed > self.start and self.every is not None:
            turn += math.ceil((elapsed - self.start) / self.every) * self.every
        return turn if elapsed <= turn and self.is_broken(turn) else math.inf


class Closed(Stretch):
    """A time in which services are left alone."""

    kind: Literal["maintenance", "silence", "deployment", "drill"] = "maintenance"
    because: str = ""
    services: tuple[ServiceName, ...] | None = None
    """All if left out."""


class Blind(Stretch):
    """A time in which nothing can be seen."""


class ClockSet(Model):
    """A moment in which somebody sets the clock back."""

    at: Duration
    back: Duration


class Trace(Model):
    """What breaks when, on which platform. Times are counted from the beginning."""

    lasts: Duration
    every: Pace = 10.0
    """How often everything is looked at."""
    mode: Mode = Mode.ACT
    services: Mapping[ServiceName, TracedService]
    broken: tuple[Broken, ...] = ()
    closed: tuple[Closed, ...] = ()
    blind: tuple[Blind, ...] = ()
    clock: tuple[ClockSet, ...] = ()

    @model_validator(mode="after")
    def _has_a_clock(self) -> Self:
        if sum(one.back for one in self.clock) > LONGEST:
            raise ValueError("its clock is set back by more than a hundred years")
        return self

    def set_back(self, elapsed: float) -> timedelta:
        """By how much the clock was set back until then."""
        return timedelta(seconds=sum(one.back for one in self.clock if one.at <= elapsed))


def read_trace(path: Path, rulebook: Rulebook) -> Trace:
    """Read a trace from YAML, of which JSON is a part.

    Raises:
        BadInput: for what is wrong in it, or names a threshold or a service that there is not; names file and line.
    """
    file = read_yaml_file(path, f"{PAGE} shows one")
    try:
        trace = Trace.model_validate(file.content)
    except ValidationError as error:
        wrong = first_wrong(error, Trace, "trace")
        raise BadInput(wrong.what, where=file.where(*wrong.keys), remedy=wrong.remedy or f"{PAGE} shows one") from None
    for i, one in enumerate(trace.broken):
        _refuse_unknown_threshold(file, i, one, rulebook)
    for name, keys in _named(trace):
        if name not in trace.services:
            raise BadInput(
                f"the trace has no service {name!r}",
                where=file.where(*keys),
                remedy=nearest(name, trace.services) or "name it under services:",
            )
    _refuse_circle(file, trace)
    return trace


def _refuse_unknown_threshold(file: YamlFile, place: int, one: Broken, rulebook: Rulebook) -> None:
    threshold = rulebook.thresholds.get(one.threshold)
    if threshold is None:
        raise BadInput(
            f"there is no threshold {one.threshold!r}",
            where=file.where("broken", place, "threshold"),
            remedy=nearest(one.threshold, rulebook.thresholds) or "docs/signals.md shows where they stand",
        )
    is_of_a_service = "service" in rulebook.signal_of(threshold).labels
    if is_of_a_service is (one.service is None):
        raise BadInput(
            f"{one.threshold} is about {'a service' if is_of_a_service else 'no service'}",
            where=file.where("broken", place, *(() if is_of_a_service else ("service",))),
            remedy="add service:" if is_of_a_service else "take service: out",
        )


def _named(trace: Trace) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Every service that is named outside of the list of them, and where."""
    for name, service in trace.services.items():
        yield from ((other, ("services", name, "needs", i)) for i, other in enumerate(service.needs))
    for i, one in enumerate(trace.broken):
        if one.service is not None:
            yield one.service, ("broken", i, "service")
    for i, window in enumerate(trace.closed):
        yield from ((name, ("closed", i, "services", j)) for j, name in enumerate(window.services or ()))


def _refuse_circle(file: YamlFile, trace: Trace) -> None:
    try:
        TopologicalSorter({name: one.needs for name, one in trace.services.items()}).prepare()
    except CycleError as error:
        # graphlib names each service before the one that waits for it; a person reads "needs" the other way.
        circle = list(reversed(error.args[1]))
        raise BadInput(
            f"services of the trace need each other in a circle: {' -> '.join(circle)}",
            where=file.where("services", circle[0], "needs"),
            remedy="remove one of these needs",
        ) from None
