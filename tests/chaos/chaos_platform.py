"""The watched platform of tests/docker/watched, made ready to be broken: backed up, with a quick pace if wanted."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import psycopg
import requests
import yaml
from watched.platform import Watched

from sutazai_ops.ledger import Ledger, open_ledger
from sutazai_ops.remediation.playbooks import PACKAGED
from sutazai_ops.settings import Settings

if TYPE_CHECKING:
    from build import ImageRegistry
    from chaos_apart import Daemon

AT_ONCE = (
    "service_down", "service_restarting", "service_out_of_memory", "http_errors", "queue_old", "postgres_locked",
    "host_disk_full",
)  # fmt: skip
"""Thresholds that fire in the round in which they break; all others wait as they do."""
LINGER = ("service_down", "service_restarting", "http_errors", "queue_old", "postgres_locked")
"""Of what is over they still tell for as long as they look back, and the remediation would act on that."""
OF_THE_HOST = ("host_cpu_high", "host_memory_high", "service_cpu_high", "host_disk_filling")
"""Left out; the last since by two minutes, in place of six hours, it foretells nothing."""
QUICK = {"persists": 20, "grace": 10, "polls": 2}
"""At most so many seconds, and looks, where the pace is quick."""


class Report:
    """A query of a user that runs, and later takes a lock on the table that everybody needs."""

    def __init__(self, platform: Broken, key: int) -> None:
        self.begun, self._key, self._platform = time.monotonic(), key, platform
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether its session lasts: a server that was started again has ended it."""
        return self._thread.is_alive()

    def lock(self) -> None:
        """Let it take its lock."""
        with self._platform.connect() as user:
            user.execute("INSERT INTO chaos_turns VALUES (%s)", [self._key])

    def end(self) -> None:
        """End it as a person would; the others go on waiting."""
        with self._platform.connect() as person:
            person.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE %s AND pid <> pg_backend_pid()",
                [f"%key = {self._key})%"],
            )

    def _run(self) -> None:
        # One text, so that to the server it is one query that has run since then; it waits for no lock before its turn.
        turn = f"EXIT WHEN EXISTS (SELECT FROM chaos_turns WHERE key = {self._key})"
        text = f"LOOP {turn}; PERFORM pg_sleep(1); END LOOP; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE"
        with suppress(psycopg.Error), self._platform.connect() as session:
            session.execute(f"DO $$ BEGIN {text}; PERFORM pg_sleep(900); END $$")


