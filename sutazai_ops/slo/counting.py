"""What counters counted in each step of a day, exactly: pure.

Prometheus' `increase` extrapolates, forgets a gap that spans the edge of its window, and knows nothing of what a series
counted before it was first seen. Here a counter's readings are simply subtracted: a gap in which the process lived on
loses nothing, a restart begins at zero, and the first failure of a process that was there before is a failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.slo.source import Line

PLAUSIBLE_FACTOR = 20
PLAUSIBLE_EVENTS = 50
"""A new series of a known job counts from zero, unless it begins at more than this, and than so many times what the
job counts in its busiest step: then it is an old process that was found only now."""

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted in each step of a day."""

    counts: Sequence[float]
    seen: Sequence[bool]
    """Whether any of the counters was read in the step."""
    series: int
    resets: Mapping[Key, Sequence[int]]
    """The steps in which a counter began anew, by its labels: what it reached before is not in its readings."""
    unlikely: int = 0
    """Series that began so high that what they began with was not counted."""


def key_of(labels: Mapping[str, str]) -> Key:
    """Labels as something to find them by; without the name, which functions drop."""
    return tuple(sorted(pair for pair in labels.items() if pair[0] != "__name__"))


def count(
    lines: Sequence[Line],
    start: int,
    step: int,
    steps: int,
    *,
    before: Mapping[Key, float] | None = None,
    peaks: Mapping[tuple[Key, int], float] | None = None,
) -> Counted:
    """What these counters counted in each step from `start` on.

    Args:
        lines: the counters' readings at `start` and at the end of each step.
        start: seconds since the epoch.
        step: seconds.
        steps: how many.
        before: where counters stood further back, for those that were not read at `start`.
        peaks: what counters reached in the steps in which they began anew.
    """
    readings = {key_of(line.labels): _readings(line, start, step, steps) for line in lines}
    counts, seen = [0.0] * steps, [False] * steps
    resets: dict[Key, list[int]] = {}
    begins: list[tuple[int, float]] = []
    job_since = _job_since(readings, before or {})
    for key, values in readings.items():
        last, last_step = values[0], 0
        if last is None:
            last = (before or {}).get(key)
        for index in range(1, steps + 1):
            value = values[index]
            if value is None:
                continue
            seen[index - 1] = True
            if last is None:
                if job_since.get(_job(key), index) < index:
                    begins.append((index, value))
            elif value >= last:
                _spread(counts, last_step, index, value - last)
            else:
                resets.setdefault(key, []).append(index)
                reached = max(last, (peaks or {}).get((key, index), last))
                counts[index - 1] += value + (reached - last)
            last, last_step = value, index
    limit = max(PLAUSIBLE_EVENTS, PLAUSIBLE_FACTOR * max(counts, default=0.0))
    for index, value in begins:
        if value <= limit:
            counts[index - 1] += value
    unlikely = sum(value > limit for _, value in begins)
    return Counted(counts, seen, len(readings), resets, unlikely)


def _readings(line: Line, start: int, step: int, steps: int) -> list[float | None]:
    values: list[float | None] = [None] * (steps + 1)
    for moment, value in line.points:
        index = (moment - start) // step
        if 0 <= index <= steps:
            values[index] = value
    return values


def _spread(counts: list[float], last_step: int, index: int, amount: float) -> None:
    """What was counted between two readings, evenly over the steps between them."""
    share = amount / (index - last_step)
    for between in range(last_step, index):
        counts[between] += share


def _job(key: Key) -> str:
    return next((value for label, value in key if label == "job"), "")


def _job_since(readings: Mapping[Key, Sequence[float | None]], before: Mapping[Key, float]) -> dict[str, int]:
    """The first reading of each job, by its number; those of before the day are the zeroth."""
    found = {_job(key): 0 for key in before}
    for key, values in readings.items():
        first = next((index for index, value in enumerate(values) if value is not None), None)
        if first is not None:
            found[_job(key)] = min(first, found.get(_job(key), first))
    return found
