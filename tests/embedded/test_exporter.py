"""The exporter beside real servers: what it says of them, what it makes of their end, and its own life."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from server_processes import frozen, listener

from sutazai_ops.disk import free_bytes
from sutazai_ops.engines import State
from sutazai_ops.engines.redis import connect
from sutazai_ops.installation import Installation
from sutazai_ops.monitoring.exporter.collectors.queues import QueuesCollector
from sutazai_ops.progress import Silent
from sutazai_ops.settings import Loaded, MonitoringSettings, Settings

pytestmark = pytest.mark.servers

INTERVAL = 2.0
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
      probes: [{kind: redis, timeout_seconds: 1}]
      embedded: {server: valkey}
      queues:
        - {name: tasks, key: tasks, queued_at: queued}
        - {name: plain, key: plain}
        - {name: later, key: later, kind: sorted-set, queued_at: score, database: 3}
        - {name: events, key: events, kind: stream}
        - {name: wrong, key: text}
  exporter:
    image: sutazai/ops:0.1.0
    x-sutazai:
      probes: [{kind: http, port: 9177, path: /-/ready}]
      embedded: {server: exporter}
"""


def install(home) -> Installation:
    (home / "platform").mkdir(exist_ok=True)
    (home / "platform/core.yaml").write_text(PLATFORM)
    monitoring = MonitoringSettings(interval_seconds=INTERVAL)
    settings = Settings(home=home, platform=home / "platform", engine="embedded", monitoring=monitoring)
    return Installation(Loaded(settings=settings, origins={}))


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    installation = install(tmp_path_factory.mktemp("a home"))
    try:
        installation.engine.apply(installation.engine.plan(list(installation.platform)), Silent())
        until(lambda: figure(installation, "sutazai_probe_state", service="exporter", state="ok") == 1)
        until(lambda: figure(installation, "sutazai_service_health", service="exporter", state="ok") == 1)
        yield installation
    finally:
        for service in ("exporter", "cache", "db"):
            installation.engine.stop(service)


def fetch(installation: Installation, path: str) -> str:
    with urllib.request.urlopen(f"http://{installation.engine.endpoint('exporter')}{path}", timeout=5) as answer:
        return answer.read().decode()


