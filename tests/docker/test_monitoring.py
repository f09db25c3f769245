"""The monitoring phase on a real engine: real Prometheus, Alertmanager and exporters, and ours in a container.

Grafana, Loki and Alloy are stand-ins: what they are told is not read by them here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import docker
import pytest
import requests
from build import ImageRegistry, build
from projects import eventually
from sink import Sink
from test_whole_platform import Platform

pytestmark = pytest.mark.docker

DEPLOYED = (
    "exporter", "docker-proxy", "prometheus", "alertmanager", "grafana", "loki", "alloy", "node-exporter",
    "postgres-exporter", "redis-exporter", "postgres", "redis", "ollama", "backend", "qa-validator", "frontend", "edge",
)  # fmt: skip
SOON = 240
"""Seconds. The machine is shared: an alert that is due within two minutes is waited for longer."""


class Monitored:
    """The packaged platform's core and monitoring, and who is told of its alerts."""

    def __init__(self, platform: Platform, sink: Sink) -> None:
        self.platform, self.sink = platform, sink

    def get(self, service: str, port: int, path: str) -> requests.Response:
        """Ask a service on the network of the monitoring."""
        networks = self.platform.containers()[service].attrs["NetworkSettings"]["Networks"]
        address = next(one["IPAddress"] for name, one in networks.items() if name.endswith("-monitoring"))
        return requests.get(f"http://{address}:{port}{path}", timeout=10)

    def work(self) -> None:
        """Have a task done and a question answered, so that there is something to measure."""
        networks = self.platform.containers()["backend"].attrs["NetworkSettings"]["Networks"]
        backend = f"http://{next(iter(networks.values()))['IPAddress']}:8000"
        self.platform.containers()["ollama"].exec_run(["ollama", "pull", "tinyllama"])
        task = requests.post(f"{backend}/tasks", json={"prompt": "add two and two"}, timeout=10).json()["id"]
        until(lambda: requests.get(f"{backend}/tasks/{task}", timeout=10).json()["state"] == "done")
        assert requests.post(f"{backend}/chat", json={"prompt": "and three"}, timeout=10).ok

    def query(self, expression: str) -> list[dict]:
        """Ask Prometheus."""
        answer = self.get("prometheus", 9090, f"/api/v1/query?query={requests.utils.quote(expression)}")
        return answer.json()["data"]["result"]


def until(true, seconds: float = SOON) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(1)


