"""Probes that are run again and again: three states, ages that grow, and none that hangs twice."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_servers import hang, page, service, serving
from small_engine import SmallEngine

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.board import Board
from sutazai_ops.monitoring.exporter.collectors.probes import Asked, WatchedProbe, unprobed
from sutazai_ops.monitoring.exporter.tallies import Tallies
from sutazai_ops.monitoring.probes import run
from sutazai_ops.monitoring.probes.names import probe_names
from sutazai_ops.platform import Probe

PROBE = Probe(kind="http", port=80, timeout_seconds=0.2)
INTERVAL = 30.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """One probe, its board and its clock."""

    def __init__(self, engine, probe: Probe = PROBE) -> None:
        self.clock, self.tallies = Clock(), Tallies()
        self.board = Board(self.clock)
        asked = Asked(service(), probe, "http", engine, INTERVAL)
        self.probe = WatchedProbe(asked, self.board, self.tallies, self.clock)

    def state(self) -> str:
        [now] = [
            one.labels["state"] for one in self.board.measured() if one.name == "sutazai_probe_state" and one.value
        ]
        return now

    def age(self) -> float | None:
        return next((one.value for one in self.board.measured() if one.name == "sutazai_probe_age_seconds"), None)

    def count(self, name: str) -> float:
        return sum(s.value for family in self.tallies.families() for s in family.samples if s.name == name)


@pytest.fixture(autouse=True)
def no_grace(monkeypatch):
    monkeypatch.setattr(run, "GRACE_SECONDS", 0.1)


def test_nothing_is_known_before_the_first_answer():
    watched = Watched(SmallEngine())
    assert watched.state() == "unknown"
    assert watched.age() is None


def test_a_right_answer_is_ok_and_its_time_is_counted():
    with serving(page()) as port:
        watched = Watched(SmallEngine(web=port))
        watched.probe.round()
    assert watched.state() == "ok"
    assert watched.age() == 0
    assert watched.count("sutazai_probe_duration_seconds_count") == 1
    assert watched.count("sutazai_exporter_errors_total") == 0


def test_the_three_states_are_three_series_of_which_one_is_one():
    with serving(page(500)) as port:
        watched = Watched(SmallEngine(web=port))
        watched.probe.round()
    states = {one.labels["state"]: one.value for one in watched.board.measured() if "state" in one.labels}
    assert states == {"ok": 0, "failed": 1, "unknown": 0}


def test_whoever_cannot_be_asked_is_unknown_and_counted_and_no_latency_is():
    class Locked(SmallEngine):
        def endpoint(self, *_: object) -> str:
            raise OpsError("its password cannot be read")

    watched = Watched(Locked())
    watched.probe.round()
    assert watched.state() == "unknown"
    assert watched.count("sutazai_exporter_errors_total") == 1
    assert watched.count("sutazai_probe_duration_seconds_count") == 0


def test_what_does_not_run_is_unknown_and_no_fault_of_whoever_asks():
    """A minute without Redis fired `collector_failing` three minutes after it was back, and woke a person for it."""
    watched = Watched(SmallEngine())
    watched.probe.round()
    assert watched.state() == "unknown"
    assert watched.count("sutazai_exporter_errors_total") == 0
    assert watched.count("sutazai_probe_duration_seconds_count") == 0


def test_a_service_that_hangs_is_failed_in_its_time():
    with serving(hang) as port:
        watched = Watched(SmallEngine(web=port))
        begun = time.monotonic()
        watched.probe.round()
        assert time.monotonic() - begun < 1
    assert watched.state() == "failed"
    assert watched.age() == 0


def test_a_question_that_hangs_for_ever_is_asked_once_and_its_age_grows():
    over, asked = threading.Event(), []

    class Stuck(SmallEngine):
        """Its server's driver ignores every time-out."""

        def server(self, service):
            class Server:
                name, endpoint = "web", "nowhere"

                @property
                def account(self):
                    asked.append(1)
                    over.wait()

            return Server()

    watched = Watched(Stuck(), Probe(kind="postgres", timeout_seconds=0.2))
    before = set(threading.enumerate())
    try:
        for _ in range(6):
            watched.probe.round()
            watched.clock.now += INTERVAL
        assert len(asked) == 1
        assert len(set(threading.enumerate()) - before) == 1
        assert watched.age() is None
        assert watched.state() == "unknown"
    finally:
        over.set()