class Broken(Watched):
    """The platform that is broken and mended."""

    reports: list[Report]
    health_checks = "interval: 15s"
    """As packaged: others than us go by it."""

    def __init__(self, folder: Path, registry: ImageRegistry, client: docker.DockerClient, daemon: Daemon) -> None:
        super().__init__(folder, registry, client)
        self.daemon = daemon

    @property
    def whole_environment(self) -> Mapping[str, str]:
        return {**os.environ, **self.environment}

    @property
    def deployed(self) -> list[str]:
        # Two agents show what seven would, and the machine has two processors.
        spared = {"deployment-automation-master", "ollama-integration-specialist", "senior-ai-engineer"}
        return [name for name in super().deployed if name not in spared]

    @property
    def ledger(self) -> Ledger:
        return open_ledger(Settings(home=self.home))

    @property
    def address_of_users(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def make_ready(self, *, is_quick: bool) -> None:
        """Roll out, back up, and write the playbooks."""
        self._leave_the_host_out()
        self._forget_requests_soon()
        self.environment = {
            **self.environment,
            "SUTAZAI_REMEDIATION__MAY_DISRUPT": '["postgres"]',
            "SUTAZAI_SLO__GATE": "off",
        }
        if is_quick:
            (self.home / "playbooks.yaml").write_text(quick_playbooks())
            self.environment["SUTAZAI_REMEDIATION__PLAYBOOKS"] = str(self.home / "playbooks.yaml")
        self.must("deploy", "--yes", "--services", ",".join(self.deployed))
        self.containers()["ollama"].exec_run(["ollama", "pull", self._model()])
        self.must("backup", "run")

    def _model(self) -> str:
        """The one that its applications ask: without it each task ends, and none is done."""
        environment = self.containers()["backend"].attrs["Config"]["Env"]
        return next(one.partition("=")[2] for one in environment if one.startswith("OLLAMA_MODEL="))

    def put_right(self) -> None:
        """Have all of it run as it is meant to."""
        self.must("deploy", "--yes", "--services", ",".join(self.deployed))

    def begin_reports(self, count: int) -> None:
        """Begin so many reports that will lock a table at their turn."""
        with self.connect() as user:
            user.execute("CREATE TABLE IF NOT EXISTS chaos_turns (key bigint)")
        self.reports = [Report(self, time.monotonic_ns() + key) for key in range(count)]

    def take_report(self) -> Report:
        """One that has run since then, or a new one where none is left."""
        self.reports = [one for one in self.reports if one.runs]
        if not self.reports:
            self.begin_reports(1)
        return self.reports.pop()

    def must(self, *arguments: str) -> None:
        """Run `sutazai-ops`, which has to end well."""
        done = self.ops(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def _leave_the_host_out(self) -> None:
        """What the machine is busy with besides is none of the platform's faults."""
        file = self.home / "thresholds.yaml"
        quick = yaml.safe_load(file.read_text())
        mine = {name: quick[name] for name in AT_ONCE} | dict.fromkeys(OF_THE_HOST)
        file.write_text(yaml.safe_dump({**mine, "http_slow": {"above": 1.0}}))

    def _forget_requests_soon(self) -> None:
        """Look at a minute of requests, four scrapes, not two: each fault waits until the last one's are forgotten."""
        file = self.home / "signals.yaml"
        signals = yaml.safe_load(file.read_text())
        for name in (name for name in signals if name.startswith("http_")):
            signals[name]["query"] = signals[name]["query"].replace("[2m]", "[1m]")
        file.write_text(yaml.safe_dump(signals))

    def forget(self) -> None:
        """Close every incident and forget every repair, so that what comes next is the first of its day."""
        ledger = self.ledger
        for one in ledger.incidents.open_ones():
            ledger.incidents.close(one.number, datetime.now(UTC), "chaos", "")
        with ledger._engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM repairs")

    def is_well(self) -> bool:
        """Whether every container of it runs and is healthy, and nothing that pages fires."""
        unwell = [
            name
            for name, one in self.containers().items()
            if one.status != "running" or one.health in {"unhealthy", "starting"}
        ]
        with suppress(requests.RequestException, KeyError):
            return not unwell and not self.prometheus("signal:service_down > 0")
        return False

    def is_quiet(self) -> bool:
        """Whether nothing of the last fault is still told."""
        with suppress(requests.RequestException, KeyError):
            names = "|".join(LINGER)
            return not self.prometheus(f'ALERTS{{alertstate="firing", alertname=~"{names}"}}')
        return False

    def connect(self) -> psycopg.Connection:
        """A session of a user of the database."""
        password = (self.home / "secrets" / "postgres-password").read_text().strip()
        return psycopg.connect(
            host=self.address("postgres"), user="sutazai", dbname="sutazai", password=password, autocommit=True
        )

    def not_done(self, tasks: list[int]) -> list[int]:
        """Those of some tasks that no agent has brought to an end, whether or not the database has them."""
        with self.connect() as user:
            found = user.execute("SELECT id FROM tasks WHERE state <> 'queued' AND id = ANY(%s)", [tasks]).fetchall()
        return sorted(set(tasks) - {number for (number,) in found})

    def kill(self, service: str) -> None:
        self.containers()[service].kill()

    def start(self, service: str) -> None:
        with suppress(docker.errors.APIError):
            self.containers()[service].start()

    def restart(self, service: str) -> None:
        self.containers()[service].restart(timeout=1)

    def takes_sessions(self) -> bool:
        """Whether the database does."""
        try:
            self.connect().close()
        except psycopg.Error:
            return False
        return True

    def answers(self, service: str, port: int, path: str = "/health") -> bool:
        """Whether it says that it is well."""
        try:
            return requests.get(f"http://{self.address(service)}:{port}{path}", timeout=2).ok
        except requests.RequestException:
            return False

    def edit(self, file: str, old: str, new: str) -> None:
        """Change one place of a phase's file."""
        path = Path(self.folder / file)
        text = path.read_text()
        assert text.count(old) == 1, (file, old)
        path.write_text(text.replace(old, new))


def quick_playbooks() -> str:
    """The packaged ones, each of whose waits is cut short."""
    found = yaml.safe_load(PACKAGED.read_text())
    for playbook in found.values():
        playbook["persists"] = _at_most(playbook.get("persists", "90s"), QUICK["persists"])
        for rung in playbook.get("ladder", ()):
            rung["grace"] = _at_most(rung.get("grace", "30s"), QUICK["grace"])
            rung["polls"] = QUICK["polls"]
    return yaml.safe_dump(found)


def _at_most(length: str, most: int) -> str:
    return length if length == "0s" else f"{most}s"


def await_true(claim, within: float) -> bool:
    """Whether it became true in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if claim():
            return True
        time.sleep(1)
    return False
