"""Right-sizing from end to end: what a known leak and a known peak used is measured, becomes limits, and is rolled out.

The backends are the stand-in, everything else is real: the exporter's own collector looks at the containers, Prometheus
holds what it saw, and the commands are those that a person types. A second of load stands for a day.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import docker
import pytest
import requests
from build import ImageRegistry
from docker.models.containers import Container
from projects import PROJECT_LABEL, SERVICE_LABEL
from prometheus_server import program

from sutazai_ops.capacity.sizing import GROWTH_DAYS, MIB
from sutazai_ops.installation import Installation
from sutazai_ops.monitoring.exporter.collectors.engine import EngineCollector
from sutazai_ops.monitoring.exporter.measured import Measured
from sutazai_ops.monitoring.exporter.tallies import Tallies
from sutazai_ops.settings import Loaded, Settings

pytestmark = [pytest.mark.docker, pytest.mark.prometheus]

BACKENDS = """
name: {name}
x-backend: &backend
  image: {registry}/sutazai/backend:1.0.0
  healthcheck: {{test: [CMD, curl, -fsS, "http://127.0.0.1:8000/"], interval: 1s, retries: 30}}
  stop_grace_period: 1s
services:
  peaking:
    <<: *backend
    environment: {{PEAK_MEBIBYTES: "300"}}
    deploy: {{resources: {{limits: {{cpus: "1.00", memory: 768M}}}}}}
    x-sutazai: {{probes: [{{kind: http, port: 8000, path: /}}]}}
  leaking:
    <<: *backend
    deploy: {{resources: {{limits: {{cpus: "1.00", memory: 448M}}}}}}
    x-sutazai: {{probes: [{{kind: http, port: 8000, path: /}}]}}
  quiet:
    <<: *backend
    deploy: {{resources: {{limits: {{cpus: "1.00", memory: 768M}}}}}}
    x-sutazai: {{probes: [{{kind: http, port: 8000, path: /}}]}}
"""
MEASURED = """
name: {name}-measured
services:
  prometheus:
    image: {registry}/prom/prometheus:v3.14.0
    command:
      - --config.file=/etc/prometheus/prometheus.yml
      - --storage.tsdb.path=/prometheus
      - --storage.tsdb.retention.time=60d
    volumes: ["{data}:/prometheus"]
    deploy: {{resources: {{limits: {{memory: 512M}}}}}}
    x-sutazai: {{tier: stateful, backup: none, probes: [prometheus]}}
"""
NAIVE = """
name: {name}-naive
services:
  peaking: {{x-sutazai: {{overlays: backends}}, deploy: {{resources: {{limits: {{memory: 256M}}}}}}}}
  leaking: {{x-sutazai: {{overlays: backends}}, deploy: {{resources: {{limits: {{memory: 256M}}}}}}}}
  quiet: {{x-sutazai: {{overlays: backends}}, deploy: {{resources: {{limits: {{memory: 256M}}}}}}}}
