"""What PromQL's functions do with numbers: each as Prometheus 3 computes it, on plain floats and times.

Held against promql/functions.go and promql/quantile.go of Prometheus 3, whose formulas these are. A function over a
range is given the samples in it (times in milliseconds, at least one) and the window, and returns None where it has no
answer, such as a rate of a single sample.
"""

from __future__ import annotations

import math
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_NEAR = 1.1
"""A sample within this many average intervals of the edge is taken to have a neighbour beyond it."""
_SMALL_DELTA = 1e-12
"""A bucket that differs from the one below by a smaller share differs by rounding alone."""


@dataclass(frozen=True, slots=True)
class Range:
    """The samples of one series in a window of time. Times in milliseconds; the window's start is outside of it."""

    times: Sequence[int]
    values: Sequence[float]
    start: int
    end: int
    now: int
    """The moment of evaluation, which `offset` does not move."""


def total(values: Iterable[float]) -> float:
    """The sum, correctly rounded; Prometheus compensates its sums with the same aim."""
    numbers = values if isinstance(values, list) else list(values)
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return sum(numbers)


def mean(values: Sequence[float]) -> float:
    """The average, also where the sum is beyond what a float can hold."""
    summed = total(values)
    if math.isinf(summed) and all(map(math.isfinite, values)):
        return total(value / len(values) for value in values)
    return summed / len(values)


def variance(values: Sequence[float]) -> float:
    """The population variance."""
    if not all(map(math.isfinite, values)):
        return math.nan
    middle = mean(values)
    return mean([(value - middle) ** 2 for value in values])


def largest(values: Iterable[float]) -> float:
    """The maximum; NaN only where there is nothing else."""
    return max((value for value in values if not isnan(value)), default=math.nan)


def smallest(values: Iterable[float]) -> float:
    """The minimum; NaN only where there is nothing else."""
    return min((value for value in values if not isnan(value)), default=math.nan)


def quantile(q: float, values: Iterable[float]) -> float:
    """The φ-quantile of plain values, interpolated between the two nearest ranks; NaN sorts first."""
    ordered = sorted(values, key=lambda value: (not isnan(value), value))
    if not ordered or isnan(q):
        return math.nan
    if q < 0 or q > 1:
        return math.copysign(math.inf, q)
    rank = q * (len(ordered) - 1)
    lower = math.floor(rank)
    upper = min(len(ordered) - 1, lower + 1)
    weight = rank - lower
    return ordered[lower] * (1 - weight) + ordered[upper] * weight


def increase(window: Range) -> float | None:
    """How much a counter grew in the window, resets taken for a start at zero, extrapolated to the window's edges."""
    return _extrapolated(window, is_counter=True)


def rate(window: Range) -> float | None:
    """`increase` a second."""
    return _extrapolated(window, is_counter=True, per_seconds=(window.end - window.start) / 1000)


def delta(window: Range) -> float | None:
    """How much a gauge changed in the window, extrapolated to the window's edges."""
    return _extrapolated(window, is_counter=False)


def _extrapolated(window: Range, *, is_counter: bool, per_seconds: float = 1.0) -> float | None:
    """`extrapolatedRate` of Prometheus."""
    times, values = window.times, window.values
    intervals = len(values) - 1
    if intervals < 1:
        return None
    grown = values[-1] - values[0]
    if is_counter:
        before = values[0]
        for value in values:
            if value < before:
                grown += before
            before = value
    to_start = (times[0] - window.start) / 1000
    to_end = (window.end - times[-1]) / 1000
    sampled = (times[-1] - times[0]) / 1000
    average = sampled / intervals
    if to_start >= average * _NEAR:
        to_start = average / 2
    if is_counter and grown > 0 and values[0] >= 0:
        # A counter was never below zero, so it cannot have begun earlier than its slope leads back to.
        to_start = min(to_start, sampled * (values[0] / grown))
    if to_end >= average * _NEAR:
        to_end = average / 2
    return grown * ((sampled + to_start + to_end) / sampled / per_seconds)


def irate(window: Range) -> float | None:
    """The growth a second between the last two samples of a counter."""
    if len(window.values) < 2:  # noqa: PLR2004
        return None
    before, last = window.values[-2:]
    return (last if last < before else last - before) / ((window.times[-1] - window.times[-2]) / 1000)


def idelta(window: Range) -> float | None:
    """The difference of the last two samples."""
    return window.values[-1] - window.values[-2] if len(window.values) > 1 else None


def deriv(window: Range) -> float | None:
    """The slope a second of the line that lies nearest to all samples."""
    return _line(window, window.times[0])[0] if len(window.values) > 1 else None


def predict_linear(window: Range, seconds: float) -> float | None:
    """Where that line will be in so many seconds."""
    if len(window.values) < 2:  # noqa: PLR2004
        return None
    slope, intercept = _line(window, window.now)
    return slope * seconds + intercept


def _line(window: Range, origin: int) -> tuple[float, float]:
    """Slope and intercept at `origin` by least squares."""
    ys = list(window.values)
    if all(y == ys[0] for y in ys):
        return (math.nan, math.nan) if math.isinf(ys[0]) else (0.0, ys[0])
    xs = [(time - origin) / 1000 for time in window.times]
    n = float(len(xs))
    sum_x, sum_y = total(xs), total(ys)
    covariance = total([x * y for x, y in zip(xs, ys, strict=True)]) - sum_x * sum_y / n
    spread = total([x * x for x in xs]) - sum_x * sum_x / n
    slope = covariance / spread
    return slope, sum_y / n - slope * sum_x / n


