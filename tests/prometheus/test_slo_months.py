"""Months whose truth is known, in a real Prometheus: our figure is the truth, and the usual ones are not.

A run of these tests has eight months, scraped every minute, so that it ends in half a minute. With SLO_MONTHS=20 it
has twenty, and with SLO_SCRAPE=15 they are scraped as they are in production. Months are drawn by their number and not
chosen, but for two rules: nothing but quiet happens while Prometheus is dead, since what nobody sees nobody can tell
(the last test is of that); and a month whose truth lies nearer to a promise than what was lost can be estimated is
passed over, since there no method could be right but by luck. How many were passed over is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from months import DAY_TICKS, Incident, Month, make_month, write_blocks
from prometheus_server import program, running
from wrong import answers, methods

from sutazai_ops.slo import maths, period, timeline
from sutazai_ops.slo.measure import Facts, measure_days
from sutazai_ops.slo.objective import Objective, usual_indicator
from sutazai_ops.slo.report import Head, Material, make_report
from sutazai_ops.slo.report_model import ObjectiveKind, ObjectiveReport, to_json
from sutazai_ops.slo.source import PrometheusSource
from sutazai_ops.slo.verdict import Verdict

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(900)]

COUNT = int(os.environ.get("SLO_MONTHS", "8"))
SCRAPE = int(os.environ.get("SLO_SCRAPE", "60"))
OCTOBER = period.month("2026-10")
AFTER = datetime(2026, 12, 15, tzinfo=UTC)
POINT = 0.01
TARGETS = {ObjectiveKind.RATIO: 0.999, ObjectiveKind.PROBE: 0.999, ObjectiveKind.LATENCY: 0.965}
TOO_NEAR = {ObjectiveKind.RATIO: 0.02 * POINT, ObjectiveKind.PROBE: 0.01 * POINT, ObjectiveKind.LATENCY: 0.05 * POINT}
BEFORE_ALL = ["errors-at-peak", "failing-at-night", "dead", "prometheus-dead"]
"""The month that the usual methods were first compared on."""


@dataclass
class Compared:
    """A month, and what was made of it."""

    month: Month
    facts: Facts
    reports: dict[ObjectiveKind, ObjectiveReport]
    usual: dict[str, float]
    written: str

    def truth(self, kind: ObjectiveKind) -> float:
        return _truth(self.month, kind)


def _truth(month: Month, kind: ObjectiveKind) -> float:
    truth = month.truth
    return {ObjectiveKind.RATIO: truth.success, ObjectiveKind.PROBE: truth.up, ObjectiveKind.LATENCY: truth.fast}[kind]


def drawn(count: int) -> tuple[list[Month], int]:
    """The first months that can be told, and how many were passed over."""
    made: list[Month] = []
    seed = passed_over = 0
    while len(made) < count:
        seed += 1
        kinds = BEFORE_ALL if seed == 1 else ["prometheus-dead-for-days", "dead", "slow"] if seed == 2 else None
        month = make_month(seed, OCTOBER.first, 31, scrape=SCRAPE, kinds=kinds)
        if all(abs(_truth(month, kind) - target) > TOO_NEAR[kind] for kind, target in TARGETS.items()):
            made.append(month)
        else:
            passed_over += 1
    return made, passed_over


def objectives(service: str, scrape: int) -> dict[str, Objective]:
    return {
        str(kind): Objective(
            name=str(kind), kind=kind, target=target, every=f"{scrape}s",
            within="200ms" if kind is ObjectiveKind.LATENCY else None, **usual_indicator(kind, service),
        )
        for kind, target in TARGETS.items()
    }  # fmt: skip


def compare(month: Month, source: PrometheusSource) -> Compared:
    named = objectives(month.service, month.scrape)
    facts = measure_days(named.values(), OCTOBER.days, source, {}, AFTER)
    report = make_report(Head("test", source.where), Material(OCTOBER, named, facts, timeline.empty()))
    end = int(OCTOBER.end_moment.timestamp())
    reports = {ObjectiveKind(one.name): one for one in report.objectives}
    return Compared(month, facts, reports, answers(month, source, end), to_json(report))


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Compared]]:
    folder = tmp_path_factory.mktemp("months")
    made, passed_over = drawn(COUNT)
    promtool = program("promtool")
    assert promtool
    write_blocks(made, folder / "data", promtool)
    with running(folder / "data", "--query.max-samples=200000000") as address:
        source = PrometheusSource(address, seconds=120)
        compared = [compare(month, source) for month in made]
    for one in compared:
        print(in_words(one))
    print(f"{passed_over} drawn months were passed over, since their truth lies too near to what was promised")
    return compared


def in_words(one: Compared) -> str:
    ratio = one.reports[ObjectiveKind.RATIO]
    usual = ", ".join(f"{name} {value:.3%}" for name, value in one.usual.items())
    return (
        f"{one.month.service}: truth {one.truth(ObjectiveKind.RATIO):.4%}, ours {ratio.figures.combined:.4%},"
        f" coverage {one.month.truth.coverage:.2%} and {ratio.figures.coverage:.2%}, {ratio.verdict}; {usual}"
    )


def test_our_figure_is_within_a_twentieth_of_a_point_of_the_truth(months: list[Compared]) -> None:
    off = {
        (one.month.service, kind): f"{one.reports[kind].figure:.4%} where {one.truth(kind):.4%} is true"
        for one in months
        for kind in TARGETS
        # What happened to the probe while nobody asked it, and to answers that nobody counted, is not in a share of
        # time or of answers; what users had is.
        if kind is ObjectiveKind.RATIO or one.month.truth.probed > 0.99
        if abs((one.reports[kind].figure or 0) - one.truth(kind)) > 0.05 * POINT
    }
    assert off == {}


def test_the_verdict_is_right_in_every_month(months: list[Compared]) -> None:
    wrong = {}
    for one in months:
        for kind, target in TARGETS.items():
            covered = one.month.truth.probed if kind is ObjectiveKind.PROBE else one.month.truth.coverage
            right = right_verdicts(one.truth(kind), target, covered)
            if one.reports[kind].verdict not in right:
                wrong[one.month.service, kind] = (one.reports[kind].verdict, right)
    assert wrong == {}


def right_verdicts(truth: float, target: float, covered: float) -> set[Verdict]:
    is_missed = truth < target
    if covered < maths.COVERED:
        return {Verdict.INSUFFICIENT, *([Verdict.MISSED_LOW_COVERAGE] if is_missed else [])}
    if covered < maths.WELL_COVERED:
        return {Verdict.MISSED_LOW_COVERAGE if is_missed else Verdict.MET_LOW_COVERAGE}
    return {Verdict.MISSED if is_missed else Verdict.MET}


def test_the_coverage_is_within_a_tenth_of_a_point(months: list[Compared]) -> None:
    off = {
        (one.month.service, kind): (one.reports[kind].figures.coverage, covered)
        for one in months
        for kind in TARGETS
        for covered in [one.month.truth.probed if kind is ObjectiveKind.PROBE else one.month.truth.coverage]
        if abs(one.reports[kind].figures.coverage - covered) > 0.1 * POINT
    }
    assert off == {}


def test_the_truth_lies_between_the_best_and_the_worst_case(months: list[Compared]) -> None:
    for one in months:
        figures = one.reports[ObjectiveKind.RATIO].figures
        assert figures.worst is not None
        assert figures.best is not None
        assert figures.worst - 0.05 * POINT <= one.truth(ObjectiveKind.RATIO) <= figures.best + 0.05 * POINT


@pytest.mark.parametrize("method", methods(make_month(1, OCTOBER.first, 1, kinds=[])))
def test_each_of_the_usual_methods_fails_in_at_least_one_month(months: list[Compared], method: str) -> None:
    target = TARGETS[ObjectiveKind.RATIO]
    failing = [
        one.month.service
        for one in months
        for said, truth in [(one.usual.get(method), one.truth(ObjectiveKind.RATIO))]
        if said is None or abs(said - truth) > 0.05 * POINT or (said < target) != (truth < target)
    ]
    print(f"{method}: wrong in {len(failing)} of {len(months)} months")
    assert failing


def test_folding_days_equals_the_whole(months: list[Compared]) -> None:
    for one in months:
        for facts in one.facts.values():
            totals = [fact.totals for fact in facts.values()]
            hours = maths.add_up(hour for fact in facts.values() for hour in fact.hours)
            for name in maths.Totals.__slots__:
                folded = getattr(maths.add_up(totals), name)
                assert folded == pytest.approx(getattr(hours, name), rel=1e-12)


def test_every_request_that_was_counted_is_in_the_facts(months: list[Compared]) -> None:
    """Gaps of hours lose nothing, and no restart is counted twice: within what a crash takes along."""
    for one in months:
        if one.month.truth.coverage < maths.WELL_COVERED:
            continue
        deaths = sum(
            incident.kind in {"dead", "dead-at-night", "restarts", "flapping"} for incident in one.month.incidents
        )
        # What was counted between the last scrape and the crash, when four times the usual came.
        lost = 4 * deaths * SCRAPE / (31 * 86_400)
        counted = one.reports[ObjectiveKind.RATIO].counts.total
        assert counted == pytest.approx(one.month.truth.answered, rel=0.0003 + lost)


def test_making_a_month_again_gives_the_same_bytes(months: list[Compared]) -> None:
    one = months[0]
    named = objectives(one.month.service, one.month.scrape)
    source = one.written.split('"source": "')[1].split('"')[0]
    again = make_report(Head("test", source), Material(OCTOBER, named, one.facts, timeline.empty()))
    assert to_json(again) == one.written


def test_a_month_of_which_five_days_were_not_measured_is_told_neither_way(tmp_path: Path) -> None:
    blind = Incident("prometheus-dead-for-days", 10 * DAY_TICKS, 15 * DAY_TICKS)
    month = make_month(7, OCTOBER.first, 31, scrape=60, incidents=[blind], per_second=2)
    promtool = program("promtool")
    assert promtool
    write_blocks([month], tmp_path / "data", promtool)
    with running(tmp_path / "data", "--query.max-samples=200000000") as address:
        compared = compare(month, PrometheusSource(address))
    assert {one.verdict for one in compared.reports.values()} == {Verdict.INSUFFICIENT}
    assert {round(one.figures.coverage, 2) for one in compared.reports.values()} == {0.84}


def test_what_happens_while_prometheus_is_dead_is_not_known_and_said_to_be_so(tmp_path: Path) -> None:
    """The one case in which no figure can be right: the verdict is then none, or one that the gap could not turn."""
    month = make_month(5, date(2028, 2, 1), 29, scrape=60, kinds=["prometheus-dead-for-days", "dead"], hidden=True)
    promtool = program("promtool")
    assert promtool
    write_blocks([month], tmp_path / "data", promtool)
    with running(tmp_path / "data") as address:
        named = {"a": objectives(month.service, 60)[str(ObjectiveKind.RATIO)].model_copy(update={"name": "a"})}
        days = [month.first + timedelta(days=number) for number in range(29)]
        facts = measure_days(named.values(), days, PrometheusSource(address), {}, datetime(2028, 4, 1, tzinfo=UTC))
    span = period.month("2028-02")
    one = make_report(Head("test", ""), Material(span, named, facts, timeline.empty())).objective("a")
    assert len(one.days) == 29
    assert not one.verdict.is_met or one.verdict is Verdict.MET_LOW_COVERAGE
    assert one.figures.worst is not None
    assert one.figures.worst <= month.truth.success
