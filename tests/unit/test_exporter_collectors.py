"""Backups, the ledger, Ollama, Prometheus and the clock, each as the exporter measures it."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama import Ollama as StandIn
from ollama_house import serving_ollama
from ollama_server import Ollama
from probe_servers import as_json, page, read_request, service, serving
from shelf import FIRST, commit, verify
from small_engine import SmallEngine

from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.backups.store import Store
from sutazai_ops.engines import Server
from sutazai_ops.errors import OpsError, Unreachable
from sutazai_ops.ledger import open_ledger
from sutazai_ops.ledger.entries import DeploymentEntry, DriftEntry
from sutazai_ops.monitoring.exporter.board import Board
from sutazai_ops.monitoring.exporter.collectors import collectors_for
from sutazai_ops.monitoring.exporter.collectors.backups import BackupsCollector
from sutazai_ops.monitoring.exporter.collectors.clock import ClockCollector
from sutazai_ops.monitoring.exporter.collectors.drift import DriftCollector
from sutazai_ops.monitoring.exporter.collectors.ledger import ledger_place
from sutazai_ops.monitoring.exporter.collectors.models import InferenceCollector, Look, ModelsCollector, put_out
from sutazai_ops.monitoring.exporter.collectors.queues import QueuesCollector
from sutazai_ops.monitoring.exporter.collectors.watched import WatchedCollector, evaluated_ago, late_groups
from sutazai_ops.monitoring.exporter.families import check
from sutazai_ops.monitoring.exporter.measuring import Watch
from sutazai_ops.monitoring.exporter.tallies import Tallies
from sutazai_ops.monitoring.exporter.watched import Watched
from sutazai_ops.platform import Probe
from sutazai_ops.platform.model import Backup, Queue
from sutazai_ops.reading import reading
from sutazai_ops.settings import Settings


def figures(round_) -> dict[object, float]:
    """By the short name, and the labels' texts where there are any."""
    check(round_.measured)
    return {
        (one.name.removeprefix("sutazai_"), *one.labels.values()) if one.labels else one.name.removeprefix("sutazai_"):
        one.value
        for one in round_.measured
    }  # fmt: skip


class TestBackups:
    @pytest.fixture
    def store(self, tmp_path) -> Store:
        return Store(tmp_path / "backups")

    def collect(self, store: Store, days: float = 3):
        now = (FIRST + timedelta(days=days)).timestamp()
        return BackupsCollector(store, interval=30, now=lambda: now).collect()

    def test_it_says_whether_a_schedule_is_meant_to_make_them(self, store):
        told = [BackupsCollector(store, interval=30, is_scheduled=one).collect() for one in (True, False)]
        assert [figures(one)["backup_scheduled"] for one in told] == [1, 0]

    def test_where_nothing_was_ever_backed_up_the_age_has_no_end(self, store):
        found = figures(self.collect(store))
        assert found["backup_age_seconds"] == found["backup_verified_age_seconds"] == math.inf
        assert "backup_size_bytes" not in found

    def test_a_store_that_cannot_be_looked_into_tells_nothing(self, store):
        store.folder.write_text("a file")
        with pytest.raises(OpsError, match="cannot read"):
            self.collect(store)

    def test_the_newest_set_and_the_newest_proven_one_have_ages_of_their_own(self, store):
        verify(store, commit(store, 0))
        commit(store, 1)
        found = figures(self.collect(store))
        assert found["backup_age_seconds"] == 2 * 86_400 - 1
        assert found["backup_verified_age_seconds"] == 3 * 86_400 - 1
        assert (found["backup_size_bytes"], found["backup_duration_seconds"]) == (17, 61)

    def test_all_sets_together_and_the_room_beside_them_are_told(self, store):
        assert figures(self.collect(store))["backup_store_bytes"] == 0
        for number in range(3):
            commit(store, number)
        found = figures(self.collect(store))
        assert found["backup_store_bytes"] == 3 * found["backup_size_bytes"]
        free = os.statvfs(store.folder)
        assert found["backup_store_free_bytes"] == pytest.approx(free.f_bavail * free.f_frsize, rel=0.1)

    def test_sets_are_counted_by_what_they_are_worth(self, store):
        verify(store, commit(store, 0))
        verify(store, commit(store, 1), Outcome.CORRUPT)
        commit(store, 2)
        verify(store, commit(store, 3), Outcome.READ)
        found = figures(self.collect(store, days=9))
        counts = {state: found["backup_sets", state] for state in ("verified", "corrupt", "unchecked", "read")}
        assert counts == dict.fromkeys(counts, 1)

    def test_a_clock_that_was_set_back_makes_no_backup_younger_than_now(self, store):
        commit(store, 5)
        assert figures(self.collect(store, days=1))["backup_age_seconds"] == 0

    def test_a_set_that_was_copied_from_elsewhere_does_not_count(self, store, tmp_path):
        theirs = Store(tmp_path / "theirs")
        there = commit(theirs, 2)
        commit(store, 0)
        shutil.copytree(there.folder, store.folder / there.id)
        assert figures(self.collect(store))["backup_age_seconds"] == 3 * 86_400 - 1


