"""A fact: what one objective came to on one UTC day, hour by hour. Facts are kept for ever; measurements are not.

A fact is replaced and never added to, so computing a day again does no harm; where an hour was measured better before,
because its samples have since gone, that hour stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from sutazai_ops.slo.maths import Totals, add_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

HOURS = 24
HOUR_MINUTES = 60
DAY_MINUTES = 1440
SETTLED_AFTER = timedelta(hours=1)
"""A day may still change for this long after it is over: the last samples come in, and the exporter its last cycle."""
DONORS_WANTED = 3
"""Days of the same kind that are needed to say what an hour would have brought."""
DONORS_REACH = timedelta(days=28)
DIFFERENCE = 0.001
"""Two answers to one question about one hour differ where they are further apart than this share."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a day that spent budget, in minutes from midnight."""

    start: int
    end: int
    bad: float = 0.0
    imputed: float = 0.0
    down: float = 0.0
    """Minutes in which the probe was not answered."""
    events: float = 0.0
    """All that were counted in it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One objective on one day."""

    objective: str
    day: date
    question: str
    """The hash of what was asked."""
    hours: Sequence[Totals]
    """Twenty-four; what has not come yet is expected nowhere."""
    computed_at: datetime
    dips: Sequence[Stretch] = ()
    """The dearest first."""
    gaps: Sequence[tuple[int, int]] = ()
    """Minutes from midnight in which nothing was measured."""
    buckets: Mapping[str, float] = field(default_factory=dict)
    """For a latency: answers at or below each edge, by `le` as it was served."""
    lacking: int = 0
    """Days more that imputing would have wanted: 0 where there were enough, or nothing was imputed."""
    warnings: Sequence[str] = ()
    _whole: list[Totals] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def totals(self) -> Totals:
        """The whole day."""
        if not self._whole:
            # Asked for again and again: half of the time of a report went into it.
            self._whole.append(add_up(self.hours))
        return self._whole[0]

    @property
    def start(self) -> datetime:
        """Midnight."""
        return datetime.combine(self.day, time(), UTC)

    def moment(self, minute: int) -> datetime:
        """A minute of the day."""
        return self.start + timedelta(minutes=minute)

    def is_final(self) -> bool:
        """Whether the day can no longer change: it was over, and no later day would tell more of what was lost."""
        over = self.start + timedelta(days=1)
        if self.computed_at < over + SETTLED_AFTER:
            return False
        return not self.lacking or self.computed_at >= over + DONORS_REACH


class Side(Enum):
    """Whose hour it is, of two facts of one day."""

    OLD = auto()
    NEW = auto()
    BOTH = auto()
    """Each measured another part of it."""


def merged(old: Fact, new: Fact) -> Fact:
    """The newer of two facts of one day, with each hour as it was measured best.

    An hour is the older's where that measured more of it, and both together where each measured a part that the other
    did not. Where both measured it alike and it differs all the same, it is the newer's, with a warning. Facts of
    another question are replaced as a whole, unless the newer measured nothing.
    """
    if old.question != new.question:
        return new if new.totals.measured > 0 or old.totals.measured <= 0 else old
    sides = [_side(old, new, hour) for hour in range(HOURS)]
    differ = [hour for hour in range(HOURS) if sides[hour] is Side.NEW and _differ(old.hours[hour], new.hours[hour])]
    found = combined(old, new, sides)
    if not differ:
        return found
    return replace(found, warnings=tuple(dict.fromkeys([*found.warnings, _two_answers(old, new, differ)])))


def combined(old: Fact, new: Fact, sides: Sequence[Side]) -> Fact:
    """The newer of two facts of one day, with each hour from the side that is named for it."""
    if all(side is Side.NEW for side in sides):
        return new
    hours = [
        old.hours[hour] if side is Side.OLD else new.hours[hour] if side is Side.NEW else _sum(old, new, hour)
        for hour, side in enumerate(sides)
    ]
    mine, theirs = ({side for side in Side if side is not other} for other in (Side.NEW, Side.OLD))
    return replace(
        new,
        hours=tuple(hours),
        dips=tuple(sorted([*_of(old.dips, sides, mine), *_of(new.dips, sides, theirs)], key=_dearness)),
        gaps=tuple(sorted(_gaps_of_all(old, new, sides))),
        buckets=max(old.buckets, new.buckets, key=lambda one: max(one.values(), default=0.0)),
        lacking=max(old.lacking, new.lacking),
        warnings=tuple(dict.fromkeys([*old.warnings, *new.warnings])),
    )