"""
DAYS = 14
SECONDS = 1.5
"""Of load, that stand for a day; more on a busy machine, and then for every day of the test."""
TOP = range(144, 156)
"""The slices of a day in which a peak was seen; in all others it is as it was between two peaks."""
GAUGES = ("sutazai_service_memory_working_set_bytes", "sutazai_service_memory_limit_bytes",
          "sutazai_service_cpu_limit_cores")  # fmt: skip
CPU = "sutazai_service_cpu_seconds_total"
SERVICES = ("peaking", "leaking", "quiet")


@dataclass
class House:
    """Three backends, and whoever measures them."""

    folder: Path
    registry: str
    client: docker.DockerClient
    name: str = field(default_factory=lambda: f"size-{uuid.uuid4().hex[:8]}")
    seconds: float = SECONDS

    def write(self, phase: str, text: str) -> None:
        (self.folder / "platform").mkdir(exist_ok=True)
        written = text.format(name=self.name, registry=self.registry, data=self.folder / "data")
        (self.folder / "platform" / f"{phase}.yaml").write_text(written)

    @property
    def installation(self) -> Installation:
        settings = Settings(home=self.folder / "home", platform=self.folder / "platform", engine="compose")
        return Installation(Loaded(settings=settings, origins={}))

    def ops(self, *words: str) -> str:
        """Run a command, which has to succeed; what it says."""
        environment = {
            **os.environ,
            "SUTAZAI_HOME": str(self.folder / "home"),
            "SUTAZAI_PLATFORM": str(self.folder / "platform"),
            "SUTAZAI_ENGINE": "compose",
            "SUTAZAI_DEPLOY": json.dumps({"settle_seconds": 0.5, "probe_timeout_seconds": 5}),
        }
        command = [sys.executable, "-m", "sutazai_ops.cli", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def container(self, service: str) -> Container:
        wanted = {"label": [f"{PROJECT_LABEL}={self.name}", f"{SERVICE_LABEL}={service}"]}
        (found,) = self.client.containers.list(all=True, filters=wanted)
        return found

    def limit(self, service: str) -> int:
        return int(self.container(service).attrs["HostConfig"]["Memory"])

    def was_ended(self, service: str) -> bool:
        """Whether the kernel has ended it for want of memory."""
        return bool(self.container(service).attrs["State"]["OOMKilled"])

    def ask(self, service: str, fault: str) -> None:
        url = f"http://{self.installation.engine.endpoint(service, 8000)}/faults"
        try:
            requests.post(url, json={"fault": fault}, timeout=30).raise_for_status()
        except requests.ConnectionError:
            # Ended between the look and the question.
            if not self.was_ended(service):
                raise

    def load(self, days: int) -> Iterator[int]:
        """The same load each time: one leaks all along, one peaks once a day, one has nothing to do."""
        self.ask("leaking", "leak")
        for day in range(days):
            began = time.monotonic()
            if not self.was_ended("peaking"):
                self.ask("peaking", "peak")
            yield day
            time.sleep(max(0.0, began + self.seconds - time.monotonic()))

    def remove(self) -> None:
        for container in self.client.containers.list(all=True, ignore_removed=True):
            if container.labels.get(PROJECT_LABEL, "").startswith(self.name):
                container.remove(force=True, v=True)
        for network in self.client.networks.list():
            if network.name.startswith(self.name):
                network.remove()


def measured_days(house: House) -> list[tuple[list[Measured], list[Measured], float]]:
    """What the exporter sees of each day, at its peak and after it, and how much of a second had passed."""
    here = house.installation
    collector = EngineCollector(here.engine, lambda: list(here.platform), Tallies(), interval=1)
    found = []
    begun = time.monotonic()
    for _ in house.load(DAYS):
        began = time.monotonic()
        # Until as much as is to be held was written.
        time.sleep(0.25)
        top = collector.collect()
        time.sleep(max(0.0, 0.75 - (time.monotonic() - began)))
        after = collector.collect()
        assert not top.missing
        assert not after.missing
        found.append((list(top.measured), list(after.measured), time.monotonic() - began))
    house.seconds = (time.monotonic() - begun) / DAYS
    return found


def as_openmetrics(found: list[tuple[list[Measured], list[Measured], float]]) -> Iterator[str]:
    """Every day stretched to 24 hours, the last of them yesterday, as it would have been scraped once a minute."""
    midnight = datetime.combine(datetime.now(UTC).date(), clock(), UTC)
    lines: dict[str, list[str]] = {name: [] for name in (*GAUGES, CPU)}
    used: dict[str, float] = {}
    for number, (top, after, seconds) in enumerate(found):
        start = int((midnight - timedelta(days=DAYS - number)).timestamp())
        first = {(one.name, one.labels["service"]): one.value for one in top if "service" in one.labels}
        last = {(one.name, one.labels["service"]): one.value for one in after if "service" in one.labels}
        for minute in range(24 * 60):
            seen = first if minute // 5 in TOP else last
            at = start + minute * 60
            for service in SERVICES:
                for name in GAUGES:
                    lines[name].append(f'{name}{{service="{service}"}} {seen[name, service]} {at}\n')
                cores = (last[CPU, service] - first[CPU, service]) / seconds
                used[service] = used.get(service, 0.0) + cores * 60
                lines[CPU].append(f'{CPU}{{service="{service}"}} {used[service]} {at}\n')
    for name, rows in lines.items():
        yield f"# TYPE {name.removesuffix('_total')} {'counter' if name == CPU else 'gauge'}\n"
        # Prometheus' tool wants the rows of a series together.
        yield from sorted(rows, key=lambda row: (row.partition("}")[0], int(row.split()[-1])))
    yield "# EOF\n"


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[House]:
    for reference in ("sutazai/backend:1.0.0", "prom/prometheus:v3.14.0"):
        registry.push(reference)
    one = House(tmp_path_factory.mktemp("sizes"), registry.address, engine_client)
    try:
        one.write("backends", BACKENDS)
        one.ops("deploy", "--yes")
        text, data, promtool = one.folder / "days.om", one.folder / "data", program("promtool")
        assert promtool
        text.write_text("".join(as_openmetrics(measured_days(one))))
        command = [promtool, "tsdb", "create-blocks-from", "--max-block-duration=744h", "openmetrics", "-q", text, data]
        subprocess.run(command, check=True, capture_output=True)
        # It runs as nobody there.
        for path in (one.folder, data, *data.rglob("*")):
            path.chmod(0o777)
        one.write("measured", MEASURED)
        one.ops("deploy", "--yes")
        yield one
    finally:
        one.remove()


def test_what_was_measured_is_proposed_rolled_out_and_holds_where_the_naive_limit_does_not(house: House):
    said = json.loads(house.ops("capacity", "plan", "--json", "--out", str(house.folder / "right-sizing.yaml")))
    advice = {one["service"]: one for one in said["advice"]}
    assert {advice[one]["evidence"]["days"] for one in SERVICES} == {DAYS}
    assert advice["peaking"]["confidence"] == "high"
    assert "grows" in {one["kind"] for one in advice["leaking"]["findings"]}
    proposed = {one: advice[one]["proposed"]["memory"] for one in SERVICES}
    peak = advice["peaking"]["evidence"]["memory_peak"]
    assert 300 * MIB < peak < 400 * MIB
    assert proposed["quiet"] < 256 * MIB < proposed["peaking"] < 768 * MIB
    assert proposed["leaking"] > 448 * MIB
    judged = {one["service"]: one["holds"] for one in json.loads(house.ops("capacity", "judge", "256M", "--json"))}

    # The proposal, as any other roll-out.
    phase = (house.folder / "right-sizing.yaml").rename(house.folder / "platform" / "right-sizing.yaml")
    house.ops("deploy", "--yes")
    assert {one: house.limit(one) for one in SERVICES} == proposed
    for _ in house.load(DAYS + GROWTH_DAYS):
        pass
    assert [one for one in SERVICES if house.was_ended(one)] == []
    assert {house.container(one).status for one in SERVICES} == {"running"}

    # What the plan asks for every agent.
    phase.unlink()
    house.write("naive", NAIVE)
    house.ops("deploy", "--yes")
    assert {house.limit(one) for one in SERVICES} == {256 * MIB}
    for _ in house.load(DAYS + GROWTH_DAYS):
        if house.was_ended("peaking") and house.was_ended("leaking"):
            break
    assert {one: not house.was_ended(one) for one in SERVICES} == {"peaking": False, "leaking": False, "quiet": True}
    assert {one: judged[one] for one in SERVICES} == {one: not house.was_ended(one) for one in SERVICES}