def test_one_that_hangs_stays_failed_for_three_intervals_and_then_nothing_is_known():
    over = threading.Event()
    with serving(page()) as port:
        engine = SmallEngine(web=port)
        watched = Watched(engine)
        watched.probe.round()
        watched.probe._attempts.asking._left_behind = threading.Thread(target=over.wait)
        watched.probe._attempts.asking._left_behind.start()
        states = []
        for _ in range(4):
            watched.clock.now += INTERVAL
            watched.probe.round()
            states.append((watched.state(), watched.age()))
        over.set()
    assert states == [("failed", 30), ("failed", 60), ("failed", 90), ("unknown", 120)]


def test_one_whose_every_attempt_ends_too_late_stays_failed(monkeypatch):
    """As of a PostgreSQL that hangs, whose client gives up after two seconds where one is allowed."""
    late = threading.Event()
    monkeypatch.setattr(run, "question", lambda *_: late.wait)
    watched = Watched(SmallEngine())
    states = []
    for _ in range(6):
        watched.clock.now += INTERVAL
        late.clear()
        watched.probe.round()
        states.append(watched.state())
        late.set()
        watched.probe._attempts.asking._left_behind.join()
    assert states == ["failed"] * 6


def test_an_engine_that_hangs_leaves_one_thread_behind_and_the_state_unknown(monkeypatch):
    monkeypatch.setattr(run, "ENGINE_SECONDS", 0.1)
    over = threading.Event()

    class Stuck(SmallEngine):
        def endpoint(self, service, port=None):
            over.wait()

    watched = Watched(Stuck())
    before = set(threading.enumerate())
    try:
        for _ in range(5):
            watched.probe.round()
        assert len(set(threading.enumerate()) - before) == 1
        assert watched.state() == "unknown"
    finally:
        over.set()


def test_one_that_hung_is_asked_again_once_it_has_ended():
    over = threading.Event()
    with serving(page()) as port:

        class Sometimes(SmallEngine):
            def endpoint(self, service, port=None):
                over.wait()
                return super().endpoint(service, port)

        watched = Watched(Sometimes(web=port))
        watched.probe._attempts.finding._left_behind = stuck = threading.Thread(target=over.wait)
        stuck.start()
        watched.probe.round()
        assert watched.state() == "unknown"
        over.set()
        stuck.join()
        watched.probe.round()
        assert watched.state() == "ok"


def test_a_probe_that_nobody_runs_any_more_becomes_unknown_by_itself():
    with serving(page()) as port:
        watched = Watched(SmallEngine(web=port))
        watched.probe.round()
    watched.clock.now += 3 * INTERVAL
    assert watched.state() == "ok"
    watched.clock.now += 1
    assert watched.state() == "unknown"


def test_a_probe_that_is_forgotten_leaves_no_series():
    with serving(page()) as port:
        watched = Watched(SmallEngine(web=port))
        watched.probe.round()
    watched.probe.forget()
    left = {one.name for one in watched.board.measured()}
    assert left == {"sutazai_exporter_cycle_age_seconds"}
    assert watched.count("sutazai_probe_duration_seconds_count") == 0


def test_what_changes_is_logged_once(caplog):
    caplog.set_level("INFO")
    with serving(page(500)) as port:
        watched = Watched(SmallEngine(web=port))
        for _ in range(3):
            watched.probe.round()
    assert [record.message for record in caplog.records] == ["web http: failed, it answers 500, not 200"]


def test_a_service_without_a_probe_is_unknown():
    told = {one.labels["state"]: one.value for one in unprobed(service())}
    assert told == {"ok": 0, "failed": 0, "unknown": 1}


PROBES = st.builds(
    Probe,
    kind=st.sampled_from(["http", "tcp", "prometheus"]),
    port=st.sampled_from([80, 81]),
    path=st.sampled_from([None, "/a", "/b"]),
    through=st.sampled_from([None, "edge"]),
    target=st.sampled_from([None, "job"]),
)


@given(st.lists(PROBES, max_size=6))
def test_no_two_probes_of_a_service_have_one_name(probes):
    names = probe_names(probes)
    assert len(set(names)) == len(names) == len(probes)


def test_probes_are_called_by_their_kind_and_by_what_tells_them_apart():
    plain, through = Probe(kind="http", port=80), Probe(kind="http", port=80, through="edge")
    assert probe_names([plain]) == ["http"]
    assert probe_names([plain, through]) == ["http", "http through edge"]
    assert probe_names([plain, Probe(kind="http", port=80, path="/b")]) == ["http :80", "http :80/b"]