@pytest.fixture(scope="module")
def monitored(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[Monitored]:
    folder = tmp_path_factory.mktemp("monitored")
    platform = Platform(folder, registry, engine_client)
    sink = None
    try:
        receivers = {}
        for name, path in (("team", "/team"), ("nobody-there", "/refuses")):
            (folder / name).write_text(f"http://sink:8080{path}\n")
            (folder / name).chmod(0o600)
            receivers[name] = {"kind": "webhook", "url_file": str(folder / name)}
        platform.environment = {**platform.environment, "SUTAZAI_ALERTS__RECEIVERS": json.dumps(receivers)}
        sink = Sink(engine_client, build(engine_client, "app"), f"{platform.name}-monitoring")
        done = platform.ops("deploy", "--yes", "--services", ",".join(DEPLOYED))
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
        yield Monitored(platform, sink)
    finally:
        if sink:
            sink.remove()
        platform.remove()


def test_the_exporter_sees_every_service_from_its_own_container(monitored):
    def states() -> dict[str, str]:
        figures = monitored.get("exporter", 9177, "/metrics").text.splitlines()
        seen = [line for line in figures if line.startswith("sutazai_probe_state{") and line.endswith(" 1.0")]
        return {line.partition('service="')[2].partition('"')[0]: line.partition('state="')[2][:2] for line in seen}

    until(lambda: set(states().values()) == {"ok"} and set(DEPLOYED) == states().keys())
    log = monitored.platform.containers()["exporter"].logs().decode()
    assert "Connection pool is full" not in log


def test_prometheus_scrapes_all_that_runs_and_has_the_rules_that_were_generated(monitored):
    meant = set(DEPLOYED) & {
        "exporter", "prometheus", "alertmanager", "grafana", "loki", "alloy", "node-exporter", "postgres-exporter",
        "redis-exporter", "backend", "qa-validator", "edge",
    }  # fmt: skip
    until(lambda: meant <= {one["metric"]["service"] for one in monitored.query("up == 1")})
    files = (monitored.platform.home / "generated/prometheus/rules").glob("*.yml")
    groups = monitored.get("prometheus", 9090, "/api/v1/rules").json()["data"]["groups"]
    loaded = [rule["name"] for group in groups for rule in group["rules"]]
    written = [
        line.split(": ")[1]
        for file in files
        for line in file.read_text().splitlines()
        if line.lstrip("- ").startswith(("record:", "alert:"))
    ]
    assert sorted(loaded) == sorted(written)
    assert [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")] == []


def test_a_phase_that_was_not_rolled_out_is_no_alarm(monitored):
    time.sleep(90)
    alerts = json.loads(monitored.platform.ops("alerts", "--json").stdout)["alerts"]
    about = {(one["alert"], one["labels"].get("service")) for one in alerts}
    assert not [one for one in about if one[1] in {"qdrant", "n8n", "code-improver", "chromadb"}], about


def test_a_test_alert_reaches_who_can_be_told_and_says_who_cannot(monitored):
    done = monitored.platform.ops("alerts", "test", "--json")
    assert {one["receiver"]: one["arrival"] for one in json.loads(done.stdout)} == {
        "team": "told",
        "nobody-there": "failed",
    }
    assert done.returncode == 3
    assert ("trial", "", "firing") in monitored.sink.alerts("/team")


def test_the_platforms_own_programs_keep_the_metric_contract(monitored):
    monitored.work()
    done = monitored.platform.ops("contract", "backend", "qa-validator", "--json")
    assert done.returncode == 0, done.stdout
    kept = json.loads(done.stdout)["services"]
    met = {(name, part["name"]) for name, parts in kept.items() for part in parts if part["state"] == "met"}
    assert {("backend", "durations"), ("backend", "inference"), ("qa-validator", "tasks")} <= met
    assert ("qa-validator", "task durations") in met


def test_the_signals_are_shown_with_their_values(monitored):
    done = monitored.platform.ops("signals", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["signals"]
    memory = [row for row in rows if row["signal"] == "service_memory" and row["labels"].get("service") == "backend"]
    assert [(row["state"], 0 < row["value"] < 1) for row in memory] == [("ok", True)]
    shown = monitored.platform.ops("signals", "service_memory").stdout
    assert "backend" in shown
    assert "> 90%" in shown


def test_every_panel_has_something_to_show(monitored):
    done = monitored.platform.ops("dashboards", "check")
    assert done.returncode == 0, done.stdout


def test_a_queue_that_died_is_told_once_and_what_stands_on_it_is_not(monitored):
    redis = monitored.platform.containers()["redis"]
    redis.stop()
    try:
        until(lambda: ("service_down", "redis", "firing") in monitored.sink.alerts("/team"))
        until(
            lambda: (
                {"backend", "redis"}
                <= {one["metric"]["service"] for one in monitored.query("signal:service_down == 1")}
            )
        )
        time.sleep(75)
        told = [one for one in monitored.sink.alerts("/team") if one[0] == "service_down"]
        assert told == [("service_down", "redis", "firing")]
        alerts = [alert for message in monitored.sink.messages("/team") for alert in message["alerts"]]
        told = next(alert["annotations"] for alert in alerts if alert["labels"]["alertname"] == "service_down")
        assert told["next"] == "sutazai-ops probe redis"
        assert told["runbook_url"].endswith("service_down.md")
    finally:
        redis.start()
    until(lambda: ("service_down", "redis", "resolved") in monitored.sink.alerts("/team"))


def test_a_threshold_that_waits_longer_makes_those_anew_that_read_it_and_nothing_else(monitored, tmp_path):
    mine = tmp_path / "thresholds.yaml"
    mine.write_text("host_cpu_high: {for: 7m}\n")
    variables = {"SUTAZAI_MONITORING__THRESHOLDS": str(mine)}
    monitored.platform.settled()
    plan = monitored.platform.ops("plan", "--services", ",".join(DEPLOYED), "--json", **variables)
    changed = [step["service"] for step in json.loads(plan.stdout)["steps"] if step["act"] != "unchanged"]
    # The exporter mounts the file and evaluates by it too.
    assert set(changed) == {"prometheus", "exporter"}


def test_a_new_address_of_a_receiver_makes_alertmanager_anew(monitored):
    settings = json.loads(monitored.platform.environment["SUTAZAI_ALERTS__RECEIVERS"])
    from pathlib import Path

    Path(settings["team"]["url_file"]).write_text("http://sink:8080/elsewhere\n")
    done = monitored.platform.ops("deploy", "--yes", "--services", "alertmanager", "--json")
    assert done.returncode == 0, done.stderr
    monitored.platform.ops("alerts", "test")
    eventually(lambda: ("trial", "", "firing") in monitored.sink.alerts("/elsewhere"))
    assert "sink:8080" not in json.dumps(monitored.platform.containers()["alertmanager"].attrs)
