"""`make demo`: one whole night on real servers, and the proof that its backup is one.

Brings the embedded platform up, fills a database and a Redis database of its own with data shaped like the platform's,
runs the real Dagster job, damages a copy of the set and shows it refused, drops a table and restores it exactly. All
the while it asks the servers' probes, and it ends with the report of what they said. It writes into `sutazai_demo` and
Redis database 15 only, stops what it started, and refuses to run where the environment is production or a service
belongs to somebody else.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.errors import Corrupt, OpsError, Refused
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from sutazai_ops.backups.manifest import Verification
    from sutazai_ops.backups.night import Backups
    from sutazai_ops.backups.store import BackupSet
    from sutazai_ops.engines import Server
    from sutazai_ops.installation import Installation
    from sutazai_ops.platform import Service
    from sutazai_ops.slo.report_model import Report

DATABASE = "sutazai_demo"
REDIS_DATABASE = 15
TASKS = 200_000
EMBEDDINGS = 40_000
SESSIONS = 100_000
PROBE_SECONDS = 2.0
HOUR_SECONDS = 3600.0

# Deterministic: every value is made of its row's number, so two demos hold the same rows.
TABLES = f"""
    CREATE TABLE agents (id int PRIMARY KEY, name text UNIQUE NOT NULL, model text NOT NULL);
    INSERT INTO agents SELECT n, 'agent-' || n, 'tinyllama' FROM generate_series(1, 8) n;
    CREATE TABLE tasks (
        id bigint PRIMARY KEY, agent int NOT NULL REFERENCES agents, state text NOT NULL CHECK (state <> ''),
        payload jsonb NOT NULL, created_at timestamptz NOT NULL);
    INSERT INTO tasks SELECT n, 1 + n % 8, (ARRAY['queued', 'running', 'done'])[1 + n % 3],
        jsonb_build_object('prompt', md5(n::text), 'tokens', n % 512), '2026-01-01Z'::timestamptz + n * interval '1 min'
        FROM generate_series(1, {TASKS}) n;
    CREATE INDEX ON tasks (agent, state);
    CREATE TABLE embeddings (task bigint PRIMARY KEY REFERENCES tasks, vector real[] NOT NULL);
    INSERT INTO embeddings SELECT n, ARRAY(SELECT sin(n * k)::real FROM generate_series(1, 32) k)
        FROM generate_series(1, {EMBEDDINGS}) n;
    CREATE VIEW open_tasks AS SELECT * FROM tasks WHERE state <> 'done';
"""  # noqa: S608  (both numbers are constants of this module)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo has proved so far, for its last screen."""

    backup_set: BackupSet
    verification: Verification
    refusal: str
    rows_back: int


def main() -> None:
    """Run the demo; the exit code is that of the first thing that fails."""
    terminal = Terminal()
    # Also for the job that Dagster runs: what is shown here needs no Docker, and touches nothing that runs there.
    os.environ["SUTAZAI_ENGINE"] = "embedded"
    try:
        run(terminal, open_installation())
    except OpsError as error:
        terminal.err.print(f"the demo stopped: {error}")
        sys.exit(error.exit_code)


def run(terminal: Terminal, installation: Installation) -> None:
    """Show one night, and leave the platform stopped or running as it was."""
    started = time.monotonic()
    _refuse_foreign(installation)
    running = _running(installation)
    watch = Watch(installation)
    try:
        with watch:
            shown = _show(terminal, installation)
    finally:
        for service in _ours(installation):
            if service not in running:
                installation.engine.stop(service)
    _conclude(terminal, installation, shown, time.monotonic() - started, watch.report())


