"""What the status page says, as a value. It is also served as `status.json`, for other programs.

A state is that of a journey, in a user's words. What is not known is UNKNOWN and never WORKS: not measured is no state
of health. All moments are in UTC with their zone.
"""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003  (pydantic reads them)
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from sutazai_ops.model import Model

FORMAT: Literal["sutazai-ops/status-page"] = "sutazai-ops/status-page"
VERSION: Literal[1] = 1

Share = Annotated[float, Field(ge=0, le=1)]

_COVERED = 0.9
"""Of a day that was measured less than this nothing is said but that something failed in it."""
_MOSTLY = 0.95
"""A day that was worse than this is one on which it did not work, and not one with a disturbance."""


class Said(Model):
    """A part of the page; it refuses numbers that are none."""

    model_config = ConfigDict(allow_inf_nan=False)


class State(StrEnum):
    """Whether something works; the worse the later."""

    WORKS = "works"
    UNKNOWN = "not known"
    DISTURBED = "works in part"
    FAILS = "does not work"


class DayState(StrEnum):
    """How one day was."""

    GOOD = "good"
    DISTURBED = "disturbed"
    BAD = "bad"
    UNKNOWN = "not measured"
    BEFORE = "not there yet"


class Day(Said):
    """One UTC day of a journey."""

    day: date
    state: DayState
    share: Share | None = None
    """Of what users came for, what they had."""
    coverage: Share = 0
    """How much of the day was measured."""


class Journey(Said):
    """Something that users do."""

    title: str
    """In their words: "Asking in the chat"."""
    state: State
    since: AwareDatetime | None = None
    """Since when it is so, where that is known."""
    days: tuple[Day, ...] = ()
    """The last ninety, the oldest first; the last is today."""
    share: Share | None = None
    """Of those days together."""
    coverage: Share = 0


class NoticeKind(StrEnum):
    """What a notice is about."""

    INCIDENT = "incident"
    MAINTENANCE = "maintenance"


class NoticeState(StrEnum):
    """How far it is."""

    OPEN = "open"
    """Known, and not mended yet."""
    WATCHING = "watching"
    """Mended, as far as can be told."""
    RESOLVED = "resolved"
    PLANNED = "planned"
    """Of maintenance: to come, or under way."""
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self in {NoticeState.RESOLVED, NoticeState.DONE, NoticeState.CANCELLED}


class Update(Said):
    """One thing that was said about a notice."""

    at: AwareDatetime
    state: NoticeState
    text: str


class Notice(Said):
    """An incident or a maintenance, in plain words."""

    uid: str
    """The same for ever: readers of the feed know it by this."""
    kind: NoticeKind
    title: str
    journeys: tuple[str, ...] = ()
    """The titles of those that it touches; none means all."""
    start: AwareDatetime
    end: AwareDatetime | None = None
    """Of maintenance when it ends, of an incident when it ended."""
    updates: Annotated[tuple[Update, ...], Field(min_length=1)]
    """The oldest first."""

    @property
    def state(self) -> NoticeState:
        """What was said last."""
        return self.updates[-1].state

    @property
    def updated_at(self) -> datetime:
        """When something was said last."""
        return self.updates[-1].at


class StatusPage(Said):
    """All that the page says."""

    format: Literal["sutazai-ops/status-page"] = FORMAT
    version: Literal[1] = VERSION
    title: str
    address: str = ""
    """Where the page is found from outside, ending in a slash; nothing where nobody has said."""
    generated_at: AwareDatetime
    measured_at: AwareDatetime | None = None
    """When something was measured last; null where nothing ever was."""
    stale_after_seconds: Annotated[int, Field(gt=0)] = 300
    """How old it may be and still speak of now."""
    sample: bool = False
    journeys: tuple[Journey, ...] = ()
    notices: tuple[Notice, ...] = ()
    """Those that are not over and those of the last ninety days, the newest first."""

    @property
    def is_stale(self) -> bool:
        """Whether what was measured was already too old when the page was written."""
        if self.measured_at is None:
            return True
        return (self.generated_at - self.measured_at).total_seconds() > self.stale_after_seconds


def day_state(share: float | None, coverage: float, target: float) -> DayState:
    """What is said of a day: whoever promised `target` is held to it.

    >>> [str(day_state(share, 1, target=0.999)) for share in (0.9995, 0.98, 0.5)]
    ['good', 'disturbed', 'bad']
    >>> [str(day_state(share, 0.4, target=0.999)) for share in (1, 0.5)]
    ['not measured', 'bad']
    """
    if share is None:
        return DayState.UNKNOWN
    if share >= target:
        return DayState.GOOD if coverage >= _COVERED else DayState.UNKNOWN
    return DayState.DISTURBED if share >= min(_MOSTLY, target) else DayState.BAD
