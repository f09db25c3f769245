"""From a day's measurements to its fact: what is counted, what was lost, what is not known."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slo_days import (
    ANSWERS,
    DAY,
    FAST,
    LATER,
    PER_STEP,
    UP,
    dead_from,
    fact,
    fields,
    measured,
    without,
)

from sutazai_ops.slo import maths
from sutazai_ops.slo.day import STEPS, make_fact
from sutazai_ops.slo.facts import DAY_MINUTES, Fact, merged, of_detail, to_detail
from sutazai_ops.slo.maths import add_up


def test_a_day_on_which_all_was_well() -> None:
    t = fact(measured()).totals
    assert (t.good, t.total, t.imputed) == (86_400, 86_400, 0)
    assert (t.ok, t.measured, t.expected) == (1440, 1440, 1440)


def test_a_dead_process_loses_what_the_same_hour_of_other_days_would_have_brought() -> None:
    found = fact(dead_from(10, 45))
    assert found.totals.imputed == pytest.approx(45 * 60)
    assert maths.requests(found.totals) == 1
    assert maths.combined(found.totals) == pytest.approx(1 - 45 / 1440)
    assert maths.coverage(found.totals) == 1
    assert [(dip.start, dip.end, dip.down) for dip in found.dips] == [(600, 645, 45)]


def test_a_busier_day_has_lost_more() -> None:
    busy = dead_from(10, 60)
    twice = [2 * count for count in busy.total]
    found = fact(measured(ok=busy.ok, scraped=busy.scraped, total=twice, good=twice, seen=busy.seen))
    assert found.totals.imputed == pytest.approx(2 * 3600)


def test_a_process_that_answers_500_counts_its_failures_itself() -> None:
    start, end = 120, 240
    found = fact(
        measured(ok=without([1.0] * DAY_MINUTES, start, end), good=without([PER_STEP] * STEPS, start // 5, end // 5))
    )
    assert found.totals.imputed == pytest.approx(0)
    assert found.totals.bad == 2 * 3600


def test_without_other_days_nothing_is_imputed_and_the_day_is_not_final() -> None:
    found = fact(dead_from(10, 45), others=[])
    assert found.totals.imputed == 0
    assert found.lacking > 0
    assert not Fact(**{**fields(found), "computed_at": found.start + timedelta(days=2)}).is_final()
    assert Fact(**{**fields(found), "computed_at": found.start + timedelta(days=60)}).is_final()


def test_a_weekend_is_not_asked_what_a_working_day_would_have_brought() -> None:
    quiet_weekends = []
    for number in range(1, 15):
        day = DAY - timedelta(days=number)
        many = [PER_STEP / 10 if day.weekday() >= 5 else PER_STEP] * STEPS
        quiet_weekends.append(make_fact(ANSWERS, "q", measured(day, total=many, good=many), [], LATER))
    assert fact(dead_from(10, 60), others=quiet_weekends).totals.imputed == pytest.approx(3600)


def test_a_dead_prometheus_is_not_measured_and_spends_nothing() -> None:
    gap = (840, 960)
    found = fact(
        measured(
            probed=without([1.0] * DAY_MINUTES, *gap),
            ok=without([1.0] * DAY_MINUTES, *gap),
            scraped=without([1.0] * DAY_MINUTES, *gap),
            seen=[not 168 <= step < 192 for step in range(STEPS)],
        )
    )
    assert maths.coverage(found.totals) == pytest.approx(1 - 120 / 1440)
    assert found.totals.imputed == 0
    assert list(found.gaps) == [gap]


def test_a_dead_exporter_leaves_the_counters() -> None:
    nobody = [0.0] * DAY_MINUTES
    assert maths.coverage(fact(measured(ok=nobody, probed=nobody)).totals) == 1
    assert maths.coverage(fact(measured(ok=nobody, probed=nobody), UP).totals) == 0


def test_a_selector_that_matches_nothing_any_more_is_not_a_quiet_day() -> None:
    nothing = measured(total=[0.0] * STEPS, good=[0.0] * STEPS, seen=[False] * STEPS)
    assert maths.coverage(fact(nothing).totals) == 0


def test_a_night_without_a_request_after_a_restart_is_a_quiet_night() -> None:
    few = [0.0] * 72 + [PER_STEP] * (STEPS - 72)
    usual = [
        make_fact(ANSWERS, "q", measured(DAY - timedelta(days=n), total=few, good=few), [], LATER) for n in range(1, 9)
    ]
    found = fact(measured(total=few, good=few, seen=[step >= 60 for step in range(STEPS)]), others=usual)
    assert maths.coverage(found.totals) == 1


def test_no_traffic_at_all_is_measured_and_has_no_figure() -> None:
    found = fact(measured(total=[0.0] * STEPS, good=[0.0] * STEPS))
    assert maths.combined(found.totals) is None
    assert maths.coverage(found.totals) == 1


def test_a_day_under_way_expects_no_more_than_has_passed() -> None:
    found = fact(measured(elapsed=600))
    assert found.totals.expected == 600
    assert not Fact(**{**fields(found), "computed_at": found.start + timedelta(hours=10)}).is_final()


def test_dips_are_joined_where_they_are_near_and_the_dearest_come_first() -> None:
    ok = without(without(without([1.0] * DAY_MINUTES, 100, 101), 105, 106), 700, 730)
    assert [(dip.start, dip.end, dip.down) for dip in fact(measured(ok=ok), UP).dips] == [(700, 730, 30), (100, 106, 2)]


def test_a_slow_day_has_its_latency_dip_and_loses_nothing_while_down() -> None:
    slow = without([PER_STEP] * STEPS, 100, 124, PER_STEP / 2)
    found = fact(measured(good=slow, ok=without([1.0] * DAY_MINUTES, 900, 930)), FAST)
    assert [(dip.start, dip.end) for dip in found.dips] == [(500, 620)]
    assert found.totals.imputed == 0


# Facts of one day that are computed twice


def test_an_hour_whose_samples_have_gone_stays_as_it_was() -> None:
    old = fact(measured())
    new = fact(
        measured(
            probed=without([1.0] * DAY_MINUTES, 0, 600),
            scraped=without([1.0] * DAY_MINUTES, 0, 600),
            seen=[step >= 120 for step in range(STEPS)],
            total=without([PER_STEP] * STEPS, 0, 120),
            good=without([PER_STEP] * STEPS, 0, 120),
        )
    )
    assert merged(old, new).totals == old.totals
    assert merged(old, new).gaps == ()
    assert merged(new, old).totals == old.totals


def test_a_day_that_goes_on_is_replaced_by_what_is_known_later() -> None:
    assert merged(fact(measured(elapsed=600)), fact(measured())).totals == fact(measured()).totals


def test_two_answers_that_differ_are_said() -> None:
    other = fact(measured(total=[PER_STEP + 30] * STEPS))
    assert any("answered differently for 24 hours" in warning for warning in merged(fact(measured()), other).warnings)
    assert merged(fact(measured()), fact(measured())).warnings == ()


def test_another_question_replaces_the_fact_unless_it_finds_nothing() -> None:
    old, new = fact(measured()), Fact(**{**fields(fact(measured(total=[1.0] * STEPS))), "question": "other"})
    empty = Fact(**{**fields(fact(measured(seen=[False] * STEPS, scraped=None))), "question": "other"})
    assert merged(old, new) == new
    assert merged(old, empty) == old


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 300), st.booleans()), max_size=5))
def test_of_whatever_happens_the_hours_add_up_and_nothing_is_nan(what: list[tuple[int, int, bool]]) -> None:
    ok, probed, seen = [1.0] * DAY_MINUTES, [1.0] * DAY_MINUTES, [True] * STEPS
    for start, length, is_gap in what:
        end = min(DAY_MINUTES, start + length)
        ok = without(ok, start, end)
        if is_gap:
            probed = without(probed, start, end)
            seen = [kept and not start // 5 <= step < end // 5 for step, kept in enumerate(seen)]
    day = measured(ok=ok, probed=probed, seen=seen, scraped=probed)
    for objective in (ANSWERS, UP, FAST):
        found = fact(day, objective)
        assert add_up(found.hours) == found.totals
        assert all(math.isfinite(getattr(hour, name)) for hour in found.hours for name in hour.__slots__)
        assert 0 <= maths.coverage(found.totals) <= 1
        assert found.totals.measured <= found.totals.expected
        assert sum(dip.down for dip in found.dips) <= found.totals.down + 1e-6
        again = of_detail(found.objective, found.day, "q", to_detail(found), found.warnings, found.computed_at)
        assert again.totals.total == pytest.approx(found.totals.total, abs=0.01)
