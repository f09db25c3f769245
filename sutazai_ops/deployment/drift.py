"""Drift: what runs and is not what the current release means, seen from the engine alone.

Reported, never mended on the quiet: the next deployment mends it, because a plan sees the same. Every fact says what is
meant and what is. What could not be looked at is not called whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.deployment.compare import NOTHING, runtime
from sutazai_ops.deployment.files import changed_copies
from sutazai_ops.engines import Health, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.deployment.plan import Running
    from sutazai_ops.deployment.release import Release, ReleasedService
    from sutazai_ops.engines import Container


class Kind(StrEnum):
    """What has drifted."""

    MISSING = "missing"
    STOPPED = "stopped"
    UNHEALTHY = "unhealthy"
    SPEC = "spec"
    IMAGE = "image"
    RUNTIME = "runtime"
    RESTARTS = "restarts"
    COPIES = "copies"
    FILES = "files"
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not as it is meant."""

    service: str
    phase: str
    kind: Kind
    field: str
    meant: str
    found: str


def find_drift(
    release: Release, running: Running, folder: Path, restarts_before: Mapping[str, int] | None = None
) -> list[Drift]:
    """Hold what runs against the release, service by service.

    Args:
        release: what is meant.
        running: what the engine sees of each of its phases.
        folder: of the release's files; mounted copies that were edited there are drift, too.
        restarts_before: restarts by container id when it was last looked; more since then is drift.
    """
    return [
        *(one for service in release.services.values() for one in _of_service(release, service, running, restarts_before or {})),
        *_orphans(release, running),
        *_files(release, folder),
    ]


def _of_service(
    release: Release, service: ReleasedService, running: Running, restarts_before: Mapping[str, int]
) -> Iterator[Drift]:
    containers = running.get(service.phase, {}).get(service.name, ())

    def drift(kind: Kind, field: str, meant: str, found: str) -> Drift:
        return Drift(service.name, service.phase, kind, field, meant, found)

    if not containers:
        yield drift(Kind.MISSING, "state", "running", "absent")
        return
    if len(containers) > 1:
        yield drift(Kind.COPIES, "containers", "1", str(len(containers)))
    container = containers[0]
    if container.spec != service.spec:
        found = NOTHING if container.spec is None else container.spec[:12]
        yield drift(Kind.SPEC, "spec", f"{service.spec[:12]} of release {service.release}", _of_release(container, found))
    image = str(service.definition.get("image", ""))
    if container.image != image:
        yield drift(Kind.IMAGE, "image", image, container.image)
    if container.state is State.STOPPED:
        if not (service.one_shot and container.exit_code == 0):
            yield drift(Kind.STOPPED, "state", "running", _ended(container))
        return
    if container.health is Health.FAILED:
        yield drift(Kind.UNHEALTHY, "health", "ok", "failed")
    if container.restarts > restarts_before.get(container.id, container.restarts):
        more = container.restarts - restarts_before[container.id]
        yield drift(Kind.RESTARTS, "restarts", "0 since the last look", str(more))
    for difference in runtime(service, release.phases[service.phase], container):
        yield drift(Kind.RUNTIME, difference.field, difference.before, difference.after)


def _of_release(container: Container, spec: str) -> str:
    return spec if container.release is None else f"{spec} of release {container.release}"


def _ended(container: Container) -> str:
    memory = ", out of memory" if container.out_of_memory else ""
    return "stopped" if container.exit_code is None else f"stopped (exit code {container.exit_code}{memory})"


def _orphans(release: Release, running: Running) -> Iterator[Drift]:
    for phase, services in running.items():
        for name, containers in services.items():
            if name not in release.services:
                yield Drift(name, phase, Kind.ORPHAN, "state", "absent", ", ".join(one.name for one in containers))


def _files(release: Release, folder: Path) -> Iterator[Drift]:
    for service in release.services.values():
        for name, meant, found in changed_copies(service.definition, folder):
            yield Drift(service.name, service.phase, Kind.FILES, f"file {name}", meant, found)


def restarts_of(running: Running) -> dict[str, int]:
    """How often each container has come back, by its id: what the next look is held against."""
    containers: list[Sequence[Container]] = [ones for services in running.values() for ones in services.values()]
    return {container.id: container.restarts for ones in containers for container in ones}
