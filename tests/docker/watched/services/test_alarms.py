"""Real causes, and what arrives at a real webhook and a real mail server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
import requests

from watched.beside import LONG_DAYS, SHORT_DAYS
from watched.platform import SLOW_ANSWER_SECONDS, Watched, await_all
from watched.together import Together

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]

causes, other_causes = Together(), Together()
"""Those of the second need agents that the first breaks, or break what the first needs."""


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but use a processor."""
    made = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in made:
            one.kill()
            one.wait()


@contextmanager
def holding(size: int) -> Iterator[None]:
    """A process that holds so much memory."""
    script = f"import time; held = b'x' * {size}; print('held', flush=True); time.sleep(900)"
    one = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert one.stdout is not None
        one.stdout.readline()
        yield
    finally:
        one.kill()
        one.wait()


def test_what_runs_well_is_well_and_every_signal_that_is_expected_is_there(watched: Watched):
    await_all(
        {
            "every expected signal has a value": lambda: not watched.prometheus("signal:unknown"),
            "every probe is ok": lambda: not watched.prometheus('sutazai_probe_state{state!="ok"} == 1'),
            "every service that runs is probed": lambda: (
                {key[-1] for key in watched.prometheus("signal:service_down")} == set(watched.deployed)
            ),
        }
    )


def test_the_figures_of_the_exporter_are_those_of_the_tools_that_people_use(watched: Watched):
    for _ in range(7):
        watched.redis("LPUSH", "agent:held", "x")
    line = "{{.Name}}\t{{.MemUsage}}"
    shown = subprocess.run(
        ["docker", "stats", "--no-stream", "--format", line], capture_output=True, text=True, check=True
    ).stdout
    of_docker = {name: usage.partition(" / ") for name, usage in (row.split("\t") for row in shown.splitlines())}
    ours = watched.prometheus("sutazai_service_memory_working_set_bytes")
    by_service = {key[-1]: value for key, value in ours.items()}
    name = watched.containers()["postgres"].name
    used, limit = of_docker[name][0], of_docker[name][2]
    assert by_service["postgres"] == pytest.approx(_bytes(used), rel=0.25)
    limits = {key[-1]: value for key, value in watched.prometheus("sutazai_service_memory_limit_bytes").items()}
    assert limits["postgres"] == pytest.approx(_bytes(limit), rel=0.01)
    (total,) = watched.prometheus("node_memory_MemTotal_bytes").values()
    free = subprocess.run(["free", "-b"], capture_output=True, text=True, check=True).stdout
    assert total == pytest.approx(int(free.splitlines()[1].split()[1]), rel=0.001)
    (size,) = watched.prometheus('max by () (node_filesystem_size_bytes{mountpoint="/"})').values()
    assert size == pytest.approx(shutil.disk_usage("/").total, rel=0.01)
    (depth,) = watched.prometheus("sutazai_queue_depth").values()
    assert depth == float(watched.redis("LLEN", "agent:tasks"))


def _bytes(text: str) -> float:
    units = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "B": 1}
    unit = next(unit for unit in units if text.endswith(unit))
    return float(text.removesuffix(unit)) * units[unit]


