"""Takes phases down: their containers go, the networks of their own too, and their volumes only where that was named.

What was taken down is not meant to run any more, so it is no drift; the next deployment of it brings it back.
Volumes of a phase go only once the newest verified backup set holds every service of it that is backed up. What nobody
backs up is named, and lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.deployment.release import without_phases
from sutazai_ops.deployment.selection import known_phases
from sutazai_ops.engines import State
from sutazai_ops.errors import BadInput, Refused
from sutazai_ops.platform import Tier

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sutazai_ops.deployment.deployments import Deployments
    from sutazai_ops.deployment.release import Release
    from sutazai_ops.platform import Platform
    from sutazai_ops.progress import Progress


@dataclass(frozen=True, slots=True)
class TakeDown:
    """What goes."""

    phases: tuple[tuple[str, str], ...]
    """Phase and project, in the order in which they go: those first that nothing stands on."""
    running: tuple[str, ...] = ()
    """The services that run of them."""
    volumes_of: str | None = None
    """The phase whose volumes go, too."""
    lost: tuple[str, ...] = ()
    """Services with state that no backup holds, and whose data goes with the volumes."""


def plan_take_down(here: Deployments, phases: Sequence[str] | None, volumes_of: str | None) -> TakeDown:
    """Decide what goes; nothing is touched.

    Args:
        here: the installation.
        phases: names; every phase for None.
        volumes_of: the phase whose volumes go with it.

    Raises:
        BadInput: for a phase that is not known, or whose volumes shall go while it stays.
        Refused: when no verified set holds all that is backed up of it.
    """
    platform = here.platform
    chosen = known_phases(platform, phases or [phase.name for phase in platform.phases])
    if volumes_of is not None and volumes_of not in chosen:
        raise BadInput(f"{volumes_of} is not taken down, so its volumes stay", remedy=f"add --phase {volumes_of}")
    last = here.releases.current()
    order = [(name, _project(platform, last, name)) for name in reversed(chosen)]
    runs = [name for _, project in order for name in _running(here, project)]
    if volumes_of is None:
        return TakeDown(tuple(order), tuple(runs))
    services = [platform.services[name] for name in platform.phase(volumes_of).services]
    refuse_without_backup(here, [service.name for service in services if service.is_backed_up])
    lost = [service.name for service in services if service.tier is Tier.STATEFUL and not service.is_backed_up]
    return TakeDown(tuple(order), tuple(runs), volumes_of, tuple(lost))


def _project(platform: Platform, last: Release | None, phase: str) -> str:
    """The Compose project that a phase runs in; its file may say another by now."""
    return last.phases[phase].project if last and phase in last.phases else platform.phase(phase).project


def _running(here: Deployments, project: str) -> list[str]:
    found = here.engine.observe_project(project)
    return [name for name, ones in found.items() if any(one.state is State.RUNNING for one in ones)]


def refuse_without_backup(here: Deployments, services: Collection[str]) -> None:
    """Refuse unless the newest verified set of this store holds all of these services."""
    if not services:
        return
    from sutazai_ops.backups.manifest import Outcome

    listing = here.installation.store.listing()
    verified = (one for one in listing.sets if one.outcome is Outcome.VERIFIED and one.summary and not one.foreign)
    newest = next(verified, None)
    held = set(newest.manifest().services) if newest else set()
    if missing := sorted(set(services) - held):
        raise Refused(
            f"no verified backup set holds {', '.join(missing)}, whose volumes would go",
            where=newest.id if newest else str(here.settings.backup_store),
            remedy="take one first: sutazai-ops backup run",
        )


def take_down(here: Deployments, plan: TakeDown, progress: Progress) -> None:
    """Do what the plan says, under the lock of deployments, and mean from then on what still runs."""
    gone = [phase for phase, _ in plan.phases]
    because = f"down {', '.join(gone)}"
    with here.locked(because, progress):
        for phase, project in plan.phases:
            with progress.step(f"take {phase} down"):
                here.engine.remove_project(project, volumes=phase == plan.volumes_of)
        if (last := here.releases.current()) is not None:
            kept = without_phases(last, gone, here.releases.next_number())
            if not kept.means_the_same_as(last):
                here.releases.write(kept, because, datetime.now(UTC))
                here.releases.make_current(kept.number)
