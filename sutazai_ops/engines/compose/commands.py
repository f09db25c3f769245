"""The `docker compose` commands, built as values and run as child processes.

Only version 2.24 and later is used: earlier ones do not know all that the platform's files say. The environment of a
command holds how to reach the engine and nothing else of ours, because a release's files have no variables left in
them.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from sutazai_ops.engines.base import NoEngine
from sutazai_ops.engines.processes import ENVIRONMENT
from sutazai_ops.errors import CommandFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.engines.base import Order
    from sutazai_ops.errors import OpsError

OLDEST = (2, 24)
REACHING = ("HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
"""The variables that say how to reach the engine (docker(1))."""
INSTALL = (
    "install Docker's packages (https://docs.docker.com/engine/install/), or on Debian 13:"
    " apt install docker.io docker-cli docker-compose"
)
GONE = ("Cannot connect to the Docker daemon", "error during connect", "unexpected EOF")
"""How the command line says that the engine is not there, or no longer."""
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def up(order: Order, services: Sequence[str], *flags: str) -> list[str]:
    """Bring services of the order's file up.

    What they depend on is in the file as it runs, so Compose leaves it alone, or starts it where it is stopped. With
    `--no-deps` it would hash them without their dependencies (before 2.29), and whoever runs a release by hand would
    make them anew.
    """
    head = ["docker", "compose", "--project-name", order.project, "--file", str(order.file)]
    scaled = [f"--scale={name}={order.scaled[name]}" for name in sorted(_joined(order, services) & order.scaled.keys())]
    return [*head, "up", "--detach", "--no-build", "--quiet-pull", *scaled, *flags, "--", *services]


def _joined(order: Order, services: Sequence[str]) -> set[str]:
    """The services and all that they depend on: Compose brings those to their number, too, and knows no others."""
    if not order.scaled:
        return set()
    there = definitions(order)
    found: set[str] = set()
    new = set(services)
    while new:
        found |= new
        new = {other for name in new for other in there[name].get("depends_on") or ()} - found
    return found


def definitions(order: Order) -> dict[str, dict[str, Any]]:
    """What the order's file says of each of its services."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(order.file.read_text(encoding="utf-8"))["services"]
    return found


def copies(order: Order, service: str, count: int) -> list[str]:
    """Bring a service to so many containers without touching those that run."""
    return up(order, [service], "--no-recreate", f"--scale={service}={count}")


def configuration(order: Order) -> list[str]:
    """Let Compose itself read the order's file."""
    return ["docker", "compose", "--project-name", order.project, "--file", str(order.file), "config", "--quiet"]


class Running:
    """A command under way.

    Compose that is ended in the middle leaves containers under names that its next run trips over. So one that its
    parent's death finds at work goes on to its end: its words go into a file, since a pipe that nobody reads any more
    would end it, and it is given the lock, which the next deployment then waits for.
    """

    def __init__(self, argv: Sequence[str], keeping: tuple[int, ...]) -> None:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the command)
        self._process = subprocess.Popen(
            argv,
            env=environment(),
            # Compose asks whether a volume that differs may be made anew, and with it its data: nobody answers.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._words,
            pass_fds=keeping,
            start_new_session=True,
        )

    def poll(self) -> int | None:
        """Its exit code; None while it is at work."""
        return self._process.poll()

    def finish(self, seconds: float) -> tuple[int, str]:
        """Wait for its end, and return its exit code and what it said; one that takes longer is ended."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            return self._process.returncode, f"it was not done after {seconds:.0f} s"
        self._words.seek(0)
        with self._words:
            return code, self._words.read().decode(errors="replace")

    def end(self) -> None:
        """Have it end, and wait until it has."""
        self._process.terminate()
        self._process.wait()
        self._words.close()


def start(argv: Sequence[str], keeping: tuple[int, ...] = ()) -> Running:
    """Start a command.

    Args:
        argv: the command.
        keeping: open files that it keeps open until its end, such as a lock.

    Raises:
        ToolMissing: when there is no docker here, or its Compose is older than 2.24.
    """
    require_compose()
    return Running(argv, keeping)


def environment() -> dict[str, str]:
    """What a docker command finds in its environment."""
    reaching = {name: os.environ[name] for name in REACHING if name in os.environ}
    path = os.environ.get("PATH", ENVIRONMENT["PATH"])
    return {**ENVIRONMENT, "PATH": path, **reaching, "COMPOSE_IGNORE_ORPHANS": "true"}


@cache
def require_compose() -> str:
    """The version of `docker compose`; asked once a process.

    Raises:
        ToolMissing: when there is none, or it is older than 2.24.
    """
    try:
        answer = subprocess.run(
            ["docker", "compose", "version", "--short"],
            env=environment(), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise ToolMissing("the program docker is not on this machine", remedy=INSTALL) from None
    version = answer.stdout.strip()
    found = _VERSION.match(version)
    if answer.returncode != 0 or found is None:
        raise ToolMissing("this docker has no Compose v2 (docker-compose v1 is not enough)", remedy=INSTALL)
    if (int(found[1]), int(found[2])) < OLDEST:
        raise ToolMissing(f"Docker Compose {version} is too old: 2.24 or newer is needed", remedy=INSTALL)
    return version


def failure(words: str, what: str) -> OpsError:
    """What Compose complained of, in its own last words; `NoEngine` when the engine went away."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if "error" in line.lower() or "failed" in line.lower()), "")
    said = said or (lines[-1] if lines else "it gave no reason")
    if any(part in said for part in GONE):
        return NoEngine(f"{what}: {said}", remedy="start the Docker engine, and deploy again")
    return CommandFailed(f"{what}: {said.removeprefix('Error response from daemon: ')}", remedy=_remedy(said))


def _remedy(said: str) -> str:
    if "port is already allocated" in said or "address already in use" in said:
        return "another program has that port: stop it, or give the service another one"
    if "no space left" in said:
        return "make room on the disk that holds Docker's data, and deploy again"
    return "mend it, and deploy again"
