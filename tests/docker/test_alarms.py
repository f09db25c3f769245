"""Monitoring on a real engine: real causes, and what arrives at a real webhook and a real mail server.

Prometheus, Alertmanager and the exporters are real; every threshold keeps its level unless a comment says why not, and
waits for no longer than the next round, so that the run ends today.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker
import psutil
import pytest
import requests
import yaml
from build import ImageRegistry
from sinks import Mailbox, Webhook, mailbox, webhook
from test_roll_out import free_port
from test_whole_platform import Platform

import sutazai_ops.monitoring.thresholds

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]

WITHIN_SECONDS = 300
"""A round, a scrape, an evaluation, and Alertmanager's own waits for more of the same group: due within two minutes on
a machine that does nothing else, which this one may not be."""
PACKAGED = Path(sutazai_ops.monitoring.thresholds.__file__).with_name("thresholds.yaml")
HOG_BYTES = 1_500_000_000


class Watched(Platform):
    """The packaged platform's first two phases, watched, with somebody who is told."""

    sink: Webhook
    mail: Mailbox

    def tell(self, sink: Webhook, mail: Mailbox) -> None:
        """Name the receivers, and let no threshold wait."""
        self.sink, self.mail = sink, mail
        self.home.mkdir()
        (self.home / "webhook-url").write_text(sink.address)
        quick = {name: {"for": "0s", "keep_firing_for": "0s"} for name in yaml.safe_load(PACKAGED.read_text())}
        # 85 % of this machine's memory is more than a test may take: what it takes has to be noticed all the same.
        memory = psutil.virtual_memory()
        used = 1 - memory.available / memory.total
        quick["host_memory_high"]["above"] = round(used + HOG_BYTES / memory.total / 2, 3)
        # An empty disk fills up in a second here, and a queue is old after seconds.
        quick["queue_old"]["above"] = "15s"
        # A rate over five minutes takes as long to become that of the last one.
        quick["service_cpu_high"]["above"] = 0.3
        (self.home / "thresholds.yaml").write_text(yaml.safe_dump(quick))
        receivers = {
            "hook": {"kind": "webhook", "url_file": str(self.home / "webhook-url")},
            "post": {
                "kind": "mail", "to": "oncall@example.org", "sender": "ops@example.org", "smarthost": mail.address,
                "tls": False,
            },
        }  # fmt: skip
        self.environment = {
            **self.environment,
            "SUTAZAI_MONITORING__INTERVAL_SECONDS": "5",
            "SUTAZAI_MONITORING__THRESHOLDS": str(self.home / "thresholds.yaml"),
            "SUTAZAI_ALERTS__RECEIVERS": json.dumps(receivers),
            "SUTAZAI_DEPLOY__ALLOW_OVERCOMMIT": "true",
        }

    def address(self, service: str) -> str:
        """Of its container, which this host reaches."""
        networks = self.containers()[service].attrs["NetworkSettings"]["Networks"].values()
        # While it is started again it has none.
        return next((one["IPAddress"] for one in networks if one["IPAddress"]), "none.invalid")

    def fault(self, service: str, kind: str | None, port: int = 8080) -> None:
        """Make a stand-in application misbehave."""
        url = f"http://{self.address(service)}:{port}/faults"
        try:
            requests.post(url, json={"fault": kind}, timeout=5)
        except requests.ConnectionError:
            # It was told to crash.
            assert kind == "crash"

    def redis(self, *words: str) -> str:
        """What redis-cli answers."""
        script = 'REDISCLI_AUTH=$(cat /run/secrets/redis-password) exec redis-cli "$@"'
        done = self.containers()["redis"].exec_run(["sh", "-c", script, "sh", *words])
        assert done.exit_code == 0, done.output
        return str(done.output.decode().strip())

    def prometheus(self, expression: str) -> dict[tuple[str, ...], float]:
        """What an expression is, by the values of its labels in the order of their names."""
        url = f"http://{self.address('prometheus')}:9090/api/v1/query"
        found = requests.get(url, params={"query": expression}, timeout=10).json()["data"]["result"]
        return {
            tuple(v for k, v in sorted(one["metric"].items()) if k != "__name__"): float(one["value"][1])
            for one in found
        }


def await_all(claims: dict[str, Callable[[], bool]], within: float = WITHIN_SECONDS) -> None:
    """Wait until every claim is true; what is not in time fails by its name."""
    until = time.monotonic() + within
    open_ = dict(claims)
    while open_:
        open_ = {name: claim for name, claim in open_.items() if not claim()}
        assert time.monotonic() < until or not open_, f"after {within} s: {', '.join(open_)}"
        time.sleep(1)


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[Watched]:
    """The two phases, rolled out."""
    one = Watched(tmp_path_factory.mktemp("watched"), registry, engine_client)
    outside = engine_client.networks.get(f"{one.name}-outside").attrs["IPAM"]["Config"][0]
    host = outside.get("Gateway") or outside["Subnet"].rpartition(".")[0] + ".1"
    with ExitStack() as stack:
        stack.callback(one.remove)
        one.tell(stack.enter_context(webhook(host)), stack.enter_context(mailbox(host, free_port())))
        for phase in ("core", "monitoring"):
            done = one.ops("deploy", "--yes", "--phase", phase)
            assert done.returncode == 0, done.stdout + done.stderr
        yield one


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
            "every service that runs is probed": lambda: len(watched.prometheus("signal:service_down")) >= 22,
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


def test_each_cause_is_told_by_webhook_and_mail_and_its_end_too(watched: Watched):
    sink = watched.sink
    down, hung, leaking, crashing, burning, full = (
        "ai-engineer", "qa-validator", "senior-ai-engineer", "code-improver", "testing-qa-validator",
        "deployment-automation-master",
    )  # fmt: skip
    with ExitStack() as causes:
        causes.enter_context(busy(2))
        causes.enter_context(holding(HOG_BYTES))
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
        await_all(
            {
                "service_down, stopped": lambda: sink.fired("service_down", service=down),
                "service_down, hung": lambda: sink.fired("service_down", service=hung),
                "service_down, no figures": lambda: sink.fired("service_down", service="redis-exporter"),
                "service_restarting": lambda: sink.fired("service_restarting", service=crashing),
                "service_memory_high": lambda: sink.fired("service_memory_high", service=full),
                "service_out_of_memory": lambda: sink.fired("service_out_of_memory", service=leaking),
                "service_cpu_high": lambda: sink.fired("service_cpu_high", service=burning),
                "host_cpu_high": lambda: sink.fired("host_cpu_high"),
                "host_memory_high": lambda: sink.fired("host_memory_high"),
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
        watched.containers()[leaking].restart()
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
            }
        )
    await_all({"host_memory_high": lambda: sink.resolved("host_memory_high")})


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


def test_a_backend_that_is_slow_and_one_that_fails_some_requests_are_told_as_such(watched: Watched):
    sink = watched.sink
    sink.forget()
    watched.fault("backend", "slow", 8000)
    with asking(watched, "/tasks"):
        await_all({"http_slow": lambda: sink.fired("http_slow", service="backend")})
    watched.fault("backend", None, 8000)
    # Nobody has pulled a model: a question is an error, and all else works.
    with asking(watched, "/chat", b'{"prompt": "two and two"}'):
        await_all({"http_errors": lambda: sink.fired("http_errors", service="backend")})
    assert not sink.fired("service_down", service="backend")


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


def test_a_queue_that_nobody_takes_from_is_told(watched: Watched):
    sink = watched.sink
    sink.forget()
    agents = [name for name, one in watched.containers().items() if "/agent:" in one.attrs["Config"]["Image"]]
    assert len(agents) == 8
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
    await_all({"service_down": lambda: sink.fired("service_down", service="postgres")})
    url = f"http://{watched.address('alertmanager')}:9093/api/v2/alerts"

    def backend_is_silenced() -> bool:
        found = [a for a in requests.get(url, timeout=5).json() if a["labels"].get("service") == "backend"]
        return bool(found) and all(one["status"]["inhibitedBy"] for one in found)

    await_all({"the backend's alerts are held back": backend_is_silenced})
    assert not sink.fired("service_down", service="backend")
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
    watched.containers()["alertmanager"].kill()
    await_all({"alertmanager_blind": lambda: sink.fired("alertmanager_blind")})
    watched.containers()["alertmanager"].start()
    await_all({"alertmanager_blind": lambda: sink.resolved("alertmanager_blind")})


def test_a_test_alert_arrives_and_the_address_of_the_webhook_stands_nowhere(watched: Watched):
    done = watched.ops("alerts", "test", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["receiver"]: row["arrival"] for row in json.loads(done.stdout)} == {"hook": "told", "post": "told"}
    shown = [json.dumps(one.attrs) for one in watched.containers().values()]
    texts = [file.read_text(errors="replace") for file in (watched.home / "generated").rglob("*") if file.is_file()]
    assert [text[:80] for text in (*shown, *texts, done.stdout) if "secret-path-of-the-webhook" in text] == []


def test_a_receiver_that_is_down_is_told_to_the_other(watched: Watched):
    watched.mail.mails.clear()
    watched.sink.status = 500
    try:
        watched.ops("alerts", "test")
        await_all({"alerts_undelivered": lambda: watched.mail.has("alerts_undelivered")})
    finally:
        watched.sink.status = 200
