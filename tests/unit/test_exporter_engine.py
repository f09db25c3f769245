"""What the engine sees, as figures: absent where it is not known, and every state unknown when it is blind."""

from __future__ import annotations

import pytest
from probe_servers import service
from small_engine import BEGAN, MADE, SmallEngine, container, seen

from sutazai_ops.engines import Health, Kill, Observed, State, Usage
from sutazai_ops.monitoring.exporter.collectors.engine import EngineCollector, Kills
from sutazai_ops.monitoring.exporter.families import check
from sutazai_ops.monitoring.exporter.tallies import Tallies


class Looked:
    """An engine, its collector, and what that brings."""

    def __init__(self, *observed: Observed) -> None:
        self.engine, self.tallies = SmallEngine(observed), Tallies()
        services = [service(one.service) for one in observed]
        self.collector = EngineCollector(self.engine, lambda: services, self.tallies, interval=30)

    def figures(self) -> dict[tuple[str, str], float]:
        """By name and service; of states those that hold."""
        self.round = self.collector.collect()
        check(self.round.measured)
        return {
            (one.name.removeprefix("sutazai_service_"), one.labels["service"]): one.labels.get("state", one.value)
            for one in self.round.measured
            if one.value or "state" not in one.labels
        }

    def kills(self) -> float:
        name = "sutazai_service_oom_kills_total"
        return sum(s.value for family in self.tallies.families() for s in family.samples if s.name == name)


def test_a_container_is_told_with_all_that_is_known_of_it():
    assert Looked(seen("shop", restarts=3)).figures() == {
        ("state", "shop"): "running",
        ("health", "shop"): "ok",
        ("restarts_total", "shop"): 3,
        ("started_timestamp_seconds", "shop"): BEGAN.timestamp(),
        ("cpu_seconds_total", "shop"): 12.5,
        ("memory_working_set_bytes", "shop"): 2**20,
        ("cpu_limit_cores", "shop"): 2,
        ("memory_limit_bytes", "shop"): 2**29,
        ("image_created_timestamp_seconds", "shop"): MADE.timestamp(),
    }


def test_one_that_stands_still_uses_nothing_and_has_no_start():
    looked = Looked(seen("shop", State.STOPPED, Health.FAILED, started_at=None))
    figures = looked.figures()
    assert figures["state", "shop"] == "stopped"
    assert figures["health", "shop"] == "failed"
    assert not {"cpu_seconds_total", "memory_working_set_bytes", "started_timestamp_seconds"} & {n for n, _ in figures}
    assert not looked.round.missing
    assert looked.round.bad == ("shop",)


def test_what_runs_and_what_somebody_else_runs_is_not_bad():
    looked = Looked(seen("shop"), seen("theirs", State.ELSEWHERE))
    looked.figures()
    assert looked.round.bad == ()


def test_what_has_no_limit_has_no_figure_of_one():
    figures = Looked(seen("shop", containers=(container("shop", memory=None, cpus=None),))).figures()
    assert not {"cpu_limit_cores", "memory_limit_bytes"} & {name for name, _ in figures}


def test_copies_have_their_limits_together_and_none_where_one_has_none():
    two = (container("shop"), container("shop", id="shop-2"))
    assert Looked(seen("shop", containers=two)).figures()["memory_limit_bytes", "shop"] == 2**30
    one_free = (container("shop"), container("shop", id="shop-2", memory=None))
    assert ("memory_limit_bytes", "shop") not in Looked(seen("shop", containers=one_free)).figures()


def test_one_that_does_not_say_what_it_uses_is_missing_and_the_others_are_not():
    looked = Looked(seen("shop"), seen("cache"))
    del looked.engine.used["shop"]
    figures = looked.figures()
    assert ("cpu_seconds_total", "shop") not in figures
    assert ("cpu_seconds_total", "cache") in figures
    assert looked.round.missing == ("the engine does not say what shop uses",)


def test_an_engine_that_does_not_answer_makes_every_state_unknown_and_leaves_the_rest_out():
    looked = Looked(seen("shop"), seen("cache"))
    looked.figures()
    looked.engine.broken = "no Docker engine answers"
    assert looked.figures() == {("state", "shop"): "unknown", ("state", "cache"): "unknown"}
    assert looked.round.missing == ("no Docker engine answers",)


def test_what_is_not_meant_to_run_is_not_told():
    looked = Looked(seen("shop"))
    looked.engine.observed.append(seen("stranger"))
    assert {name for _, name in looked.figures()} == {"shop"}


def test_a_kill_for_want_of_memory_is_counted_once_however_often_it_is_told():
    looked = Looked(seen("shop"))
    looked.figures()
    assert looked.kills() == 0
    kills = Kills(looked.engine, looked.tallies, now=lambda: 100.0)
    looked.engine.killed = [Kill("shop", 99.0), Kill("shop", 101.0), Kill("shop", 102.5)]
    for _ in range(3):
        kills.follow()
    assert looked.kills() == 2
    looked.engine.killed.append(Kill("shop", 103.0))
    kills.follow()
    assert looked.kills() == 3


def test_what_happened_while_the_engine_was_away_is_counted_afterwards():
    looked = Looked(seen("shop"))
    kills = Kills(looked.engine, looked.tallies, now=lambda: 100.0)
    looked.engine.broken = "no Docker engine answers"
    kills.follow()
    looked.engine.broken, looked.engine.killed = "", [Kill("shop", 105.0)]
    kills.follow()
    assert looked.kills() == 1


@pytest.mark.parametrize("state", [State.ABSENT, State.ELSEWHERE])
def test_what_has_no_container_has_a_state_and_little_else(state):
    looked = Looked(Observed("shop", state, Health.OK))
    assert looked.figures() == {("state", "shop"): str(state), ("health", "shop"): "ok"}


def test_processes_have_no_limits_and_no_image():
    looked = Looked(seen("shop", restarts=None, containers=(container("shop", is_process=True),)))
    looked.engine.used["shop"] = Usage(1, 1)
    names = {name for name, _ in looked.figures()}
    assert names == {"state", "health", "started_timestamp_seconds", "cpu_seconds_total", "memory_working_set_bytes"}
