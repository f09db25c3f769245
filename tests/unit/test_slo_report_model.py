"""The contract of a report: what is written is read back, and no number in it is none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from slo_sample import sample_report

from sutazai_ops.slo import report_model as m
from sutazai_ops.slo import timeline
from sutazai_ops.slo.period import month
from sutazai_ops.slo.report import Head, Material, make_report
from sutazai_ops.slo.verdict import Verdict, worst

DOCS = Path(__file__).parents[2] / "docs"


def test_the_schema_in_the_documents_is_that_of_the_program() -> None:
    assert (DOCS / "slo" / "report.schema.json").read_text(encoding="utf-8") == m.schema()


def test_a_report_is_read_back_as_it_was_written() -> None:
    report = sample_report()
    assert m.from_json(m.to_json(report)) == report


def test_the_same_report_gives_the_same_bytes() -> None:
    assert m.to_json(sample_report()) == m.to_json(sample_report())


def test_what_is_written_keeps_the_schema_and_what_is_broken_does_not() -> None:
    schema = json.loads(m.schema())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    nothing = make_report(Head("test", "a test"), Material(month("2026-10"), {}, {}, timeline.empty()))
    for report in (sample_report(), nothing):
        written = json.loads(m.to_json(report))
        assert list(validator.iter_errors(written)) == []
    written = json.loads(m.to_json(sample_report()))
    written["objectives"][0]["verdict"] = "fine"
    written["objectives"][1]["figures"]["coverage"] = 1.5
    del written["period"]
    found = {str(error.json_path) for error in validator.iter_errors(written)}
    assert found == {"$", "$.objectives[0].verdict", "$.objectives[1].figures.coverage"}


@pytest.mark.parametrize("none", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused(none: float) -> None:
    with pytest.raises(ValidationError):
        m.Figures(coverage=1, requests=none)
    with pytest.raises(ValidationError):
        m.Curve(start="2026-10-01T00:00:00Z", step_seconds=3600, left_share=(none,))


def test_a_reader_passes_over_what_a_newer_program_adds() -> None:
    written = json.loads(m.to_json(sample_report()))
    written["objectives"][0]["mood"] = "fine"
    assert m.from_json(json.dumps(written)) == sample_report()


def test_a_report_of_another_version_is_refused() -> None:
    written = json.loads(m.to_json(sample_report())) | {"version": m.VERSION + 1}
    with pytest.raises(ValidationError):
        m.from_json(json.dumps(written))


def test_the_sample_has_everything_that_a_page_must_be_able_to_show() -> None:
    report = sample_report()
    assert {one.kind for one in report.objectives} == set(m.ObjectiveKind)
    assert {one.verdict for one in report.objectives} == set(Verdict)
    assert {day.state for one in report.objectives for day in one.days} == set(m.DayState) - {
        m.DayState.AHEAD,
        m.DayState.GONE,
    }
    assert [lane.kind for lane in report.lanes] == list(m.LaneKind)
    assert all(report.event(dip.event) for one in report.objectives for dip in one.dips if dip.event)


def test_the_worst_of_verdicts_is_the_one_that_a_reader_has_to_know_of() -> None:
    assert worst([Verdict.MET, Verdict.INSUFFICIENT, Verdict.MET_LOW_COVERAGE]) is Verdict.INSUFFICIENT
    assert worst(Verdict) is Verdict.MISSED
    assert worst([]) is Verdict.INSUFFICIENT
