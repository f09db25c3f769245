"""A trace: what breaks when, recorded or made up, for the guard to be tried on.

docs/remediation/simulate.md shows one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.monitoring.duration import Duration
from sutazai_ops.platform.model import ServiceName
from sutazai_ops.remediation.incidents import HOST
from sutazai_ops.remediation.playbook import Action, Check
from sutazai_ops.remediation.verdict import Mode
from sutazai_ops.words import nearest
from sutazai_ops.yaml_file import read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

PAGE = "docs/remediation/simulate.md"
FOR_GOOD = 100 * 365 * 86_400.0


def _for_good(value: object) -> object:
    return f"{int(FOR_GOOD)}s" if value == "for good" else value


class TracedService(Model):
    """One service of the platform that is made up."""

    needs: tuple[ServiceName, ...] = ()
    """What it stands on."""
    holds_state: bool = False
    may_disrupt: bool = False
    """Whether somebody opted in to its being disrupted unasked, though it holds state."""
    backup_age: Duration | None = None
    """Of its newest verified backup at the beginning; none if left out. It grows as the time passes."""
    backed_up_every: Duration | None = None
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


class Broken(Model):
    """One threshold that is broken for one target."""

    threshold: str
    service: ServiceName | None = None
    """None for the host."""
    start: Duration = Field(default=0.0, alias="from")
    until: Duration | None = None
    """The end of the trace if left out."""
    lasting: Duration | None = None
    """With `every`: how long it is broken each time."""
    every: Duration | None = None
    """It comes and goes: broken again after each such time."""
    mended_by: Mapping[Action, Annotated[Duration, BeforeValidator(_for_good)]] = Field(default_factory=dict)
    """For how long an action makes it whole, or `for good`; one that is not named does nothing to it."""

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


class Closed(Model):
    """A time in which services are left alone."""

    kind: Literal["maintenance", "silence", "deployment", "drill"] = "maintenance"
    because: str = ""
    start: Duration = Field(default=0.0, alias="from")
    until: Duration | None = None
    services: tuple[ServiceName, ...] | None = None
    """All if left out."""


class Blind(Model):
    """A time in which nothing can be seen."""

    start: Duration = Field(default=0.0, alias="from")
    until: Duration | None = None


class ClockSet(Model):
    """A moment in which somebody sets the clock back."""

    at: Duration
    back: Duration


class Trace(Model):
    """What breaks when, on which platform. Times are counted from the beginning."""

    lasts: Duration
    every: Duration = 10.0
    """How often everything is looked at."""
    mode: Mode = Mode.ACT
    services: Mapping[ServiceName, TracedService]
    broken: tuple[Broken, ...] = ()
    closed: tuple[Closed, ...] = ()
    blind: tuple[Blind, ...] = ()
    clock: tuple[ClockSet, ...] = ()

    def set_back(self, elapsed: float) -> timedelta:
        """By how much the clock was set back until then."""
        return timedelta(seconds=sum(one.back for one in self.clock if one.at <= elapsed))


def read_trace(path: Path, thresholds: Collection[str]) -> Trace:
    """Read a trace from YAML, of which JSON is a part.

    Raises:
        BadInput: for what is wrong in it, or names a threshold or a service that there is not; names file and line.
    """
    file = read_yaml_file(path, f"{PAGE} shows one")
    try:
        trace = Trace.model_validate(file.content)
    except ValidationError as error:
        first = error.errors()[0]
        keys = [key for key in first["loc"] if key != "[key]"]
        reason = first["msg"].removeprefix("Value error, ")
        raise BadInput(
            f"{'.'.join(map(str, keys))} of the trace is wrong: {reason[0].lower()}{reason[1:]}",
            where=file.where(*keys),
            remedy=f"{PAGE} shows one",
        ) from None
    for i, one in enumerate(trace.broken):
        if one.threshold not in thresholds:
            raise BadInput(
                f"there is no threshold {one.threshold!r}",
                where=file.where("broken", i, "threshold"),
                remedy=nearest(one.threshold, thresholds) or "docs/signals.md shows where they stand",
            )
        if one.service is not None and one.service not in trace.services:
            raise BadInput(
                f"the trace has no service {one.service!r}",
                where=file.where("broken", i, "service"),
                remedy=nearest(one.service, trace.services) or "name it under services:",
            )
    return trace
