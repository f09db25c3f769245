"""From what was measured of one day to its fact: pure, minute by minute.

A minute is measured where somebody looked: the probe was asked, or the counters were read, or the probe said that
nobody was there to be read. Absent counters of a process that was scraped are taken for "nothing happened" only where
little ever happens at that time; else they are a question that no longer matches, and not a quiet day.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sutazai_ops.slo.facts import DAY_MINUTES, HOUR_MINUTES, HOURS, Fact, Stretch, dearest
from sutazai_ops.slo.losses import expected_by_hour
from sutazai_ops.slo.maths import Totals
from sutazai_ops.slo.report_model import ObjectiveKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date, datetime

    from sutazai_ops.slo.objective import Objective

STEP_MINUTES = 5
STEPS = DAY_MINUTES // STEP_MINUTES
QUIET_EVENTS = 5.0
"""A stretch that brings fewer events than this may well bring none: e^-5 is less than 1 %."""
DIP_FACTOR = 3.0
"""A step is part of a dip where it burns the budget at this rate: slower than that is the usual wear."""
JOIN_MINUTES = 10
"""Dips no further apart than this are one."""
DIPS_AT_MOST = 12
GAPS_AT_MOST = 48
HALF = 0.5
NEAR_STEPS, NEAR_AT_LEAST, NEAR_EVENTS = 12, 6, 30
"""How busy it was around an outage is told by the hour on either side, where that has half an hour and some events."""

Minutes = Sequence[float]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of an objective on a day. Shares of a minute; counts by steps of five."""

    day: date
    elapsed: int
    """Minutes of the day that are over."""
    ok: Minutes | None = None
    """The share of each minute in which the probe was answered, or something was fresh; None where none is asked."""
    probed: Minutes | None = None
    """The share in which it was asked."""
    scraped: Minutes | None = None
    """Whether the targets that count were scraped; None where that cannot be asked, or was never answered."""
    total: Sequence[float] = ()
    good: Sequence[float] = ()
    seen: Sequence[bool] = ()
    """Whether the counters were read in the step."""
    buckets: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def make_fact(
    objective: Objective, question: str, measured: Measured, others: Sequence[Fact], computed_at: datetime
) -> Fact:
    """The fact of a day.

    Args:
        objective: what it is of.
        question: the hash of what was asked.
        measured: what was answered.
        others: facts of the same objective on other days, to say what an hour would have brought.
        computed_at: now.
    """
    day = _Time(measured) if not objective.counts_events else _Events(objective, measured, others)
    return Fact(
        objective=objective.name,
        day=measured.day,
        question=question,
        hours=tuple(day.hour(hour) for hour in range(HOURS)),
        dips=dearest(list(day.dips(objective.target)), DIPS_AT_MOST),
        gaps=tuple(_gaps(day.measured, measured.elapsed)),
        buckets=dict(measured.buckets),
        lacking=day.lacking,
        warnings=measured.warnings,
        computed_at=computed_at,
    )


class _Time:
    """A day of a kind whose figure is a share of time."""

    lacking = 0

    def __init__(self, measured: Measured) -> None:
        self.elapsed = measured.elapsed
        self.ok = measured.ok or [0.0] * DAY_MINUTES
        self.measured = measured.probed or [0.0] * DAY_MINUTES

    def hour(self, hour: int) -> Totals:
        minutes = _minutes_of(hour, self.elapsed)
        measured = math.fsum(self.measured[m] for m in minutes)
        return Totals(
            ok=math.fsum(self.ok[m] for m in minutes), probed=measured, measured=measured, expected=len(minutes)
        )

    def dips(self, target: float) -> Iterator[Stretch]:  # noqa: ARG002  (any time down is dear)
        down = [probed - ok for ok, probed in zip(self.ok, self.measured, strict=True)]
        for start, end in _joined(lambda m: down[m] > 0, self.elapsed, JOIN_MINUTES):
            yield Stretch(start, end, down=math.fsum(down[start:end]))


