"""A deployment of ours beside what one would use instead: `python benchmarks/roll_out.py`. Needs a Docker engine.

Services are small containers of one image (`BENCH_IMAGE`, by default busybox:1.37.0, which has to be on the host or in
a registry), `BENCH_SERVICES` of them (default 30) in a project and on a network of their own, all removed at
the end. Side by side in one run: a deployment that changes nothing against `docker compose up -d` over the same files,
one that changes a service against Compose changing it, and the plan and the state by themselves. Each figure is the
median of three.
"""

from __future__ import annotations

import os
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


def write(folder: Path, name: str, changed: int) -> None:
    """The platform's one phase; the first service says which round it is."""
    service = {"image": IMAGE, "command": ["sleep", "86400"], "init": True, "stop_grace_period": "1s"}
    services = {f"s{n}": {**service, "environment": {"ROUND": str(changed if n == 0 else 0)}} for n in range(SERVICES)}
    text = yaml.safe_dump({"name": name, "services": services})
    (folder / "core.yaml").write_text(text)


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
            run("docker", "compose", "-p", name, "down", "--timeout", "1")


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
    compose = ["docker", "compose", "-f", str(home / "releases" / current / "core.yaml"), "up", "-d"]
    run(*compose)
    row("nothing changes: ours, Compose", median(lambda: ops("deploy", "--yes")), median(lambda: run(*compose)))
    row("the plan alone, beside Compose", median(lambda: ops("plan")), median(lambda: run(*compose)))
    row("the state alone, beside Compose", median(lambda: ops("status")), median(lambda: run(*compose)))
    rounds = iter(range(1, 100))

    def change_ours() -> None:
        write(platform, name, next(rounds))
        ops("deploy", "--yes")

    ours = median(change_ours)
    current = (home / "releases" / "current").read_text().strip()
    file = home / "releases" / current / "core.yaml"

    def change_theirs() -> None:
        text = file.read_text().replace("ROUND: '", f"ROUND: '{next(rounds)}", 1)
        (folder / "changed.yaml").write_text(text)
        run("docker", "compose", "-f", str(folder / "changed.yaml"), "up", "-d")

    row("one service changes: ours, Compose", ours, median(change_theirs))


def row(what: str, ours: float, theirs: float) -> None:
    """One line: both, and how many times as long ours took."""
    print(f"{what:<38} {ours:6.2f} s {theirs:6.2f} s   {ours / theirs:5.2f}")


if __name__ == "__main__":
    main()
