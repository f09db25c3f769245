"""How often a number had which size: a histogram whose bins are each two percent wider than the one before.

Spreads are added up, so a percentile of a month is one of all its minutes and not a mean of thirty percentiles, and a
day of them is a few dozen numbers. A value read back is within one percent of what was measured; the peak is exact.
Kubernetes' Vertical Pod Autoscaler keeps its history in the same way (autoscaler, vertical-pod-autoscaler/pkg/
recommender/util/histogram.go), with wider bins.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WIDTH = 1.02
LEAST = 1e-6
"""What is smaller counts as this: a byte and a millionth of a core are both nothing."""
_LOG = math.log(WIDTH)


@dataclass(frozen=True, slots=True)
class Spread:
    """Some measured numbers, none of them negative."""

    bins: Mapping[int, int] = field(default_factory=dict)
    """How many fell into which bin."""
    peak: float = 0.0
    total: float = 0.0
    """Their sum."""

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.bins.values())

    @property
    def mean(self) -> float | None:
        """None of none."""
        return self.total / self.count if self.bins else None

    def quantile(self, share: float) -> float | None:
        """The smallest of the numbers that `share` of them do not exceed (nearest rank); None of none."""
        rank, passed = max(1, math.ceil(share * self.count - 1e-9)), 0
        for place in sorted(self.bins):
            passed += self.bins[place]
            if passed >= rank:
                return min(WIDTH**place, self.peak)
        return None


def spread_of(values: Iterable[float]) -> Spread:
    """The spread of these numbers.

    >>> found = spread_of([1.0, 2.0, 3.0, 100.0])
    >>> found.peak, round(found.quantile(0.5) or 0, 1), found.count
    (100.0, 2.0, 4)
    """
    numbers = list(values)
    bins: Counter[int] = Counter()
    # What rests has the same size again and again.
    for value, times in Counter(numbers).items():
        bins[_bin(value)] += times
    return Spread(bins, max(numbers, default=0.0), sum(numbers))


def added(spreads: Iterable[Spread]) -> Spread:
    """All of them together."""
    bins: dict[int, int] = {}
    peak = total = 0.0
    for one in spreads:
        for place, count in one.bins.items():
            bins[place] = bins.get(place, 0) + count
        peak, total = max(peak, one.peak), total + one.total
    return Spread(bins, peak, total)


def _bin(value: float) -> int:
    return round(math.log(max(value, LEAST)) / _LOG)
