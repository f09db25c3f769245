"""What the exporter costs, beside Debian's blackbox exporter over the same targets: `python benchmarks/exporter.py`.

The targets are one small HTTP server on loopback with an address for each service. A cycle asks every probe once and
takes the engine's figures, sixteen at a time, as the exporter does. The blackbox exporter is asked for the same targets
sixteen at a time, as Prometheus would; it runs where a Docker engine has the image `BENCH_BLACKBOX` (by default the
test image `servers`, which tests/images/build.py makes), and is left out where none is. With `BENCH_IMAGE` (an image
with busybox) as many real containers as `BENCH_SERVICES` (default 30) are looked at through Docker, too.

Goals: a cycle over 30 services in 2 s and with 2 % of one core at an interval of 30 s, over 300 in 10 s; a scrape in
100 ms; 100 MB of memory, flat over 10,000 cycles (`BENCH_CYCLES`).
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sutazai_ops.engines import Endpoint, Engine, Observed, Usage
    from sutazai_ops.monitoring.exporter.measuring import Measuring

SERVICES = int(os.environ.get("BENCH_SERVICES", "30"))
CYCLES = int(os.environ.get("BENCH_CYCLES", "10000"))
ROUNDS = 5
AT_ONCE = 16
INTERVAL = 30
MEGABYTE = 1_000_000

TARGETS = """
import asyncio, sys

async def answer(reader, writer):
    try:
        await reader.readuntil(b"\\r\\n\\r\\n")
    except asyncio.IncompleteReadError:
        # A probe that only connects.
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


class RecordedEngine:
    """Sees as many services as it is told to, all of them at one port."""

    name = "compose"

    def __init__(self, port: int, count: int) -> None:
        self.port, self.names = port, [f"s{number}" for number in range(count)]
        from sutazai_ops.engines import Container, Health, Observed, State, Usage

        def seen(name: str) -> Observed:
            one = Container(name, name, "bench", State.RUNNING, Health.OK, "i:1", "i", memory=2**29, cpus=1.0)
            return Observed(
                name, State.RUNNING, Health.OK, started_at=datetime.now(UTC), restarts=0, containers=(one,)
            )  # fmt: skip

        self._seen = [seen(name) for name in self.names]
        self._usage = Usage(2**20, 1.0)

    def observe(self) -> list[Observed]:
        """All of them."""
        return self._seen

    def usages(self, observed: Sequence[Observed]) -> dict[str, Usage]:
        """The same for each."""
        return {one.service: self._usage for one in observed}

    def image_made_at(self, image_id: str) -> datetime | None:  # noqa: ARG002
        """Now."""
        return datetime.now(UTC)

    def endpoint(self, service: str, port: int | None = None) -> Endpoint:  # noqa: ARG002
        """The targets' server."""
        from sutazai_ops.engines import Endpoint

        return Endpoint("127.0.0.1", self.port)


