"""The figures of an objective, from what was counted: pure, and the same for a day, a month or any sum of days.

Everything is computed from one value, `Totals`, that is only ever added up, so that folding days gives what the whole
would give. A number that cannot be known is None; nothing here returns NaN, and nothing that was not measured counts
as good.

Sources. Budgets and burn rates: Beyer et al., *The Site Reliability Workbook* (O'Reilly 2018), chapters 2 and 5. The
interval: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
Statistical Association 22 (1927), 209-212. Why three figures are needed, and what each of the usual ones hides:
docs/slo/what-the-figures-mean.md, with a worked month.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping  # noqa: TC003  (a public signature)
from dataclasses import dataclass
from operator import attrgetter

from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.verdict import Verdict

WELL_COVERED = 0.99
"""Below this share of measured time a verdict says so: 1 % of a month is 7 hours, ten budgets of 99.9 %."""
COVERED = 0.90
"""Below this no verdict is given but one that the unmeasured time could not change."""
CONFIDENCE_Z = 1.959_963_984_540_054
"""The 97.5th percentile of the standard normal distribution: 95 % between the two ends."""
SURE_Z = 3.290_526_731_491_926
"""The same for 99.9 %: certain is not one failure in 150 where one in 1,000 was promised; that is chance one time in
seven."""
LEAST_MINUTES = 1 / 60
"""Less than a second is no measurement that anything could be concluded from."""
EVENTS_KINDS = frozenset({ObjectiveKind.RATIO, ObjectiveKind.LATENCY})
"""Kinds whose figure is a share of requests; the others' is a share of time."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted in some stretch of time. Requests are events; times are minutes."""

    good: float = 0.0
    total: float = 0.0
    imputed: float = 0.0
    """Requests that would have been made while the probe said *down*."""
    ok: float = 0.0
    """Minutes in which the probe was answered."""
    probed: float = 0.0
    """Minutes in which it was asked."""
    measured: float = 0.0
    """Minutes in which the objective itself was measured."""
    expected: float = 0.0
    """Minutes in which it should have been."""

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.good + other.good,
            self.total + other.total,
            self.imputed + other.imputed,
            self.ok + other.ok,
            self.probed + other.probed,
            self.measured + other.measured,
            self.expected + other.expected,
        )

    @property
    def bad(self) -> float:
        """Requests that were not answered well."""
        return max(0.0, self.total - self.good)

    @property
    def down(self) -> float:
        """Minutes in which the probe was not answered."""
        return max(0.0, self.probed - self.ok)

    @property
    def unmeasured(self) -> float:
        """Minutes of which nothing is known."""
        return max(0.0, self.expected - self.measured)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what a figure would lie, had the unmeasured time been known."""

    worst: float
    best: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What may go wrong in a period and what of it has gone; see `budget`."""

    total_minutes: float
    spent_minutes: float
    total_events: float | None
    spent_events: float | None
    spent_share: float
    burn_rate: float

    @property
    def left_share(self) -> float:
        """1 at the start, 0 when all is spent, below 0 beyond."""
        return 1.0 - self.spent_share


NOTHING = Totals()
_NUMBERS = attrgetter(*Totals.__slots__)


def add_up(parts: Iterable[Totals]) -> Totals:
    """The whole of these parts. Each number is summed exactly (`math.fsum`), so that their order does not matter."""
    return Totals(*map(math.fsum, zip(*map(_NUMBERS, parts), strict=True)))


def requests(t: Totals) -> float | None:
    """R: good requests of those counted. Blind to a process that is dead, since it counts nothing."""
    return _share(t.good, t.total)


def probe(t: Totals) -> float | None:
    """P: minutes in which the probe was answered, of those in which it was asked."""
    return _share(t.ok, t.probed)


def combined(t: Totals) -> float | None:
    """K: as R, and the requests that were lost while the probe said *down* are bad: good / (total + imputed)."""
    return _share(t.good, t.total + t.imputed)


def coverage(t: Totals) -> float:
    """C: measured of expected minutes; 0 where none were expected, since of no time nothing is known."""
    return _share(t.measured, t.expected) or 0.0