def deployment(number: int, phase: str, outcome: str = "good") -> DeploymentEntry:
    at = FIRST + timedelta(hours=number)
    return DeploymentEntry(number, phase, at, seconds=3, outcome=outcome, steps=[])


def drifted(*services: str, at: datetime = FIRST) -> DriftEntry:
    return DriftEntry(at, release=2, drifts=[{"service": name, "kind": "image"} for name in services])


class TestDrift:
    """Held against the ledger that this program itself writes."""

    @pytest.fixture
    def settings(self, tmp_path) -> Settings:
        return Settings(home=tmp_path / "home")

    def collect(self, settings: Settings, hours: float = 1):
        now = (FIRST + timedelta(hours=hours)).timestamp()
        services = [service("shop"), service("cache")]
        return DriftCollector(settings, lambda: services, interval=30, now=lambda: now).collect()

    def test_before_the_first_deployment_there_is_nothing_to_tell(self, settings):
        assert figures(self.collect(settings)) == {}
        open_ledger(settings)
        assert figures(self.collect(settings)) == {}

    def test_a_phase_runs_the_last_release_that_was_good(self, settings):
        ledger = open_ledger(settings)
        for entry in (deployment(1, "core"), deployment(2, "core"), deployment(3, "core", "failed")):
            ledger.record_deployment(entry)
        ledger.record_deployment(deployment(2, "monitoring"))
        found = figures(self.collect(settings))
        assert (found["release_number", "core"], found["release_number", "monitoring"]) == (2, 2)

    def test_drift_is_counted_by_service_and_is_as_old_as_the_look(self, settings):
        ledger = open_ledger(settings)
        ledger.record_drift(drifted("cache", at=FIRST - timedelta(hours=1)))
        ledger.record_drift(drifted("shop", "shop", "stranger"))
        assert figures(self.collect(settings)) == {
            ("drift_findings", "shop"): 2,
            ("drift_findings", "cache"): 0,
            ("drift_findings", "stranger"): 1,
            "drift_age_seconds": 3600,
        }

    def test_a_ledger_that_is_none_is_one_sentence(self, settings):
        settings.home.mkdir()
        (settings.home / "ledger.db").write_text("not a database, though it is long enough to look like one" * 9)
        with pytest.raises(OpsError, match="cannot be read"):
            self.collect(settings)

    def test_a_ledger_in_a_file_elsewhere_is_found(self, tmp_path):
        elsewhere = Settings(home=tmp_path / "home", ledger=f"sqlite:///{tmp_path}/a%20ledger.db")
        assert str(ledger_place(elsewhere)) == f"{tmp_path}/a ledger.db"

    def test_a_ledger_on_a_server_keeps_its_password_out_of_the_address(self, tmp_path):
        (tmp_path / "password").write_text("hush\n")
        where = Settings(
            home=tmp_path, ledger="postgresql+psycopg://ops@db:5433/ledger", ledger_password_file=tmp_path / "password"
        )
        place = ledger_place(where)
        assert (place.url, place.where) == ("postgresql://ops@db:5433/ledger", "db:5433/ledger")
        assert place.password.get_secret_value() == "hush"
        assert "hush" not in repr(place)


@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "open"])
def test_a_database_in_a_folder_that_is_only_to_be_read_is_read(tmp_path, is_open):
    settings = Settings(home=tmp_path / "home")
    open_ledger(settings).record_drift(drifted("shop"))
    file = settings.home / "ledger.db"
    writer = sqlite3.connect(file) if is_open else None
    if writer:
        writer.execute("INSERT INTO drifts (at, release, drifts) VALUES ('2026-11-26', 1, '[]')")
        writer.commit()
    with as_somebody_who_may_only_read(settings.home), reading(file) as ask:
        assert ask("SELECT count(*) FROM drifts") == [(2 if is_open else 1,)]