def _side(old: Fact, new: Fact, hour: int) -> Side:
    mine, theirs = old.hours[hour], new.hours[hour]
    if 0 < mine.measured < HOUR_MINUTES and 0 < theirs.measured < HOUR_MINUTES:
        ones, others = _measured_minutes(old, hour), _measured_minutes(new, hour)
        # The minute in which one ended and the other began may be in both; two looks at the same few minutes are not.
        if len(ones & others) <= min(1, len(ones) // 2, len(others) // 2):
            return Side.BOTH
    return Side.OLD if mine.measured > theirs.measured else Side.NEW


def _measured_minutes(fact: Fact, hour: int) -> set[int]:
    first = hour * HOUR_MINUTES
    minutes = set(range(first, first + round(fact.hours[hour].expected)))
    for start, end in fact.gaps:
        minutes -= set(range(start, end))
    return minutes


def _sum(old: Fact, new: Fact, hour: int) -> Totals:
    both = old.hours[hour] + new.hours[hour]
    return replace(both, expected=max(old.hours[hour].expected, new.hours[hour].expected))


def _dearness(stretch: Stretch) -> tuple[float, int]:
    return -(stretch.bad + stretch.imputed + stretch.down), stretch.start


def dearest(stretches: Sequence[Stretch], at_most: int) -> tuple[Stretch, ...]:
    """The stretches that cost most."""
    return tuple(sorted(stretches, key=_dearness)[:at_most])


def _differ(mine: Totals, theirs: Totals) -> bool:
    """Whether two answers about an hour that had ended both times are two answers."""
    if mine.measured != theirs.measured or mine.expected < HOUR_MINUTES or theirs.expected < HOUR_MINUTES:
        return False
    return any(
        abs(a - b) > max(1.0, DIFFERENCE * max(a, b))
        for a, b in ((mine.good, theirs.good), (mine.total, theirs.total), (mine.ok, theirs.ok))
    )


def _two_answers(old: Fact, new: Fact, hours: Sequence[int]) -> str:
    mine, theirs = (add_up(fact.hours[hour] for hour in hours) for fact in (old, new))
    what = (
        f"{mine.total:,.0f} events and {mine.ok:,.0f} good minutes before, {theirs.total:,.0f} and {theirs.ok:,.0f} now"
    )
    return f"asked again, Prometheus answered differently for {len(hours)} hours of {new.day}: {what}"


def _of(stretches: Sequence[Stretch], sides: Sequence[Side], wanted: set[Side]) -> Iterator[Stretch]:
    return (one for one in stretches if sides[min(one.start // HOUR_MINUTES, HOURS - 1)] in wanted)


def _gaps_of_all(old: Fact, new: Fact, sides: Sequence[Side]) -> Iterator[tuple[int, int]]:
    """What nobody measured, hour by hour; whoever reads the parts joins neighbours."""
    for hour, side in enumerate(sides):
        mine, theirs = list(_gaps(old.gaps, hour)), list(_gaps(new.gaps, hour))
        if side is Side.BOTH:
            crossed = ((max(a, c), min(b, d)) for a, b in mine for c, d in theirs)
            yield from ((start, end) for start, end in crossed if start < end)
        else:
            yield from (mine if side is Side.OLD else theirs)


def _gaps(gaps: Sequence[tuple[int, int]], hour: int) -> Iterator[tuple[int, int]]:
    first, last = hour * HOUR_MINUTES, (hour + 1) * HOUR_MINUTES
    return ((max(start, first), min(end, last)) for start, end in gaps if start < last and end > first)


def to_detail(fact: Fact) -> dict[str, Any]:
    """What the ledger keeps of a fact beside its sums, as JSON."""
    return {
        "hours": [[_short(getattr(hour, name)) for name in Totals.__slots__] for hour in fact.hours],
        "dips": [[_short(getattr(dip, name)) for name in Stretch.__slots__] for dip in fact.dips],
        "gaps": [list(gap) for gap in fact.gaps],
        "buckets": {edge: _short(value) for edge, value in fact.buckets.items()},
        "lacking": fact.lacking,
    }


def of_detail(
    objective: str, day: date, question: str, detail: Mapping[str, Any], warnings: Sequence[str], computed_at: datetime
) -> Fact:
    """The fact that `to_detail` was made of."""
    return Fact(
        objective=objective,
        day=day,
        question=question,
        hours=tuple(Totals(*hour) for hour in detail["hours"]),
        dips=tuple(Stretch(*dip) for dip in detail["dips"]),
        gaps=tuple((start, end) for start, end in detail["gaps"]),
        buckets=dict(detail["buckets"]),
        lacking=detail["lacking"],
        warnings=tuple(warnings),
        computed_at=computed_at,
    )


def _short(value: float) -> float:
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded
