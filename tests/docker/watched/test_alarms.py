"""Real causes, and what arrives at a real webhook and a real mail server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import psutil
import pytest
import requests

from sutazai_ops.settings import Settings

from .beside import LONG_DAYS, SHORT_DAYS
from .platform import HOG_BYTES, Watched, await_all

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]


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
        watched.containers()[burning].exec_run(
            ["python3", "-c", "import time\nwhile time.monotonic() < %f: pass" % (time.monotonic() + 150)], detach=True
        )
        fill_memory(watched, full)
        watched.containers()["frontend"].update(mem_limit="400m", memswap_limit="400m")
        assert watched.ops("drift").returncode == 2
        for _ in range(5):
            watched.fault(crashing, "crash")
            _await_restart(watched, crashing)
        # No longer than it takes: nothing else is quick meanwhile.
        hogs.enter_context(busy(2))
        hogs.enter_context(holding(HOG_BYTES))
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
                "backup_stale": lambda: sink.fired("backup_stale"),
                "backup_unverified": lambda: sink.fired("backup_unverified"),
                "by mail": lambda: watched.mail.has("service_down", down) or watched.mail.has(down, "runbooks"),
            }
        )
        told = sink.alerts("service_down", service=down)[0]
        assert told["annotations"]["runbook_url"].endswith("/service_down.md")  # type: ignore[index]
        assert told["annotations"]["next"]  # type: ignore[index]
        watched.fault(hung, None)
        watched.containers()[down].start()
        watched.containers()["redis-exporter"].start()
        for name in (leaking, full):
            watched.containers()[name].restart(timeout=1)
        assert watched.ops("deploy", "--yes", "--services", "frontend").returncode == 0
        assert watched.ops("drift").returncode == 0
        done = watched.ops("backup", "run")
        assert done.returncode == 0, done.stdout + done.stderr
        await_all(
            {
                "service_down, started": lambda: sink.resolved("service_down", service=down),
                "service_down, answers": lambda: sink.resolved("service_down", service=hung),
                "service_down, figures": lambda: sink.resolved("service_down", service="redis-exporter"),
                "drifted": lambda: sink.resolved("drifted", service="frontend"),
                "backup_stale": lambda: sink.resolved("backup_stale"),
                "backup_unverified": lambda: sink.resolved("backup_unverified"),
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
        return next(v for k, v in watched.prometheus(f'{name}{{service="{service}"}}').items())

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


def test_a_receiver_that_is_down_is_told_to_the_other(watched: Watched):
    # Before Alertmanager itself is ended, which leaves alerts undelivered, too.
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


def test_a_backend_that_is_slow_and_one_that_fails_some_requests_are_told_as_such(watched: Watched):
    sink = watched.sink
    sink.forget()
    watched.fault("backend", "slow", 8000)
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


def test_backups_that_were_spoilt_are_told_once_they_are_proved(watched: Watched):
    sink = watched.sink
    sink.forget()
    assert watched.ops("backup", "run").returncode == 0
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


def test_a_queue_that_nobody_takes_from_is_told(watched: Watched):
    sink = watched.sink
    sink.forget()
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


def test_a_dead_database_silences_what_stands_on_it(watched: Watched):
    sink = watched.sink
    sink.forget()
    watched.containers()["postgres"].stop()
    try:
        await_all({"service_down": lambda: sink.fired("service_down", service="postgres")})
        url = f"http://{watched.address('alertmanager')}:9093/api/v2/alerts"

        def is_held_back() -> bool:
            wanted = {"alertname": "service_down", "service": "backend"}
            found = [one for one in requests.get(url, timeout=5).json() if wanted.items() <= one["labels"].items()]
            return bool(found) and all(one["status"]["inhibitedBy"] for one in found)

        await_all({"that of the backend is held back": is_held_back})
        # Alertmanager tells a group again once it has changed: time enough to tell of this or of the others twice.
        time.sleep(45)
        told = [alert for alert in sink.alerts("service_down") if alert["status"] == "firing"]
        assert [alert["labels"]["service"] for alert in told] == ["postgres"]  # type: ignore[index]
        assert told[0]["annotations"]["next"] == "sutazai-ops probe postgres"  # type: ignore[index]
    finally:
        watched.containers()["postgres"].start()
    await_all({"service_down": lambda: sink.resolved("service_down", service="postgres")})


def test_without_a_way_to_docker_nothing_is_ok_and_somebody_is_told(watched: Watched):
    sink = watched.sink
    sink.forget()
    watched.containers()["docker-proxy"].stop()
    await_all({"engine_blind": lambda: sink.fired("engine_blind")})
    assert watched.prometheus('sutazai_service_state{state="running"} == 1') == {}
    assert watched.prometheus("sutazai_service_memory_working_set_bytes") == {}
    watched.containers()["docker-proxy"].start()
    await_all({"engine_blind": lambda: sink.resolved("engine_blind")})


def test_a_dead_exporter_is_told_and_leaves_no_figure_behind(watched: Watched):
    sink = watched.sink
    sink.forget()
    watched.containers()["exporter"].kill()
    await_all({"exporter_blind": lambda: sink.fired("exporter_blind")})
    assert watched.prometheus("sutazai_probe_state") == {}
    assert watched.prometheus("signal:service_cpu") == {}
    watched.containers()["exporter"].start()
    await_all({"exporter_blind": lambda: sink.resolved("exporter_blind")})


def test_a_certificate_is_told_before_it_ends(watched: Watched):
    sink = watched.sink
    sink.forget()
    # An exporter that begins looks at certificates at once, and after that every five minutes.
    watched.show_certificate(SHORT_DAYS)
    watched.containers()["exporter"].restart(timeout=1)
    await_all({"certificate_ending": lambda: sink.fired("certificate_ending", service="tls-server")})
    watched.show_certificate(LONG_DAYS)
    watched.containers()["exporter"].restart(timeout=1)
    await_all({"certificate_ending": lambda: sink.resolved("certificate_ending", service="tls-server")})


def test_a_dead_prometheus_is_told_by_the_exporter(watched: Watched):
    sink = watched.sink
    sink.forget()
    watched.containers()["prometheus"].kill()
    await_all({"prometheus_blind": lambda: sink.fired("prometheus_blind")})
    watched.containers()["prometheus"].start()
    await_all({"prometheus_blind": lambda: sink.resolved("prometheus_blind")})


def test_a_dead_alertmanager_is_told_past_it(watched: Watched):
    sink = watched.sink
    sink.forget()
    watched.mail.mails.clear()
    watched.containers()["alertmanager"].kill()
    # One receiver is down as well: it is tried again, and that it was is told once Alertmanager is back.
    sink.status = 500
    try:
        await_all({"alertmanager_blind, by mail": lambda: watched.mail.has("alertmanager_blind")})
    finally:
        sink.status = 200
    await_all({"alertmanager_blind": lambda: sink.fired("alertmanager_blind")})
    watched.containers()["alertmanager"].start()
    await_all({"notices_undelivered": lambda: sink.fired("notices_undelivered", receiver="hook")})
    ended = ("alertmanager_blind", "notices_undelivered")
    await_all({name: lambda name=name: sink.resolved(name) for name in ended})


@pytest.mark.parametrize("by", ["hand", "file"])
def test_nobody_is_told_of_what_is_worked_on_until_the_window_ends_and_the_cause_remains(watched: Watched, by: str):
    sink, name = watched.sink, "qa-validator"
    sink.forget()
    with window_by_hand(watched, name) if by == "hand" else window_of_every_day(watched, name):
        await_all({"maintenance": lambda: (name,) in watched.prometheus("max by (service) (sutazai_maintenance)")})
        watched.fault(name, "hang")
        await_all({"service_down is held back": lambda: held_back(watched, name)})
        assert not sink.fired("service_down", service=name)
    try:
        await_all({"service_down": lambda: sink.fired("service_down", service=name)})
    finally:
        watched.fault(name, None)
    await_all({"service_down": lambda: sink.resolved("service_down", service=name)})


@contextmanager
def window_by_hand(watched: Watched, service: str) -> Iterator[None]:
    """One that is opened and closed from the command line."""
    opened = watched.ops("maintenance", "open", service, "--reason", "a test", "--for", "30m", "--json")
    assert opened.returncode == 0, opened.stderr
    yield
    assert watched.ops("maintenance", "close", str(json.loads(opened.stdout)["number"])).returncode == 0


@contextmanager
def window_of_every_day(watched: Watched, service: str) -> Iterator[None]:
    """One that a file says, until it is taken out of it."""
    began = datetime.now(ZoneInfo(Settings().timezone)) - timedelta(minutes=1)
    says = {"every": "day", "start": f"{began:%H:%M}", "for": "2h", "services": [service], "reason": "a test"}
    file = watched.home / "windows.yaml"
    file.write_text(json.dumps({"upkeep": says}))
    yield
    file.write_text("# none\n")


def held_back(watched: Watched, service: str) -> bool:
    """Whether Alertmanager knows that it is down, and tells nobody."""
    url = f"http://{watched.address('alertmanager')}:9093/api/v2/alerts"
    alerts = requests.get(url, params={"filter": f'service="{service}"'}, timeout=5).json()
    found = {one["labels"]["alertname"]: one["status"]["inhibitedBy"] for one in alerts}
    return "maintenance" in found and bool(found.get("service_down"))


def test_the_address_outside_hears_that_the_monitoring_lives(watched: Watched):
    outside = [path for path in watched.sink.paths if path.endswith("/outside")]
    await_all({"watchdog": lambda: watched.sink.fired("watchdog")})
    await_all({"again": lambda: len([one for one in watched.sink.paths if one.endswith("/outside")]) > len(outside)})


def test_a_test_alert_arrives_and_the_address_of_the_webhook_stands_nowhere(watched: Watched):
    done = watched.ops("alerts", "test", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["receiver"]: row["arrival"] for row in json.loads(done.stdout)} == {"hook": "told", "post": "told"}
    shown = [json.dumps(one.attrs) for one in watched.containers().values()]
    texts = [file.read_text(errors="replace") for file in (watched.home / "generated").rglob("*") if file.is_file()]
    assert [text[:80] for text in (*shown, *texts, done.stdout) if "secret-path-of-the-webhook" in text] == []