@contextmanager
def as_somebody_who_may_only_read(folder):
    """Root may write wherever it likes, so another user looks."""
    # Where tests run side by side, pytest's own folder is one deeper.
    for above in folder.parents[: list(folder.parents).index(Path(tempfile.gettempdir()))]:
        above.chmod(0o711)
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(1)
    try:
        yield
    finally:
        os.seteuid(os.getuid())
        folder.chmod(0o700)


OLLAMA = service("ollama", probes=[Probe(kind="ollama")])


def in_minutes(minutes: float) -> str:
    # Go writes nanoseconds.
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "123Z")


class TestModels:
    def test_each_model_that_is_there_is_in_memory_or_not(self):
        with serving(Ollama({"tiny": in_minutes(5)})) as port:
            found = ModelsCollector(SmallEngine(ollama=port), lambda: [OLLAMA], Tallies(), interval=30).collect()
        assert figures(found) == {("model_loaded", "ollama", "tiny"): 1, ("model_loaded", "ollama", "large"): 0}

    def test_an_ollama_that_does_not_run_is_missing(self):
        found = ModelsCollector(SmallEngine(), lambda: [OLLAMA], Tallies(), interval=30).collect()
        assert (found.measured, found.missing, found.away) == ((), (), ("ollama does not run",))

    def test_what_answers_with_a_page_is_missing(self):
        with serving(page(200, "<html>")) as port:
            found = ModelsCollector(SmallEngine(ollama=port), lambda: [OLLAMA], Tallies(), interval=30).collect()
        assert "does not list its models" in found.missing[0]

    def test_two_models_that_put_each_other_out_are_counted(self, tmp_path):
        ollama, tallies, now = StandIn(tmp_path / "ollama.json", loaded=1), Tallies(), [0.0]
        list(ollama.pulling("one:1b"))
        list(ollama.pulling("two:1b"))
        with serving_ollama(ollama) as port:
            engine = SmallEngine(ollama=port)
            collector = ModelsCollector(engine, lambda: [OLLAMA], tallies, interval=30, clock=lambda: now[0])
            for model in ("one:1b", "two:1b", "one:1b", "two:1b"):
                ollama._load(model, {})
                collector.collect()
                now[0] += 30
            # One that is told to leave was put out by nobody, and neither was one whose time is over.
            ollama._load("two:1b", {"keep_alive": 0})
            collector.collect()
        assert ollama.evicted == ["one:1b", "two:1b", "one:1b"]
        name = "sutazai_model_evictions_total"
        counted = {
            (s.labels["model"], s.labels["by"]): s.value
            for family in tallies.families() for s in family.samples if s.name == name
        }  # fmt: skip
        assert counted == {("one:1b", "two:1b"): 2, ("two:1b", "one:1b"): 1}

    def test_a_model_whose_time_was_over_was_put_out_by_nobody(self):
        before = Look(0, {"old": 10, "long": 300})
        assert put_out(before, Look(30, {"new": 300})) == [("long", "new")]
        assert put_out(before, Look(30, {"long": 270, "new": 300})) == []
        assert put_out(before, Look(30, {})) == []


class Asking:
    """An Ollama, and the small questions that are put to it, by a clock of their own."""

    def __init__(self, port: int) -> None:
        self.now, self.tallies = 0.0, Tallies()
        self.collector = InferenceCollector(
            SmallEngine(ollama=port), lambda: [OLLAMA], self.tallies, interval=30, every=300, clock=lambda: self.now
        )

    def collect(self, after: float = 0):
        self.now += after
        return figures(self.collector.collect())

    def failures(self) -> float:
        name = "sutazai_inference_failures_total"
        return sum(s.value for family in self.tallies.families() for s in family.samples if s.name == name)