# Whichever test is the first waits for the platform as well.
@pytest.mark.timeout(2400)
@causes
def test_each_cause_is_told_by_webhook_and_mail_and_its_end_too(watched: Watched):
    sink = watched.sink
    down, hung, leaking, crashing, burning, full = (
        "ai-engineer", "qa-validator", "senior-ai-engineer", "code-improver", "testing-qa-validator",
        "deployment-automation-master",
    )  # fmt: skip
    with ExitStack() as hogs:
        watched.containers()[down].stop()
        watched.containers()["redis-exporter"].stop()
        watched.fault(hung, "hang")
        watched.fault(leaking, "leak")
        # Until it is told of, however little of a processor it is given meanwhile, and started again then.
        watched.containers()[burning].exec_run(["python3", "-c", "while True: pass"], detach=True)
        fill_memory(watched, full)
        watched.containers()["frontend"].update(mem_limit="400m", memswap_limit="400m")
        assert watched.ops("drift").returncode == 2
        for _ in range(5):
            watched.fault(crashing, "crash")
            _await_restart(watched, crashing)
        # No longer than it takes: nothing else is quick meanwhile.
        hogs.enter_context(busy(2))
        hogs.enter_context(holding(watched.short_of_memory()))
        await_all(
            {
                "host_cpu_high": lambda: sink.fired("host_cpu_high"),
                "host_memory_high": lambda: sink.fired("host_memory_high"),
            }
        )
        hogs.close()
        await_all(
            {
                "service_down, stopped": lambda: sink.fired("service_down", service=down),
                "service_down, hung": lambda: sink.fired("service_down", service=hung),
                "service_down, no figures": lambda: sink.fired("service_down", service="redis-exporter"),
                "service_restarting": lambda: sink.fired("service_restarting", service=crashing),
                "service_memory_high": lambda: sink.fired("service_memory_high", service=full),
                "service_out_of_memory": lambda: sink.fired("service_out_of_memory", service=leaking),
                "service_cpu_high": lambda: sink.fired("service_cpu_high", service=burning),
                "drifted": lambda: sink.fired("drifted", service="frontend"),
                "by mail": lambda: watched.mail.has("service_down", down) or watched.mail.has(down, "runbooks"),
            }
        )
        told = sink.alerts("service_down", service=down)[0]
        assert told["annotations"]["runbook_url"].endswith("/service_down.md")  # type: ignore[index]
        assert told["annotations"]["next"]  # type: ignore[index]
        watched.fault(hung, None)
        watched.containers()[down].start()
        watched.containers()["redis-exporter"].start()
        for name in (leaking, full, burning):
            watched.containers()[name].restart(timeout=1)
        assert watched.ops("deploy", "--yes", "--services", "frontend").returncode == 0
        assert watched.ops("drift").returncode == 0
        await_all(
            {
                "service_down, started": lambda: sink.resolved("service_down", service=down),
                "service_down, answers": lambda: sink.resolved("service_down", service=hung),
                "service_down, figures": lambda: sink.resolved("service_down", service="redis-exporter"),
                "drifted": lambda: sink.resolved("drifted", service="frontend"),
                # It does not end on a machine that is as busy without us.
                "host_cpu_high": lambda: sink.resolved("host_cpu_high") or psutil.cpu_percent(interval=1) > 80,
                "host_memory_high": lambda: sink.resolved("host_memory_high"),
                "service_restarting": lambda: sink.resolved("service_restarting", service=crashing),
                "service_memory_high": lambda: sink.resolved("service_memory_high", service=full),
                "service_out_of_memory": lambda: sink.resolved("service_out_of_memory", service=leaking),
                "service_cpu_high": lambda: sink.resolved("service_cpu_high", service=burning),
            }
        )


def fill_memory(watched: Watched, service: str) -> None:
    """Let a process in it hold all but a twentieth of its limit, for five minutes."""

    def figure(name: str) -> float:
        return next(iter(watched.prometheus(f'{name}{{service="{service}"}}').values()), 0.0)

    # While the exporter is started again there is none.
    await_all({"it is measured": lambda: figure("sutazai_service_memory_working_set_bytes") > 0})
    limit = figure("sutazai_service_memory_limit_bytes")
    free = limit - figure("sutazai_service_memory_working_set_bytes")
    # What holds it needs ten megabytes itself.
    script = f"import time; held = b'x' * {int(free - limit / 20) - 10_000_000}; time.sleep(300)"
    watched.containers()[service].exec_run(["python3", "-c", script], detach=True)


def _await_restart(watched: Watched, service: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            requests.get(f"http://{watched.address(service)}:8080/metrics", timeout=2)
        except requests.RequestException:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"{service} did not come back")


@causes
def test_a_backend_that_is_slow_and_one_that_fails_some_requests_are_told_as_such(watched: Watched):
    sink = watched.sink.from_now()
    watched.fault("backend", "slow", 8000, slow_seconds=2 * SLOW_ANSWER_SECONDS)
    with asking(watched, "/tasks"):
        await_all({"http_slow": lambda: sink.fired("http_slow", service="backend")})
    watched.fault("backend", None, 8000)
    # No model is there: a question is an error, and all else works.
    watched.containers()["ollama"].exec_run(["ollama", "rm", "llama3.2:3b"])
    with asking(watched, "/chat", b'{"prompt": "two and two"}'):
        await_all({"http_errors": lambda: sink.fired("http_errors", service="backend")})
    assert not sink.fired("service_down", service="backend")
    await_all({name: lambda name=name: sink.resolved(name, service="backend") for name in ("http_slow", "http_errors")})


@contextmanager
def asking(watched: Watched, path: str, body: bytes | None = None) -> Iterator[None]:
    """A client that asks four times a second, for four minutes at the most."""
    script = f"""
import time, urllib.request
until = time.monotonic() + 240
while time.monotonic() < until:
    try:
        urllib.request.urlopen("http://127.0.0.1:{watched.port}/api{path}", {body!r}, timeout=5).read()
    except OSError:
        pass
    time.sleep(0.25)
"""
    one = subprocess.Popen([sys.executable, "-c", script])
    try:
        yield
    finally:
        one.kill()
        one.wait()


