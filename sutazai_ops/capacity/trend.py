"""A straight line through numbers by the day, and how sure it is: the estimator of Theil and Sen.

The slope is the median of the slopes between all pairs of points, so that a third of the days may be out of line (a
clean-up, a bulk import) without bending it, which least squares cannot bear. Its interval is Sen's, out of the ranks of
those slopes: P. K. Sen, Journal of the American Statistical Association 63 (1968), 1379-1389.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95
FEWEST = 7
"""Of fewer days no line is drawn: a week has days that are not like each other."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number, and between which two it lies."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True, slots=True)
class Trend:
    """A line, in the unit of what was measured a day."""

    slope: Range
    middle: float
    """The median day, where the line is surest."""
    level: float
    """Of the line on that day."""
    below: float
    """How far most points lie below the line; negative."""
    above: float
    count: int

    def at(self, day: float) -> Range:
        """What the line says of a day, with the interval in which a single value of that day is to be expected.

        The interval opens with the slope's own, and is as wide as the points lay around the line. It takes for granted
        that things go on as they went, which a forecast always does.
        """
        ahead = day - self.middle
        slopes = (self.slope.low, self.slope.high) if ahead >= 0 else (self.slope.high, self.slope.low)
        return Range(
            low=self.level + slopes[0] * ahead + self.below,
            likely=self.level + self.slope.likely * ahead,
            high=self.level + slopes[1] * ahead + self.above,
        )

    @property
    def rises(self) -> bool:
        """Whether it goes up for sure, as far as 95 % are sure."""
        return self.slope.low > 0


def trend(days: Sequence[float], values: Sequence[float]) -> Trend | None:
    """The line through values by the day; None where there are fewer than seven."""
    count = len(days)
    if count < FEWEST:
        return None
    points = sorted(zip(days, values, strict=True))
    slopes = sorted((b - a) / (y - x) for (x, a), (y, b) in combinations(points, 2) if y > x)
    if not slopes:
        return None
    slope = median(slopes)
    half = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * math.sqrt(_variance(count, [value for _, value in points]))
    first = max(0, round((len(slopes) - half) / 2) - 1)
    last = min(len(slopes) - 1, round((len(slopes) + half) / 2))
    middle = median(day for day, _ in points)
    level = median(value - slope * (day - middle) for day, value in points)
    away = sorted(value - level - slope * (day - middle) for day, value in points)
    edge = (1 - CONFIDENCE) / 2
    return Trend(
        slope=Range(slopes[first], slope, slopes[last]),
        middle=middle,
        level=level,
        below=min(0.0, away[math.floor(edge * count)]),
        above=max(0.0, away[math.ceil((1 - edge) * count) - 1]),
        count=count,
    )


def reached(line: Trend, limit: float, now: float, at_most: float) -> tuple[float | None, float | None, float | None]:
    """In how many days from `now` the line meets a limit above it: at the earliest, likely, at the latest.

    Each is None where that is not within `at_most` days; 0 where it lies above it already.
    """
    now_at = line.at(now)
    ways = (
        (now_at.high, line.slope.high),
        (now_at.likely, line.slope.likely),
        (now_at.low, line.slope.low),
    )
    earliest, likely, latest = (_meets(level, slope, limit, at_most) for level, slope in ways)
    return earliest, likely, latest


def _meets(level: float, slope: float, limit: float, at_most: float) -> float | None:
    if level >= limit:
        return 0.0
    if slope <= 0:
        return None
    ahead = (limit - level) / slope
    return ahead if ahead <= at_most else None


def _variance(count: int, values: Sequence[float]) -> float:
    """Of Kendall's statistic, with ties counted as Sen does."""
    ties = [values.count(value) for value in set(values)]
    return (count * (count - 1) * (2 * count + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
