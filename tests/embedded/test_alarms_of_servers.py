"""Real causes on the embedded engine, where the exporter itself judges and tells: the same as on containers.

What there is none of here cannot break: containers with limits, applications with metrics, certificates, replicas.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
import pytest
import yaml
from dagster_home import Dagster
from server_processes import frozen, listener
from sinks import mailbox, webhook
from typer.testing import CliRunner

import sutazai_ops.monitoring.thresholds
from sutazai_ops.cli import app
from sutazai_ops.engines.daemons import free_port
from sutazai_ops.engines.redis import connect
from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import AlertSettings, Loaded, MonitoringSettings, Receiver, Settings, as_environment

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

WITHIN_SECONDS = 240
PACKAGED = Path(sutazai_ops.monitoring.thresholds.__file__).with_name("thresholds.yaml")
PLATFORM = """
services:
  db:
    image: postgres:18
    x-sutazai:
      probes: [{kind: postgres, timeout_seconds: 1}]
      embedded: {server: postgres}
  cache:
    image: valkey/valkey:9
    x-sutazai:
      tier: stateless
      backup: none
      probes: [{kind: redis, timeout_seconds: 1}]
      embedded: {server: valkey}
  queue:
    image: valkey/valkey:9
    x-sutazai:
      tier: stateless
      backup: none
      criticality: critical
      probes: [{kind: redis, timeout_seconds: 1}]
      queues: [{name: tasks, key: tasks, queued_at: queued}, {name: wrong, key: wrong}]
      embedded: {server: valkey}
  exporter:
    image: sutazai/ops:0.1.0
    x-sutazai:
      probes: [{kind: http, port: 9177, path: /-/ready}]
      embedded: {server: exporter}
"""
HOG_BYTES = psutil.virtual_memory().total // 10


class Alone:
    """A platform of servers, and where its alerts arrive."""

    def __init__(self, home: Path, sink, mail) -> None:
        self.sink, self.mail, self.dagster = sink, mail, Dagster(home / "dagster")
        self.dagster.spoil()
        (home / "platform").mkdir()
        (home / "platform/core.yaml").write_text(PLATFORM)
        (home / "url").write_text(sink.address)
        quick = {name: {"for": "0s", "keep_firing_for": "0s"} for name in yaml.safe_load(PACKAGED.read_text())}
        # What a test may take of a machine is less than 85 %: what it takes has to be noticed all the same.
        memory = psutil.virtual_memory()
        quick["host_memory_high"]["above"] = round(1 - (memory.available - HOG_BYTES / 2) / memory.total, 3)
        (home / "thresholds.yaml").write_text(yaml.safe_dump(quick))
        # A rate over five minutes takes minutes to become that of the last one.
        busy = '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[30s]))'
        failing = "sum by (collector) (increase(sutazai_exporter_errors_total[1m]))"
        untold = "sum by (receiver) (increase(sutazai_notifications_failed_total[1m]))"
        queries = {"host_cpu": busy, "collector_errors": failing, "notice_failures": untold}
        (home / "signals.yaml").write_text(yaml.safe_dump({name: {"query": one} for name, one in queries.items()}))
        receivers = {
            "hook": Receiver(kind="webhook", url_file=home / "url"),
            "post": Receiver(
                kind="mail", to="oncall@example.org", sender="ops@example.org", smarthost=mail.address, tls=False
            ),
        }
        settings = Settings(
            home=home,
            platform=home / "platform",
            engine="embedded",
            environment="production",
            monitoring=MonitoringSettings(
                interval_seconds=2, thresholds=home / "thresholds.yaml", signals=home / "signals.yaml"
            ),
            alerts=AlertSettings(receivers=receivers),
        )
        self.here = Installation(Loaded(settings=settings, origins={}))

    @property
    def home(self) -> Path:
        """Where all of it lies."""
        return self.here.settings.home

    def start(self) -> None:
        """Start everything."""
        self.here.engine.apply(self.here.engine.plan(list(self.here.platform)), Silent())

    def stop(self) -> None:
        """End everything."""
        for service in ("exporter", "cache", "queue", "db"):
            self.here.engine.stop(service)

    def process(self, service: str) -> psutil.Process:
        """The one that listens."""
        return listener(self.here.engine.endpoint(service).port)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    home = tmp_path_factory.mktemp("a home")
    with webhook("127.0.0.1") as sink, mailbox("127.0.0.1", free_port()) as mail:
        one = Alone(home, sink, mail)
        try:
            one.start()
            yield one
        finally:
            one.stop()


@pytest.fixture
def ops(alone, monkeypatch):
    for name in [name for name in os.environ if name.startswith("SUTAZAI_")]:
        monkeypatch.delenv(name)
    for name, value in as_environment(alone.here.settings).items():
        monkeypatch.setenv(name, value)

    def call(*words: str) -> str:
        result = CliRunner().invoke(app, [*words])
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def await_all(claims, within: float = WITHIN_SECONDS) -> None:
    """Wait until every claim is true; what is not in time fails by its name."""
    until, open_ = time.monotonic() + within, dict(claims)
    while open_ := {name: claim for name, claim in open_.items() if not claim()}:
        assert time.monotonic() < until, f"after {within} s: {', '.join(open_)}"
        time.sleep(0.5)


@contextmanager
def hogs():
    """Processes that use every processor, and one that holds memory."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    holds = f"import time; held = b'x' * {HOG_BYTES}; time.sleep(900)"
    made = [*busy, subprocess.Popen([sys.executable, "-c", holds])]
    try:
        yield
    finally:
        for one in made:
            one.kill()
            one.wait()


