"""Series in memory: what holds at a moment, what ends, and that memory does not grow."""

from __future__ import annotations

import pytest

from sutazai_ops.monitoring.promql import Sample, Samples, asked_ranges, evaluate

START = 1_700_000_000.0


def one(value: float, **labels: str) -> Sample:
    return Sample("depth", labels, value)


def values(samples: Samples, at: float, expression: str = "depth") -> list[float]:
    return [element.value for element in evaluate(expression, samples, at)]


def test_the_newest_value_holds_until_the_next_snapshot() -> None:
    samples = Samples(600)
    samples.add(START, [one(1)])
    samples.add(START + 30, [one(2)])
    assert values(samples, START + 29.999) == [1]
    assert values(samples, START + 30) == [2]


def test_a_series_that_is_missing_in_a_snapshot_has_ended() -> None:
    samples = Samples(600)
    samples.add(START, [one(1, queue="a"), one(2, queue="b")])
    samples.add(START + 30, [one(1, queue="a")])
    assert values(samples, START + 29) == [1, 2]
    assert values(samples, START + 31) == [1]


def test_a_series_that_comes_back_is_there_again_and_was_away_between() -> None:
    samples = Samples(600)
    for at, snapshot in ((0, [one(1)]), (30, []), (60, []), (90, [one(4)])):
        samples.add(START + at, snapshot)
    assert values(samples, START + 75) == []
    assert values(samples, START + 90) == [4]
    assert values(samples, START + 90, "count_over_time(depth[2m])") == [2]


@pytest.mark.parametrize(("age", "held"), [(299.999, [1]), (300, [])])
def test_without_snapshots_a_value_holds_for_less_than_five_minutes(age: float, held: list[float]) -> None:
    samples = Samples(600)
    samples.add(START, [one(1)])
    assert values(samples, START + age) == held


def test_what_another_source_adds_ends_nothing_of_this_one() -> None:
    samples = Samples(600)
    samples.add(START, [one(1)])
    samples.add(START, [Sample("recorded", {}, 2)], source="rules")
    samples.add(START + 30, [], source="rules")
    assert values(samples, START + 31) == [1]
    assert values(samples, START + 31, "recorded") == []


def test_after_the_clock_was_set_back_the_newly_measured_holds_and_not_what_lies_ahead() -> None:
    samples = Samples(600)
    samples.add(START, [one(1)])
    samples.add(START + 30, [one(2)])
    samples.add(START + 10, [one(3)])
    assert values(samples, START + 10) == [3]
    assert values(samples, START + 60) == [3]
    samples.add(START + 20, [])
    assert values(samples, START + 60) == []


def test_what_had_ended_before_the_clock_was_set_back_does_not_come_back_when_its_time_comes() -> None:
    samples = Samples(600)
    samples.add(START + 300, [one(1, queue="gone")])
    samples.add(START + 330, [])
    samples.add(START, [], source="scrape")
    samples.add(START, [])
    samples.add(START, [Sample("recorded", {}, 1)], source="rules")
    assert values(samples, START + 310) == []
    assert values(samples, START, "recorded") == [1]


def test_an_empty_label_is_no_label() -> None:
    samples = Samples(600)
    samples.add(START, [one(1, queue="")])
    assert dict(evaluate('depth{queue=""}', samples, START)[0].labels) == {"__name__": "depth"}


def test_what_is_older_than_asked_for_is_forgotten() -> None:
    samples = Samples(300, by_name={"level": 3600})
    for at in range(0, 7200, 30):
        samples.add(START + at, [one(at), Sample("level", {}, at)])
    (short,) = values(samples, START + 7199, "count_over_time(depth[2h])")
    (long,) = values(samples, START + 7199, "count_over_time(level[2h])")
    assert 10 <= short <= 30
    assert 120 <= long <= 140


def test_series_of_services_that_are_gone_are_forgotten_too() -> None:
    samples = Samples(300)
    for at in range(0, 30_000, 30):
        samples.add(START + at, [one(1, container=str(at))])
    assert len(samples) <= 11


def test_the_longest_range_that_is_asked_is_known_by_metric() -> None:
    asked = asked_ranges(
        [
            "rate(a_total[10m] offset 1h) > 3 and b",
            "sum(increase(a_total[5m]))",
            'max_over_time(rate(c_total{x="y"}[5m])[1d:1m])',
        ]
    )
    assert asked == {"a_total": 4200, "b": 300, "c_total": 86_700}
