"""Compose projects that a test makes on a real engine, and that go away with it.

What a test makes belongs to a project of its own name. It is found by that name and removed, volumes and networks too,
whatever became of its Compose file.
"""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import docker
import pytest
import yaml
from docker.models.containers import Container

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
WITHIN_SECONDS = 60


def eventually(true: Callable[[], object], *not_yet: type[Exception]) -> None:
    """Wait until it is true; an `OSError` or one of `not_yet` says that it is not true yet."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        try:
            if true():
                return
        except (OSError, *not_yet):
            pass
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


class Project:
    """One Compose project: `file` is its Compose file, which a test writes with `write`."""

    def __init__(self, folder: Path, client: docker.DockerClient) -> None:
        self.name = f"test-{uuid.uuid4().hex[:10]}"
        self.file = folder / "compose.yaml"
        self.client = client

    def write(self, content: Mapping[str, object]) -> None:
        """Write the Compose file."""
        self.file.write_text(yaml.safe_dump(dict(content)))

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker compose` on the project."""
        command = ["docker", "compose", "-p", self.name, "-f", str(self.file), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        if check and done.returncode:
            logs = subprocess.run([*command[:6], "logs", "--tail", "20"], capture_output=True, text=True, check=False)
            ended = f"{' '.join(arguments)} ended with {done.returncode}"
            pytest.fail(f"{ended}\n{done.stderr[-2000:]}\n{logs.stdout[-4000:]}")
        return done

    def containers(self) -> list[Container]:
        """Its containers, running or not."""
        return self.client.containers.list(all=True, filters={"label": f"{PROJECT_LABEL}={self.name}"})

    def container(self, service: str) -> Container:
        """The first container of a service."""
        found = [one for one in self.containers() if one.labels[SERVICE_LABEL] == service]
        assert found, f"{service} has no container"
        return found[0]

    def address(self, service: str) -> str:
        """Where a service answers: the engine's host reaches containers at their own addresses."""
        networks = self.container(service).attrs["NetworkSettings"]["Networks"]
        return next(network["IPAddress"] for network in networks.values())

    def remove(self) -> None:
        """Remove everything that bears the project's name, even where its Compose file has become unreadable."""
        mine = {"label": f"{PROJECT_LABEL}={self.name}"}
        for container in self.containers():
            container.remove(force=True, v=True)
        for network in self.client.networks.list(filters=mine):
            network.remove()
        for volume in self.client.volumes.list(filters=mine):
            volume.remove(force=True)
