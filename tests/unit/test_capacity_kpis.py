"""Success metrics: each is met, missed, insufficient or unknown, and says what it rests on."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from capacity_days import FIRST

from sutazai_ops.capacity.cost import Each
from sutazai_ops.capacity.kpis import Material, Result, Source, judge, measure_name, measures_of, read_kpis
from sutazai_ops.capacity.values import DayValue, Kind
from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.metrics import catalogue
from sutazai_ops.monitoring.promql import asked_ranges, parse

KPIS = read_kpis()
DAYS = [FIRST + timedelta(days=number) for number in range(10)]
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def value(name: str, day: date, hourly: float, kind: Kind = Kind.COUNT) -> DayValue:
    return DayValue(name, (), day, kind, "q", (hourly,) * 24, None, NOW)


def of(name: str, days: int = 10, **hourly: float) -> Result:
    """What a metric comes to when each of its counters grows so much an hour."""
    values = [value(measure_name(name, key), day, number) for key, number in hourly.items() for day in DAYS[:days]]
    return judge(KPIS[name], Material(DAYS, {(one.measure, (), one.day): one for one in values}))


def host(of: str, share: float, days: int = 10) -> Result:
    values = [
        value(name, day, level, Kind.LEVEL)
        for day in DAYS[:days]
        for name, level in ((f"host_{of}", share * 8), (f"host_{of}_size", 8.0))
    ]
    return judge(KPIS[of], Material(DAYS, {(one.measure, (), one.day): one for one in values}))


def cost(amount: float, away: float | None, currency: str = "USD") -> Result:
    each = Each(amount, None if away is None else amount - away, None if away is None else amount + away, 1000, 10)
    return judge(KPIS["cost-per-request"], Material(DAYS, {}, per_request=each, currency=currency))


def journeys(figure: float | None, coverage: float = 1) -> Result:
    return judge(KPIS["availability"], Material(DAYS, {}, journeys=figure, journeys_coverage=coverage))


NOTHING = Material(DAYS, {})
CASES = {
    "response-time": [
        (of("response-time", good=96, total=100), "met"),
        (of("response-time", good=94, total=100), "missed"),
        (of("response-time", good=0.1, total=0.1), "insufficient"),
        (of("response-time", days=4, good=96, total=100), "insufficient"),
        (of("response-time", total=100), "unknown"),
    ],
    "task-time": [
        (of("task-time", sum=400, count=100), "met"),
        (of("task-time", sum=600, count=100), "missed"),
        (of("task-time", sum=0.2, count=0.1), "insufficient"),
    ],
    "availability": [
        (journeys(0.9995), "met"),
        (journeys(0.9985), "missed"),
        (journeys(0.9995, 0.3), "insufficient"),
        (journeys(None), "unknown"),
    ],
    **{
        of: [
            (host(of, 0.55), "met"),
            (host(of, 0.05), "missed"),
            (host(of, 0.9), "missed"),
            (host(of, 0.55, 4), "insufficient"),
        ]
        for of in ("cpu", "memory")
    },
    "cost-per-request": [
        (cost(0.005, 0.002), "met"),
        (cost(0.015, 0.002), "missed"),
        (cost(0.009, 0.002), "insufficient"),
        (cost(0.005, None), "insufficient"),
        (cost(0.005, 0.002, "EUR"), "unknown"),
        (cost(0.005, 0.002, ""), "unknown"),
    ],
    "tasks": [
        (of("tasks", count=50), "met"),
        (of("tasks", count=40), "missed"),
        (of("tasks", days=4, count=50), "insufficient"),
    ],
    "satisfaction": [
        (of("satisfaction", up=10, down=0.1), "met"),
        (of("satisfaction", up=10, down=2), "missed"),
        (of("satisfaction", up=1, down=0.05), "insufficient"),
        (of("satisfaction", days=1, up=1), "insufficient"),
        (of("satisfaction", up=10), "met"),
    ],
    "hours-saved": [
        (of("hours-saved", count=50), "met"),
        (of("hours-saved", count=1), "missed"),
        (of("hours-saved", days=4, count=50), "insufficient"),
    ],
}


@pytest.mark.parametrize("name", KPIS)
def test_every_metric_of_the_plan_is_seen_with_each_verdict(name):
    assert {"met", "missed", "insufficient"} <= {str(result.verdict) for result, _ in CASES[name]}
    assert judge(KPIS[name], NOTHING).verdict == "unknown"


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        pytest.param(*case, id=f"{name}-{case[1]}-{number}")
        for name, cases in CASES.items()
        for number, case in enumerate(cases)
    ],
)
def test_each_verdict_is_reached(result, verdict):
    assert result.verdict == verdict, result.sentence


@pytest.mark.parametrize("name", KPIS)
def test_what_nobody_measures_is_unknown_and_says_what_to_export(name):
    result = judge(KPIS[name], NOTHING)
    assert result.verdict == "unknown"
    assert KPIS[name].export in result.sentence
    assert result.value is None


def test_many_votes_are_met_or_missed():
    assert of("satisfaction", days=10, up=4, down=0.04).verdict == "met"
    assert of("satisfaction", days=10, up=4, down=1).verdict == "missed"


def test_votes_are_judged_by_the_lower_end_and_few_say_nothing():
    # 24 votes, all good.
    assert of("satisfaction", days=1, up=1).sentence == "24 votes, and fewer than 30 say nothing"
    # 96 of 100 look met, and may as well be 90.
    close = of("satisfaction", days=10, up=0.4, down=0.4 / 24)
    assert (close.verdict, close.value) == ("insufficient", pytest.approx(0.96))
    assert close.low < 0.95


def test_hours_saved_are_an_estimate_with_its_assumption():
    result = of("hours-saved", count=50)
    # 1200 tasks a day, 36,000 in thirty days, six minutes each.
    assert result.value == pytest.approx(3600)
    assert result.sentence == "an estimate: 12,000 tasks in 10 days, if each takes a person 6 minutes"


@pytest.mark.parametrize(("hours", "verdict"), [(30, "met"), (12, "insufficient")])
def test_of_a_day_that_has_not_ended_only_what_has_passed_counts(hours, verdict):
    days = DAYS[: -(-hours // 24)]
    now = datetime.combine(FIRST, time(), UTC) + timedelta(hours=hours)
    values = {}
    for number, day in enumerate(days):
        seen = tuple(50.0 if number * 24 + hour < hours else None for hour in range(24))
        name = measure_name("tasks", "count")
        values[name, (), day] = DayValue(name, (), day, Kind.COUNT, "q", seen, None, now)
    result = judge(KPIS["tasks"], Material(days, values))
    assert result.verdict == verdict
    if verdict == "met":
        assert result.value == pytest.approx(1200)
        assert result.sentence == "1,500 in 1.25 days"
    else:
        assert result.sentence == "600 so far, and less than a day says nothing of a day"


def test_another_currency_is_one_clear_sentence():
    assert cost(0.005, 0.002, "EUR").sentence == (
        "prices are in EUR and the target is in USD: write both in one, nothing is converted"
    )


@pytest.mark.parametrize("measure", measures_of(KPIS.values()), ids=lambda one: one.name)
def test_every_metric_asks_in_promql_for_what_the_catalogue_knows_or_says_what_to_export(measure):
    parse(measure.query)
    asked = set(asked_ranges([measure.query]))
    assert asked <= set(catalogue().names())


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("tasks: {at_most: 3}\n", 1, "one of at_least and at_most"),
        ("tasks:\n  count: rate(agent_tasks_total[5m])\n", 2, "more than a selector"),
        ("mine: {title: x, group: business, kind: mean, sum: a, at_least: 1, export: y}\n", 1, "has to say count"),
        ("tasks: {at_laest: 3}\n", 1, "no key of a success metric"),
        ("task: null\n", 1, "there is no task to take away"),
    ],
)
def test_a_metric_that_is_wrong_is_refused_with_its_line(tmp_path: Path, text, line, said):
    file = tmp_path / "kpis.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as found:
        read_kpis(file)
    assert said in found.value.what
    assert f":{line}" in found.value.where


def test_a_target_of_ones_own_is_laid_over(tmp_path: Path):
    file = tmp_path / "kpis.yaml"
    file.write_text("tasks: {at_least: 10}\nsatisfaction: null\n")
    found = read_kpis(file)
    assert found["tasks"].target == 10
    assert "satisfaction" not in found
    assert found["hours-saved"].kind is Source.ESTIMATE


def test_the_example_in_the_docs_can_be_read(tmp_path: Path):
    page = (Path(__file__).parents[2] / "docs" / "capacity" / "success-metrics.md").read_text(encoding="utf-8")
    file = tmp_path / "kpis.yaml"
    file.write_text(page.split("```yaml\n")[1].split("```")[0])
    found = read_kpis(file)
    assert (found["answers-used"].kind, found["hours-saved"].minutes_each) == (Source.SHARE, 12)
