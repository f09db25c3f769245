"""The packaged platform's first two phases, watched, with somebody who is told: one for all tests of this folder.

Prometheus, Alertmanager and the exporters are real; Grafana, Loki and Alloy are stand-ins: what they are told is not
read by them here. Every threshold keeps its level unless a comment says why not. It waits for no longer than the next
round, and no signal looks back further than two minutes, so that beginnings and ends are seen today.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import docker
import psutil
import requests
import yaml
from build import ImageRegistry
from dagster_home import Dagster
from packaged import Platform
from sinks import Mailbox, Webhook

import sutazai_ops.monitoring.thresholds
from sutazai_ops.platform import read_platform

from .beside import SmallDisk, add_services, show_certificate

WITHIN_SECONDS = 300
"""A round, a scrape, an evaluation, and Alertmanager's own waits for more of the same group: due within two minutes on
a machine that does nothing else, which this one may not be."""
PACKAGED = Path(sutazai_ops.monitoring.thresholds.__file__).with_name("thresholds.yaml")
LOOKS_BACK = {re.compile(r"\[\d+[mh]\]"): "[2m]", re.compile(r"offset \d+[mh]"): "offset 1m"}
"""Eight samples: enough for a rate."""
ROOM_BYTES = psutil.virtual_memory().total // 4
"""More than twice what this platform and the tests that run meanwhile take of the host's memory."""
SLOW_ANSWER_SECONDS = 1.0
"""What takes longer is told as slow; an edge of the histogram."""
PHASES = ("core", "monitoring", "watched")
NOT_DEPLOYED = "infrastructure-devops-manager"
"""One service of a phase that is rolled out otherwise."""


