"""Dagster seen from outside, held against an instance that Dagster itself writes."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat

from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.monitoring.exporter.collectors.dagster import DagsterCollector, is_there, storage
from sutazai_ops.monitoring.exporter.families import check
from sutazai_ops.settings import Settings

BEGAN = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


@dg.job
def nothing():
    """Does nothing."""


@pytest.fixture
def settings(tmp_path) -> Settings:
    found = Settings(home=tmp_path, timezone="Europe/Berlin")
    found.dagster_home.mkdir()
    (found.dagster_home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return found


@pytest.fixture
def instance(settings):
    with dg.DagsterInstance.local_temp(str(settings.dagster_home)) as one:
        yield one


def collect(settings: Settings, now: float) -> dict[tuple[str, ...], float]:
    found = DagsterCollector(settings, interval=30, now=lambda: now).collect()
    assert found.missing == ()
    check(found.measured)
    return {(one.name.removeprefix("sutazai_dagster_"), *one.labels.values()): one.value for one in found.measured}


def heartbeat(instance, daemon: str, at: float, process: str = "first") -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(at, daemon, process, []))


TARGET = LoadableTargetOrigin(python_file="x.py")
REPOSITORY = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(TARGET), "__repository__")


def schedule(
    instance, name: str, cron: str | list[str], status: InstigatorStatus, start: float = BEGAN
) -> InstigatorState:
    origin = RemoteInstigatorOrigin(REPOSITORY, name)
    state = InstigatorState(origin, InstigatorType.SCHEDULE, status, ScheduleInstigatorData(cron, start))
    instance.schedule_storage.add_instigator_state(state)
    return state


def tick(instance, state: InstigatorState, at: float) -> None:
    origin, kind = state.instigator_origin_id, state.instigator_type
    instance.schedule_storage.create_tick(
        TickData(origin, state.name, kind, TickStatus.SUCCESS, at, run_ids=[], selector_id=state.selector_id)
    )


class TestHeartbeats:
    def test_each_daemon_is_as_old_as_its_last_word(self, settings, instance):
        heartbeat(instance, "SCHEDULER", BEGAN)
        heartbeat(instance, "SENSOR", BEGAN - 60)
        found = collect(settings, BEGAN + 5)
        assert found["daemon_heartbeat_age_seconds", "SCHEDULER"] == 5
        assert found["daemon_heartbeat_age_seconds", "SENSOR"] == 65

    def test_a_daemon_that_a_newer_process_no_longer_has_is_not_told(self, settings, instance):
        heartbeat(instance, "SENSOR", BEGAN - 9 * HOUR, "first")
        heartbeat(instance, "SCHEDULER", BEGAN, "second")
        assert [key for key in collect(settings, BEGAN) if key[0].startswith("daemon")] == [
            ("daemon_heartbeat_age_seconds", "SCHEDULER")
        ]

    def test_daemons_that_have_all_died_are_told_as_old(self, settings, instance):
        for daemon in ("SENSOR", "SCHEDULER"):
            heartbeat(instance, daemon, BEGAN)
        ages = [value for key, value in collect(settings, BEGAN + HOUR).items() if key[0].startswith("daemon")]
        assert ages == [HOUR, HOUR]

    def test_where_no_daemon_ever_ran_there_is_no_age(self, settings, instance):
        assert collect(settings, BEGAN) == {("runs_stuck",): 0}


class TestSchedules:
    # Two in the morning in Berlin is one in UTC in winter.
    DUE = datetime(2026, 11, 24, 1, tzinfo=UTC).timestamp()

    def test_one_that_ticked_when_it_was_due_is_in_time(self, settings, instance):
        state = schedule(instance, "nightly", "0 2 * * *", InstigatorStatus.RUNNING)
        tick(instance, state, self.DUE - 24 * HOUR)
        tick(instance, state, self.DUE)
        found = collect(settings, self.DUE + HOUR)
        assert found["schedule_tick_age_seconds", "nightly"] == HOUR
        assert found["schedule_late_seconds", "nightly"] == 0

    def test_one_that_missed_its_time_is_late_from_then_on(self, settings, instance):
        state = schedule(instance, "nightly", "0 2 * * *", InstigatorStatus.DECLARED_IN_CODE)
        tick(instance, state, self.DUE - 24 * HOUR)
        assert collect(settings, self.DUE - 1)["schedule_late_seconds", "nightly"] == 0
        assert collect(settings, self.DUE + HOUR)["schedule_late_seconds", "nightly"] == HOUR

    def test_one_that_was_switched_on_after_it_was_due_is_not_late(self, settings, instance):
        schedule(instance, "nightly", "0 2 * * *", InstigatorStatus.RUNNING, start=self.DUE + 60)
        found = collect(settings, self.DUE + HOUR)
        assert found["schedule_late_seconds", "nightly"] == 0
        assert ("schedule_tick_age_seconds", "nightly") not in found

    def test_one_that_never_ticked_since_it_was_switched_on_is_late(self, settings, instance):
        schedule(instance, "nightly", "0 2 * * *", InstigatorStatus.RUNNING, start=self.DUE - 60)
        assert collect(settings, self.DUE + HOUR)["schedule_late_seconds", "nightly"] == HOUR

    def test_one_that_is_switched_off_is_not_told(self, settings, instance):
        schedule(instance, "nightly", "0 2 * * *", InstigatorStatus.STOPPED)
        assert collect(settings, self.DUE + HOUR) == {("runs_stuck",): 0}

    def test_of_several_crons_the_one_that_was_missed_counts(self, settings, instance):
        state = schedule(instance, "twice", ["0 2 * * *", "30 2 * * *"], InstigatorStatus.RUNNING)
        tick(instance, state, self.DUE)
        assert collect(settings, self.DUE + HOUR)["schedule_late_seconds", "twice"] == HOUR / 2


class TestRuns:
    def run(self, instance, status: dg.DagsterRunStatus) -> None:
        origin = RemoteJobOrigin(REPOSITORY, "nothing")
        instance.create_run_for_job(nothing, status=status, remote_job_origin=origin)

    def test_runs_that_do_not_begin_for_a_quarter_of_an_hour_are_stuck(self, settings, instance):
        for status in (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING):
            self.run(instance, status)
        assert collect(settings, time.time() + 890)["runs_stuck",] == 0
        assert collect(settings, time.time() + 910)["runs_stuck",] == 3

    def test_runs_that_work_or_have_ended_are_not(self, settings, instance):
        for status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE):
            self.run(instance, status)
        assert collect(settings, time.time() + HOUR)["runs_stuck",] == 0


class TestWhereItLives:
    def test_it_is_there_once_it_is_configured(self, settings, tmp_path):
        assert is_there(settings)
        assert not is_there(Settings(home=tmp_path / "elsewhere"))

    def test_storage_that_is_gone_is_one_sentence(self, settings):
        with pytest.raises(OpsError, match=r"runs\.db cannot be read"):
            collect(settings, BEGAN)

    def test_files_are_its_storage_unless_a_server_is_named(self, settings):
        assert storage(settings.dagster_home) is None

    def test_a_server_is_read_from_its_configuration(self, settings, monkeypatch):
        monkeypatch.setenv("DAGSTER_PASSWORD", "hu:sh")
        (settings.dagster_home / "dagster.yaml").write_text(
            "storage: {postgres: {postgres_db: {username: d, password: {env: DAGSTER_PASSWORD}, hostname: db,"
            " db_name: dag ster, port: 5433, params: {sslmode: require}}}}"
        )
        place = storage(settings.dagster_home)
        assert (place.url, place.password.get_secret_value()) == ("postgresql://d@db:5433/dag%20ster", "hu:sh")
        (settings.dagster_home / "dagster.yaml").write_text(
            "storage: {postgres: {postgres_url: 'postgresql://d:hush@db/d'}}"
        )
        assert storage(settings.dagster_home).where == "db:5432/d"

    def test_a_variable_that_is_not_set_is_named(self, settings):
        (settings.dagster_home / "dagster.yaml").write_text("storage: {postgres: {postgres_url: {env: NOT_SET_HERE}}}")
        with pytest.raises(BadInput, match="NOT_SET_HERE"):
            storage(settings.dagster_home)

    @pytest.mark.parametrize("text", ["[", "storage: [", "- a"])
    def test_a_configuration_that_is_none_is_refused(self, settings, text):
        (settings.dagster_home / "dagster.yaml").write_text(text)
        with pytest.raises(BadInput, match="configuration"):
            storage(settings.dagster_home)


def test_dagster_is_not_loaded_for_it():
    code = """
import sys
import sutazai_ops.commands.exporter, sutazai_ops.monitoring.exporter.exporter, sutazai_ops.monitoring.notify
import sutazai_ops.slo.objectives, sutazai_ops.status_page.writer
heavy = {"dagster", "matplotlib", "sqlalchemy", "numpy"} & set(sys.modules)
sys.exit(", ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