def figure(kind: ObjectiveKind, t: Totals) -> float | None:
    """What the verdict on an objective of this kind is about.

    K for a ratio. R for a latency: what was never answered was neither fast nor slow, and is charged to the objectives
    that count answers. P for a probe and for freshness.
    """
    match kind:
        case ObjectiveKind.RATIO:
            return combined(t)
        case ObjectiveKind.LATENCY:
            return requests(t)
        case _:
            return probe(t)


def events(kind: ObjectiveKind, t: Totals) -> float:
    """How many events a figure rests on: requests, lost ones among them where the kind counts those; minutes else."""
    match kind:
        case ObjectiveKind.RATIO:
            return t.total + t.imputed
        case ObjectiveKind.LATENCY:
            return t.total
        case _:
            return t.probed


def bounds(kind: ObjectiveKind, t: Totals) -> Bounds:
    """The figure, had everything unmeasured been bad, and had it been good.

    Of requests, as many are taken to have been made in an unmeasured minute as in a measured one. With nothing measured
    at all, anything between 0 and 1 is possible.
    """
    seen = events(kind, t)
    if kind in EVENTS_KINDS:
        if seen <= 0 or t.measured < LEAST_MINUTES:
            return Bounds(0.0, 1.0)
        good, hidden = t.good, seen * t.unmeasured / t.measured
    else:
        good, hidden = t.ok, max(0.0, t.expected - t.probed)
        if seen + hidden <= 0:
            return Bounds(0.0, 1.0)
    return Bounds(_clamp(good / (seen + hidden)), _clamp((good + hidden) / (seen + hidden)))


def interval(good: float, total: float, z: float = CONFIDENCE_Z) -> Bounds:
    """Wilson's interval for a share: where the true one lies at 95 %; between 0 and 1 for no events at all.

    Unlike the usual p ± z √(p(1-p)/n) it stays between 0 and 1 and says something of 0 or n failures in n.
    """
    if total <= 0:
        return Bounds(0.0, 1.0)
    p = _clamp(good / total)
    square = z * z / total
    middle = (p + square / 2) / (1 + square)
    half = z * math.sqrt(p * (1 - p) / total + square / (4 * total)) / (1 + square)
    return Bounds(_clamp(min(p, middle - half)), _clamp(max(p, middle + half)))


def enough_events(target: float) -> float:
    """How many events it takes before a single bad one need not miss the target: 1,000 at 99.9 %."""
    return math.ceil(round(1 / (1 - target), 6))


def judge(kind: ObjectiveKind, t: Totals, target: float, at_least: float) -> Verdict:
    """The verdict.

    Missed or met by `figure`, with *low coverage* where less than 99 % of the time was measured. Where less than 90 %
    was, or fewer events were counted than `at_least`, the data are insufficient, unless they miss the target whatever
    the rest had been: nothing unmeasured ever makes *met*, and a miss that is certain is not hidden behind a gap.

    Args:
        kind: of the objective.
        t: what was counted in the period up to now.
        target: the share that was promised.
        at_least: how many events are needed; minutes for a kind that counts time. See `enough_events`.
    """
    value = figure(kind, t)
    if value is None:
        return Verdict.INSUFFICIENT
    covered = coverage(t)
    enough = covered >= COVERED and events(kind, t) >= at_least
    if value >= target:
        if not enough:
            return Verdict.INSUFFICIENT
        return Verdict.MET if covered >= WELL_COVERED else Verdict.MET_LOW_COVERAGE
    if not enough and not is_missed_for_sure(kind, t, target):
        return Verdict.INSUFFICIENT
    return Verdict.MISSED if covered >= WELL_COVERED else Verdict.MISSED_LOW_COVERAGE


