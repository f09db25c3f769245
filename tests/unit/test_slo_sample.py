"""The made-up month: the same every time, of the real code, and with enough in it to show what a report is."""

from __future__ import annotations

import pytest

from sutazai_ops.slo import report_model as m
from sutazai_ops.slo.sample import sample_report
from sutazai_ops.slo.verdict import Verdict


@pytest.fixture(scope="module")
def sample() -> m.Report:
    return sample_report()


def test_it_says_that_it_is_one(sample):
    assert sample.sample
    assert "made-up" in sample.source


def test_it_is_the_same_every_time(sample):
    assert m.to_json(sample_report()) == m.to_json(sample)


def test_there_is_something_to_see_in_it(sample):
    assert {one.verdict for one in sample.objectives} >= {
        Verdict.MET,
        Verdict.MET_LOW_COVERAGE,
        Verdict.MISSED,
        Verdict.INSUFFICIENT,
    }
    assert {one.kind for one in sample.objectives} == set(m.ObjectiveKind)
    assert [lane.kind for lane in sample.lanes if not lane.events] == []
    assert any(journey.figure is not None for journey in sample.journeys)


def test_what_a_dead_process_lost_is_told_by_the_other_days(sample):
    answers = sample.objective("backend-answers")
    assert answers.figures.requests > answers.target > answers.figures.combined
    assert answers.counts.imputed > 5 * answers.counts.bad
    dip = answers.dips[0]
    assert sample.event(dip.event).title == "release 41 of core"
    # 45 minutes of a Tuesday's late morning bring what the hours beside them brought.
    assert 8_000 < answers.counts.imputed < 13_000


def test_an_hour_without_measurement_is_a_gap_and_no_outage(sample):
    (gap,) = next(lane for lane in sample.lanes if lane.kind is m.LaneKind.GAP).events
    assert (gap.end - gap.start).total_seconds() == 118 * 60
    assert sample.objective("postgres-is-up").figure == 1
