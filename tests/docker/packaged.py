"""The packaged platform on a real engine, under a name of its own.

The platform's own files are used as they are, but for the names of projects and networks, so that a platform that runs
on the same host is not touched, and for how often the engine asks a service how it is. Servers are real where Debian
has them and labelled stand-ins elsewhere.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import docker
from build import ImageRegistry, references
from projects import PROJECT_LABEL, SERVICE_LABEL

from sutazai_ops.engines.daemons import free_port
from sutazai_ops.settings import PACKAGED_PLATFORM


class Platform:
    """The packaged platform under a name of its own."""

    health_checks = "interval: 15s\n  start_interval: 2s"
    """The engine asks what is starting every two seconds: as packaged, for engines that cannot, the first answer of
    each step of a roll-out would be waited for for a quarter of a minute."""

    def __init__(self, folder: Path, registry: ImageRegistry, client: docker.DockerClient) -> None:
        self.name, self.client, self.registry = f"plat-{uuid.uuid4().hex[:6]}", client, registry
        self.folder, self.home, self.port = folder / "platform", folder / "home", free_port()
        shutil.copytree(PACKAGED_PLATFORM, self.folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        for file in self.folder.glob("*.yaml"):
            text = re.sub(r"^name: sutazai-", f"name: {self.name}-", file.read_text(), flags=re.MULTILINE)
            text = re.sub(r"name: sutazai-", f"name: {self.name}-", text)
            file.write_text(text.replace("\n  interval: 15s\n", f"\n  {self.health_checks}\n"))
        for reference in references(self.folder):
            registry.push(reference)
        self.environment: Mapping[str, str] = {
            "SUTAZAI_HOME": str(self.home),
            "SUTAZAI_PLATFORM": str(self.folder),
            "SUTAZAI_ENGINE": "compose",
            "SUTAZAI_IMAGES__MIRROR": registry.address,
            "SUTAZAI_DEPLOY__SETTLE_SECONDS": "1",
            "EDGE_ADDRESS": "127.0.0.1",
            "EDGE_HTTP_PORT": str(self.port),
            "EDGE_HTTPS_PORT": str(free_port()),
        }
        self._make_room()

    def _make_room(self) -> None:
        """Networks of small subnets, of this platform alone: Docker's own pools hold about thirty."""
        for second in random.sample(range(128, 192), k=64):
            try:
                return self._make_networks(second)
            except docker.errors.APIError as error:
                # Taken by another platform, maybe one that begins at this moment in another worker.
                if "Pool overlaps" not in str(error):
                    raise
                self._remove_networks()
        raise AssertionError("every subnet of 10.128.0.0/10 is taken")

    def _make_networks(self, second: int) -> None:
        for number, network in enumerate(self._networks()):
            pool = docker.types.IPAMPool(subnet=f"10.{second}.{number}.0/24")
            internal = not network.endswith("-outside")
            self.client.networks.create(network, internal=internal, ipam=docker.types.IPAMConfig(pool_configs=[pool]))

    def _networks(self) -> list[str]:
        texts = "".join(file.read_text() for file in self.folder.glob("*.yaml"))
        return sorted(set(re.findall(rf"name: ({self.name}-[\w-]+), external: true", texts)))

    def ops(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `sutazai-ops`."""
        command = [sys.executable, "-m", "sutazai_ops.cli", *arguments]
        environment = {**os.environ, **self.environment, **variables}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)

    def containers(self) -> dict[str, docker.models.containers.Container]:
        """Its containers by service."""
        everyone = self.client.containers.list(all=True, ignore_removed=True)
        mine = [one for one in everyone if one.labels.get(PROJECT_LABEL, "").startswith(self.name)]
        return {one.labels[SERVICE_LABEL]: one for one in mine}

    def settled(self, within: float = 180) -> bool:
        """Wait until the engine calls none of its containers unhealthy: a busy machine delays health checks."""
        until = time.monotonic() + within
        while unwell := [name for name, one in self.containers().items() if one.health in {"unhealthy", "starting"}]:
            assert time.monotonic() < until, unwell
            time.sleep(1)
        return True

    def volumes(self) -> set[str]:
        """The names of its volumes."""
        return {volume.name for volume in self.client.volumes.list() if volume.name.startswith(self.name)}

    def remove(self) -> None:
        """Remove everything that bears its name."""
        for container in self.containers().values():
            container.remove(force=True, v=True)
        self._remove_networks()
        for volume in self.volumes():
            self.client.volumes.get(volume).remove(force=True)

    def _remove_networks(self) -> None:
        for network in self.client.networks.list():
            if network.name.startswith(self.name):
                network.remove()
