"""Expressions mean here what they mean to Prometheus 3: its own answers, written down, and a few worked out by hand."""

from __future__ import annotations

import math

import promql_cases as cases
import promql_recorded as recorded
import pytest
from promql_ours import disagreements, load
from promtool_notation import points

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.promql import CannotMatch, NotSupported, Sample, Samples, evaluate


def test_every_answer_is_the_one_that_prometheus_3_gave() -> None:
    asked = cases.questions(cases.RECORDED_AT)
    assert disagreements(load(cases.SERIES), asked, recorded.read()) == []


def over(values: str, expression: str, at: float) -> list[float]:
    """An expression over one series `x` with a sample every thirty seconds from the epoch on."""
    return [one.value for one in evaluate(expression, load({"x": points(values)}), at)]


def test_a_range_leaves_its_earlier_edge_out() -> None:
    assert over("1x20", "count_over_time(x[1m])", 300) == [2]
    assert over("1x20", "count_over_time(x[1m])", 301) == [2]
    assert over("1x20", "rate(x[30s])", 300) == []


def test_a_rate_reaches_to_the_edges_of_its_range_where_samples_lie_near_them() -> None:
    # Samples from 30 to 300 s: 90 in 270 s, drawn out by 30 s to the earlier edge, of which 5 are behind the last one.
    assert over("0+10x10", "increase(x[5m])", 305) == [pytest.approx(90 / 270 * 300)]


def test_a_rate_reaches_half_an_interval_where_the_series_begins_within_the_range() -> None:
    # 1000 at 150 s to 1050 at 300 s. The start is more than 1.1 intervals off, so half of one is added there.
    assert over("_x5 1000+10x5", "increase(x[10m])", 300) == [pytest.approx(50 / 150 * (150 + 15))]


def test_a_rate_does_not_reach_below_zero() -> None:
    # The slope of 10 in 30 s leads from 2 back to zero within 6 s, which is less than the 15 s of half an interval.
    assert over("_x5 2+10x5", "increase(x[10m])", 300) == [pytest.approx(50 / 150 * (150 + 6))]


def test_a_counter_that_falls_began_again_at_zero() -> None:
    assert over("5 15 3 13", "resets(x[10m])", 90) == [1]
    (grown,) = over("1000 1010 3 13", "increase(x[2m])", 90)
    assert grown == pytest.approx((10 + 3 + 10) / 90 * 120)


def test_a_quantile_is_interpolated_within_its_bucket() -> None:
    series = {f'x_bucket{{le="{le}"}}': points(f"{count}") for le, count in (("0.1", 40), ("0.2", 90), ("+Inf", 100))}
    samples = load(series)
    assert evaluate("histogram_quantile(0.5, x_bucket)", samples, 0)[0].value == pytest.approx(0.1 + 0.1 * 10 / 50)
    assert evaluate("histogram_quantile(0.2, x_bucket)", samples, 0)[0].value == pytest.approx(0.1 * 20 / 40)
    assert evaluate("histogram_quantile(0.99, x_bucket)", samples, 0)[0].value == 0.2


def test_nothing_divided_by_nothing_is_not_a_number_and_is_kept() -> None:
    (value,) = over("0", "x / x", 0)
    assert math.isnan(value)
    assert over("0", "x / x > 0.1", 0) == []


def test_a_line_through_the_samples_is_followed_into_the_future() -> None:
    assert over("100-1x10", "predict_linear(x[5m], 600)", 300) == [pytest.approx(100 - 10 - 20)]


def test_a_constant_is_predicted_exactly() -> None:
    assert over("0.1x10", "predict_linear(x[5m], 1e6)", 300) == [0.1]


def test_series_that_pair_with_two_others_are_refused() -> None:
    samples = load({'x{a="1", b="1"}': [1.0], 'x{a="1", b="2"}': [2.0], 'y{a="1"}': [1.0]})
    with pytest.raises(CannotMatch, match="match"):
        evaluate("x / on(a) y", samples, 0)
    with pytest.raises(CannotMatch, match="match"):
        evaluate("y / on(a) x", samples, 0)
    assert len(evaluate("x / on(a) group_left y", samples, 0)) == 2


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("double_exponential_smoothing(x[5m], 0.1, 0.1)", "double_exponential_smoothing"),
        ("histogram_sum(x)", "histogram_sum"),
        ("sort_by_label(x, 'a')", "sort_by_label"),
        ("limitk(2, x)", "limitk"),
        ("x[5m]", "x[5m]"),
        ('"text"', "text"),
        ('x{a="1" or b="2"}', "`or` between matchers"),
        ('x{a=~"[[:alpha:]]"}', "[[:alpha:]]"),
        ("x + fill(0) y", "fill()"),
        ("sin(x)", "sin"),
        ("max_over_time(x[1y:1s])", "subquery"),
    ],
)
def test_what_is_not_evaluated_here_is_refused_by_its_name(expression: str, named: str) -> None:
    with pytest.raises(BadInput) as refused:
        evaluate(expression, Samples(300), 0)
    assert named in str(refused.value)


@pytest.mark.parametrize("expression", ["rate(x", "rate(x)", "nonsense(x)", "", "x[5*60]"])
def test_what_is_not_promql_is_one_sentence_that_shows_it(expression: str) -> None:
    with pytest.raises(BadInput, match="not PromQL") as refused:
        evaluate(expression, Samples(300), 0)
    assert not isinstance(refused.value, NotSupported)
    assert refused.value.where == expression


def test_a_name_that_differs_by_more_than_itself_is_dropped_and_two_that_differ_by_it_alone_are_refused() -> None:
    samples = Samples(300)
    samples.add(0, [Sample("x", {"a": "1"}, 1), Sample("y", {"a": "1"}, 1), Sample("y", {"a": "2"}, 1)])
    assert len(evaluate('abs({__name__=~"x|y", a!="1"})', samples, 0)) == 1
    with pytest.raises(CannotMatch, match="same labels"):
        evaluate('abs({__name__=~"x|y"})', samples, 0)
