"""The report of a month out of its facts: what is said where something is missing, new, gone or in doubt."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slo_days import ANSWERS, FAST, LATER, PER_STEP, UP, dead_from, fields, gap, measured, without

from sutazai_ops.errors import BadInput
from sutazai_ops.slo import period, timeline
from sutazai_ops.slo import report_model as m
from sutazai_ops.slo.day import STEPS, make_fact
from sutazai_ops.slo.facts import DAY_MINUTES, Fact
from sutazai_ops.slo.objective import Journey, Objective
from sutazai_ops.slo.report import Head, Material, make_report
from sutazai_ops.slo.report_model import DayState, LaneKind
from sutazai_ops.slo.told import Asked
from sutazai_ops.slo.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sutazai_ops.slo.day import Measured
    from sutazai_ops.slo.period import Span

OCTOBER = period.month("2026-10")
BAD_DAY = date(2026, 10, 14)


def facts_of(
    objective: Objective,
    span: Span = OCTOBER,
    what: Mapping[date, Measured | None] | None = None,
    usual: Callable[[date], Measured | None] = measured,
    question: str = "q",
) -> dict[date, Fact]:
    """A fact of each day: `what` of some of them, None for no fact, and `usual` of the others."""
    made: dict[date, Fact] = {}
    for day in span.days:
        one = (what or {}).get(day, usual(day)) if day in (what or {}) else usual(day)
        if one is not None:
            made[day] = make_fact(objective, question, one, list(made.values()), LATER)
    return made


def report(
    facts: Mapping[str, Mapping[date, Fact]],
    *objectives: Objective,
    span: Span = OCTOBER,
    lanes: list[m.Lane] | None = None,
    gone: Mapping[str, Objective] | None = None,
    asked: Mapping[str, list[Asked]] | None = None,
) -> m.Report:
    named = {one.name: one for one in objectives or (ANSWERS, UP, FAST)}
    material = Material(span, named, facts, timeline.empty() if lanes is None else lanes, gone or {}, asked or {})
    return make_report(Head("production", "a test"), material)


def whole(**changes: Mapping[date, Measured | None]) -> dict[str, dict[date, Fact]]:
    return {one.name: facts_of(one, what=changes.get(one.name)) for one in (ANSWERS, UP, FAST)}


def states(one: m.ObjectiveReport) -> dict[DayState, int]:
    found: dict[DayState, int] = {}
    for day in one.days:
        found[day.state] = found.get(day.state, 0) + 1
    return found


def test_a_month_in_which_all_was_well() -> None:
    found = report(whole())
    assert found.summary.verdict is Verdict.MET
    assert found.summary.sentence == "All of 3 objectives were met."
    assert all(one.budget and one.budget.left_share == 1 for one in found.objectives)
    assert found.period.ended


def test_the_same_facts_give_the_same_bytes() -> None:
    assert m.to_json(report(whole())) == m.to_json(report(whole()))
    assert m.from_json(m.to_json(report(whole()))) == report(whole())


def test_a_month_without_any_data_says_so() -> None:
    found = report({})
    assert found.summary.verdict is Verdict.INSUFFICIENT
    assert found.summary.sentence == "Nothing was measured in October 2026, so nothing can be said of it."
    assert {one.verdict for one in found.objectives} == {Verdict.INSUFFICIENT}
    assert all(one.figure is None and one.budget is None for one in found.objectives)
    assert states(found.objectives[0]) == {DayState.UNKNOWN: 31}


def test_how_many_were_met_is_counted_among_those_that_can_be_told() -> None:
    found = report({ANSWERS.name: facts_of(ANSWERS)})
    assert found.summary.sentence == "1 of 3 objectives was met. 2 cannot be told for want of data."


def test_days_that_somebody_chose_are_called_as_a_person_would() -> None:
    found = report({}, span=period.between(date(2024, 2, 28), date(2024, 3, 1)))
    assert found.summary.sentence == (
        "Nothing was measured in the days from 28 February 2024 to 1 March 2024, so nothing can be said of it."
    )
    assert [one.day for one in found.objectives[0].days][1] == date(2024, 2, 29)


def test_an_outage_is_named_with_what_it_spent_and_what_was_near() -> None:
    dead = dead_from(10, 45)
    start = datetime(2026, 10, 14, 9, 57, tzinfo=UTC)
    lanes = [
        lane.model_copy(
            update={
                "events": (
                    m.Event(id="41", start=start, end=start + timedelta(minutes=2), title="release 41 of core",
                            outcome="failed", services=("shop",)),
                )
            }
        ) if lane.kind is LaneKind.DEPLOYMENT else lane
        for lane in timeline.empty()
    ]  # fmt: skip
    service = {"answers": ANSWERS.model_copy(update={"service": "shop"}), "up": UP, "fast": FAST}
    found = report(whole(answers={BAD_DAY: dead}, up={BAD_DAY: dead}), *service.values(), lanes=lanes)
    answers = found.objective("answers")
    assert answers.verdict is Verdict.MISSED
    assert answers.figures.requests == 1
    dip = answers.dips[0]
    assert dip.sentence == "no answer for 45 min, 3 min after release 41 of core (failed)"
    assert dip.event == m.EventReference(lane=LaneKind.DEPLOYMENT, id="41")
    assert dip.budget_share == pytest.approx(45 / (0.001 * 31 * 1440), rel=0.01)
    assert "45 min on 14 October alone spent" in answers.sentence
    assert found.objective("up").dips[0].down_minutes == 45
    assert states(answers) == {DayState.MET: 30, DayState.MISSED: 1}


def test_half_a_day_that_is_missing_lowers_the_coverage_and_spends_nothing() -> None:
    hole = gap(0, 720, BAD_DAY)
    found = report(whole(answers={BAD_DAY: hole}, up={BAD_DAY: hole}, fast={BAD_DAY: hole}))
    for one in found.objectives:
        assert one.verdict is Verdict.MET_LOW_COVERAGE
        assert one.figures.coverage == pytest.approx(1 - 720 / (31 * 1440))
        assert one.figures.worst is not None
        assert one.figures.worst == pytest.approx(1 - 720 / (31 * 1440))
        assert any("12 h of it were not measured" in text for text in one.unknown)
    gaps = next(lane for lane in found.lanes if lane.kind is LaneKind.GAP)
    assert [(event.start.hour, event.end and event.end.hour) for event in gaps.events] == [(0, 12)]
    assert any("Nothing at all was measured for 12 h from 14 October 00:00 UTC" in one.what for one in found.unknown)


def test_a_month_of_which_prometheus_keeps_a_week_is_not_met() -> None:
    last_week = {day: None for day in OCTOBER.days if day.day <= 23}
    found = report(whole(answers=last_week, up=last_week, fast=last_week))
    for one in found.objectives:
        assert one.verdict is Verdict.INSUFFICIENT
        assert one.figures.coverage == pytest.approx(8 / 31)
        assert any("no facts of 23 days" in text for text in one.unknown)
    assert "Too little was measured" in found.summary.sentence


def test_no_traffic_is_no_figure_and_not_a_good_one() -> None:
    quiet = facts_of(ANSWERS, usual=lambda day: measured(day, total=[0.0] * STEPS, good=[0.0] * STEPS))
    one = report({"answers": quiet}, ANSWERS).objective("answers")
    assert (one.verdict, one.figure, one.budget) == (Verdict.INSUFFICIENT, None, None)
    assert one.sentence == "There were no requests."
    assert states(one) == {DayState.QUIET: 31}


def test_a_service_without_a_single_failure_has_failed_nothing() -> None:
    one = report(whole()).objective("answers")
    assert (one.counts.bad, one.figure) == (0, 1)


def test_a_label_that_changed_in_mid_month_is_not_measured_and_not_met() -> None:
    def usual(day: date) -> Measured:
        if day.day <= 15:
            return measured(day)
        return measured(day, total=[0.0] * STEPS, good=[0.0] * STEPS, seen=[False] * STEPS)

    one = report({**whole(), "answers": facts_of(ANSWERS, usual=usual)}).objective("answers")
    assert one.verdict is Verdict.INSUFFICIENT
    assert states(one) == {DayState.MET: 15, DayState.UNKNOWN: 16}


def test_a_service_that_came_in_mid_month_is_held_from_then_on() -> None:
    late = facts_of(UP, usual=lambda day: measured(day) if day.day >= 20 else _nothing(day))
    one = report({**whole(), "up": late}).objective("up")
    assert one.verdict is Verdict.MET
    assert one.first_day == date(2026, 10, 20)
    assert one.sentence.startswith("Since 20 October, it was answered 100 %")
    assert states(one) == {DayState.BEFORE: 19, DayState.MET: 12}


def test_days_on_which_nothing_at_all_was_measured_are_no_late_beginning() -> None:
    late = {
        one.name: facts_of(one, usual=lambda day: measured(day) if day.day >= 20 else _nothing(day))
        for one in (ANSWERS, UP, FAST)
    }
    assert {one.verdict for one in report(late).objectives} == {Verdict.INSUFFICIENT}


def test_a_service_that_went_or_was_renamed_in_mid_month_is_still_told() -> None:
    old = UP.model_copy(update={"name": "old-is-up"})
    early = {day: fact for day, fact in facts_of(old).items() if day.day <= 12}
    found = report({**whole(), "old-is-up": early}, gone={"old-is-up": old})
    one = found.objective("old-is-up")
    assert (one.verdict, one.last_day) == (Verdict.MET, date(2026, 10, 12))
    assert states(one) == {DayState.MET: 12, DayState.GONE: 19}
    assert any("was removed, or has another name now" in text for text in one.unknown)


def test_a_question_that_changed_in_mid_month_is_said_and_both_are_shown() -> None:
    facts = facts_of(ANSWERS)
    for day in OCTOBER.days[20:]:
        facts[day] = Fact(**{**fields(facts[day]), "question": "new"})
    asked = {"q": [Asked("requests", "old_total")], "new": [Asked("requests", "new_total")]}
    one = report({"answers": facts}, ANSWERS, asked=asked).objective("answers")
    assert any("changed on 21 October" in text for text in one.warnings)
    assert [(q.text, q.first_day.day, q.last_day.day) for q in one.questions] == [
        ("old_total", 1, 20), ("new_total", 21, 31),
    ]  # fmt: skip


def test_warnings_of_prometheus_are_shown_once_with_their_days() -> None:
    facts = facts_of(ANSWERS)
    for number in (4, 5):
        day = date(2026, 10, number)
        facts[day] = Fact(**{**fields(facts[day]), "warnings": ("remote read failed",)})
    (notice,) = report({"answers": facts}, ANSWERS).warnings
    assert (notice.text, notice.objectives) == ("remote read failed", ("answers",))
    assert [day.day for day in notice.days] == [4, 5]


def test_a_probe_that_was_answered_while_most_requests_failed_is_said() -> None:
    liar = measured(BAD_DAY, good=without([PER_STEP] * STEPS, 120, 132, PER_STEP / 10))
    one = report(whole(answers={BAD_DAY: liar})).objective("answers")
    assert any("Two answers differ: on 14 October from 10:00 UTC" in text for text in one.warnings)


def test_a_verdict_that_rests_on_an_estimate_says_so() -> None:
    budget = 31 * 1440 * 0.001
    dead = dead_from(10, 45)
    good = without([PER_STEP] * STEPS, 200, 201, 0.0)
    near = {BAD_DAY: dead, date(2026, 10, 15): measured(date(2026, 10, 15), good=good)}
    close = ANSWERS.model_copy(update={"target": round(1 - 0.001 * 50.2 / budget, 6)})
    one = report({"answers": facts_of(ANSWERS, what=near)}, close).objective("answers")
    assert any("too close to call" in text for text in one.unknown)
    clear = report(whole(answers={BAD_DAY: dead_from(10, 90)})).objective("answers")
    assert not any("too close" in text for text in clear.unknown)


@pytest.mark.parametrize(("text", "days"), [("2026-10", 31), ("2028-02", 29), ("2026-02", 28), ("2026-03", 31)])
def test_every_month_has_its_own_days_and_a_day_its_minutes_whatever_clocks_do(text: str, days: int) -> None:
    span = period.month(text)
    one = report({"up": facts_of(UP, span)}, UP, span=span).objective("up")
    assert len(one.days) == days
    assert one.counts.expected_minutes == days * 1440
    assert one.budget is not None
    assert one.budget.total_minutes == pytest.approx(days * 1.44)


@pytest.mark.parametrize("text", ["9999-12", "0001-01", "1969-12", "0000-01", "2026-13", "2026-00", "October"])
def test_a_month_that_cannot_be_reckoned_with_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is no month"):
        period.month(text)


@pytest.mark.parametrize("days", [(date(1, 1, 1), date(2026, 1, 1)), (date(2026, 1, 1), date(9999, 12, 31))])
def test_days_that_cannot_be_reckoned_with_are_refused(days: tuple[date, date]) -> None:
    with pytest.raises(BadInput, match="nothing was measured"):
        period.between(*days)


def test_a_month_under_way_is_one_so_far() -> None:
    now = datetime(2026, 10, 10, 12, 0, tzinfo=UTC)
    facts = {}
    for day in OCTOBER.days[:10]:
        one = measured(day, elapsed=720 if day.day == 10 else DAY_MINUTES)
        facts[day] = make_fact(UP, "q", one, [], now)
    found = report({"up": facts}, UP)
    one = found.objective("up")
    assert not found.period.ended
    assert one.counts.expected_minutes == 9.5 * 1440
    assert one.budget is not None
    assert one.budget.total_minutes == pytest.approx(44.64)
    assert states(one) == {DayState.MET: 10, DayState.AHEAD: 21}
    assert one.curve is not None
    assert len(one.curve.left_share) == 9 * 24 + 12


def test_the_platform_is_what_its_journeys_are_and_what_is_not_known_is_said() -> None:
    answers = ANSWERS.model_copy(update={"journey": Journey(title="Asking", weight=3)})
    tasks = UP.model_copy(update={"name": "tasks", "journey": Journey(title="Giving a task", weight=1)})
    dead = dead_from(10, 720)
    facts = {"answers": facts_of(ANSWERS, what={BAD_DAY: dead}), "tasks": {}}
    platform = report(facts, answers, tasks).platform
    assert platform is not None
    assert platform.journeys == pytest.approx(1 - 720 / (31 * 1440), rel=1e-4)
    assert platform.known_weight == 0.75
    assert "not known is: Giving a task" in platform.sentence


def test_an_incident_over_midnight_is_one_dip() -> None:
    what = {
        date(2026, 10, 14): measured(date(2026, 10, 14), ok=without([1.0] * DAY_MINUTES, 1420, 1440)),
        date(2026, 10, 15): measured(date(2026, 10, 15), ok=without([1.0] * DAY_MINUTES, 0, 10)),
    }
    (dip,) = report({"up": facts_of(UP, what=what)}, UP).objective("up").dips
    assert dip.down_minutes == 30
    assert dip.end - dip.start == timedelta(minutes=30)


def test_the_curve_and_the_dips_and_the_days_add_up_to_what_was_spent() -> None:
    what = {BAD_DAY: dead_from(10, 45), date(2026, 10, 20): dead_from(3, 20)}
    one = report(whole(answers=what)).objective("answers")
    assert one.budget is not None
    assert one.curve is not None
    spent = 1 - one.budget.left_share
    assert one.curve.left_share[-1] == pytest.approx(one.budget.left_share, abs=1e-4)
    assert sum(dip.budget_share for dip in one.dips) + one.other_dips_share == pytest.approx(spent, abs=1e-4)
    assert sum(day.budget_share for day in one.days) == pytest.approx(spent, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_whatever_was_measured_a_report_can_be_made_and_never_says_met_of_what_was_not(data: st.DataObject) -> None:
    span = period.between(date(2026, 10, 1), date(2026, 10, 6))
    kinds = st.sampled_from(["well", "none", "nothing", "gap", "dead", "quiet", "short"])
    facts: dict[str, dict[date, Fact]] = {}
    for objective in (ANSWERS, UP, FAST):
        drawn = {day: _day_of(data.draw(kinds), day) for day in span.days}
        facts[objective.name] = facts_of(objective, span, drawn)
    found = report(facts, span=span)
    assert m.from_json(m.to_json(found)) == found
    for one in found.objectives:
        if one.verdict.is_met:
            assert one.figures.coverage >= 0.9
            assert one.figure is not None
            assert one.figure >= one.target


def _day_of(kind: str, day: date) -> Measured | None:
    if kind == "dead":
        dead = dead_from(10, 45)
        return measured(day, ok=dead.ok, scraped=dead.scraped, total=dead.total, good=dead.good, seen=dead.seen)
    return {
        "none": None,
        "nothing": _nothing(day),
        "gap": gap(100, 700, day),
        "quiet": measured(day, total=[0.0] * STEPS, good=[0.0] * STEPS),
        "short": measured(day, elapsed=300),
        "well": measured(day),
    }[kind]


def _nothing(day: date) -> Measured:
    nobody = [0.0] * DAY_MINUTES
    return measured(day, ok=nobody, probed=nobody, scraped=None, seen=[False] * STEPS, total=[0.0] * STEPS,
                    good=[0.0] * STEPS)  # fmt: skip
