"""What the same hour of other days would have brought: how many requests could not be made while a service was down.

A process that is dead counts nothing, so its worst hour leaves no trace in its own counters. What was lost is estimated
from days of the same kind (working days, weekends), each scaled by how busy the day was otherwise. Pure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sutazai_ops.slo.facts import DONORS_REACH, DONORS_WANTED, HOUR_MINUTES, HOURS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.maths import Totals

DONORS_AT_MOST = 8
"""Two weeks of weekends; more would reach back to how busy it was in another season."""
COMMON_HOURS = 6
COMMON_EVENTS = 30
"""A day is scaled by another only over this many hours and events that both had; fewer would scale by chance."""
SATURDAY = 5
ALMOST = 0.99


def expected_by_hour(day: date, hours: Sequence[Totals], others: Sequence[Fact]) -> tuple[list[float | None], int]:
    """How many events each hour of a day would have brought, and how many days more the worst-known hour would want.

    Args:
        day: the day.
        hours: what was counted in it.
        others: the same objective's facts of other days.

    Returns:
        None for an hour that no other day can tell anything of.
    """
    found: list[float | None] = []
    lacking = 0
    for hour in range(HOURS):
        donors = _donors(day, hour, others)
        found.append(_estimate(hour, hours, donors))
        lacking = max(lacking, DONORS_WANTED - sum(_same_kind(day, one.day) for one in donors))
    return found, max(0, lacking)


def is_clean(hour: Totals) -> bool:
    """Whether all of an hour was measured and nothing was down in it, so that it tells what such an hour brings."""
    return (
        hour.measured >= HOUR_MINUTES * ALMOST
        and hour.expected >= HOUR_MINUTES
        and hour.imputed == 0
        and hour.ok >= hour.probed * ALMOST
    )


def _donors(day: date, hour: int, others: Sequence[Fact]) -> list[Fact]:
    """The days to ask, the nearest first: of the same kind and before it, where there are enough of those."""
    usable = [
        one for one in others if one.day != day and abs(one.day - day) <= DONORS_REACH and is_clean(one.hours[hour])
    ]
    usable.sort(key=lambda one: (abs(one.day - day), one.day > day))
    alike = [one for one in usable if _same_kind(day, one.day)]
    # Earlier days alone, where they are enough: then nothing that comes later changes what was lost.
    for choice in ([one for one in alike if one.day < day], alike, usable):
        if len(choice) >= DONORS_WANTED:
            return choice[:DONORS_AT_MOST]
    return usable[:DONORS_AT_MOST]


def _same_kind(day: date, other: date) -> bool:
    return (day.weekday() >= SATURDAY) == (other.weekday() >= SATURDAY)


def _estimate(hour: int, hours: Sequence[Totals], donors: Sequence[Fact]) -> float | None:
    scaled = sorted(one.hours[hour].total * _level(hours, one.hours) for one in donors)
    if not scaled:
        return None
    if len(scaled) > DONORS_WANTED + 1:
        # One day with a crowd and one with a hole in it are not the rule.
        scaled = scaled[1:-1]
    return math.fsum(scaled) / len(scaled)


def _level(hours: Sequence[Totals], others: Sequence[Totals]) -> float:
    """How busy a day was beside another, over the hours that are clean in both."""
    common = [(a.total, b.total) for a, b in zip(hours, others, strict=True) if is_clean(a) and is_clean(b)]
    theirs = math.fsum(b for _, b in common)
    if len(common) < COMMON_HOURS or theirs < COMMON_EVENTS:
        return 1.0
    return math.fsum(a for a, _ in common) / theirs