def is_missed_for_sure(kind: ObjectiveKind, t: Totals, target: float) -> bool:
    """Whether the target is missed even if all that was not measured had been good, and by more than chance.

    Chance is Wilson's interval at 99.9 % over the events that were counted; time is no sample, and has none.
    """
    best = bounds(kind, t).best
    if kind not in EVENTS_KINDS:
        return t.probed >= LEAST_MINUTES and best < target
    if t.measured < LEAST_MINUTES:
        return False
    whole = events(kind, t) * (1 + t.unmeasured / t.measured)
    return interval(best * whole, whole, SURE_Z).best < target


def budget(kind: ObjectiveKind, t: Totals, target: float, period_minutes: float) -> Budget | None:
    """What may go wrong in a period, and what of it has gone.

    In events: 1 - target of the events of the period; of one that has not ended, as many as come at the pace so far. In
    minutes: 1 - target of the measured minutes, taken to the whole period in the same way. Only what is known to be bad
    is charged; what was not measured is listed beside it and costs nothing. So the budget is overspent exactly where
    the figure is below the target.

    Args:
        kind: of the objective.
        t: what was counted up to now.
        target: the share that was promised.
        period_minutes: of the whole period, those to come among them.

    Returns:
        None where nothing was counted, of which nothing can be spent.
    """
    seen = events(kind, t)
    if seen <= 0 or t.expected <= 0:
        return None
    ahead = max(1.0, period_minutes / t.expected)
    allowed = 1 - target
    of_events = kind in EVENTS_KINDS
    spent = seen - (t.good if of_events else t.ok)
    share = max(0.0, spent / (allowed * seen * ahead))
    minutes = allowed * t.measured * ahead
    return Budget(
        total_minutes=minutes,
        spent_minutes=share * minutes,
        total_events=allowed * seen * ahead if of_events else None,
        spent_events=max(0.0, spent) if of_events else None,
        spent_share=share,
        burn_rate=share * ahead,
    )


def share_of_budget(kind: ObjectiveKind, bad: float, whole: Totals, target: float, period_minutes: float) -> float:
    """What share of a period's budget some bad events (or down minutes, for a kind that counts time) have spent."""
    seen = events(kind, whole)
    if seen <= 0 or whole.expected <= 0:
        return 0.0
    return max(0.0, bad) / ((1 - target) * seen * max(1.0, period_minutes / whole.expected))


def weighted_mean(figures: Mapping[str, float | None], weights: Mapping[str, float]) -> tuple[float | None, float]:
    """The mean of the figures that are known, and the share of all weight that those carry.

    A figure that is not known is left out of the mean, never taken for 0 or 1; the second number says how much is in.
    """
    known = {name: value for name, value in figures.items() if value is not None}
    all_weight = math.fsum(weights[name] for name in figures)
    weight = math.fsum(weights[name] for name in known)
    if weight <= 0 or all_weight <= 0:
        return None, 0.0
    return _clamp(math.fsum(weights[name] * value for name, value in known.items()) / weight), weight / all_weight


def quantile(q: float, buckets: Mapping[float, float]) -> tuple[float | None, tuple[float, float | None] | None]:
    """The q-quantile of a histogram, and the edges of the bucket that it lies in.

    As Prometheus' `histogram_quantile`: even inside a bucket, the lowest bucket begins at 0. Unlike it, what lies
    beyond the last finite edge is None and not that edge, which would look like a measurement.

    Args:
        q: between 0 and 1.
        buckets: how many events were at or below each edge, in seconds; the one of `inf` counts all.

    Returns:
        Twice None where no event was counted.
    """
    edges = sorted(buckets)
    if not edges or buckets[edges[-1]] <= 0:
        return None, None
    wanted = q * buckets[edges[-1]]
    before, below = 0.0, 0.0
    for edge in edges:
        here = max(below, buckets[edge])
        if here >= wanted and here > below:
            if math.isinf(edge):
                return None, (before, None)
            return before + (edge - before) * (wanted - below) / (here - below), (before, edge)
        before, below = (before if math.isinf(edge) else edge), here
    return None, (before, None)


def _share(part: float, whole: float) -> float | None:
    return _clamp(part / whole) if whole > 0 else None


def _clamp(value: float) -> float:
    return min(1.0, max(0.0, value))
