"""Baselines: what is asked, what answers come to, and what two of them say beside each other."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.baseline.compare import compare, latest_like
from sutazai_ops.baseline.figures import Answers, Change, Figures, change, fails_more, figures, quantile, together
from sutazai_ops.baseline.load import MOST_USERS, Bounds
from sutazai_ops.baseline.measure import Baseline, Meter, Used, cost
from sutazai_ops.baseline.script import read_script
from sutazai_ops.capacity.prices import HostPrice, Prices
from sutazai_ops.engines import Capacity, Health, Observed, State, Usage
from sutazai_ops.errors import BadInput, Unreachable
from sutazai_ops.ledger import BaselineEntry
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM

CORE = """
services:
  web: {image: "web:1", x-sutazai: {probes: [{kind: http, port: 8080, path: /health}]}}
  db: {image: "postgres:16"}
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "core.yaml").write_text(CORE)

    def read(text: str, over: str | None = None):
        (tmp_path / "baseline.yaml").write_text(text)
        if over is not None:
            (tmp_path / "own").mkdir(exist_ok=True)
            (tmp_path / "own/mine.yaml").write_text(over)
        return read_script(read_platform(tmp_path), tmp_path / "own/mine.yaml" if over is not None else None)

    return read


def test_the_port_is_that_of_the_probe_and_one_right_answer_needs_no_list(script):
    (asked,) = script("front: {service: web, status: 302}").requests
    assert (asked.port, asked.status, asked.method, asked.path) == (8080, (302,), "GET", "/")


def test_a_file_of_ones_own_is_laid_over_by_name(script):
    both = script(
        "front: {service: web}\nshop: {service: web, path: /shop}",
        "front: null\nshop: {weight: 4}\nnew: {service: web}",
    )
    assert [(one.name, one.path, one.weight) for one in both.requests] == [("shop", "/shop", 4), ("new", "/", 1)]
    assert both.digest != script("front: {service: web}").digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("front: {service: wbe}", "there is no service 'wbe'"),
        ("front: {service: db}", "at which port db answers is not known"),
        ("front: {service: web, method: GTE}", "method of the request front is wrong"),
        ("front: {service: web, wieght: 3}", "did you mean 'weight'"),
        ("front: {path: /}", "has no service"),
        ("all: {service: web}", "all is the name of all requests together"),
        ("front: {service: web, weight: 0}", "weight of the request front is wrong"),
        ("front: {service: web, path: shop}", "path of the request front is wrong"),
    ],
)
def test_a_request_that_cannot_be_made_is_refused_with_its_line(script, text, words):
    with pytest.raises(BadInput) as told:
        script(f"# first line\n{text}\n")
    assert words in str(told.value)
    assert "baseline.yaml:2" in str(told.value)


def test_a_platform_that_says_nothing_of_it_has_no_baseline(tmp_path):
    (tmp_path / "core.yaml").write_text(CORE)
    with pytest.raises(BadInput, match="nothing says what a baseline asks"):
        read_script(read_platform(tmp_path))


def test_the_packaged_script_asks_services_of_the_packaged_platform():
    assert {one.service for one in read_script(read_platform(PACKAGED_PLATFORM)).requests} == {"frontend", "backend"}


def test_there_are_never_more_users_than_a_host_bears():
    assert [Bounds(rate, 60).users for rate in (0.1, 5, 200)] == [1, 10, MOST_USERS]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_an_answer_with_enough_answers_on_both_sides_and_its_interval_around_it(seconds, share):
    ordered = sorted(seconds)
    found = quantile(ordered, share)
    assert sum(one <= found.value for one in ordered) >= share * len(ordered)
    assert sum(one >= found.value for one in ordered) >= (1 - share) * len(ordered)
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.high >= found.value


def test_the_interval_holds_the_true_quantile_as_often_as_it_says():
    chance = random.Random(7)
    held = 0
    for _ in range(400):
        found = quantile(sorted(chance.expovariate(1.0) for _ in range(500)), 0.95)
        # The 95th percentile of the exponential distribution is ln 20.
        held += (found.low or 0.0) <= 2.9957 <= (found.high or 1e9)
    assert held >= 0.93 * 400


def test_few_answers_say_nothing_of_the_slowest():
    found = quantile([0.1] * 20, 0.99)
    assert (found.value, found.high) == (0.1, None)
    assert change(found, found) is Change.UNKNOWN


def exponential(mean: float, seed: int, failures: int = 0) -> Figures:
    chance = random.Random(seed)
    return figures(Answers([chance.expovariate(1 / mean) for _ in range(1000)], {"status 500": failures}))


def test_what_is_slower_by_more_than_chance_is_slower_and_what_is_not_is_no_different():
    usual, again, slow = exponential(0.1, 1), exponential(0.1, 2), exponential(0.15, 3)
    assert change(usual.p95, again.p95) is Change.SAME
    assert change(usual.p95, slow.p95) is Change.SLOWER
    assert change(slow.p95, usual.p95) is Change.FASTER


