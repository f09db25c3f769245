"""A fact of capacity: what one service used on one UTC day, hour by hour, and what it was allowed then.

Facts are kept for ever; measurements are not. A fact is replaced and never added to, so computing a day again does no
harm; an hour that was measured better before, because its samples have since gone, stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sutazai_ops.capacity.spread import Spread, added, spread_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

HOURS = 24
HOUR_SECONDS = 3600
SLICE_SECONDS = 300
"""What is measured is read in steps of five minutes."""
SLICE_MINUTES = SLICE_SECONDS // 60
SLICES = 86_400 // SLICE_SECONDS
SLICES_OF_HOUR = SLICES // HOURS
SETTLED_AFTER = timedelta(hours=1)
"""A day may still change for this long after it is over: the last samples come in."""


@dataclass(frozen=True, slots=True)
class Band:
    """A share of what a service may use that it should use: no less, since that is paid for, and no more."""

    low: float
    high: float

    def holds(self, share: float) -> bool:
        """Whether a share lies within."""
        return self.low <= share <= self.high


CPU_BAND = Band(0.40, 0.60)
"""The success metrics of the platform's plan."""
MEMORY_BAND = Band(0.50, 0.70)


@dataclass(frozen=True, slots=True)
class Use:
    """What was used of one thing in some time, and what was allowed."""

    spread: Spread = field(default_factory=Spread)
    """Of slices: bytes at their highest, or cores on average."""
    limit: float | None = None
    """The last that was in force; None where there was none."""
    limited: int = 0
    """Slices of which both use and limit are known."""
    in_band: int = 0
    """Of those: in which the use was where it should be."""

    @property
    def measured(self) -> int:
        """Slices."""
        return self.spread.count


@dataclass(frozen=True, slots=True)
class Hour:
    """One service in one hour."""

    memory: Use = field(default_factory=Use)
    cpu: Use = field(default_factory=Use)
    kills: int = 0
    """Processes that the kernel ended for want of memory."""
    throttled: float | None = None
    """Seconds in which it was held back at its processor limit; None where nobody measures that."""


@dataclass(frozen=True)
class ServiceDay:
    """One service on one day."""

    service: str
    day: date
    hours: Sequence[Hour]
    """Twenty-four."""
    expected: int
    """Slices that had passed when it was computed."""
    computed_at: datetime

    @cached_property
    def memory(self) -> Use:
        """Of the whole day."""
        return total_use([hour.memory for hour in self.hours])

    @cached_property
    def cpu(self) -> Use:
        """Of the whole day."""
        return total_use([hour.cpu for hour in self.hours])

    @cached_property
    def kills(self) -> int:
        """Of the whole day."""
        return sum(hour.kills for hour in self.hours)

    @cached_property
    def throttled(self) -> float | None:
        """Of the whole day, in seconds; None where it was never measured."""
        known = [hour.throttled for hour in self.hours if hour.throttled is not None]
        return sum(known) if known else None

    @property
    def coverage(self) -> float:
        """How much of the day was measured, as far as it had passed."""
        return min(1.0, self.memory.measured / self.expected) if self.expected else 0.0

    def is_final(self) -> bool:
        """Whether it can no longer change."""
        return is_settled(self.day, self.computed_at)


def is_settled(day: date, computed_at: datetime) -> bool:
    """Whether a fact that was computed then can no longer change."""
    return computed_at >= datetime.combine(day, time(), UTC) + timedelta(days=1) + SETTLED_AFTER


def total_use(uses: Sequence[Use]) -> Use:
    """Several stretches of time as one; the limit is the last that is known."""
    return Use(
        spread=added(one.spread for one in uses),
        limit=next((one.limit for one in reversed(uses) if one.limit is not None), None),
        limited=sum(one.limited for one in uses),
        in_band=sum(one.in_band for one in uses),
    )


@dataclass(frozen=True, slots=True)
class Slices:
    """What was answered about one service and one day: a value a slice, None where there is none."""

    memory: Sequence[float | None]
    cpu: Sequence[float | None]
    memory_limit: Sequence[float | None]
    cpu_limit: Sequence[float | None]
    kills: Sequence[float | None]
    """The counter as it stood; one more than slices, since the first is where the day began."""
    throttled: Sequence[float | None] = ()
    """Likewise, in seconds; none where nobody measures it."""


