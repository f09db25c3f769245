"""Asking for days: what was computed before Prometheus went away stays, and what it cannot answer is not a good day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sutazai_ops.errors import BadInput, OpsError, Unreachable
from sutazai_ops.slo import maths
from sutazai_ops.slo.facts import Fact
from sutazai_ops.slo.measure import measure_days, not_all_answered
from sutazai_ops.slo.objective import Objective, usual_indicator
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.source import Answer, Line, TimedOut

FIRST = date(2026, 10, 14)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
ANSWERS = Objective(
    name="answers", kind=ObjectiveKind.RATIO, target=0.999, **usual_indicator(ObjectiveKind.RATIO, "shop")
)

UP = Objective(name="up", kind=ObjectiveKind.PROBE, target=0.999, **usual_indicator(ObjectiveKind.PROBE, "shop"))


class Answering:
    """A Prometheus of a shop that answers one request a second, until it is asked about `gone`."""

    where = "a test"

    def __init__(self, gone: date | None = None, notices: tuple[str, ...] = (), counts: bool = True) -> None:
        self.gone, self.notices, self.counts = gone, notices, counts
        self.asked: list[str] = []

    def over(self, query: str, start: int, end: int, step: int) -> Answer:
        self.asked.append(query)
        if self.gone and datetime.fromtimestamp(start, UTC).date() >= self.gone:
            raise Unreachable("Prometheus gives no whole answer within 60 s")
        moments = range(start, end + 1, step)
        if "5.." in query or 'state="unknown"' in query:
            return Answer((), self.notices)
        if "http_requests_total" in query:
            points = [(moment, float(moment)) for moment in moments] if self.counts else []
            return Answer((Line({"job": "shop"}, points),) if points else (), self.notices)
        return Answer((Line({}, [(moment, 1.0) for moment in moments]),), self.notices)

    def at(self, query: str, moment: int) -> Answer:
        return Answer(())


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(count)]


def test_days_before_prometheus_went_away_are_kept() -> None:
    kept: dict[date, Fact] = {}
    with pytest.raises(Unreachable, match="no whole answer"):
        measure_days(
            [ANSWERS], days(4), Answering(gone=FIRST + timedelta(days=2)), {}, NOW,
            lambda day, facts: kept.update({day: facts[0]}),
        )  # fmt: skip
    assert list(kept) == days(2)


class Refusing(Answering):
    """The same, but it will not say how many requests there were."""

    def __init__(self, error: OpsError) -> None:
        super().__init__()
        self.error = error

    def over(self, query: str, start: int, end: int, step: int) -> Answer:
        if "http_requests_total" in query:
            raise self.error
        return super().over(query, start, end, step)


@pytest.mark.parametrize("error", [BadInput("too many samples"), TimedOut("query timed out")])
def test_a_question_that_is_refused_or_takes_too_long_costs_the_other_objectives_nothing(error: OpsError) -> None:
    silent: dict[str, OpsError] = {}
    facts = measure_days(
        [ANSWERS, UP], days(2), Refusing(error), {}, NOW,
        unanswered=lambda one, error: silent.setdefault(one.name, error),
    )  # fmt: skip
    assert (list(facts), list(facts["up"])) == (["up"], days(2))
    assert silent == {"answers": error}
    assert not_all_answered(silent).what == f"answers has no facts of some days: {error.what}"


def test_where_nobody_is_told_of_a_refused_question_it_is_raised() -> None:
    with pytest.raises(BadInput, match="too many samples"):
        measure_days([ANSWERS, UP], days(1), Refusing(BadInput("too many samples")), {}, NOW)


def test_no_series_of_failures_yet_is_no_failure() -> None:
    facts = measure_days([ANSWERS], days(1), Answering(), {}, NOW)["answers"]
    assert maths.requests(facts[FIRST].totals) == 1
    assert facts[FIRST].totals.total == 86_400


def test_no_series_at_all_is_not_measured() -> None:
    facts = measure_days([ANSWERS], days(1), Answering(counts=False), {}, NOW)["answers"]
    assert maths.coverage(facts[FIRST].totals) == 0


class Stopped(Answering):
    """The same, but nobody can ask it from noon on; the engine says that it does not run."""

    def __init__(self, *, engine_answers: bool) -> None:
        super().__init__()
        self.engine_answers = engine_answers

    def over(self, query: str, start: int, end: int, step: int) -> Answer:
        after_noon = [(moment, float(moment % 86_400 > 43_200)) for moment in range(start, end + 1, step)]
        if 'state="unknown"' in query:
            return Answer((Line({}, after_noon),))
        if "sutazai_service_state" in query:
            stopped = [(moment, value if self.engine_answers else 0.0) for moment, value in after_noon]
            return Answer((Line({}, stopped),))
        if 'state="ok"' in query:
            return Answer((Line({}, [(moment, 1 - value) for moment, value in after_noon]),))
        return super().over(query, start, end, step)


def test_what_does_not_run_is_down_and_not_merely_unasked() -> None:
    for engine_answers, measured, down in ((True, 1440, 720), (False, 720, 0)):
        facts = measure_days([UP], days(1), Stopped(engine_answers=engine_answers), {}, NOW)["up"]
        t = facts[FIRST].totals
        assert (t.measured, t.down) == (pytest.approx(measured, abs=1), pytest.approx(down, abs=1))


def test_warnings_of_an_answer_stay_with_the_day() -> None:
    facts = measure_days([ANSWERS], days(1), Answering(notices=("remote read failed",)), {}, NOW)["answers"]
    assert facts[FIRST].warnings == ("remote read failed",)


def test_a_day_that_lies_ahead_is_not_asked() -> None:
    source = Answering()
    assert measure_days([ANSWERS], [date(2026, 12, 24)], source, {}, NOW) == {}
    assert source.asked == []


def test_no_question_spans_more_than_a_day() -> None:
    source = Answering()
    measure_days([ANSWERS], days(3), source, {}, NOW)
    assert not [query for query in source.asked if "d]" in query]