def figure(installation: Installation, name: str, **labels: str) -> float | None:
    """The one value of that name with these labels; None where there is none."""
    found = [
        sample.value
        for family in text_string_to_metric_families(fetch(installation, "/metrics"))
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


def until(holds, seconds: float = 20) -> float:
    """How long it took until something was so."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds
        time.sleep(0.1)
    return time.monotonic() - begun


def process_of(here: Installation, service: str) -> psutil.Process:
    return listener(here.engine.endpoint(service).port)


def state(here: Installation, service: str) -> str:
    """Of one scrape: between two of them it may change."""
    [now] = [
        sample.labels["state"]
        for family in text_string_to_metric_families(fetch(here, "/metrics"))
        for sample in family.samples
        if sample.name == "sutazai_probe_state" and sample.labels["service"] == service and sample.value
    ]
    return now


class TestServices:
    def test_servers_that_answer_are_ok_run_and_are_measured(self, here):
        for service in ("db", "cache", "exporter"):
            assert state(here, service) == "ok"
            assert figure(here, "sutazai_service_state", service=service, state="running") == 1
            assert figure(here, "sutazai_service_health", service=service, state="ok") == 1
            assert figure(here, "sutazai_probe_age_seconds", service=service) < 3 * INTERVAL
        used = process_of(here, "cache").memory_full_info().pss
        assert figure(here, "sutazai_service_memory_working_set_bytes", service="cache") == pytest.approx(used, rel=0.2)

    def test_a_server_that_hangs_is_failed_within_its_interval_and_well_again_after_it(self, here):
        with frozen(process_of(here, "cache")):
            assert until(lambda: state(here, "cache") == "failed") < 2 * INTERVAL + 2
            assert state(here, "db") == "ok"
        until(lambda: state(here, "cache") == "ok")

    def test_a_server_that_was_killed_is_not_ok_within_its_interval(self, here):
        process = process_of(here, "cache")
        process.kill()
        psutil.wait_procs([process], timeout=5)
        assert until(lambda: state(here, "cache") != "ok") < 2 * INTERVAL + 2
        until(lambda: figure(here, "sutazai_service_state", service="cache", state="stopped") == 1)
        assert figure(here, "sutazai_service_health", service="cache", state="failed") == 1
        assert figure(here, "sutazai_service_memory_working_set_bytes", service="cache") is None
        here.engine.start("cache")
        until(lambda: state(here, "cache") == "ok")
        until(lambda: figure(here, "sutazai_service_state", service="cache", state="running") == 1)


class TestHost:
    """Node exporter's names; held against what this machine says by other ways."""

    def test_memory_is_what_the_kernel_says(self, here):
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        total, available = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
        assert figure(here, "node_memory_MemTotal_bytes") == total
        assert figure(here, "node_memory_MemAvailable_bytes") == pytest.approx(available, rel=0.2)

    def test_a_file_system_holds_what_df_says(self, here):
        home = here.settings.home
        disks = {
            sample.labels["mountpoint"]: sample.value
            for family in text_string_to_metric_families(fetch(here, "/metrics"))
            for sample in family.samples
            if sample.name == "node_filesystem_avail_bytes"
        }
        holding = max((one for one in disks if home.is_relative_to(one)), key=len)
        assert disks[holding] == pytest.approx(free_bytes(home), rel=0.05)

    def test_processor_time_grows_as_the_kernel_counts_it(self, here):
        idle = figure(here, "node_cpu_seconds_total", cpu="0", mode="idle")
        assert idle == pytest.approx(psutil.cpu_times(percpu=True)[0].idle, abs=30)


class TestQueues:
    @pytest.fixture
    def clients(self, here):
        server = here.engine.server("cache")
        with closing(connect(server)) as client, closing(connect(server, 3)) as third:
            for one in (client, third):
                one.flushdb()
            yield client, third
            for one in (client, third):
                one.flushdb()

    def collect(self, here) -> tuple[dict[tuple[str, str], float], tuple[str, ...]]:
        services = list(here.platform)
        found = QueuesCollector(here.engine, lambda: services, interval=30).collect()
        return {
            (one.name.removeprefix("sutazai_queue_"), one.labels["queue"]): one.value for one in found.measured
        }, found.missing

    def test_queues_that_do_not_exist_are_empty(self, here, clients):
        found, missing = self.collect(here)
        assert {found["depth", queue] for queue in ("tasks", "plain", "later", "events", "wrong")} == {0}
        assert {key[1] for key in found if key[0] == "oldest_age_seconds"} == {"tasks", "later", "events"}
        assert missing == ()

    def test_what_waits_is_what_the_server_counts_and_as_old_as_its_entry_says(self, here, clients):
        client, third = clients
        for ago in (5, 60, 1):
            client.lpush("tasks", json.dumps({"queued": time.time() - ago, "what": "x"}))
        client.rpush("plain", "a", "b")
        third.zadd("later", {"a": time.time() - 30, "b": time.time()})
        client.xadd("events", {"a": "1"}, id=f"{int((time.time() - 90) * 1000)}-0")
        found, missing = self.collect(here)
        assert found["depth", "tasks"] == client.llen("tasks") == 3
        assert found["depth", "plain"] == 2
        assert found["depth", "later"] == third.zcard("later") == 2
        assert found["depth", "events"] == client.xlen("events") == 1
        # Work is taken from the tail: the first that was pushed.
        ages = {queue: found["oldest_age_seconds", queue] for queue in ("tasks", "later", "events")}
        assert ages == pytest.approx({"tasks": 5, "later": 30, "events": 90}, abs=2)
        assert ("oldest_age_seconds", "plain") not in found
        assert missing == ()

    def test_of_a_stream_waits_what_its_slowest_group_has_not_acknowledged(self, here, clients):
        client, _ = clients
        ids = [client.xadd("events", {"n": n}, id=f"{int((time.time() - 100 + n) * 1000)}-0") for n in range(10)]
        client.xgroup_create("events", "quick", id="0")
        client.xgroup_create("events", "slow", id="0")
        client.xreadgroup("quick", "a", {"events": ">"}, count=10)
        client.xack("events", "quick", *ids)
        client.xreadgroup("slow", "a", {"events": ">"}, count=4)
        client.xack("events", "slow", ids[0], ids[1])
        found, _ = self.collect(here)
        assert found["depth", "events"] == 8
        assert found["oldest_age_seconds", "events"] == pytest.approx(98, abs=2)

    def test_what_was_all_worked_off_leaves_no_age(self, here, clients):
        client, _ = clients
        entry = client.xadd("events", {"a": "1"})
        client.xgroup_create("events", "g", id="0")
        client.xreadgroup("g", "a", {"events": ">"})
        client.xack("events", "g", entry)
        found, _ = self.collect(here)
        assert (found["depth", "events"], found["oldest_age_seconds", "events"]) == (0, 0)

    def test_a_key_of_another_kind_is_missing_and_the_others_are_not(self, here, clients):
        client, _ = clients
        client.set("text", "x")
        client.lpush("tasks", "no JSON")
        found, missing = self.collect(here)
        assert ("depth", "wrong") not in found
        assert found["depth", "tasks"] == 1
        assert ("oldest_age_seconds", "tasks") not in found
        assert missing == (
            "the queue tasks of cache: its oldest entry is not JSON, so that nobody knows since when it waits",
            "the queue wrong of cache: the key text is a string, not a list",
        )
        assert {found["info", queue] for queue in ("tasks", "plain", "later", "events", "wrong")} == {1}

    def test_the_running_exporter_serves_them(self, here, clients):
        client, _ = clients
        client.rpush("plain", *range(7))
        until(lambda: figure(here, "sutazai_queue_depth", queue="plain") == 7)

    def test_a_server_that_is_away_leaves_no_depth(self, here, clients):
        with frozen(process_of(here, "cache")):
            until(lambda: figure(here, "sutazai_queue_depth", queue="plain") is None)
            assert figure(here, "sutazai_queue_info", queue="plain") == 1


class TestAnswers:
    def test_the_three_questions_of_prometheus_are_answered(self, here):
        until(lambda: json.loads(fetch(here, "/api/v1/rules"))["data"]["groups"][0]["rules"][0]["health"] == "ok")
        query = quote('max by (service) (sutazai_probe_state{state="ok"})')
        result = json.loads(fetch(here, f"/api/v1/query?query={query}"))["data"]["result"]
        assert {one["metric"]["service"] for one in result} == {"db", "cache", "exporter"}
        alerts = json.loads(fetch(here, "/api/v1/alerts"))["data"]["alerts"]
        assert "watchdog" in {one["labels"]["alertname"] for one in alerts}


class TestLife:
    def test_it_is_found_again_and_no_other_is_started(self, here):
        before = process_of(here, "exporter").pid
        another = Installation(here.loaded)
        another.engine.apply(another.engine.plan(list(another.platform)), Silent())
        assert process_of(another, "exporter").pid == before

    def test_it_ends_when_told_to_keeps_its_port_and_its_log(self, here):
        port, process = here.engine.endpoint("exporter").port, process_of(here, "exporter")
        begun = time.monotonic()
        here.engine.stop("exporter")
        assert time.monotonic() - begun < 10
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        # What is being measured then may still say so.
        assert any(line.endswith("INFO ending") for line in here.engine.logs("exporter")[-3:])
        seen = next(one for one in here.engine.observe() if one.service == "exporter")
        assert seen.state is State.STOPPED
        here.engine.start("exporter")
        assert here.engine.endpoint("exporter").port == port
        until(lambda: fetch_ready(here) == "ready")

    def test_it_has_no_terminal_and_no_secret_in_its_arguments_or_environment(self, here):
        process = process_of(here, "exporter")
        told = " ".join([*process.cmdline(), *process.environ().values()])
        for file in (here.settings.secrets).iterdir():
            assert file.read_text().strip() not in told
        assert process.terminal() is None

    def test_its_own_share_of_memory_is_little(self, here):
        # As this engine counts what a service uses: pages that several processes share are not all its own.
        assert process_of(here, "exporter").memory_full_info().pss < 100 * 1024 * 1024

    def test_a_service_that_its_file_gains_is_watched_without_a_restart(self, here):
        file, process = here.settings.platform / "core.yaml", process_of(here, "exporter")
        begun = process.create_time()
        more = "  more:\n    image: valkey/valkey:9\n    x-sutazai: {embedded: {server: valkey}}\n"
        file.write_text(PLATFORM + more)
        try:
            until(lambda: "more" in fetch_services(here), seconds=40)
        finally:
            file.write_text(PLATFORM)
        until(lambda: fetch_ready(here) == "ready" and "more" not in fetch_services(here), seconds=40)
        assert process_of(here, "exporter").pid == process.pid
        assert process.create_time() == begun

    def test_it_ends_though_a_server_hangs(self, here):
        with frozen(process_of(here, "db")), frozen(process_of(here, "cache")):
            time.sleep(INTERVAL)
            process = process_of(here, "exporter")
            os.kill(process.pid, signal.SIGTERM)
            gone, _ = psutil.wait_procs([process], timeout=5)
            assert gone or process.status() == psutil.STATUS_ZOMBIE
        here.engine.start("exporter")


def fetch_services(here: Installation) -> set[str]:
    try:
        families = text_string_to_metric_families(fetch(here, "/metrics"))
    except OSError:
        return set()
    return {sample.labels.get("service", "") for family in families for sample in family.samples}


def fetch_ready(here: Installation) -> str:
    try:
        return fetch(here, "/-/ready").strip()
    except OSError:
        return ""
