"""What carrying out a release would change, service by service, and why: a value, made without touching anything.

Three sides are held against each other: what the release means, what the last one meant, and what the engine sees. So a
plan tells a change of the files from a change that somebody made by hand. A plan never removes a volume, and removes a
service only where an earlier release of ours had it: what somebody else put there is named as an orphan and left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.deployment.compare import Difference, between, runtime
from sutazai_ops.deployment.scaled import meant_copies
from sutazai_ops.engines import Act, State

if TYPE_CHECKING:
    from collections.abc import Collection

    from sutazai_ops.deployment.release import Release, ReleasedService
    from sutazai_ops.engines import Container

Running = Mapping[str, Mapping[str, Sequence["Container"]]]
"""The containers that the engine sees, by phase and service."""

NOT_OURS = "it was not made by a release of ours"


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to one service, and why."""

    service: str
    phase: str
    act: Act
    because: str = ""
    differences: tuple[Difference, ...] = ()

    @property
    def why(self) -> str:
        """Every reason, in one line."""
        return "; ".join([*([self.because] if self.because else []), *map(str, self.differences)])

    @property
    def changes(self) -> bool:
        """Whether anything is done."""
        return self.act is not Act.UNCHANGED


@dataclass(frozen=True, slots=True)
class Orphan:
    """A service that runs in a phase's project and that no release of ours has ever meant."""

    service: str
    phase: str
    containers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that carrying out a release changes."""

    release: int
    against: int | None
    """The release that is meant to run now."""
    steps: tuple[Step, ...]
    """One for each service that is looked at, in roll-out order."""
    orphans: tuple[Orphan, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    """Services that the engine cannot run, and why."""

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that do something."""
        return tuple(step for step in self.steps if step.changes)

    def of_phase(self, phase: str) -> tuple[Step, ...]:
        """The steps of one phase that do something."""
        return tuple(step for step in self.changes if step.phase == phase)


def make_plan(
    release: Release,
    last: Release | None,
    running: Running,
    looked_at: Collection[str] | None = None,
    left_out: Sequence[tuple[str, str]] = (),
    edited: Mapping[str, tuple[Difference, ...]] | None = None,
    others: Mapping[str, int] | None = None,
) -> Plan:
    """Decide what to do with each service.

    Args:
        release: what shall run.
        last: what was meant to run until now.
        running: what the engine sees, for each phase that is looked at.
        looked_at: the services that may be touched; all of the phases in `running` for None.
        left_out: services that the engine cannot run, and why.
        edited: by service, the files it mounts that are not what the last release put there.
        others: services that are meant to have another number of containers than the release says.
    """
    wanted = [s for s in release.services.values() if s.phase in running and (looked_at is None or s.name in looked_at)]
    gone = _gone(release, last, running, looked_at)
    return Plan(
        release=release.number,
        against=last.number if last else None,
        steps=(
            *(_step(one, release, last, running, (edited or {}).get(one.name, ()), others or {}) for one in wanted),
            *gone,
        ),
        orphans=_orphans(release, last, running),
        left_out=tuple(left_out),
    )


def _step(
    service: ReleasedService,
    release: Release,
    last: Release | None,
    running: Running,
    edited: tuple[Difference, ...],
    others: Mapping[str, int],
) -> Step:
    containers = running[service.phase].get(service.name, ())
    before = last.services.get(service.name) if last else None
    if not containers:
        because = "it is new" if before is None else "it is not there any more"
        return Step(service.name, service.phase, Act.CREATE, because)
    if stale := next((one for one in containers if one.spec != service.spec), None):
        return Step(service.name, service.phase, Act.RECREATE, *_why_recreated(service, before, stale))
    if drifted := (*_drift(service, release, containers, others), *edited):
        return Step(service.name, service.phase, Act.RUNTIME_DRIFT, "what runs was changed", drifted)
    if why := next((why for one in containers if (why := _why_started(service, one))), ""):
        return Step(service.name, service.phase, Act.START, why)
    return Step(service.name, service.phase, Act.UNCHANGED)


def _why_recreated(
    service: ReleasedService, before: ReleasedService | None, container: Container
) -> tuple[str, tuple[Difference, ...]]:
    if container.spec is None:
        return NOT_OURS, ()
    if before is None or before.spec == service.spec:
        return f"it runs as release {container.release} meant it", ()
    return "", tuple(between(before.definition, service.definition))


def _drift(
    service: ReleasedService, release: Release, containers: Sequence[Container], others: Mapping[str, int]
) -> tuple[Difference, ...]:
    phase = release.phases[service.phase]
    found = [
        difference
        for container in containers
        if container.state is not State.STOPPED
        for difference in runtime(service, phase, container)
    ]
    meant = meant_copies(service, others)
    if len(containers) != meant:
        found.append(Difference("containers", str(meant), str(len(containers))))
    return tuple(dict.fromkeys(found))


def _why_started(service: ReleasedService, container: Container) -> str:
    if container.state is State.RUNNING or (service.one_shot and container.exit_code == 0):
        return ""
    memory = ", out of memory" if container.out_of_memory else ""
    return (
        "it is stopped" if container.exit_code is None else f"it is stopped (exit code {container.exit_code}{memory})"
    )


def _gone(release: Release, last: Release | None, running: Running, looked_at: Collection[str] | None) -> list[Step]:
    return [
        Step(name, phase, Act.REMOVE, "no file has it any more")
        for phase, services in running.items()
        for name, containers in services.items()
        if name not in release.services
        and (looked_at is None or name in looked_at)
        and _is_ours(name, containers, last)
    ]


def _orphans(release: Release, last: Release | None, running: Running) -> tuple[Orphan, ...]:
    return tuple(
        Orphan(name, phase, tuple(container.name for container in containers))
        for phase, services in running.items()
        for name, containers in services.items()
        if name not in release.services and not _is_ours(name, containers, last)
    )


def _is_ours(name: str, containers: Sequence[Container], last: Release | None) -> bool:
    return (last is not None and name in last.services) or any(one.spec is not None for one in containers)