class Watched(Platform):
    """The platform, what is deployed of it, and where its alerts arrive."""

    sink: Webhook
    mail: Mailbox
    disk: SmallDisk
    dagster: Dagster
    memory_level: float
    """The share of the host's memory above which it is told."""
    health_checks = "interval: 60s\n  start_interval: 2s"
    """Those of fifty containers would take half of what two such platforms take of a processor; probes say here how a
    service is once it has started."""

    def __init__(self, folder: Path, registry: ImageRegistry, client: docker.DockerClient) -> None:
        super().__init__(folder, registry, client)
        self.home.mkdir()
        add_services(self.folder, self.home, self.name)

    @property
    def deployed(self) -> list[str]:
        """The services of the two phases but for one, and those of these tests."""
        phases = read_platform(self.folder).phases
        return [name for phase in phases if phase.name in PHASES for name in phase.services if name != NOT_DEPLOYED]

    def agents(self) -> list[str]:
        """The services that take tasks."""
        return [name for name, one in self.containers().items() if "/agent:" in one.attrs["Config"]["Image"]]

    def host(self) -> str:
        """The address at which containers reach this host."""
        outside = self.client.networks.get(f"{self.name}-outside").attrs["IPAM"]["Config"][0]
        return str(outside.get("Gateway") or outside["Subnet"].rpartition(".")[0] + ".1")

    def tell(self, sink: Webhook, mail: Mailbox) -> None:
        """Name the receivers, and let no threshold wait."""
        self.sink, self.mail = sink, mail
        (self.home / "webhook-url").write_text(sink.address)
        (self.home / "windows.yaml").touch()
        (self.home / "outside-url").write_text(f"{sink.address}/outside")
        (self.home / "signals.yaml").write_text(yaml.safe_dump(looking_back_less()))
        quick = {name: {"for": "0s", "keep_firing_for": "0s"} for name in yaml.safe_load(PACKAGED.read_text())}
        # They end by themselves, and have to last until Alertmanager tells more of a group that it has told of before.
        for name in ("collector_late", "notices_undelivered"):
            quick[name]["keep_firing_for"] = "1m"
        # 85 % of this machine's memory is more than a test may take: what it takes has to be noticed all the same.
        memory = psutil.virtual_memory()
        used = memory.total - memory.available
        self.memory_level = round((used + ROOM_BYTES) / memory.total, 3)
        quick["host_memory_high"]["above"] = self.memory_level
        # An entry that has waited for minutes shows no more than one that has for seconds.
        quick["queue_old"]["above"] = "15s"
        # What it may use, a machine that does all this at once may not have.
        quick["service_cpu_high"]["above"] = 0.3
        # On a machine that does all this at once an answer that nobody slows down may take longer than 200 ms.
        quick["http_slow"]["above"] = SLOW_ANSWER_SECONDS
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
            "SUTAZAI_MONITORING__SIGNALS": str(self.home / "signals.yaml"),
            "SUTAZAI_MONITORING__THRESHOLDS": str(self.home / "thresholds.yaml"),
            "SUTAZAI_MONITORING__WINDOWS": str(self.home / "windows.yaml"),
            "SUTAZAI_ALERTS__RECEIVERS": json.dumps(receivers),
            "SUTAZAI_ALERTS__WATCHDOG_URL_FILE": str(self.home / "outside-url"),
            "SUTAZAI_DEPLOY__ALLOW_OVERCOMMIT": "true",
            # Only where backups are meant to be made by themselves is a missing one told.
            "SUTAZAI_ENVIRONMENT": "production",
            "SUTAZAI_DEPLOY__STRICT": "false",
            "SSL_CERT_FILE": str(self.home / "certificate/trusted.pem"),
        }

    def short_of_memory(self) -> int:
        """How many bytes somebody has to take until the host's memory is used to above the level."""
        memory = psutil.virtual_memory()
        return int(memory.available - memory.total * (1 - self.memory_level)) + ROOM_BYTES // 2

    def show_certificate(self, days: int) -> None:
        """Have the service that speaks TLS show one that is good for so long."""
        show_certificate(self.home, days)
        self.containers()["tls-server"].restart(timeout=1)

    def configuration(self, service: str) -> Path:
        """Where on this host the folder is that a service reads its configuration from."""
        mounts = self.containers()[service].attrs["Mounts"]
        return Path(next(one["Source"] for one in mounts if one["Destination"] == f"/etc/{service}"))

    def reload_prometheus(self) -> None:
        """Have it read its files again."""
        self.containers()["prometheus"].kill("SIGHUP")

    def address(self, service: str) -> str:
        """Of its container, which this host reaches."""
        networks = self.containers()[service].attrs["NetworkSettings"]["Networks"].values()
        # While it is started again it has none.
        return next((one["IPAddress"] for one in networks if one["IPAddress"]), "none.invalid")

    def fault(self, service: str, kind: str | None, port: int = 8080, **how: float) -> None:
        """Make a stand-in application misbehave."""
        url = f"http://{self.address(service)}:{port}/faults"
        try:
            requests.post(url, json={"fault": kind, **how}, timeout=5)
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


def looking_back_less() -> dict[str, dict[str, str]]:
    """The packaged signals that look back, as a file laid over them in which they do so for two minutes."""
    found = {}
    for name, signal in yaml.safe_load(PACKAGED.with_name("signals.yaml").read_text()).items():
        query = signal["query"]
        for long, short in LOOKS_BACK.items():
            query = long.sub(short, query)
        if query != signal["query"]:
            found[name] = {"query": query}
    return found


def await_all(claims: dict[str, Callable[[], bool]], within: float = WITHIN_SECONDS) -> None:
    """Wait until every claim is true; what is not in time fails by its name."""
    until = time.monotonic() + within
    open_ = dict(claims)
    while open_:
        open_ = {name: claim for name, claim in open_.items() if not _is_true(claim)}
        assert time.monotonic() < until or not open_, f"after {within} s: {', '.join(open_)}"
        if open_:
            time.sleep(1)


def _is_true(claim: Callable[[], bool]) -> bool:
    try:
        return claim()
    except requests.RequestException:
        # Whoever is asked has no time just now.
        return False
