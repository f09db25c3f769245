"""A real Dagster for an exporter to see: its storage, and its daemon while a test lets it run."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

ROOT = Path(__file__).parents[1]
DUE = timedelta(minutes=15)
"""Since when a schedule of it has been due, and a run has waited for longer."""
GONE = RemoteRepositoryOrigin(
    InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file="gone.py")), "__repository__"
)
"""A code location that nobody can load any more."""


@dg.job
def nothing():
    """Does nothing."""


class Dagster:
    """A home of Dagster that is well and has nothing to do."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        due = datetime.now(UTC) - DUE
        began = ScheduleInstigatorData(f"{due.minute} * * * *", (due - DUE).timestamp())
        origin = RemoteInstigatorOrigin(GONE, "hourly")
        self._schedule = InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, began)
        self._run = ""
        # Whoever reads it finds its storage there.
        make_databases(home)

    def spoil(self) -> None:
        """Give it a schedule that nobody can load and a run that nobody starts."""
        with self._instance() as instance:
            instance.schedule_storage.add_instigator_state(self._schedule)
            self._run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.NOT_STARTED).run_id
        with closing(sqlite3.connect(self.home / "history/runs.db")) as runs, runs:
            runs.execute("UPDATE runs SET update_timestamp = ?", [f"{datetime.now(UTC) - 2 * DUE:%Y-%m-%d %H:%M:%S}"])

    def mend(self) -> None:
        """Switch the schedule off and end the run, as a person does."""
        with self._instance() as instance:
            instance.schedule_storage.update_instigator_state(self._schedule.with_status(InstigatorStatus.STOPPED))
            run = instance.get_run_by_id(self._run)
            assert run is not None
            instance.report_run_canceled(run)

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """Its daemon, until the context ends."""
        command = [sys.executable, "-m", "dagster._daemon", "run", "--empty-workspace"]
        environment = {**os.environ, "DAGSTER_HOME": str(self.home)}
        one = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            one.terminate()
            one.wait(30)

    def forget_daemon(self) -> None:
        """Leave nobody waiting for a daemon that will not come again."""
        with self._instance() as instance:
            instance.wipe_daemon_heartbeats()

    def has_breathed(self) -> bool:
        """Whether a daemon has said within the last minute, as it does every half of one, that it lives."""
        with self._instance() as instance:
            said = [one.timestamp for one in instance.get_daemon_heartbeats().values()]
        return bool(said) and time.time() - max(said) < 60

    def _instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.home))


def make_databases(home: Path) -> None:
    """Have Dagster make what it keeps in its home: two that do so at once spoil it for both."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.get_runs(limit=1)
        instance.get_daemon_heartbeats()
        instance.all_instigator_state()


@contextmanager
def running(module: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """A program of Dagster over this project, such as `["dagster", "dev"]`, with all it starts, while it is used."""
    command = [sys.executable, "-m", *module, "-w", "workspace.yaml"]
    with log.open("w") as out:
        one = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=_can_be_ended,  # noqa: PLW1509  (no thread of ours runs yet)
        )  # fmt: skip
        try:
            yield
        finally:
            one.terminate()
            with suppress(subprocess.TimeoutExpired):
                one.wait(30)
            with suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
            one.wait(30)


def _can_be_ended() -> None:
    """Whoever started the tests may ignore what ends a program, and children inherit that."""
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, signal.SIG_DFL)