@causes
def test_backups_that_are_missing_are_told_and_those_that_were_spoilt_once_they_are_proved(watched: Watched):
    sink, both = watched.sink, ("backup_stale", "backup_unverified")
    await_all({name: lambda name=name: sink.fired(name) for name in both})
    done = watched.ops("backup", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    await_all({name: lambda name=name: sink.resolved(name) for name in both})
    sink = watched.sink.from_now()
    for manifest in (watched.home / "backups").rglob("manifest.json"):
        # Of what was kept itself: the record of a verification can be larger than the dump of a small database.
        largest = max(manifest.parent.rglob("*.zst"), key=lambda one: one.stat().st_size)
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 0xFF
        largest.write_bytes(content)
        assert watched.ops("backup", "verify", manifest.parent.name).returncode != 0
    await_all({"backup_unverified": lambda: sink.fired("backup_unverified")})
    assert not watched.prometheus('ALERTS{alertname="backup_stale"}')
    assert watched.ops("backup", "run").returncode == 0
    await_all({"backup_unverified": lambda: sink.resolved("backup_unverified")})


@causes
def test_a_certificate_is_told_before_it_ends(watched: Watched):
    sink = watched.sink.from_now()
    # An exporter that begins looks at certificates at once, and after that every five minutes.
    watched.show_certificate(SHORT_DAYS)
    watched.containers()["exporter"].restart(timeout=1)
    await_all({"certificate_ending": lambda: sink.fired("certificate_ending", service="tls-server")})
    watched.show_certificate(LONG_DAYS)
    watched.containers()["exporter"].restart(timeout=1)
    await_all({"certificate_ending": lambda: sink.resolved("certificate_ending", service="tls-server")})


@causes
def test_a_watch_that_is_killed_is_told_by_others(watched: Watched):
    sink = watched.sink.from_now()
    command = [sys.executable, "-m", "sutazai_ops.cli", "remediation", "watch", "--every", "1"]
    looked = watched.home / "remediation" / "last-round"
    watch = subprocess.Popen(command, env={**os.environ, **watched.environment}, stdout=subprocess.DEVNULL)
    try:
        await_all({"it looks": looked.exists})
    finally:
        watch.kill()
        watch.wait()
    await_all({"remediation_asleep": lambda: sink.fired("remediation_asleep")})
    assert watched.ops("remediation", "mode", "off").returncode == 0
    await_all({"remediation_asleep": lambda: sink.resolved("remediation_asleep")})
    assert watched.ops("remediation", "mode", "observe").returncode == 0
    looked.unlink()


@other_causes
def test_a_queue_that_nobody_takes_from_is_told(watched: Watched):
    sink = watched.sink.from_now()
    agents = watched.agents()
    assert len(agents) == 7
    for name in agents:
        watched.containers()[name].stop(timeout=1)
    watched.redis("LPUSH", "agent:tasks", json.dumps({"id": 1, "prompt": "x", "queued_at": time.time()}))
    await_all({"queue_old": lambda: sink.fired("queue_old", queue="agent tasks")})
    watched.redis("DEL", "agent:tasks")
    for name in agents:
        watched.containers()[name].start()
    await_all({"queue_old": lambda: sink.resolved("queue_old", queue="agent tasks")})


@other_causes
def test_without_a_way_to_docker_nothing_is_ok_and_somebody_is_told(watched: Watched):
    sink = watched.sink.from_now()
    watched.containers()["docker-proxy"].stop()
    await_all({"engine_blind": lambda: sink.fired("engine_blind")})
    assert watched.prometheus('sutazai_service_state{state="running"} == 1') == {}
    assert watched.prometheus("sutazai_service_memory_working_set_bytes") == {}
    watched.containers()["docker-proxy"].start()
    await_all({"engine_blind": lambda: sink.resolved("engine_blind")})


def test_a_receiver_that_is_down_is_told_to_the_other(watched: Watched):
    watched.mail.mails.clear()
    watched.sink.status = 500
    try:
        done = watched.ops("alerts", "test", "--json")
        assert {row["receiver"]: row["arrival"] for row in json.loads(done.stdout)} == {
            "hook": "failed",
            "post": "told",
        }
        assert done.returncode == 3
        await_all({"alerts_undelivered": lambda: watched.mail.has("alerts_undelivered")})
    finally:
        watched.sink.status = 200
    await_all({"alerts_undelivered": lambda: watched.sink.resolved("alerts_undelivered")})


def test_a_dead_prometheus_is_told_by_the_exporter(watched: Watched):
    sink = watched.sink
    sink.forget()
    watched.containers()["prometheus"].kill()
    await_all({"prometheus_blind": lambda: sink.fired("prometheus_blind")})
    watched.containers()["prometheus"].start()
    await_all({"prometheus_blind": lambda: sink.resolved("prometheus_blind")})