class TestInference:
    def test_only_what_is_in_memory_is_asked_and_in_its_time(self):
        ollama = Ollama({"tiny": in_minutes(5)})
        with serving(ollama) as port:
            asking = Asking(port)
            assert ("inference_last_seconds", "ollama", "tiny") in asking.collect()
            asking.collect(after=299)
            assert [one["model"] for one in ollama.asked] == ["tiny"]
            asking.collect(after=1)
        assert len(ollama.asked) == 2

    def test_the_question_leaves_the_model_in_memory_as_long_as_it_would_have_been(self):
        ollama = Ollama({"tiny": in_minutes(4), "stays": "2318-01-01T00:00:00Z"})
        with serving(ollama) as port:
            Asking(port).collect()
        stay = {one["model"]: one["keep_alive"] for one in ollama.asked}
        assert stay["stays"] == -1
        assert 235 <= stay["tiny"] <= 240

    def test_a_model_that_is_about_to_leave_is_not_asked(self):
        ollama = Ollama({"tiny": in_minutes(0.4)})
        with serving(ollama) as port:
            assert Asking(port).collect() == {}
        assert ollama.asked == []

    def test_one_that_was_just_loaded_is_asked_at_once(self):
        ollama = Ollama({"tiny": in_minutes(5)})
        with serving(ollama) as port:
            asking = Asking(port)
            asking.collect()
            ollama.loaded = {}
            assert asking.collect(after=30) == {}
            ollama.loaded = {"tiny": in_minutes(5)}
            asking.collect(after=30)
        assert len(ollama.asked) == 2

    def test_a_model_of_vectors_is_asked_for_vectors(self):
        ollama = Ollama({"vectors": in_minutes(5)})
        with serving(ollama) as port:
            assert ("inference_last_seconds", "ollama", "vectors") in Asking(port).collect()
        assert [one["path"] for one in ollama.asked] == ["/api/generate", "/api/embed"]

    def test_a_question_without_an_answer_is_counted_and_has_no_time(self):
        ollama = Ollama({"tiny": in_minutes(5)})
        with serving(ollama) as port:
            asking = Asking(port)
            asking.collect()
            ollama.status = 500
            assert asking.collect(after=300) == {}
        assert asking.failures() == 1

    def test_how_long_it_took_is_known_for_three_intervals(self):
        ollama = Ollama({"tiny": in_minutes(5)})
        with serving(ollama) as port:
            asking = Asking(port)
            asking.collect()
            asking.collector._every = 1e9
            asking.collector._every, known = 300, []
            for after in (600, 299, 2):
                asking.now += after
                known.append(bool(list(asking.collector._last())))
        assert known == [True, True, False]


def group(name: str, at: str, interval: float = 15) -> dict:
    return {"name": name, "interval": interval, "lastEvaluation": at}


RULES = {"status": "success", "data": {"groups": [group("a", "2026-11-26T02:00:00.123456789Z")]}}
NOW = datetime(2026, 11, 26, 2, tzinfo=UTC).timestamp()


def prometheus(now: float, rules: object = RULES):
    def behave(connection, over) -> None:
        path = read_request(connection, peek=True).split()[1].decode()
        if path.startswith("/api/v1/rules"):
            return as_json(rules)(connection, over)
        if path.startswith("/api/v1/query"):
            return as_json({"status": "success", "data": {"result": [now, str(now)]}})(connection, over)
        return page(200, "ready")(connection, over)

    return behave


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class TestWatched:
    PROMETHEUS = service("prometheus", probes=[Probe(kind="prometheus")])

    def watch(self, port: int):
        clock = Clock()
        board = Board(clock)
        return (
            WatchedCollector(SmallEngine(prometheus=port), lambda: [self.PROMETHEUS], board, interval=30),
            board,
            clock,
        )

    def age(self, board: Board) -> dict[str, float]:
        return {one.labels["kind"]: one.value for one in board.measured()}

    def test_a_prometheus_that_evaluates_its_rules_is_well_since_it_last_did(self):
        with serving(prometheus(NOW + 20)) as port:
            collector, board, clock = self.watch(port)
            clock.now = 50
            assert collector.collect().missing == ()
        assert self.age(board) == {"prometheus": pytest.approx(20, abs=0.2)}

    def test_one_that_goes_on_answering_is_as_old_as_its_last_evaluation(self):
        with serving(prometheus(NOW + 10)) as port:
            collector, board, clock = self.watch(port)
            collector.collect()
        with serving(prometheus(NOW + 55)) as port:
            collector._engine.ports["prometheus"] = port
            clock.now = 45
            assert collector.collect().missing
        assert self.age(board) == {"prometheus": pytest.approx(55, abs=0.2)}

    def test_the_newest_of_its_groups_says_when_it_last_evaluated(self):
        rules = {"groups": [group("slow", "2026-11-26T02:00:00Z", 60), group("quick", "2026-11-26T02:00:30Z")]}
        assert evaluated_ago(rules, NOW + 40) == 10
        assert evaluated_ago({"groups": []}, NOW) == 0
        assert evaluated_ago(rules, NOW) == 0

    def test_one_that_no_longer_does_grows_old(self):
        with serving(prometheus(NOW + 90)) as port:
            collector, board, clock = self.watch(port)
            collector.collect()
            clock.now = 40
            [missing] = collector.collect().missing
        assert missing == "prometheus has not evaluated its rules lately: a"
        assert self.age(board) == {"prometheus": 40}

    def test_one_that_is_gone_grows_old_from_the_start_of_the_exporter(self):
        collector, board, clock = self.watch(1)
        collector.collect()
        clock.now = 100
        assert collector.collect().away
        assert self.age(board) == {"prometheus": 100}

    def test_one_that_answers_with_something_else_grows_old(self):
        with serving(prometheus(NOW, rules={"status": "success", "data": []})) as port:
            collector, _, _ = self.watch(port)
            assert collector.collect().missing == ("prometheus does not tell of its rules as Prometheus does",)

    def test_a_group_is_late_after_three_of_its_own_intervals(self):
        rules = {"groups": [group("quick", "2026-11-26T02:00:00Z"), group("slow", "2026-11-26T02:00:00Z", 60)]}
        assert late_groups(rules, NOW + 45) == []
        assert late_groups(rules, NOW + 46) == ["quick"]
        assert late_groups({"groups": [group("never", "0001-01-01T00:00:00Z")]}, NOW) == ["never"]

    def test_one_that_is_no_longer_meant_to_run_has_no_age(self):
        meant = [self.PROMETHEUS]
        board = Board()
        collector = WatchedCollector(SmallEngine(), lambda: meant, board, interval=30)
        collector.collect()
        meant.clear()
        collector.collect()
        assert self.age(board) == {}