def changes(window: Range) -> float:
    """How often the value became another one."""
    pairs = zip(window.values, window.values[1:], strict=False)
    return float(sum(a != b and not (isnan(a) and isnan(b)) for a, b in pairs))


def resets(window: Range) -> float:
    """How often the value fell."""
    return float(sum(b < a for a, b in zip(window.values, window.values[1:], strict=False)))


RANGE_FUNCTIONS: Mapping[str, Callable[[Range], float | None]] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "idelta": idelta,
    "deriv": deriv,
    "changes": changes,
    "resets": resets,
    "avg_over_time": lambda window: mean(list(window.values)),
    "sum_over_time": lambda window: total(window.values),
    "min_over_time": lambda window: smallest(window.values),
    "max_over_time": lambda window: largest(window.values),
    "count_over_time": lambda window: float(len(window.values)),
    "last_over_time": lambda window: window.values[-1],
    "present_over_time": lambda _: 1.0,
    "stddev_over_time": lambda window: math.sqrt(variance(window.values)),
    "stdvar_over_time": lambda window: variance(window.values),
}
"""Functions of a range alone."""


def bucket_quantile(q: float, buckets: Iterable[tuple[float, float]]) -> float:
    """The φ-quantile from the cumulated counts of buckets, given as upper bound and count.

    Within a bucket values are taken to lie evenly; what is above the last finite bound counts as that bound. NaN where
    there is no observation, no bucket `+Inf`, or no other one.
    """
    if not 0 <= q <= 1:
        return math.nan if isnan(q) else math.copysign(math.inf, q)
    counts: dict[float, float] = {}
    for bound, count in buckets:
        counts[bound] = counts.get(bound, 0.0) + count
    bounds = sorted(counts)
    if not bounds or bounds[-1] != math.inf or len(bounds) < 2:  # noqa: PLR2004
        return math.nan
    cumulated = _monotonic([counts[bound] for bound in bounds])
    if cumulated[-1] == 0 or isnan(cumulated[-1]):
        return math.nan
    rank = q * cumulated[-1]
    at = next((i for i, count in enumerate(cumulated[:-1]) if count >= rank), len(bounds) - 1)
    if at == len(bounds) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    lower, below = (bounds[at - 1], cumulated[at - 1]) if at else (0.0, 0.0)
    return lower + (bounds[at] - lower) * divide(rank - below, cumulated[at] - below)


def _monotonic(counts: list[float]) -> list[float]:
    """Counts that never fall, differences by rounding alone taken out."""
    rising = [counts[0]]
    for count in counts[1:]:
        before = rising[-1]
        is_rounding = count != 0 and abs(count - before) / abs(count) <= _SMALL_DELTA
        rising.append(before if is_rounding or count < before else count)
    return rising


def divide(a: float, b: float) -> float:
    """As IEEE 754 divides, where Python raises."""
    if b:
        return a / b
    return math.nan if a == 0 or isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def power(a: float, b: float) -> float:
    """As C's pow, where Python raises."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and b % 2 else math.inf
    except ValueError:
        if a == 0:
            return math.copysign(math.inf, a) if b % 2 else math.inf
        return math.nan


def modulo(a: float, b: float) -> float:
    """The remainder with the sign of `a`, as C's fmod, where Python raises."""
    try:
        return math.fmod(a, b)
    except ValueError:
        return math.nan


def nearest_multiple(value: float, step: float = 1.0) -> float:
    """Rounded to a multiple of `step`, halves upwards."""
    inverse = divide(1.0, step)
    scaled = value * inverse + 0.5
    return divide(math.floor(scaled) if math.isfinite(scaled) else scaled, inverse)


def _quietly(function: Callable[[float], float]) -> Callable[[float], float]:
    """NaN and infinities where Python's own function raises."""

    def quiet(value: float) -> float:
        try:
            return function(value)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return quiet


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -math.inf if value == 0 else _quietly(function)(value)


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(function(value)) if math.isfinite(value) else value


def _sign(value: float) -> float:
    return math.copysign(1.0, value) if value and not isnan(value) else value


INSTANT_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "exp": _quietly(math.exp),
    "sqrt": _quietly(math.sqrt),
    "ln": _logarithm(math.log),
    "log2": _logarithm(math.log2),
    "log10": _logarithm(math.log10),
    "sgn": _sign,
}
"""Functions of one value."""


def _date(part: Callable[[datetime], int]) -> Callable[[float], float]:
    def of(value: float) -> float:
        try:
            return float(part(datetime.fromtimestamp(math.trunc(value), UTC)))
        except (ValueError, OverflowError, OSError):
            return math.nan

    return of


DATE_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "minute": _date(lambda when: when.minute),
    "hour": _date(lambda when: when.hour),
    "day_of_week": _date(lambda when: when.isoweekday() % 7),
    "day_of_month": _date(lambda when: when.day),
    "day_of_year": _date(lambda when: when.timetuple().tm_yday),
    "days_in_month": _date(lambda when: monthrange(when.year, when.month)[1]),
    "month": _date(lambda when: when.month),
    "year": _date(lambda when: when.year),
}
"""Functions of a time in seconds since the epoch, in UTC."""
