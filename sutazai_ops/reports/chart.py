"""From moments and numbers to places in a picture: pure geometry, which knows no markup.

Every picture is as wide as its page allows, so places along time are in thousandths of the width (`WIDTH`); text is
never stretched, and stands beside or above the picture instead. What was not measured is a break in a line: nothing is
drawn across it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from sutazai_ops.reports import figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

WIDTH = 1000
_MOST_TICKS = 7
_DAY_STEPS = (1, 2, 7, 14, 28, 56, 91)
_MINUTE_STEPS = (1, 2, 5, 10, 15, 30)
_HOUR_STEPS = (1, 2, 3, 6, 12)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """From `start` to `end`, both timezone-aware, left to right."""

    start: datetime
    end: datetime

    def place(self, when: datetime) -> float:
        """Where `when` lies, in thousandths; what lies outside is put on the edge."""
        share = (when - self.start) / (self.end - self.start)
        return round(min(max(share, 0.0), 1.0) * WIDTH, 1)

    @lru_cache(maxsize=8)  # noqa: B019  (the curves of all objectives of a report lie on the same hours)
    def places(self, first: datetime, step: timedelta, count: int) -> Sequence[float]:
        """Where `count` moments lie, of which each comes a `step` after the one before it."""
        length = self.end - self.start
        share, by = (first - self.start) / length, step / length
        return tuple(round(min(max(share + number * by, 0.0), 1.0) * WIDTH, 1) for number in range(count))

    def overlaps(self, start: datetime, end: datetime | None) -> bool:
        """Whether any of it lies within."""
        return start < self.end and (end or start) >= self.start

    def ticks(self) -> list[Tick]:
        """Whole minutes or hours of a short time, whole days of a longer one; few enough to be read on a phone."""
        length = self.end - self.start
        if length <= timedelta(hours=2):
            step = timedelta(minutes=_step(length / timedelta(minutes=1), _MINUTE_STEPS))
        elif length <= timedelta(days=2):
            step = timedelta(hours=_step(length / timedelta(hours=1), _HOUR_STEPS))
        else:
            step = timedelta(days=_step(length / timedelta(days=1), _DAY_STEPS))
        first = _round_up(self.start, step)
        found = []
        while first < self.end:
            there = first.astimezone(UTC)
            hourly = step < timedelta(days=1) and (there.hour or there.minute)
            found.append(Tick(self.place(first), f"{first:%H:%M}" if hourly else figures.day(first)))
            first += step
        return found


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers from `low` at the bottom of a picture of `height` to `high` at its top."""

    low: float
    high: float
    height: float

    def place(self, value: float) -> float:
        """How far below the top `value` lies; what lies outside is put on the edge."""
        share = (value - self.low) / (self.high - self.low)
        return round((1 - min(max(share, 0.0), 1.0)) * self.height, 1)


def line(points: Sequence[Point | None], *, tolerance: float = 0.4) -> str:
    """An SVG path through the points, broken at each None. A point that stands alone is a dot, given a round cap.

    Points that lie nearer than `tolerance` to the line between their neighbours are left out, which nobody can see.
    """
    return "".join(_strokes(stretch, tolerance) for stretch in _stretches(points))


def _strokes(stretch: Sequence[Point], tolerance: float) -> str:
    (x, y), *others = simplify(stretch, tolerance)
    start = f"M{_short(x)} {_short(y)}"
    return start + ("".join(f"L{_short(x)} {_short(y)}" for x, y in others) if others else "h0")


def _stretches(points: Sequence[Point | None]) -> Iterator[list[Point]]:
    stretch: list[Point] = []
    for point in (*points, None):
        if point is not None:
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []


def simplify(points: Sequence[Point], tolerance: float) -> list[Point]:
    """The points that matter: none of those left out was further than `tolerance` from what is drawn.

    Ramer, Douglas and Peucker's way (D. Douglas, T. Peucker, Cartographica 10 (1973), 112-122), without recursion.
    """
    keep = {0, len(points) - 1}
    pending = [(0, len(points) - 1)]
    while pending:
        first, last = pending.pop()
        away, where = _farthest(points, first, last)
        if away > tolerance:
            keep.add(where)
            pending += [(first, where), (where, last)]
    return [points[index] for index in sorted(keep)]


def _farthest(points: Sequence[Point], first: int, last: int) -> tuple[float, int]:
    """How far from the stroke between two points (not from the line that it lies on) the others between them reach.

    One loop without a call in it: a month's report of 300 services comes here three million times.
    """
    (x1, y1), (x2, y2) = points[first], points[last]
    wide, high = x2 - x1, y2 - y1
    length = wide * wide + high * high
    most, where = 0.0, first
    for index in range(first + 1, last):
        x, y = points[index]
        x, y = x - x1, y - y1
        if length:
            along = (x * wide + y * high) / length
            along = 0.0 if along < 0.0 else min(along, 1.0)
            x, y = x - along * wide, y - along * high
        away = x * x + y * y
        if away > most:
            most, where = away, index
    return math.sqrt(most), where


def _step(length: float, steps: Sequence[int]) -> int:
    return next((step for step in steps if length / step <= _MOST_TICKS), math.ceil(length / _MOST_TICKS))


def _round_up(when: datetime, step: timedelta) -> datetime:
    """The first whole step of the day, or the first midnight for steps of days, at or after `when`."""
    midnight = when.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    unit = min(step, timedelta(days=1))
    return midnight + math.ceil((when - midnight) / unit) * unit


def _short(number: float) -> str:
    """One decimal where it says something: each byte of a path is repeated thousands of times."""
    return f"{number:.1f}".removesuffix(".0")