class TestClock:
    @given(st.lists(st.tuples(st.floats(1, 400), st.sampled_from([0.0, 0.0, 5.0, -3600.0])), min_size=1))
    def test_the_largest_jump_of_the_last_quarter_of_an_hour_is_told(self, steps):
        clock, wall = Clock(), Clock()
        wall.now = 1e9
        collector = ClockCollector(interval=30, wall=wall, clock=clock)
        jumps = []
        for passed, jump in steps:
            clock.now += passed
            wall.now += passed + jump
            jumps.append((clock.now, abs(jump)))
            found = figures(collector.collect())["clock_step_seconds"]
            expected = max(size for at, size in jumps if at >= clock.now - 900)
            assert found == pytest.approx(expected, abs=1e-3)


class TestWhatThereIs:
    def names(self, tmp_path, *services, engine: str = "compose") -> set[str]:
        known = SmallEngine()
        known.name = engine
        watch = Watch(Settings(home=tmp_path), known, Store(tmp_path / "backups"), lambda: services)
        return {one.name for one in collectors_for(watch, lambda: services, Board(), Tallies())}

    def test_there_is_a_collector_only_for_what_there_is_to_measure(self, tmp_path):
        always = {"engine", "clock", "drift", "maintenance", "remediation"}
        assert self.names(tmp_path) == always
        assert self.names(tmp_path, engine="embedded") == always | {"host"}
        assert self.names(tmp_path, OLLAMA) == always | {"models", "inference"}
        assert self.names(tmp_path, service(backup=Backup(kind="redis"))) == always | {"backups"}
        assert self.names(tmp_path, service(queues=[Queue(name="q", key="q")])) == always | {"queues"}
        assert self.names(tmp_path, service(image="prom/alertmanager:v0.34.0")) == always | {"watched"}
        (tmp_path / "dagster").mkdir()
        (tmp_path / "dagster/dagster.yaml").write_text("{}")
        assert self.names(tmp_path) == always | {"dagster"}


def test_that_a_redis_does_not_run_is_told_and_is_no_fault_of_whoever_asks_for_its_queues(caplog):
    """Two rounds without it fired `collector_failing` minutes after it was back, beside `service_down` of it."""
    services = [service("redis", queues=[Queue(name="q", key="q")])]
    tallies = Tallies()
    watched = Watched(QueuesCollector(NoServers(), lambda: services, interval=30), Board(), tallies)
    watched.round()
    assert watched.missing == ("redis does not run",)
    assert "queues: redis does not run" in caplog.text
    assert watched.has_turned_bad
    counted = [s.value for one in tallies.families() for s in one.samples if s.name == "sutazai_exporter_errors_total"]
    assert counted == [0]


class NoServers(SmallEngine):
    """None of its servers runs."""

    def server(self, service: str) -> Server:
        raise Unreachable(f"{service} does not run")