def test_a_failure_more_is_chance_and_fifty_are_none():
    few, one_more, many = exponential(0.1, 1, 2), exponential(0.1, 1, 3), exponential(0.1, 1, 50)
    assert not fails_more(few, one_more)
    assert fails_more(few, many)
    assert not fails_more(many, few)


def test_all_kinds_are_taken_together():
    both = together([Answers([1.0, 3.0], {"status 500": 1}), Answers([2.0], {"status 500": 1, "Timeout": 1})])
    assert (sorted(both.seconds), dict(both.failures)) == ([1.0, 2.0, 3.0], {"status 500": 2, "Timeout": 1})


def entry(number: int, mean: float, rate: float = 5.0, release: int = 1, names: tuple[str, ...] = ("all",)):
    requests = {name: exponential(mean, number) for name in names}
    return BaselineEntry(
        at=datetime(2026, 11, number, tzinfo=UTC),
        environment="staging",
        script="abc",
        rate=rate,
        seconds=60,
        release=release,
        detail=Baseline(requests=requests, used={}).model_dump(mode="json"),
        number=number,
    )


def test_two_baselines_are_compared_in_what_both_asked_and_what_else_differs_is_named():
    found = compare(entry(1, 0.1, names=("all", "old")), entry(2, 0.2, rate=6, release=4, names=("all", "new")))
    assert [(one.request, one.p95) for one in found.requests] == [("all", Change.SLOWER)]
    assert found.differences == ["release 1 then, 4 now", "requests a second 5.0 then, 6 now"]


def test_the_last_one_that_asked_the_same_is_looked_for():
    known = [entry(1, 0.1), entry(2, 0.1), entry(3, 0.1, rate=9)]
    assert latest_like(known, entry(4, 0.1)) == known[1]
    assert latest_like(known[2:], entry(4, 0.1)) is None


class Engine:
    """Says what services use, one list after the other; None for a moment at which it does not answer."""

    def __init__(self, *moments: dict[str, Usage] | None) -> None:
        self.moments = list(moments)

    def observe(self) -> list[Observed]:
        if self.moments[0] is None:
            self.moments.pop(0)
            raise Unreachable("the engine is away")
        return [Observed(name, State.RUNNING, Health.OK) for name in self.moments[0]]

    def usages(self, observed: list[Observed]) -> dict[str, Usage]:
        assert self.moments[0] is not None
        assert {one.service for one in observed} == set(self.moments[0])
        return self.moments.pop(0) or {}


def test_what_is_used_is_the_difference_of_looks_and_the_most_memory(monkeypatch):
    monkeypatch.setattr("sutazai_ops.baseline.measure.time.monotonic", iter(range(0, 10_000, 100)).__next__)
    meter = Meter(
        Engine(
            {"web": Usage(100, 1.0), "db": Usage(10, 5.0)},
            None,
            {"web": Usage(300, 2.5), "db": Usage(10, 0.5)},
            {"web": Usage(200, 3.0)},
        )
    )
    for _ in range(4):
        meter.look()
        meter._due = 0
    assert meter.used() == {
        "web": Used(cpu_seconds=2.0, memory_bytes=300),
        # Started anew: what it used before that is not known.
        "db": Used(cpu_seconds=None, memory_bytes=10),
    }


def test_what_was_seen_once_has_used_nobody_knows_how_much_and_the_last_look_is_always_taken():
    meter = Meter(Engine({"web": Usage(100, 1.0)}, {"web": Usage(100, 4.0)}))
    meter.look()
    assert meter.used()["web"].cpu_seconds is None
    meter._due = float("inf")
    meter.look()
    meter.look(last=True)
    assert meter.used()["web"].cpu_seconds == 3.0


def test_the_processor_time_of_a_request_is_unknown_where_one_service_was_started_anew():
    requests = {"all": exponential(0.1, 1)}
    known = Baseline(requests=requests, used={"web": Used(cpu_seconds=3.0, memory_bytes=1)})
    assert known.cpu_seconds_a_request == 0.003
    renewed = {**known.used, "db": Used(cpu_seconds=None, memory_bytes=1)}
    assert Baseline(requests=requests, used=renewed).cpu_seconds_a_request is None


def test_a_request_costs_its_share_of_the_host_and_no_more_than_all_of_it():
    used = {"web": Used(cpu_seconds=90.0, memory_bytes=4 * 2**30)}
    baseline = Baseline(requests={"all": exponential(0.1, 1)}, used=used)
    prices = Prices(currency="EUR", host=HostPrice(per_hour=36.0, cpu_share=0.5))
    # A minute of 36 a hour is 0.60; three quarters of two cores and a quarter of the memory are half of it.
    found = cost(baseline, 60, Capacity(memory=16 * 2**30, cpus=2), prices)
    assert found is not None
    assert (found.currency, found.own, found.whole) == ("EUR", pytest.approx(0.0003), pytest.approx(0.0006))
    renewed = baseline.model_copy(update={"used": {"web": Used(cpu_seconds=None, memory_bytes=1)}})
    assert cost(renewed, 60, Capacity(memory=1, cpus=1), prices) is None