class _Events:
    """A day of a kind whose figure is a share of events."""

    def __init__(self, objective: Objective, measured: Measured, others: Sequence[Fact]) -> None:
        self.elapsed = measured.elapsed
        self.ok = measured.ok or [0.0] * DAY_MINUTES
        self.probed = measured.probed or [0.0] * DAY_MINUTES
        self.down = [max(0.0, probed - ok) for ok, probed in zip(self.ok, self.probed, strict=True)]
        self.total, self.good, self.seen = measured.total, measured.good, measured.seen
        self.scraped = measured.scraped
        self.imputed = [0.0] * STEPS
        self.measured = self._measured([False] * STEPS)
        self.lacking = 0
        absent = [self._is_absent(step) for step in range(STEPS)]
        losing = [objective.kind is ObjectiveKind.RATIO and self._down(step) > 0 for step in range(STEPS)]
        if any(absent) or any(losing):
            expected, lacking = expected_by_hour(
                measured.day, [self.hour(hour) for hour in range(HOURS)], _telling(others)
            )
            quiet = self._quiet(absent, expected)
            self.measured = self._measured(quiet)
            if any(losing):
                self.lacking = lacking
                self._impute(losing, expected)

    def hour(self, hour: int) -> Totals:
        minutes = _minutes_of(hour, self.elapsed)
        steps = range(hour * HOUR_MINUTES // STEP_MINUTES, (hour + 1) * HOUR_MINUTES // STEP_MINUTES)
        return Totals(
            good=math.fsum(self.good[s] for s in steps),
            total=math.fsum(self.total[s] for s in steps),
            imputed=math.fsum(self.imputed[s] for s in steps),
            ok=math.fsum(self.ok[m] for m in minutes),
            probed=math.fsum(self.probed[m] for m in minutes),
            measured=math.fsum(self.measured[m] for m in minutes),
            expected=len(minutes),
        )

    def dips(self, target: float) -> Iterator[Stretch]:
        bad = [max(0.0, total - good) for total, good in zip(self.total, self.good, strict=True)]

        def is_dear(step: int) -> bool:
            lost, all_ = bad[step] + self.imputed[step], self.total[step] + self.imputed[step]
            return lost > DIP_FACTOR * (1 - target) * all_ and lost > 0

        for first, last in _joined(is_dear, STEPS, JOIN_MINUTES // STEP_MINUTES):
            start, end = first * STEP_MINUTES, min(last * STEP_MINUTES, self.elapsed)
            failed, lost = math.fsum(bad[first:last]), math.fsum(self.imputed[first:last])
            down = [minute for minute in range(start, end) if self.down[minute] > 0]
            if lost > failed and down:
                # An outage is known by the minute.
                start, end = down[0], down[-1] + 1
            yield Stretch(
                start,
                end,
                bad=failed,
                imputed=lost,
                down=math.fsum(self.down[start:end]),
                events=math.fsum(self.total[first:last]),
            )

    def _down(self, step: int) -> float:
        """The share of a step in which the probe was not answered."""
        return math.fsum(self.down[_of_step(step)]) / STEP_MINUTES

    def _is_absent(self, step: int) -> bool:
        """Whether the targets were scraped and served none of the counters."""
        if self.seen[step] or self.scraped is None or step * STEP_MINUTES >= self.elapsed:
            return False
        return max(self.scraped[_of_step(step)]) > 0 and self._down(step) < HALF

    def _measured(self, quiet: Sequence[bool]) -> list[float]:
        minutes = []
        for minute in range(DAY_MINUTES):
            step = minute // STEP_MINUTES
            if minute >= self.elapsed:
                minutes.append(0.0)
            elif self.down[minute] >= HALF:
                minutes.append(1.0)
            elif self.seen[step] or quiet[step]:
                minutes.append(1.0 if self.scraped is None else self.scraped[minute])
            else:
                minutes.append(0.0)
        return minutes

    def _quiet(self, absent: Sequence[bool], expected: Sequence[float | None]) -> list[bool]:
        quiet = [False] * STEPS
        for first, last in _joined(lambda step: absent[step], STEPS, 0):
            by_step = [_per_step(expected, step) for step in range(first, last)]
            brings = math.fsum(value for value in by_step if value is not None)
            if None not in by_step and brings < QUIET_EVENTS:
                quiet[first:last] = [True] * (last - first)
        return quiet

    def _impute(self, losing: Sequence[bool], expected: Sequence[float | None]) -> None:
        """Count what would have come while the probe said *down*, less what was counted all the same.

        A process that answers 500 to everything fails its probe and counts its failures: those are not lost as well.
        Balanced over a whole outage, so that the chance of single steps does not add up, and scaled by how busy it was
        just before and after.
        """
        for first, last in _joined(lambda step: losing[step], STEPS, 0):
            steps = range(first, last)
            level = self._level_around(first, last, losing, expected)
            brings = {step: (_per_step(expected, step) or 0.0) * level for step in steps}
            lost = {step: brings[step] * self._down(step) for step in steps}
            all_lost = math.fsum(lost.values())
            counted = math.fsum(self.total[step] for step in steps)
            missing = min(all_lost, max(0.0, math.fsum(brings.values()) - counted))
            for step in steps:
                self.imputed[step] = missing * lost[step] / all_lost if all_lost > 0 else 0.0

    def _level_around(self, first: int, last: int, losing: Sequence[bool], expected: Sequence[float | None]) -> float:
        """How much busier than expected the hour before and the hour after were, where they tell enough."""
        near = [
            step
            for step in (*range(max(0, first - NEAR_STEPS), first), *range(last, min(STEPS, last + NEAR_STEPS)))
            if self.seen[step] and not losing[step] and min(self.measured[_of_step(step)]) > 0
        ]
        brings = math.fsum(_per_step(expected, step) or 0.0 for step in near)
        if len(near) < NEAR_AT_LEAST or brings < NEAR_EVENTS:
            return 1.0
        return math.fsum(self.total[step] for step in near) / brings


def _telling(others: Sequence[Fact]) -> list[Fact]:
    """Days on which something was counted; those on which nothing was say nothing of what an hour would bring."""
    return [one for one in others if any(hour.total > 0 for hour in one.hours)]


def _per_step(expected: Sequence[float | None], step: int) -> float | None:
    """What a step would bring, on the straight line between the middles of two hours; None where an hour is unknown."""
    position = (step + 0.5) * STEP_MINUTES / HOUR_MINUTES - 0.5
    left = min(max(math.floor(position), 0), HOURS - 1)
    right = min(left + 1, HOURS - 1)
    here = expected[step * STEP_MINUTES // HOUR_MINUTES]
    low, high = expected[left], expected[right]
    if here is None:
        return None
    # Beside an hour that nobody knows, or at midnight, the hour's own.
    one, other = (here if low is None else low), (here if high is None else high)
    share = min(max(position - left, 0.0), 1.0)
    return ((1 - share) * one + share * other) * STEP_MINUTES / HOUR_MINUTES


def _of_step(step: int) -> slice:
    return slice(step * STEP_MINUTES, (step + 1) * STEP_MINUTES)


def _minutes_of(hour: int, elapsed: int) -> range:
    return range(hour * HOUR_MINUTES, max(hour * HOUR_MINUTES, min((hour + 1) * HOUR_MINUTES, elapsed)))


def _gaps(measured: Minutes, elapsed: int) -> Iterator[tuple[int, int]]:
    found = list(_joined(lambda minute: measured[minute] < HALF, elapsed, 0))
    # The longest, by time: a day full of holes is told by its coverage.
    yield from sorted(sorted(found, key=lambda gap: gap[0] - gap[1])[:GAPS_AT_MOST])


def _joined(holds: Callable[[int], bool], count: int, apart: int) -> Iterator[tuple[int, int]]:
    """The stretches of numbers below `count` for which something holds, those at most `apart` apart as one."""
    start = end = None
    for number in range(count):
        if not holds(number):
            continue
        if start is not None and end is not None and number - end > apart:
            yield start, end
            start = None
        start, end = (number if start is None else start), number + 1
    if start is not None and end is not None:
        yield start, end
