"""Windows that come again every week, as a file of YAML says: as those that a person opens, without the person.

The file is that of the setting `monitoring.windows`; windows.yaml beside this module is its example. `holding` and
`coming` are pure. A window begins at its time of day in the platform's time zone and is as long as it says, also where
the clocks change meanwhile; one that would begin in the hour that they leave out begins an hour later.

Whoever lives for months asks `FollowedWindows`, which reads the file anew once it has changed.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from sutazai_ops.errors import OpsError
from sutazai_ops.ledger import WindowEntry
from sutazai_ops.maintenance.windows import Kind
from sutazai_ops.model import Model
from sutazai_ops.monitoring.duration import Duration
from sutazai_ops.monitoring.entries import read_entries
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

PAGE = "docs/monitoring.md"
LONGEST = timedelta(days=1)
"""A window that is longer would meet itself where it comes every day."""
WEEK = 7

log = logging.getLogger(__name__)


class Day(StrEnum):
    """A day of the week, in the order in which Python counts them."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


def _days(value: object) -> object:
    return tuple(Day) if value == "day" else (value,) if isinstance(value, str) else value


def _time_of_day(value: object) -> object:
    try:
        return datetime.strptime(str(value), "%H:%M").time()  # noqa: DTZ007  (a time of day, in whichever zone)
    except ValueError:
        raise ValueError("write a time of day, such as 03:30") from None


class RecurringWindow(Model):
    """One window of the file."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: str
    every: Annotated[tuple[Day, ...], BeforeValidator(_days), Field(min_length=1)]
    """The days on which it begins; `day` is each."""
    start: Annotated[time, BeforeValidator(_time_of_day)]
    for_: Duration = Field(alias="for")
    """Seconds."""
    services: tuple[str, ...] = ()
    """None means all."""
    reason: str

    @field_validator("for_")
    @classmethod
    def _lasts(cls, seconds: float) -> float:
        if not 0 < seconds <= LONGEST.total_seconds():
            raise ValueError("a window lasts for longer than nothing and for a day at most")
        return seconds

    @field_validator("reason")
    @classmethod
    def _says_why(cls, reason: str) -> str:
        if not reason.strip():
            raise ValueError("say why, for whoever asks why nobody was told")
        return reason


def read_windows(file: Path | None, known: Collection[str]) -> tuple[RecurringWindow, ...]:
    """The windows of a file; none where no file is set.

    Args:
        file: of windows by name.
        known: the services that there are.

    Raises:
        BadInput: for a window that is wrong, or of a service that there is not; names file and line.
    """
    if file is None:
        return ()
    found = []
    for entry in read_entries(file, None, PAGE).values():
        window = entry.as_model(RecurringWindow, "window")
        for i, name in enumerate(window.services):
            if name not in known:
                remedy = nearest(name, known) or "sutazai-ops status names them"
                raise entry.refuse(f"there is no service {name!r}", "services", i, remedy=remedy)
        found.append(window)
    return tuple(found)


class FollowedWindows:
    """The windows of a file that may change: one that is wrong, or gone, leaves those that were, and is logged once."""

    def __init__(self, file: Path | None, known: Collection[str]) -> None:
        """Read it, as `read_windows` does, which says what may be raised."""
        self._file, self._known = file, known
        self._stamp = _stamp(file)
        self._windows = read_windows(file, known)

    def read(self) -> tuple[RecurringWindow, ...]:
        """The windows as the file says them now."""
        stamp = _stamp(self._file)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._windows = read_windows(self._file, self._known)
            except OpsError as error:
                log.warning("the windows cannot be read, so those that were go on: %s (%s)", error.what, error.where)
        return self._windows


def holding(windows: Sequence[RecurringWindow], now: datetime, zone: ZoneInfo) -> list[WindowEntry]:
    """The windows that hold now, as those of the ledger are written down.

    `now` is timezone-aware; `zone` is the one that the times of day are meant in.
    """
    # One that began yesterday may hold still.
    begun = (one for window in windows for one in _occurrences(window, now, zone, range(-1, 1)))
    return [one for one in begun if one.starts_at <= now < one.ends_at]


def coming(windows: Sequence[RecurringWindow], now: datetime, zone: ZoneInfo) -> list[WindowEntry]:
    """Of each window the time that holds now, or else the next one."""
    found = []
    for window in windows:
        ahead = [one for one in _occurrences(window, now, zone, range(-1, WEEK + 1)) if one.ends_at > now]
        found.append(min(ahead, key=lambda one: one.starts_at))
    return found


def _stamp(file: Path | None) -> tuple[int, int] | None:
    if file is None or not file.is_file():
        return None
    facts = file.stat()
    return facts.st_mtime_ns, facts.st_size


def _occurrences(window: RecurringWindow, now: datetime, zone: ZoneInfo, days: range) -> Iterator[WindowEntry]:
    today = now.astimezone(zone).date()
    for n in days:
        date = today + timedelta(days=n)
        if tuple(Day)[date.weekday()] in window.every:
            starts = datetime.combine(date, window.start, zone).astimezone(UTC)
            ends = starts + timedelta(seconds=window.for_)
            yield WindowEntry(0, Kind.MAINTENANCE, [*window.services], window.reason, starts, ends, window.name)