class Watch:
    """Asks the probes of what runs for as long as the demo does, as the exporter would, and reports on what it saw."""

    def __init__(self, installation: Installation) -> None:
        from sutazai_ops.monitoring.promql import Samples
        from sutazai_ops.slo import promises_of
        from sutazai_ops.slo.embedded import Keeper

        self._installation = installation
        self._samples = Samples(HOUR_SECONDS)
        self._promises = promises_of(installation, _shown(installation))
        self._keeper = Keeper(lambda: self._promises, self._samples)
        self._over = Event()
        self._thread = Thread(target=self._ask, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        from sutazai_ops.monitoring.probes import probe_all
        from sutazai_ops.monitoring.promql import Sample

        while not self._over.wait(PROBE_SECONDS):
            reports = probe_all(_shown(self._installation), self._installation.engine)
            states = [
                Sample("sutazai_probe_state", {"service": one.service, "state": state}, one.outcome.state == state)
                for one in reports
                for state in ("ok", "failed", "unknown")
            ]
            self._samples.add(time.time(), states)

    def report(self) -> tuple[Report, Path]:
        """The report of this month so far, and its page."""
        from sutazai_ops.reports.files import Format
        from sutazai_ops.slo.period import month_of
        from sutazai_ops.slo.writing import write

        now = datetime.now(UTC)
        self._keeper.keep(now)
        span = month_of(now.date())
        report = self._promises.report(span)
        folder = self._installation.settings.reports / "slo"
        return report, write(report, folder, span.file_name, list(Format))[Format.HTML]


def _refuse_foreign(installation: Installation) -> None:
    if installation.settings.environment == "production":
        raise Refused("the demo does not run in production", remedy="unset SUTAZAI_ENVIRONMENT, or use another home")
    for service in installation.platform:
        if service.external:
            raise Refused(f"{service.name} belongs to somebody else, and the demo writes data", remedy="unset external")


def _ours(installation: Installation) -> list[str]:
    return [service.name for service in _shown(installation)]


def _shown(installation: Installation) -> list[Service]:
    """What has data to show; the exporter that watches it would only be waited for."""
    return [service for service in installation.platform if service.embedded and service.is_backed_up]


def _running(installation: Installation) -> set[str]:
    return {seen.service for seen in installation.engine.observe() if seen.state == "running"}


def _show(terminal: Terminal, installation: Installation) -> Shown:
    from sutazai_ops.backups.night import Backups

    backups = Backups.of(installation)
    engine = installation.engine
    with terminal.progress() as progress:
        engine.apply(engine.plan(_shown(installation)), progress)
    running = [seen for seen in engine.observe() if seen.state == "running"]
    terminal.facts({"1  up": ", ".join(f"{seen.service} {seen.version}" for seen in running)})
    postgres, redis = engine.server("postgres"), engine.server("redis")
    terminal.facts({"2  filled": _fill(postgres, redis)})
    _run_night(installation)
    backup_set = backups.store.find("newest")
    verification = backup_set.verification
    if verification is None:
        raise Corrupt(f"the set {backup_set.id} was not verified")
    terminal.facts({"3  night": _night_in_words(backup_set, verification)})
    refusal = _damage_a_copy(backups, backup_set)
    terminal.facts({"4  damage": f"one bit of a copy was flipped, and it was refused: {refusal}"})
    rows = _drop_and_restore(backups, backup_set, postgres)
    terminal.facts({"5  restore": f"the table tasks was dropped and is back with all of its {rows:,} rows"})
    return Shown(backup_set, verification, refusal, rows)


def _fill(postgres: Server, redis: Server) -> str:
    from sutazai_ops.engines.postgres import connect as connect_postgres
    from sutazai_ops.engines.redis import connect as connect_redis

    with connect_postgres(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    with connect_postgres(postgres, DATABASE) as connection:
        connection.execute(TABLES)
    with closing(connect_redis(redis, REDIS_DATABASE)) as client, client.pipeline(transaction=False) as pipeline:
        pipeline.flushdb()
        for number in range(SESSIONS):
            pipeline.set(f"session:{number}", f"user-{number % 5000}", ex=86_400 if number % 10 == 0 else None)
        pipeline.rpush("agent:tasks", *range(1000))
        pipeline.execute()
    return f"{TASKS + EMBEDDINGS + 8:,} rows in {DATABASE}, {SESSIONS + 1:,} keys in Redis database {REDIS_DATABASE}"


def _run_night(installation: Installation) -> None:
    home = installation.settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy("dagster.yaml", home)
    os.environ["DAGSTER_HOME"] = str(home)
    import dagster as dg

    from sutazai_ops.definitions import defs

    job = defs().resolve_job_def("nightly_backup")
    with dg.DagsterInstance.get() as instance:
        # Every line of the run's log is on its page in the UI; here it would hide what a person should see.
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=quiet)
    if not result.success:
        failed = next(event for event in result.all_events if event.is_step_failure)
        raise OpsError(f"the night failed: {failed.step_failure_data.error_display_string.splitlines()[0]}")


def _night_in_words(backup_set: BackupSet, verification: Verification) -> str:
    manifest = backup_set.manifest()
    return (
        f"the Dagster job nightly_backup took set {backup_set.id} ({human.size(manifest.stored_bytes)}, from"
        f" {human.size(manifest.raw_bytes)}) and restored it in {human.duration(verification.recovery_seconds or 0)}:"
        f" {manifest.rows:,} rows and {manifest.keys:,} keys, all as in the snapshot"
    )


def _damage_a_copy(backups: Backups, backup_set: BackupSet) -> str:
    from sutazai_ops.backups.manifest import Outcome
    from sutazai_ops.backups.sets import read_set
    from sutazai_ops.backups.verify import verify
    from sutazai_ops.progress import Silent

    with backups.bench() as bench:
        copy = bench.spool / backup_set.id
        shutil.copytree(backup_set.folder, copy)
        _flip(copy / f"postgres/{DATABASE}.dump.zst")
        damaged = read_set(copy, backups.store.id)
        verification = verify(damaged, bench, Silent()) if damaged else None
    if verification is None or verification.outcome is not Outcome.CORRUPT:
        raise OpsError("a damaged copy was not refused")
    return verification.rungs[-1].detail


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _drop_and_restore(backups: Backups, backup_set: BackupSet, postgres: Server) -> int:
    from sutazai_ops.backups.postgres.restore import drop_database
    from sutazai_ops.backups.restore import Wish, apply, plan
    from sutazai_ops.engines.postgres import connect
    from sutazai_ops.progress import Silent

    with connect(postgres, DATABASE) as connection:
        connection.execute("DROP TABLE tasks CASCADE")
    steps = plan(backups, backup_set, Wish(service="postgres", database=DATABASE, swap=True))
    for restoration in apply(backups, backup_set, steps, Silent()):
        drop_database(postgres, restoration.step.aside)
    with connect(postgres, DATABASE) as connection:
        row = connection.execute("SELECT count(*) FROM tasks").fetchone()
    rows = int(row[0]) if row else 0
    if rows != TASKS:
        raise Corrupt(f"tasks came back with {rows} rows instead of {TASKS}")
    return rows


def _conclude(
    terminal: Terminal, installation: Installation, shown: Shown, seconds: float, reported: tuple[Report, Path]
) -> None:
    port = 3000
    terminal.say()
    terminal.say(f"proved in {human.duration(seconds)}: the set {shown.backup_set.id} restores exactly, damage is")
    terminal.say("noticed, and a dropped table came back. What was started is stopped; the data is kept.")
    terminal.say()
    terminal.facts(
        {
            "look at the night": f"make dev, then http://127.0.0.1:{port}",
            "what users had": f"{reported[0].summary.verdict}, as it should say of one minute: {reported[1]}",
            "and of a month": "sutazai-ops slo report --sample --open",
            "look at the set": f"{installation.settings.backup_store / shown.backup_set.id}",
            "back up your own": "docs/start-here.md, two settings and one command",
        }
    )


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