def make_day(service: str, day: date, slices: Slices, expected: int, now: datetime) -> ServiceDay:
    """The fact of a day.

    Args:
        service: whose.
        day: in UTC.
        slices: 288 of each, 289 of each counter.
        expected: how many slices have passed.
        now: aware.
    """
    kills = [round(found) for found in _grown(slices.kills)]
    throttled = _grown(slices.throttled) if any(one is not None for one in slices.throttled) else None
    hours = []
    for number in range(HOURS):
        part = slice(number * SLICES_OF_HOUR, (number + 1) * SLICES_OF_HOUR)
        hours.append(
            Hour(
                memory=_use(slices.memory[part], slices.memory_limit[part], MEMORY_BAND),
                cpu=_use(slices.cpu[part], slices.cpu_limit[part], CPU_BAND),
                kills=sum(kills[part]),
                throttled=None if throttled is None else sum(throttled[part]),
            )
        )
    return ServiceDay(service, day, tuple(hours), expected, now)


def _use(used: Sequence[float | None], limits: Sequence[float | None], band: Band) -> Use:
    both = [(one, limit) for one, limit in zip(used, limits, strict=True) if one is not None and limit]
    return Use(
        spread=spread_of(one for one in used if one is not None),
        limit=next((limit for limit in reversed(limits) if limit), None),
        limited=len(both),
        in_band=sum(band.holds(one / limit) for one, limit in both),
    )


def _grown(counter: Sequence[float | None]) -> list[float]:
    """What a counter that begins anew now and then grew by from each reading to the next.

    What came before its first reading is not known, and what it grew by in a gap counts where it is seen again.
    """
    grown, last = [], None
    for reading in counter:
        more = 0.0
        if reading is not None:
            if last is not None:
                more = reading - last if reading >= last else reading
            last = reading
        grown.append(more)
    return grown[1:]


def merged(old: ServiceDay, new: ServiceDay) -> ServiceDay:
    """The newer of two facts of one day, with each hour as it was measured best."""
    hours = [
        mine if mine.memory.measured > theirs.memory.measured else theirs
        for mine, theirs in zip(old.hours, new.hours, strict=True)
    ]
    return replace(new, hours=tuple(hours))


class _Kept(Sequence[Hour]):
    """The hours of a fact that was kept: most readers want the day alone, and a month has thousands of hours."""

    def __init__(self, kept: Sequence[Any]) -> None:
        self._kept = kept

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401  (a number or a slice, as of any sequence)
        if isinstance(place, slice):
            return [_to_hour(one) for one in self._kept[place]]
        return _to_hour(self._kept[place])


def to_detail(fact: ServiceDay) -> dict[str, Any]:
    """What the ledger keeps of a fact beside its figures, as JSON: its sums, and the hours that they are sums of."""
    whole = Hour(fact.memory, fact.cpu, fact.kills, fact.throttled)
    return {"expected": fact.expected, "day": _of_hour(whole), "hours": [_of_hour(hour) for hour in fact.hours]}


def of_detail(service: str, day: date, detail: Mapping[str, Any], computed_at: datetime) -> ServiceDay:
    """The fact that `to_detail` was made of."""
    fact = ServiceDay(service, day, _Kept(detail["hours"]), detail["expected"], computed_at)
    whole = _to_hour(detail["day"])
    fact.__dict__.update(memory=whole.memory, cpu=whole.cpu, kills=whole.kills, throttled=whole.throttled)
    return fact


def _to_hour(kept: Sequence[Any]) -> Hour:
    memory, cpu, kills, throttled = kept
    return Hour(_to_use(memory), _to_use(cpu), kills, throttled)


def _of_hour(hour: Hour) -> list[Any]:
    return [_of_use(hour.memory), _of_use(hour.cpu), hour.kills, hour.throttled]


def _of_use(use: Use) -> list[Any]:
    spread = use.spread
    pairs = [[place, count] for place, count in sorted(spread.bins.items())]
    return [pairs, _short(spread.peak), _short(spread.total), use.limit, use.limited, use.in_band]


def _to_use(kept: Sequence[Any]) -> Use:
    pairs, peak, total, limit, limited, in_band = kept
    return Use(Spread(dict(pairs), peak, total), limit, limited, in_band)


def _short(value: float) -> float:
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded
