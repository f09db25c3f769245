"""The way to the Docker engine that docker-py and the command line share, and its errors as sentences.

Contexts and DOCKER_HOST mean the same here as to the `docker` command.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sutazai_ops.engines.base import NoEngine
from sutazai_ops.errors import CommandFailed, OpsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import APIClient

SECONDS = 300
"""How long one call may take: a stop waits for the grace period of what it stops."""
CONNECTIONS = 16


def connect(seconds: int = SECONDS) -> APIClient:
    """Connect to the engine.

    Raises:
        NoEngine: when none answers, saying where it was looked for.
    """
    import docker
    from docker.errors import DockerException
    from requests.adapters import HTTPAdapter

    try:
        client = docker.DockerClient.from_env(timeout=seconds, max_pool_size=CONNECTIONS).api
        # By way of a proxy: what docker-py says of its pool holds for sockets alone.
        client.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS, pool_block=True))
        client.ping()
    except (DockerException, OSError) as error:
        raise _unreachable(error) from None
    return client


def answers(seconds: int = 2) -> bool:
    """Whether an engine answers here."""
    try:
        connect(seconds).close()
    except OpsError:
        return False
    return True


@contextmanager
def speaking(what: str) -> Iterator[None]:
    """Turn what docker-py raises into a sentence that starts with `what`: "cannot stop backend"."""
    import requests
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        said = str(error.explanation or error)
        raise CommandFailed(f"{what}: {said}", remedy=_remedy(said)) from None
    except (DockerException, requests.RequestException) as error:
        raise _unreachable(error) from None


def _remedy(said: str) -> str:
    if "address pool" in said:
        return "docker network prune removes networks that nothing uses; default-address-pools in daemon.json adds room"
    if "no space left" in said:
        return "make room on the disk that holds Docker's data"
    return "mend it, and try again"


def _unreachable(error: Exception) -> NoEngine:
    import os

    where = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock, or the current docker context"
    if "Permission denied" in str(error) or "PermissionError" in str(error):
        return NoEngine(
            "this user may not speak to the Docker engine",
            where=where,
            remedy="run as one who may, or join the group: sudo usermod -aG docker $USER, then log in again",
        )
    return NoEngine(
        "no Docker engine answers", where=where, remedy="start it (sudo systemctl start docker), or set DOCKER_HOST"
    )
