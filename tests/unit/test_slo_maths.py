"""The figures, against numbers known by hand and against what must hold of any month."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sutazai_ops.slo import maths
from sutazai_ops.slo.maths import Totals
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.verdict import Verdict

RATIO, LATENCY, PROBE = ObjectiveKind.RATIO, ObjectiveKind.LATENCY, ObjectiveKind.PROBE
MONTH = 30 * 1440.0
NOT_MET = {Verdict.MISSED, Verdict.MISSED_LOW_COVERAGE, Verdict.INSUFFICIENT}


def month(**parts: float) -> Totals:
    """A month that was measured from end to end, and in which all was well where `parts` says nothing else."""
    return replace(Totals(good=1e6, total=1e6, ok=MONTH, probed=MONTH, measured=MONTH, expected=MONTH), **parts)


_part = st.sampled_from([0, 0.5, 0.89, 0.9, 0.9899, 0.99, 0.9985, 0.999, 0.9995, 1 - 1e-6, 1])


@st.composite
def totals(draw: st.DrawFn) -> Totals:
    """Any stretch of time, empty ones among them."""
    expected = draw(st.integers(0, 50_000))
    measured, probed, ok = (draw(_part) for _ in range(3))
    total = draw(st.one_of(st.just(0), st.integers(1, 10), st.integers(1000, 10**9)))
    return Totals(
        good=round(total * draw(_part)),
        total=total,
        imputed=draw(st.sampled_from([0, 0.5, 20, 1e4])),
        ok=expected * probed * ok,
        probed=expected * probed,
        measured=expected * measured,
        expected=expected,
    )


kinds = st.sampled_from(ObjectiveKind)
targets = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999])


def test_a_process_that_is_dead_at_peak_is_seen_by_the_combined_figure_alone_among_those_of_requests() -> None:
    dead = month(good=1e6 - 300, total=1e6, imputed=2_200, ok=MONTH - 45)
    assert maths.requests(dead) == pytest.approx(0.9997)
    assert maths.combined(dead) == pytest.approx((1e6 - 300) / 1_002_200)
    assert maths.judge(RATIO, dead, 0.999, 1000) is Verdict.MISSED


def test_the_budget_of_a_month_at_99_9_is_43_2_minutes() -> None:
    found = maths.budget(PROBE, month(ok=MONTH - 30), 0.999, MONTH)
    assert found is not None
    assert found.total_minutes == pytest.approx(43.2)
    assert found.spent_minutes == pytest.approx(30)
    assert found.left_share == pytest.approx(1 - 30 / 43.2)
    assert found.total_events is None


def test_half_a_month_at_the_pace_that_spends_it_all_has_spent_half_and_burns_at_one() -> None:
    half = Totals(good=999_000 / 2, total=1e6 / 2, measured=MONTH / 2, expected=MONTH / 2)
    found = maths.budget(RATIO, half, 0.999, MONTH)
    assert found is not None
    assert found.left_share == pytest.approx(0.5)
    assert found.burn_rate == pytest.approx(1)
    assert found.total_events == pytest.approx(1000)


@pytest.mark.parametrize(
    ("good", "total", "low", "high"),
    # Brown, Cai, DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16 (2001); R's
    # prop.test(x, n, correct = FALSE) gives these.
    [
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (15, 20, 0.5312998, 0.8881379),
    ],
)
def test_wilsons_interval_is_that_of_the_books(good: float, total: float, low: float, high: float) -> None:
    found = maths.interval(good, total)
    assert found.worst == pytest.approx(low, abs=1e-6)
    assert found.best == pytest.approx(high, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "what", "verdict"),
    [
        (RATIO, month(good=1e6 - 900), Verdict.MET),
        (RATIO, month(good=1e6 - 1100), Verdict.MISSED),
        (RATIO, month(good=1e6 - 900, measured=MONTH * 0.98), Verdict.MET_LOW_COVERAGE),
        (RATIO, month(good=1e6 - 1100, measured=MONTH * 0.98), Verdict.MISSED_LOW_COVERAGE),
        (RATIO, month(good=1e6 - 900, measured=MONTH * 0.89), Verdict.INSUFFICIENT),
        # It could still have been met, had the rest been good.
        (RATIO, month(good=1e6 - 1100, measured=MONTH * 0.89), Verdict.INSUFFICIENT),
        # It could not.
        (RATIO, month(good=1e6 - 9000, measured=MONTH * 0.5), Verdict.MISSED_LOW_COVERAGE),
        (RATIO, month(good=999, total=999), Verdict.INSUFFICIENT),
        (RATIO, month(good=411, total=412), Verdict.INSUFFICIENT),
        (RATIO, month(good=149, total=150), Verdict.INSUFFICIENT),
        # One in four is no accident.
        (RATIO, month(good=300, total=400), Verdict.MISSED),
        (RATIO, month(good=0, total=0), Verdict.INSUFFICIENT),
        (RATIO, Totals(expected=MONTH), Verdict.INSUFFICIENT),
        (RATIO, Totals(), Verdict.INSUFFICIENT),
        (LATENCY, month(good=1e6 - 900, imputed=1e6), Verdict.MET),
        (PROBE, month(ok=MONTH - 43), Verdict.MET),
        (PROBE, month(ok=MONTH - 44), Verdict.MISSED),
        (PROBE, month(ok=MONTH * 0.5, probed=MONTH * 0.5, measured=MONTH * 0.5), Verdict.INSUFFICIENT),
        (PROBE, month(ok=MONTH * 0.5 - 44, probed=MONTH * 0.5, measured=MONTH * 0.5), Verdict.MISSED_LOW_COVERAGE),
    ],
)  # fmt: skip
def test_verdicts(kind: ObjectiveKind, what: Totals, verdict: Verdict) -> None:
    assert maths.judge(kind, what, 0.999, maths.enough_events(0.999)) is verdict


def test_a_thousand_events_are_enough_for_99_9() -> None:
    assert [maths.enough_events(target) for target in (0.9, 0.99, 0.999, 0.9999)] == [10, 100, 1000, 10_000]


@settings(deadline=None)
@given(kinds, st.lists(totals(), max_size=12), targets, st.randoms())
def test_folding_days_equals_the_whole_in_any_order(
    kind: ObjectiveKind, days: list[Totals], target: float, random: object
) -> None:
    whole = maths.add_up(days)
    half = len(days) // 2
    folded = maths.add_up(days[:half]) + maths.add_up(days[half:])
    shuffled = list(days)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert maths.add_up(shuffled) == whole
    for found, meant in zip(_numbers(kind, folded, target), _numbers(kind, whole, target), strict=True):
        assert (found is None) == (meant is None)
        assert found is None or found == pytest.approx(meant, rel=1e-9, abs=1e-9)


@given(kinds, totals(), targets)
@example(RATIO, Totals(), 0.999)
@example(RATIO, Totals(expected=1440), 0.999)
def test_no_number_is_ever_nan_or_outside_its_range(kind: ObjectiveKind, t: Totals, target: float) -> None:
    for share in (maths.requests(t), maths.probe(t), maths.combined(t), maths.coverage(t), maths.figure(kind, t)):
        assert share is None or 0 <= share <= 1
    assert all(math.isfinite(number) for number in _numbers(kind, t, target) if number is not None)
    assert maths.judge(kind, t, target, maths.enough_events(target)) in Verdict


@given(kinds, totals())
def test_the_figure_lies_between_the_worst_and_the_best_case(kind: ObjectiveKind, t: Totals) -> None:
    found, value = maths.bounds(kind, t), maths.figure(kind, t)
    assert found.worst <= found.best
    if value is not None:
        assert found.worst - 1e-9 <= value <= found.best + 1e-9


@given(totals(), targets)
def test_what_was_lost_while_it_was_down_never_helps(t: Totals, target: float) -> None:
    assume(t.total > 0)
    assert maths.combined(t) <= maths.requests(t)  # type: ignore[operator]
    assert maths.combined(replace(t, imputed=t.imputed + 1)) <= maths.combined(t)  # type: ignore[operator]


@given(kinds, totals(), targets, st.integers(1, 10**6))
def test_more_bad_events_never_make_a_missed_objective_anything_else(
    kind: ObjectiveKind, t: Totals, target: float, more: int
) -> None:
    at_least = maths.enough_events(target)
    assume(maths.judge(kind, t, target, at_least).is_missed)
    if kind in maths.EVENTS_KINDS:
        worse = replace(t, total=t.total + more)
    else:
        worse = replace(t, ok=t.ok * (1 - min(1, more / 1e6)))
    assert maths.judge(kind, worse, target, at_least).is_missed


@given(kinds, totals(), targets, st.floats(0, 1))
def test_measuring_less_never_turns_into_met(kind: ObjectiveKind, t: Totals, target: float, keep: float) -> None:
    at_least = maths.enough_events(target)
    assume(maths.judge(kind, t, target, at_least) in NOT_MET)
    less = replace(t, measured=t.measured * keep)
    assert maths.judge(kind, less, target, at_least) in NOT_MET


@given(kinds, totals(), targets, targets)
def test_who_meets_a_target_meets_every_lower_one_given_the_events(
    kind: ObjectiveKind, t: Totals, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    if maths.judge(kind, t, high, maths.enough_events(high)).is_met:
        assert maths.judge(kind, t, low, maths.enough_events(low)).is_met


@given(kinds, totals(), targets)
def test_the_budget_of_an_ended_period_is_overspent_exactly_where_the_target_is_missed(
    kind: ObjectiveKind, t: Totals, target: float
) -> None:
    found, value = maths.budget(kind, t, target, t.expected), maths.figure(kind, t)
    assume(found is not None and value is not None and abs(value - target) > 1e-9)
    assert (found.left_share < 0) == (value < target)  # type: ignore[union-attr,operator]


@given(st.dictionaries(st.sampled_from("abcdef"), st.one_of(st.none(), st.floats(0, 1)), min_size=1))
def test_a_mean_leaves_out_what_is_not_known_and_says_how_much(figures: dict[str, float | None]) -> None:
    weights = {name: index + 1.0 for index, name in enumerate("abcdef")}
    mean, known = maths.weighted_mean(figures, weights)
    values = [value for value in figures.values() if value is not None]
    assert (mean is None) == (not values)
    assert 0 <= known <= 1
    if mean is not None:
        assert min(values) - 1e-9 <= mean <= max(values) + 1e-9


def test_a_quantile_is_interpolated_and_says_between_which_edges_it_lies() -> None:
    buckets = {0.1: 80.0, 0.2: 95.0, 0.5: 100.0, math.inf: 100.0}
    value, edges = maths.quantile(0.95, buckets)
    assert value == pytest.approx(0.2)
    assert edges == (0.1, 0.2)
    assert maths.quantile(0.5, buckets)[0] == pytest.approx(0.0625)


def test_a_quantile_beyond_the_last_edge_is_not_known() -> None:
    assert maths.quantile(0.95, {0.1: 10.0, math.inf: 100.0}) == (None, (0.1, None))
    assert maths.quantile(0.95, {0.1: 0.0, math.inf: 0.0}) == (None, None)
    assert maths.quantile(0.95, {}) == (None, None)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8), st.floats(0.01, 1))
def test_a_quantile_lies_between_its_edges(steps: list[int], q: float) -> None:
    total, buckets = 0.0, {}
    for index, step in enumerate(steps):
        total += step
        buckets[0.1 * (index + 1)] = total
    buckets[math.inf] = total
    value, edges = maths.quantile(q, buckets)
    if value is not None:
        assert edges is not None
        assert edges[1] is not None
        assert edges[0] - 1e-9 <= value <= edges[1] + 1e-9


def _numbers(kind: ObjectiveKind, t: Totals, target: float) -> list[float | None]:
    found, bounds = maths.budget(kind, t, target, t.expected * 1.5), maths.bounds(kind, t)
    wilson = maths.interval(t.good, t.total)
    return [
        maths.figure(kind, t), maths.coverage(t), bounds.worst, bounds.best, wilson.worst, wilson.best,
        *((found.total_minutes, found.spent_minutes, found.left_share, found.burn_rate) if found else (None,) * 4),
    ]  # fmt: skip


@given(totals())
def test_of_requests_the_combined_figure_is_already_the_worse_one(t: Totals) -> None:
    counted, with_lost = maths.requests(t), maths.combined(t)
    if counted is not None and with_lost is not None:
        assert maths.figure(ObjectiveKind.RATIO, t) == min(counted, with_lost)
