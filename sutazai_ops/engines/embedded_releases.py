"""Releases on the embedded engine: which release each of its servers was started from.

A process bears no labels, so what a release stamps on a container stands in a file a service here. A server whose
release means something else than the one it was started from is restarted; what only a container has (copies, networks,
images) this engine has not, and says so.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from sutazai_ops.engines.base import Container, State
from sutazai_ops.engines.labels import RELEASE, SPEC
from sutazai_ops.errors import Unsupported
from sutazai_ops.model import Model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.engines.base import Network, Observed, Order
    from sutazai_ops.platform import Platform
    from sutazai_ops.progress import Progress


class Stamp(Model):
    """What a server was started from."""

    project: str
    image: str
    spec: str
    release: int


class Releases:
    """The part of the embedded engine that releases ask for."""

    def __init__(self, home: Path, platform: Platform) -> None:
        self._stamps = home / "embedded"
        self._projects = {name: phase.project for phase in platform.phases for name in phase.services}

    def observe(self) -> list[Observed]:
        """Every service as it is now."""
        raise NotImplementedError

    def start(self, service: str) -> None:
        """Start it and wait until it answers."""
        raise NotImplementedError

    def stop(self, service: str) -> None:
        """Stop it cleanly and keep its data."""
        raise NotImplementedError

    def observe_project(self, project: str) -> Mapping[str, tuple[Container, ...]]:
        """Each server of that project, as the one container it would be."""
        return {
            observed.service: (_as_container(observed, project, self._stamp(observed.service)),)
            for observed in self.observe()
            if self._projects[observed.service] == project and observed.state in {State.RUNNING, State.STOPPED}
        }

    def ensure_networks(self, networks: Sequence[Network]) -> None:
        """Processes of one machine reach each other over its loopback: there is nothing to make."""

    def check(self, order: Order) -> None:
        """What this engine reads of a release it has itself written."""

    def pull(self, order: Order, progress: Progress) -> None:
        """The servers come out of wheels that are installed already: there is nothing to have."""

    def bring(self, order: Order, progress: Progress) -> Mapping[str, float]:
        """Start each service of the order, or restart it where it was started from another definition."""
        seconds = {}
        services = yaml.safe_load(order.file.read_text(encoding="utf-8"))["services"]
        for name in order.services:
            labels = services[name]["labels"]
            wanted = Stamp(
                project=order.project,
                image=services[name].get("image", ""),
                spec=labels[SPEC],
                release=int(labels[RELEASE]),
            )
            started = time.monotonic()
            with progress.step(f"start {name}"):
                if self._stamp(name) != wanted or name in order.recreate:
                    self.stop(name)
                self.start(name)
                self._stamp_file(name).write_text(wanted.model_dump_json(), encoding="utf-8")
            seconds[name] = time.monotonic() - started
        return seconds

    def add_copy(self, order: Order, service: str, progress: Progress) -> tuple[Container, ...]:  # noqa: ARG002
        """Raises `Unsupported`: this engine runs one of each."""
        raise Unsupported(f"the embedded engine runs one {service}", remedy="use an engine that runs containers")

    def retire(self, containers: Sequence[Container]) -> None:
        """Stop these servers; their data stays."""
        for container in containers:
            self.stop(container.name)

    def remove(self, project: str, services: Sequence[str]) -> None:  # noqa: ARG002
        """Stop these servers, and forget from which release they were started. Their data stays."""
        for service in services:
            self.stop(service)
            self._stamp_file(service).unlink(missing_ok=True)

    def remove_project(self, project: str, *, volumes: bool = False) -> None:
        """Stop every server of a project; its data goes only where told to."""
        for service in self.observe_project(project):
            self.remove(project, [service])
            if volumes:
                shutil.rmtree(self._stamps / service)

    def execute(self, service: str, argv: Sequence[str]) -> str:  # noqa: ARG002
        """Raises `Unsupported`: a server of this engine has no inside."""
        raise Unsupported(f"the embedded engine cannot run a command inside {service}")

    def write_file(self, service: str, path: str, content: bytes) -> None:  # noqa: ARG002
        """Raises `Unsupported`: a server of this engine has no inside."""
        raise Unsupported(f"the embedded engine cannot write a file inside {service}")

    def _stamp_file(self, service: str) -> Path:
        return self._stamps / service / "release.json"

    def _stamp(self, service: str) -> Stamp | None:
        try:
            return Stamp.model_validate_json(self._stamp_file(service).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValidationError):
            return None


def _as_container(observed: Observed, project: str, stamp: Stamp | None) -> Container:
    return Container(
        id=observed.service,
        name=observed.service,
        project=project,
        state=observed.state,
        health=observed.health,
        image=stamp.image if stamp else "",
        image_id=stamp.image if stamp else "",
        spec=stamp.spec if stamp else None,
        release=stamp.release if stamp else None,
        started_at=observed.started_at,
        is_process=True,
    )
