"""Which days speak of a service as it is now: those since its measurements leapt when it was resized.

A service with more memory often uses more (a cache grows, a heap is collected later), and what it used before says
nothing of what it needs then. A resize after which it goes on as before changes nothing: all its days count.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sutazai_ops.capacity.facts import ServiceDay

LEAP = 0.25
"""So much more or less, as a share, is no longer the same service."""
COMPARED_DAYS = 7
SAME = 0.01
"""Limits that differ by less are the same, written otherwise."""


@dataclass(frozen=True, slots=True)
class Resize:
    """A change of the memory limit."""

    day: date
    before: float | None
    """None for no limit."""
    after: float | None
    was: float | None = None
    """The median of the daily peaks before."""
    now: float | None = None
    """And since; None where nothing was measured since."""


@dataclass(frozen=True, slots=True)
class Regime:
    """The days that count."""

    days: Sequence[ServiceDay]
    since: Resize | None = None
    """The resize that they begin with; None where all days count."""


def current_regime(days: Sequence[ServiceDay]) -> Regime:
    """The newest days that are of one kind; `days` are of one service, the earliest first."""
    for place in range(len(days) - 1, 0, -1):
        before, after = days[place - 1].memory.limit, days[place].memory.limit
        if _same(before, after):
            continue
        # The day itself was spent under both.
        since = days[place + 1 :]
        peaks = [one.memory.spread.peak for one in days[max(0, place - COMPARED_DAYS) : place]]
        was, now = median(peaks), median(one.memory.spread.peak for one in since) if since else None
        if now is None or abs(now - was) > LEAP * was:
            return Regime(since, Resize(days[place].day, before, after, was, now))
    return Regime(days)


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME * max(one, other)