@contextmanager
def stuffed(alone: Alone):
    """A queue with an old entry, and a key that is no list."""
    with closing(connect(alone.here.engine.server("queue"))) as client:
        client.lpush("tasks", json.dumps({"queued": time.time() - 600}))
        client.set("wrong", "x")
        yield
        client.delete("tasks", "wrong")


def test_each_cause_is_told_by_webhook_and_mail_and_its_end_too(alone, ops):
    sink, mail = alone.sink, alone.mail
    # One receiver is down at first: it is tried again, the other one says so, and nothing is lost.
    sink.status = 500
    await_all({"notices_undelivered, by mail": lambda: mail.has("notices_undelivered")})
    sink.status = 200
    with alone.dagster.daemon():
        with ExitStack() as causes:
            killed = alone.process("cache")
            killed.kill()
            causes.enter_context(frozen(alone.process("db")))
            causes.enter_context(stuffed(alone))
            with hogs():
                await_all({name: lambda name=name: sink.fired(name) for name in ("host_cpu_high", "host_memory_high")})
            await_all(
                {
                    "service_down, killed": lambda: sink.fired("service_down", service="cache"),
                    "service_down, hung": lambda: sink.fired("service_down", service="db"),
                    "queue_old": lambda: sink.fired("queue_old", queue="tasks"),
                    "collector_failing": lambda: sink.fired("collector_failing", collector="queues"),
                    "signal_unknown": lambda: sink.fired("signal_unknown", queue="wrong"),
                    "dagster_schedule_missed": lambda: sink.fired("dagster_schedule_missed", schedule="hourly"),
                    "dagster_runs_stuck": lambda: sink.fired("dagster_runs_stuck"),
                    "backup_stale": lambda: sink.fired("backup_stale"),
                    "backup_unverified": lambda: sink.fired("backup_unverified"),
                    "by mail": lambda: mail.has("service_down", "cache", "runbooks/service_down.md"),
                }
            )
            # Nothing stands on the cache, and nobody is woken.
            [told] = [one for one in sink.alerts("service_down", service="cache") if one["status"] == "firing"]
            assert told["labels"]["severity"] == "ticket"
        alone.here.engine.start("cache")
        alone.dagster.mend()
        ops("backup", "run")
        ended = (
            "host_memory_high", "service_down", "queue_old", "collector_failing", "signal_unknown",
            "dagster_schedule_missed", "dagster_runs_stuck", "backup_stale", "backup_unverified", "notices_undelivered",
        )  # fmt: skip
        await_all(
            {name: lambda name=name: sink.resolved(name) for name in ended}
            # It does not end on a machine that is as busy without us.
            | {"host_cpu_high": lambda: sink.resolved("host_cpu_high") or psutil.cpu_percent(interval=1) > 80}
        )
    await_all({"dagster_asleep": lambda: sink.fired("dagster_asleep", daemon="SCHEDULER")})
    with alone.dagster.daemon():
        await_all({"dagster_asleep": lambda: sink.resolved("dagster_asleep")})
