"""What is asked of the monitoring of a platform on which nothing is broken."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import requests
import yaml

from watched.platform import NOT_DEPLOYED, Watched, await_all

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SCRAPED = {
    "exporter", "prometheus", "alertmanager", "grafana", "loki", "alloy", "node-exporter", "postgres-exporter",
    "redis-exporter", "backend", "qa-validator", "edge",
}  # fmt: skip


def work(watched: Watched) -> None:
    """Have a task done and a question answered, so that there is something to measure."""
    backend = f"http://{watched.address('backend')}:8000"
    watched.containers()["ollama"].exec_run(["ollama", "pull", "llama3.2:3b"])
    task = requests.post(f"{backend}/tasks", json={"prompt": "add two and two"}, timeout=10).json()["id"]
    await_all({"done": lambda: requests.get(f"{backend}/tasks/{task}", timeout=10).json()["state"] == "done"})
    assert requests.post(f"{backend}/chat", json={"prompt": "and three"}, timeout=10).ok


def test_the_exporter_sees_every_service_from_its_own_container(watched: Watched):
    def states() -> dict[str, str]:
        figures = requests.get(f"http://{watched.address('exporter')}:9177/metrics", timeout=10).text.splitlines()
        seen = [line for line in figures if line.startswith("sutazai_probe_state{") and line.endswith(" 1.0")]
        return {line.partition('service="')[2].partition('"')[0]: line.partition('state="')[2][:2] for line in seen}

    await_all({"all of them are ok": lambda: states() == dict.fromkeys(watched.deployed, "ok")})
    log = watched.containers()["exporter"].logs().decode()
    assert "Connection pool is full" not in log


def test_prometheus_scrapes_all_that_runs_and_has_the_rules_that_were_generated(watched: Watched):
    await_all({"scraped": lambda: {key[-1] for key in watched.prometheus("up == 1")} >= SCRAPED})
    files = (watched.home / "generated/prometheus/rules").glob("*.yml")
    url = f"http://{watched.address('prometheus')}:9090/api/v1/rules"
    groups = requests.get(url, timeout=10).json()["data"]["groups"]
    loaded = [rule["name"] for group in groups for rule in group["rules"]]
    written = [
        line.split(": ")[1]
        for file in files
        for line in file.read_text().splitlines()
        if line.lstrip("- ").startswith(("record:", "alert:"))
    ]
    assert sorted(loaded) == sorted(written)
    assert [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")] == []


def test_what_was_not_rolled_out_is_no_alarm(watched: Watched):
    alerts = json.loads(watched.ops("alerts", "--json").stdout)["alerts"]
    about = {(one["alert"], one["labels"].get("service")) for one in alerts}
    assert not [one for one in about if one[1] in {"qdrant", "n8n", "chromadb", NOT_DEPLOYED}], about


def test_the_platforms_own_programs_keep_the_metric_contract(watched: Watched):
    work(watched)
    agents = watched.agents()
    done = watched.ops("contract", "backend", *agents, "--json")
    assert done.returncode == 0, done.stdout
    kept = json.loads(done.stdout)["services"]
    met = {(name, part["name"]) for name, parts in kept.items() for part in parts if part["state"] == "met"}
    assert {("backend", "durations"), ("backend", "inference")} <= met
    # Whichever took the task.
    assert any({(name, "tasks"), (name, "task durations")} <= met for name in agents)


def test_the_signals_are_shown_with_their_values(watched: Watched):
    done = watched.ops("signals", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["signals"]
    memory = [row for row in rows if row["signal"] == "service_memory" and row["labels"].get("service") == "backend"]
    assert [(row["state"], 0 < row["value"] < 1) for row in memory] == [("ok", True)]
    shown = watched.ops("signals", "service_memory").stdout
    assert "backend" in shown
    assert "> 90%" in shown


def test_every_panel_has_something_to_show(watched: Watched):
    # A rate needs two scrapes after the first of what it counts.
    deadline = time.monotonic() + 120
    while (done := watched.ops("dashboards", "check")).returncode != 0 and time.monotonic() < deadline:
        time.sleep(5)
    assert done.returncode == 0, done.stdout


def test_a_threshold_that_waits_longer_makes_those_anew_that_read_it_and_nothing_else(watched: Watched, tmp_path: Path):
    quick = yaml.safe_load((watched.home / "thresholds.yaml").read_text())
    mine = tmp_path / "thresholds.yaml"
    mine.write_text(yaml.safe_dump({**quick, "host_cpu_high": {**quick["host_cpu_high"], "for": "7m"}}))
    watched.settled()
    deployed = ",".join(watched.deployed)
    plan = watched.ops("plan", "--services", deployed, "--json", SUTAZAI_MONITORING__THRESHOLDS=str(mine))
    changed = [step["service"] for step in json.loads(plan.stdout)["steps"] if step["act"] != "unchanged"]
    # The exporter mounts the file and evaluates by it too.
    assert set(changed) == {"prometheus", "exporter"}


def test_a_new_address_of_a_receiver_makes_alertmanager_anew(watched: Watched):
    (watched.home / "webhook-url").write_text(f"{watched.sink.address}/elsewhere\n")
    done = watched.ops("deploy", "--yes", "--services", "alertmanager", "--json")
    assert done.returncode == 0, done.stderr
    watched.sink.forget()
    watched.ops("alerts", "test")
    await_all({"told": lambda: set(watched.sink.paths) == {"/secret-path-of-the-webhook/elsewhere"}})
    assert "secret-path-of-the-webhook" not in json.dumps(watched.containers()["alertmanager"].attrs)