@contextmanager
def targets() -> Iterator[int]:
    """A server that answers every question; yields its port."""
    with subprocess.Popen([sys.executable, "-c", TARGETS], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def measuring(engine: Engine, home: Path, *, kind: str = "http") -> Measuring:
    """An exporter's measuring of all services of a recorded engine, which is not started."""
    from sutazai_ops.backups import Store
    from sutazai_ops.monitoring.exporter.measuring import Measuring, Watch
    from sutazai_ops.platform import Probe, Service
    from sutazai_ops.settings import Settings

    def probe(name: str) -> Probe:
        return Probe(kind=kind, port=80, path=f"/{name}") if kind == "http" else Probe(kind="tcp", port=80)

    services = [Service(name=name, phase="core", file=Path("x"), probes=(probe(name),)) for name in engine.names]
    made = Measuring(Watch(Settings(home=home), engine, Store(home / "backups"), lambda: services))
    made.follow()
    return made


def cycle(made: Measuring) -> None:
    """Every probe and every collector once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda one: one.round(), [*made.probes.values(), *made.collectors.values()]))


def timed(act: Callable[[], object], processor: Callable[[], float] = time.process_time) -> tuple[float, float]:
    """Seconds of wall and of processor time, the median of a few rounds."""
    walls, cpus = [], []
    for _ in range(ROUNDS):
        begun, worked = time.monotonic(), processor()
        act()
        walls.append(time.monotonic() - begun)
        cpus.append(processor() - worked)
    return statistics.median(walls), statistics.median(cpus)


def scrape(made: Measuring) -> int:
    """Write everything down as a scrape does; returns how many bytes that is."""
    return len(made.text().encode())


def line(what: str, wall: float, cpu: float, goal: str = "") -> None:
    """One row."""
    share = cpu / INTERVAL * 100
    print(f"{what:<44} {wall * 1000:8.0f} ms  {cpu * 1000:7.0f} ms CPU, {share:5.2f} % of a core every 30 s   {goal}")


def blackbox(port: int, count: int) -> None:
    """The blackbox exporter over the same targets."""
    image = os.environ.get("BENCH_BLACKBOX") or _test_image()
    if not image:
        print("blackbox exporter: left out, since no Docker engine has its image")
        return
    name = f"bench-{uuid.uuid4().hex[:8]}"
    flags = ["--web.listen-address=127.0.0.1:19115", "--config.file=/etc/prometheus/blackbox.yml", "--log.level=error"]
    command = [
        "docker",
        "run",
        "--rm",
        "-d",
        "--name",
        name,
        "--network",
        "host",
        image,
        "prometheus-blackbox-exporter",
    ]
    subprocess.run([*command, *flags], check=True, capture_output=True)
    try:
        inspected = subprocess.run(
            ["docker", "inspect", "-f", "{{.State.Pid}}", name], check=True, capture_output=True, text=True
        )
        process = psutil.Process(int(inspected.stdout))
        urls = [
            f"http://127.0.0.1:19115/probe?module=http_2xx&target=http://127.0.0.1:{port}/s{number}"
            for number in range(count)
        ]
        _await(urls[0])

        def ask(url: str) -> None:
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert b"probe_success 1" in answer.read()

        def all_once() -> None:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(ask, urls))

        all_once()
        wall, cpu = timed(all_once, lambda: sum(process.cpu_times()[:2]))
        line(f"blackbox exporter, {count} targets, probes only", wall, cpu)
        print(f"{'blackbox exporter, memory':<44} {process.memory_info().rss / MEGABYTE:8.0f} MB")
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)


def _test_image() -> str:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests/images"))
    from recipes import image_of

    image = image_of("servers")
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
    return image if done.returncode == 0 else ""


def _await(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            answer.read()
            return
        if time.monotonic() > deadline:
            sys.exit("the blackbox exporter does not answer")
        time.sleep(0.2)


def containers(home: Path) -> None:
    """A cycle over real containers, looked at through Docker, each with a probe of its own address."""
    image = os.environ.get("BENCH_IMAGE")
    if not image:
        print("real containers: left out; set BENCH_IMAGE to an image with busybox")
        return
    from sutazai_ops.backups import Store
    from sutazai_ops.engines.compose.engine import ComposeEngine
    from sutazai_ops.monitoring.exporter.measuring import Measuring, Watch
    from sutazai_ops.platform import read_platform
    from sutazai_ops.settings import Settings

    name = f"bench-{uuid.uuid4().hex[:8]}"
    service = {
        "image": image, "command": ["busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"], "stop_grace_period": "1s",
        "x-sutazai": {"probes": [{"kind": "http", "port": 8080, "path": "/hostname"}]},
    }  # fmt: skip
    (home / "platform").mkdir()
    file = home / "platform/core.yaml"
    file.write_text(yaml.safe_dump({"name": name, "services": {f"s{n}": service for n in range(SERVICES)}}))
    compose = ["docker", "compose", "-p", name, "-f", str(file)]
    subprocess.run([*compose, "up", "-d"], check=True, capture_output=True)
    try:
        settings = Settings(home=home, platform=home / "platform", engine="compose")
        platform = read_platform(settings.platform)
        engine = ComposeEngine(settings, platform)
        made = Measuring(Watch(settings, engine, Store(home / "backups"), lambda: list(platform)))
        made.follow()
        cycle(made)
        wall, cpu = timed(lambda: cycle(made))
        states = [one.state for one in made.probes.values()]
        line(f"{SERVICES} real containers through Docker", wall, cpu, "goal: 2000 ms, 2 %")
        print(f"{'  of them ok':<44} {states.count('ok'):8}")
    finally:
        subprocess.run([*compose, "down", "-t", "1"], check=False, capture_output=True)


def memory(port: int, home: Path) -> None:
    """Memory over many cycles of a few services."""
    made = measuring(RecordedEngine(port, 3), home, kind="tcp")
    process = psutil.Process()
    seen = []
    for number in range(CYCLES + 1):
        if number % max(1, CYCLES // 10) == 0:
            scrape(made)
            gc.collect()
            seen.append((process.memory_info().rss, process.num_threads()))
        for one in (*made.probes.values(), *made.collectors.values()):
            one.round()
    words = ", ".join(f"{rss / MEGABYTE:.1f}" for rss, _ in seen)
    print(f"memory over {CYCLES:,} cycles, in MB: {words}   goal: flat, at most 100")
    print(f"threads at the beginning and the end: {seen[0][1]} and {seen[-1][1]}")


def main() -> None:
    """Measure, print, remove."""
    with targets() as port, tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for count, goal in ((SERVICES, "goal: 2000 ms, 2 %"), (10 * SERVICES, "goal: 10000 ms")):
            made = measuring(RecordedEngine(port, count), home)
            cycle(made)
            line(f"exporter, {count} services", *timed(lambda made=made: cycle(made)), goal)
            wall, cpu = timed(lambda made=made: scrape(made))
            size = f"  a scrape of {scrape(made) / 1000:.0f} kB"
            print(f"{size:<44} {wall * 1000:8.1f} ms  {cpu * 1000:7.1f} ms CPU   goal: 100 ms")
        print(f"{'  memory':<44} {psutil.Process().memory_info().rss / MEGABYTE:8.0f} MB   goal: 100 MB")
        blackbox(port, SERVICES)
        containers(home)
        memory(port, home)


if __name__ == "__main__":
    main()
