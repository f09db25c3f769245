"""What is coming: how disk, memory and backups grow, within which bounds, and on which day there is no room left.

A line by Theil and Sen (`trend.py`) through one number a day. Fewer than seven days give no forecast, and a disk that
was made larger begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.capacity import values
from sutazai_ops.capacity.trend import FEWEST, reached, trend

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sutazai_ops.capacity.trend import Range
    from sutazai_ops.capacity.values import DayValue, Subject

AHEAD_DAYS = 30
AT_MOST_DAYS = 365
"""Nobody knows what is in a year."""
SAME_SIZE = 0.01


class Resource(StrEnum):
    """What there is so much of."""

    DISK = "disk"
    MEMORY = "memory"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True)
class Forecast:
    """One thing that is used, and what it will be; bytes."""

    resource: Resource
    name: str
    """Such as the disk's mount point."""
    now: float
    size: float | None
    """All there is; None where there is no end."""
    days: Sequence[tuple[date, float]]
    """What the line was drawn through."""
    growth: Range | None = None
    """A day; None where there are too few days."""
    ahead: Range | None = None
    """In thirty days."""
    earliest: date | None = None
    """When there will be no room left, where that is within a year."""
    likely: date | None = None
    latest: date | None = None

    @property
    def sentence(self) -> str:
        """What it comes to."""
        what = f"{self.resource} {self.name}".strip()
        if self.growth is None:
            return f"{what}: {human.count(len(self.days), 'day')} of data, and a forecast needs {FEWEST}"
        if self.size is not None and self.now >= self.size:
            return f"{what} has no room left"
        if self.growth.low <= 0 <= self.growth.high and self.likely is None:
            soonest = f", and is full on {self.earliest} at the earliest" if self.earliest else ""
            return f"{what} neither grows nor shrinks for sure{soonest}"
        pace = f"{what} {'grows' if self.growth.likely > 0 else 'shrinks'} by {_size(abs(self.growth.likely))} a day"
        if self.size is None or (self.earliest is None and self.growth.likely <= 0):
            return pace
        if self.earliest is None:
            return f"{pace} and lasts for more than a year"
        likely = f"about {self.likely}" if self.likely else "later than in a year"
        sooner = "" if self.earliest == self.likely else f", {self.earliest} at the earliest"
        return f"{pace} and is full {likely}{sooner}"


def forecasts(known: Mapping[tuple[str, Subject, date], DayValue]) -> list[Forecast]:
    """What is to be said of each disk, of the host's memory, and of backups; the soonest full first."""
    series = _series(known)
    found = [
        _forecast(Resource.DISK, dict(subject).get("mountpoint", ""), of, series.get(("disk_size", subject), ()))
        for (measure, subject), of in series.items()
        if measure == values.DISK.name
    ]
    memory = series.get((values.HOST_MEMORY.name, ()), ())
    if memory:
        size = series.get((values.HOST_MEMORY_SIZE.name, ()), ())
        found.append(_forecast(Resource.MEMORY, "of the host", memory, size, peak=True))
    found += _of_backups(series)
    return sorted(found, key=lambda one: (one.earliest or date.max, one.resource, one.name))


def _of_backups(series: Mapping[tuple[str, Subject], Sequence[DayValue]]) -> Iterator[Forecast]:
    """Of the newest set, which has no end, and of all of them, which end with the disk that they are on."""
    newest, store, free = (
        series.get((measure.name, ()), ()) for measure in (values.BACKUP_SIZE, values.BACKUP_STORE, values.BACKUP_FREE)
    )
    if newest:
        yield _forecast(Resource.BACKUP, "set", newest, ())
    if store:
        left = free[-1].last if free else None
        taken = store[-1].last or 0.0
        # What others write there takes of the same room, so only how much there is now is known.
        yield _line(Resource.BACKUP, "store", _levels(store), None if left is None else taken + left)


def _series(known: Mapping[tuple[str, Subject, date], DayValue]) -> dict[tuple[str, Subject], list[DayValue]]:
    found: dict[tuple[str, Subject], list[DayValue]] = {}
    for (measure, subject, _), value in sorted(known.items(), key=lambda item: item[0]):
        if value.known:
            found.setdefault((measure, subject), []).append(value)
    return found


def _forecast(
    resource: Resource, name: str, used: Sequence[DayValue], sizes: Iterable[DayValue], *, peak: bool = False
) -> Forecast:
    ends = {one.day: one.last for one in sizes}
    size = ends[max(ends)] if ends else None
    days = _levels(used, peak=peak)
    return _line(resource, name, days if size is None else _since_resized(days, ends, size), size)


def _levels(used: Sequence[DayValue], *, peak: bool = False) -> list[tuple[date, float]]:
    return [(one.day, level) for one in used if (level := one.peak if peak else one.last) is not None]


def _line(resource: Resource, name: str, days: Sequence[tuple[date, float]], size: float | None) -> Forecast:
    now = days[-1][1] if days else 0.0
    line = trend([float(day.toordinal()) for day, _ in days], [level for _, level in days])
    if line is None:
        return Forecast(resource, name, now, size, days)
    last = days[-1][0]
    today = float(last.toordinal())
    earliest = likely = latest = None
    if size is not None:
        earliest, likely, latest = (_day(last, ahead) for ahead in reached(line, size, today, AT_MOST_DAYS))
    return Forecast(resource, name, now, size, days, line.slope, line.at(today + AHEAD_DAYS), earliest, likely, latest)


def _since_resized(
    days: Sequence[tuple[date, float]], sizes: Mapping[date, float | None], size: float
) -> list[tuple[date, float]]:
    others = [day for day, one in sizes.items() if one is not None and abs(one - size) > SAME_SIZE * size]
    return [(day, level) for day, level in days if not others or day > max(others)]


def _day(last: date, ahead: float | None) -> date | None:
    return None if ahead is None else last + timedelta(days=int(ahead))


def _size(count: float) -> str:
    return human.size(round(count))
