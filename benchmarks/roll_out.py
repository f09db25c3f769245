"""A deployment of ours beside what one would use instead: `python benchmarks/roll_out.py`. Needs a Docker engine.

Services are small containers of one image (`BENCH_IMAGE`, by default busybox:1.37.0, which has to be on the host or in
a registry), `BENCH_SERVICES` of them (default 30), in the shape of the packaged platform: four phases, one file each,
with health checks, and with chains of `depends_on: service_healthy`. Projects and networks are their own, and removed
at the end. Side by side in one run: a deployment that changes nothing against `docker compose up -d` over the same
files one after the other, one that changes a service against Compose changing it, and the plan and the state by
themselves. Each figure is the median of three.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES = int(os.environ.get("BENCH_SERVICES", "30"))
IMAGE = os.environ.get("BENCH_IMAGE", "busybox:1.37.0")
ROUNDS = 3


PHASES = ("core", "monitoring", "vector-databases", "ai-services")
CHAIN = 3
"""How many services of a phase stand on each other, as database, backend and pages do; the rest stands on the first."""


def write(folder: Path, name: str, changed: int) -> None:
    """The platform's phases; the last service of the last one says which round it is."""
    for index, phase in enumerate(PHASES):
        mine = [n for n in range(SERVICES) if n % len(PHASES) == index]
        services = {f"s{n}": service(mine, position, changed) for position, n in enumerate(mine)}
        text = yaml.safe_dump({"name": f"{name}-{phase}", "services": services})
        (folder / f"{phase}.yaml").write_text(text)


def service(mine: list[int], position: int, changed: int) -> dict[str, object]:
    """One service of a phase, by its position in it."""
    is_last = mine[position] == SERVICES - 1
    made: dict[str, object] = {
        "image": IMAGE,
        "command": ["sleep", "86400"],
        "init": True,
        "stop_grace_period": "1s",
        "environment": {"ROUND": str(changed if is_last else 0)},
        "healthcheck": {"test": ["CMD", "true"], "interval": "15s", "start_period": "30s", "start_interval": "1s"},
    }
    if position:
        before = mine[position - 1] if position < CHAIN else mine[0]
        made["depends_on"] = {f"s{before}": {"condition": "service_healthy"}}
    return made


def median(act: Callable[[], object]) -> float:
    """Seconds, the median of a few rounds."""
    taken = []
    for _ in range(ROUNDS):
        started = time.monotonic()
        act()
        taken.append(time.monotonic() - started)
    return statistics.median(taken)


def run(*argv: str, environment: dict[str, str] | None = None, fine: tuple[int, ...] = (0,)) -> None:
    """Run a command, silently."""
    env = {**os.environ, **(environment or {})}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in fine:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr[-500:]}")


def main() -> None:
    """Measure, print, remove."""
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        sys.exit("no Docker engine answers: nothing was measured")
    name = f"bench-{uuid.uuid4().hex[:6]}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            measure(Path(folder), name)
        finally:
            for phase in PHASES:
                run("docker", "compose", "-p", f"{name}-{phase}", "down", "--timeout", "1")


def measure(folder: Path, name: str) -> None:
    """Roll out once, then time each."""
    platform, home = folder / "platform", folder / "home"
    platform.mkdir()
    environment = {
        "SUTAZAI_HOME": str(home),
        "SUTAZAI_PLATFORM": str(platform),
        "SUTAZAI_ENGINE": "compose",
        "SUTAZAI_DEPLOY__SETTLE_SECONDS": "0",
    }

    def ops(*arguments: str) -> None:
        run(sys.executable, "-m", "sutazai_ops.cli", *arguments, environment=environment, fine=(0, 2))

    write(platform, name, 0)
    ops("deploy", "--yes")
    current = (home / "releases" / "current").read_text().strip()

    def compose() -> None:
        for phase in PHASES:
            run("docker", "compose", "-f", str(home / "releases" / current / f"{phase}.yaml"), "up", "-d")

    compose()
    print(f"{SERVICES} services                              ours  Compose   ratio")
    row("nothing changes", median(lambda: ops("deploy", "--yes")), median(compose), "1.20 times Compose, and 3 s")
    row("the plan alone", median(lambda: ops("plan")), median(compose), "2 s")
    row("the state alone", median(lambda: ops("status")), median(compose), "1 s")
    rounds = iter(range(1, 100))

    def change_ours() -> None:
        write(platform, name, next(rounds))
        ops("deploy", "--yes")

    ours = median(change_ours)
    current = (home / "releases" / "current").read_text().strip()
    file = home / "releases" / current / f"{PHASES[(SERVICES - 1) % len(PHASES)]}.yaml"

    def change_theirs() -> None:
        text = re.sub(r"ROUND: '[1-9]\d*'", f"ROUND: '{next(rounds)}'", file.read_text())
        (folder / "changed.yaml").write_text(text)
        run("docker", "compose", "-f", str(folder / "changed.yaml"), "up", "-d")

    row("one service changes", ours, median(change_theirs), "what Compose takes, and its probes")


def row(what: str, ours: float, theirs: float, goal: str) -> None:
    """One line: both, how many times as long ours took, and the most that it should."""
    print(f"{what:<30} {ours:6.2f} s {theirs:6.2f} s   {ours / theirs:5.2f}   goal: {goal}")


if __name__ == "__main__":
    main()
