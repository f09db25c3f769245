"""How each service stands against what is meant: one look at the engine, told for a person who asks what runs.

What has no health check of its own, and says by a probe how it is asked, is asked by that. Everything else stands on
its own health check; what has neither is unknown, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.deployment.drift import find_drift
from sutazai_ops.deployment.release import Releases
from sutazai_ops.deployment.scaled import meant_copies, scaled
from sutazai_ops.engines import Health, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sutazai_ops.deployment.drift import Drift
    from sutazai_ops.deployment.plan import Running
    from sutazai_ops.deployment.release import Release, ReleasedService
    from sutazai_ops.engines import Engine, Observed
    from sutazai_ops.installation import Installation
    from sutazai_ops.monitoring.probes import Outcome
    from sutazai_ops.platform import Platform, Service

DONE = "done"
"""In the place of a state: a one-shot that has ended well, which is all that was asked of it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One service as it stands."""

    phase: str
    service: str
    state: str
    health: Health
    since: datetime | None = None
    """When it was started, where it runs."""
    release: int | None = None
    """The release in which what it runs as was new."""
    restarts: int | None = None
    """How often it came back by itself; None where the engine does not count."""
    drifts: tuple[Drift, ...] = ()
    note: str = ""
    """What a person should know beside it."""

    @property
    def is_there(self) -> bool:
        """Whether there is anything of it, or should be."""
        return self.state != State.ABSENT or self.release is not None


@dataclass(frozen=True, slots=True)
class Status:
    """All services, and the release that they are held against."""

    services: tuple[Standing, ...]
    release: int | None
    made_at: datetime | None
    drifts: tuple[Drift, ...]


def look(here: Installation) -> Status:
    """Look once at what runs; asks the probes of what has no health check.

    Raises:
        OpsError: when the engine does not answer, or the releases cannot be read.
    """
    releases = Releases(here.settings.releases)
    release = releases.current()
    observed = here.engine.observe()
    others = scaled(release, here.standing_scalings()) if release else {}
    found = find_drift(release, _by_phase(release, observed), releases.folder, others=others) if release else []
    answers = _asked(here.engine, here.platform, observed)
    return Status(
        tuple(_standing(here.platform, release, found, one, answers.get(one.service), others) for one in observed),
        release.number if release else None,
        releases.record(release.number).created_at if release else None,
        tuple(found),
    )


def _by_phase(release: Release, observed: Sequence[Observed]) -> Running:
    seen = {one.service: one.containers for one in observed}
    return {
        phase: {one.name: seen[one.name] for one in release.of_phase(phase) if one.name in seen}
        for phase in release.phases
    }


def _asked(engine: Engine, platform: Platform, observed: Sequence[Observed]) -> dict[str, Outcome]:
    """What the first probe that is not well says, or the last, of each service that tells nothing of itself."""
    silent = [platform.service(one.service) for one in observed if _tells_nothing(one)]
    services = [service for service in silent if service.probes]
    if not services:
        return {}
    from sutazai_ops.monitoring.probes import ProbeState, probe_all

    outcomes: dict[str, Outcome] = {}
    for report in probe_all(services, engine):
        before = outcomes.get(report.service)
        if before is None or before.state is ProbeState.OK:
            outcomes[report.service] = report.outcome
    return outcomes


def _tells_nothing(observed: Observed) -> bool:
    # "starting" is a note of a health check that has not ended yet.
    return observed.state is State.RUNNING and observed.health is Health.UNKNOWN and not observed.note


def _standing(
    platform: Platform,
    release: Release | None,
    drifts: Sequence[Drift],
    observed: Observed,
    answer: Outcome | None,
    others: Mapping[str, int],
) -> Standing:
    service = platform.service(observed.service)
    meant = release.services.get(service.name) if release else None
    if meant is not None and meant.one_shot and _has_ended_well(observed):
        state, health = DONE, Health.OK
    else:
        state, health = str(observed.state), Health(answer.state) if answer else observed.health
    return Standing(
        phase=service.phase,
        service=service.name,
        state=state,
        health=health,
        since=observed.started_at,
        release=meant.release if meant else None,
        restarts=observed.restarts,
        drifts=tuple(drift for drift in drifts if drift.service == service.name),
        note=", ".join(note for note in _notes(service, meant, observed, state, answer, others) if note),
    )


def _has_ended_well(observed: Observed) -> bool:
    return bool(observed.containers) and all(container.exit_code == 0 for container in observed.containers)


def _notes(
    service: Service,
    meant: ReleasedService | None,
    observed: Observed,
    state: str,
    answer: Outcome | None,
    others: Mapping[str, int],
) -> list[str | None]:
    notes = [observed.version, observed.note if state != DONE else None]
    count = meant_copies(meant, others) if meant else 1
    if count > 1 or service.name in others:
        running = sum(container.state is State.RUNNING for container in observed.containers)
        notes.append(f"{running} of {count} run" + (", scaled" if service.name in others else ""))
    if answer is not None and Health(answer.state) is not Health.OK:
        notes.append(answer.because)
    if _tells_nothing(observed) and not service.probes and state != DONE:
        from sutazai_ops.monitoring.probes.run import NO_PROBE

        notes.append(NO_PROBE)
    if "backup" in service.inferred:
        notes.append("backup inferred")
    return notes
