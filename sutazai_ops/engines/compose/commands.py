"""The `docker compose` commands, built as values and run as child processes.

Only version 2.24 and later is used: earlier ones do not know all that the platform's files say. The environment of a
command holds how to reach the engine and nothing else of ours, because a release's files have no variables left in
them.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from typing import TYPE_CHECKING

from sutazai_ops.engines.processes import ENVIRONMENT
from sutazai_ops.errors import CommandFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.engines.base import Order

OLDEST = (2, 24)
REACHING = ("HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
"""The variables that say how to reach the engine (docker(1))."""
INSTALL = (
    "install Docker's packages (https://docs.docker.com/engine/install/), or on Debian 13:"
    " apt install docker.io docker-cli docker-compose"
)
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def up(order: Order, services: Sequence[str], *flags: str) -> list[str]:
    """Bring services of the order's file up.

    What they depend on is in the file as it runs, so Compose leaves it alone, or starts it where it is stopped. With
    `--no-deps` it would hash them without their dependencies (before 2.29), and whoever runs a release by hand would
    make them anew.
    """
    head = ["docker", "compose", "--project-name", order.project, "--file", str(order.file)]
    return [*head, "up", "--detach", "--no-build", "--quiet-pull", *flags, "--", *services]


def copies(order: Order, service: str, count: int) -> list[str]:
    """Bring a service to so many containers without touching those that run."""
    return up(order, [service], "--no-recreate", "--scale", f"{service}={count}")


def configuration(order: Order) -> list[str]:
    """Let Compose itself read the order's file."""
    return ["docker", "compose", "--project-name", order.project, "--file", str(order.file), "config", "--quiet"]


def start(argv: Sequence[str]) -> subprocess.Popen[str]:
    """Start a command, its words to be read from its standard error.

    Raises:
        ToolMissing: when there is no docker here, or its Compose is older than 2.24.
    """
    require_compose()
    return subprocess.Popen(
        argv,
        env=environment(),
        # Compose asks whether a volume that differs may be made anew, and with it its data: nobody answers.
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )


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


def failure(words: str, what: str) -> CommandFailed:
    """What Compose complained of, in its own last words."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if "error" in line.lower() or "failed" in line.lower()), "")
    said = said or (lines[-1] if lines else "it gave no reason")
    return CommandFailed(f"{what}: {said.removeprefix('Error response from daemon: ')}", remedy=_remedy(said))


def _remedy(said: str) -> str:
    if "port is already allocated" in said or "address already in use" in said:
        return "another program has that port: stop it, or give the service another one"
    if "no space left" in said:
        return "make room on the disk that holds Docker's data, and deploy again"
    return "mend it, and deploy again"
