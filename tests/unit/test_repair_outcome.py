"""What an action came to, from what was seen before and after it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from guard_situations import INCIDENT, NOW, TOPOLOGY

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.prometheus import Value
from sutazai_ops.monitoring.thresholds import Condition
from sutazai_ops.remediation import repair
from sutazai_ops.remediation.actions import ACTIONS
from sutazai_ops.remediation.incidents import Sighting
from sutazai_ops.remediation.playbook import Action, Rung
from sutazai_ops.remediation.repair import Clock, is_verified, outcome_of
from sutazai_ops.remediation.seeing import Seen

RUNS, STOPPED, BLIND = Seen(running=frozenset({"backend"})), Seen(), Seen(blind="x")


@pytest.mark.parametrize(
    ("seen", "ran", "whole", "outcome"),
    [
        (RUNS, True, True, "helped"),
        (RUNS, True, False, "did not help"),
        (STOPPED, True, False, "made it worse"),
        (STOPPED, False, False, "did not help"),
        (BLIND, True, False, "did not help"),
    ],
)
def test_what_ran_before_and_does_not_run_now_was_made_worse(seen, ran, whole, outcome):
    assert outcome_of("backend", seen, ran=ran, whole=whole) == outcome


@pytest.mark.parametrize(
    ("values", "is_so"),
    [
        ([Value({"service": "backend"}, 0.1)], True),
        ([Value({"service": "backend"}, 0.3)], False),
        ([Value({"service": "backend"}, 0.1), Value({"service": "backend", "path": "/"}, 0.3)], False),
        ([Value({"service": "edge"}, 0.1)], False),
        ([Value({"instance": "a"}, 0.1)], True),
        ([Value({"service": "backend"}, math.nan)], False),
        ([], False),
    ],
)
def test_what_is_not_known_is_not_verified(values, is_so):
    assert is_verified(values, Condition(signal="http_p95", below=0.2), "backend") is is_so


@dataclass
class Engine:
    """Starts what it is told to, or says why not."""

    started: list[str] = field(default_factory=list)
    refuses: str = ""

    def start(self, service: str) -> None:
        if self.refuses:
            raise OpsError(self.refuses)
        self.started.append(service)


def restarted(monkeypatch, engine: Engine, *seen: Seen, slept: list[float] | None = None) -> tuple[str, str]:
    """What a restart of the backend came to, as it was seen one time after the other; the last for ever."""
    looks = list(seen)
    monkeypatch.setattr(repair, "see", lambda *_: looks.pop(0) if len(looks) > 1 else looks[0])
    monkeypatch.setitem(ACTIONS, Action.RESTART, lambda *_: "it was stopped and started")
    monkeypatch.setattr(repair, "topology_of", lambda _: TOPOLOGY)
    watched = SimpleNamespace(
        here=SimpleNamespace(engine=engine), rulebook=SimpleNamespace(waking=frozenset({"service_down"}))
    )
    clock = Clock(now=lambda: NOW, sleep=([] if slept is None else slept).append)
    return repair._act(watched, INCIDENT, Rung(act=Action.RESTART, polls=1), clock)


BROKEN = Sighting(
    "service_down", "backend", "service-down", "service-down", "page", "", {}, NOW, fires=True, broken=True
)
BEFORE, AFTER = Seen([BROKEN], running=frozenset({"backend"})), Seen([BROKEN])


def test_what_made_it_worse_is_undone_and_stays_what_it_was(monkeypatch):
    engine = Engine()
    said = "it was stopped and started; backend was started, since it ran before"
    assert restarted(monkeypatch, engine, BEFORE, AFTER) == ("made it worse", said)
    assert engine.started == ["backend"]


def test_what_merely_did_not_help_is_not_undone(monkeypatch):
    engine = Engine()
    assert restarted(monkeypatch, engine, BEFORE) == ("did not help", "it was stopped and started")
    assert engine.started == []


def test_what_cannot_be_undone_is_said(monkeypatch):
    outcome, note = restarted(monkeypatch, Engine(refuses="there is no room"), BEFORE, AFTER)
    assert (outcome, note) == ("made it worse", "it was stopped and started; it could not be undone: there is no room")


def test_what_stands_on_something_that_broke_meanwhile_is_not_watched_on_while_that_waits_for_its_turn(monkeypatch):
    """A database's exporter was watched for a minute after its restart, and so long the database was not mended."""
    database = replace(BROKEN, target="postgres", labels={"service": "postgres"})
    both = Seen([BROKEN, database], running=frozenset({"backend"}))
    slept: list[float] = []
    assert restarted(monkeypatch, Engine(), BEFORE, BEFORE, both, slept=slept)[0] == "did not help"
    assert slept == [30.0, repair.POLL_SECONDS]
