"""Drift: what runs and is not what the current release means, seen from the engine alone.

Reported, never mended on the quiet: the next deployment mends it, because a plan sees the same. Every fact says what is
meant and what is. What could not be looked at is not called whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.deployment.compare import ended, runtime
from sutazai_ops.deployment.files import changed_copies
from sutazai_ops.deployment.scaled import meant_copies
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

    def __str__(self) -> str:
        return f"{self.service}: {self.field} is meant to be {self.meant}, and is {self.found}"


def find_drift(
    release: Release,
    running: Running,
    folder: Path,
    restarts_before: Mapping[str, int] | None = None,
    others: Mapping[str, int] | None = None,
) -> list[Drift]:
    """Hold what runs against the release, service by service.

    Args:
        release: what is meant.
        running: what the engine sees of each of its phases.
        folder: of the release's files; mounted copies that were edited there are drift, too.
        restarts_before: restarts by container id when it was last looked; more since then is drift.
        others: services that are meant to have another number of containers than the release says.
    """
    return [
        *(
            one
            for service in release.services.values()
            for one in _of_service(release, service, running, restarts_before or {}, others or {})
        ),
        *_orphans(release, running),
        *_files(release, folder),
    ]


def _of_service(
    release: Release,
    service: ReleasedService,
    running: Running,
    restarts_before: Mapping[str, int],
    others: Mapping[str, int],
) -> Iterator[Drift]:
    containers = running.get(service.phase, {}).get(service.name, ())
    for kind, field, meant, found in dict.fromkeys(_facts(release, service, containers, restarts_before, others)):
        yield Drift(service.name, service.phase, kind, field, meant, found)


Fact = tuple[Kind, str, str, str]


def _facts(
    release: Release,
    service: ReleasedService,
    containers: Sequence[Container],
    restarts_before: Mapping[str, int],
    others: Mapping[str, int],
) -> Iterator[Fact]:
    if not containers:
        yield Kind.MISSING, "state", "running", "absent"
        return
    if len(containers) != (meant := meant_copies(service, others)):
        yield Kind.COPIES, "containers", str(meant), str(len(containers))
    for container in containers:
        yield from _facts_of(release, service, container, restarts_before)


def _facts_of(
    release: Release, service: ReleasedService, container: Container, restarts_before: Mapping[str, int]
) -> Iterator[Fact]:
    yield from _made_from(service, container)
    if container.state is State.STOPPED:
        if not (service.one_shot and container.exit_code == 0):
            yield Kind.STOPPED, "state", "running", ended(container)
        return
    if container.health is Health.FAILED:
        yield Kind.UNHEALTHY, "health", "ok", "failed"
    if (before := restarts_before.get(container.id)) is not None and container.restarts > before:
        yield Kind.RESTARTS, "restarts since the last look", "0", str(container.restarts - before)
    for difference in runtime(service, release.phases[service.phase], container):
        yield Kind.RUNTIME, difference.field, difference.before, difference.after


def _made_from(service: ReleasedService, container: Container) -> Iterator[Fact]:
    if container.spec != service.spec:
        found = "none of ours" if container.release is None else f"that of release {container.release}"
        yield Kind.SPEC, "definition", f"that of release {service.release}", found
    image = str(service.definition.get("image", ""))
    if container.image != image:
        yield Kind.IMAGE, "image", image, container.image


def _orphans(release: Release, running: Running) -> Iterator[Drift]:
    for phase, services in running.items():
        for name, containers in services.items():
            if name not in release.services:
                yield Drift(name, phase, Kind.ORPHAN, "state", "absent", ", ".join(one.name for one in containers))


def _files(release: Release, folder: Path) -> Iterator[Drift]:
    for service in release.services.values():
        for name, meant, found in changed_copies(service.definition, folder, release.config_files(service)):
            yield Drift(service.name, service.phase, Kind.FILES, f"file {name}", meant, found)


def restarts_of(running: Running) -> dict[str, int]:
    """How often each container has come back, by its id: what the next look is held against."""
    containers: list[Sequence[Container]] = [ones for services in running.values() for ones in services.values()]
    return {container.id: container.restarts for ones in containers for container in ones}
