"""Which services a deployment touches: those that were named, and those without which they cannot run.

A dependency that is meant to run already is left exactly as it is; one that is not yet is taken along. Nothing else is
ever touched by naming a service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.copies import copies

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sutazai_ops.platform import Platform, Service


@dataclass(frozen=True, slots=True)
class Selection:
    """What a deployment is about."""

    phases: tuple[str, ...]
    """The phases that are rolled out as a whole."""
    services: frozenset[str]
    """The services that are brought to what the platform's files say."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Services that the engine cannot run, and why."""


def select(
    platform: Platform,
    *,
    phases: Sequence[str] | None,
    services: Sequence[str] | None,
    present: Collection[str],
    cannot_run: Callable[[Service], str],
) -> Selection:
    """Decide which services a deployment touches; all of them where neither phases nor services are named.

    Args:
        platform: what may be named.
        phases: names of phases that are rolled out as a whole.
        services: names of services, or their aliases.
        present: the services that are meant to run already.
        cannot_run: why the engine cannot run a service; empty where it can.

    Raises:
        BadInput: for a name that is not known, with the nearest one that is; for a service that was named and that the
            engine cannot run, or that depends on one.
    """
    if services is not None:
        return _named(platform, services, present, cannot_run)
    whole = tuple(phase.name for phase in platform.phases) if phases is None else known_phases(platform, phases)
    # Rolling out a phase changes what it overlays, wherever that was born.
    overlaid = {overlay.service for overlay in platform.overlays if overlay.phase in whole}
    there = [service for service in platform if service.phase in whole or service.name in overlaid & set(present)]
    left_out = {service.name: why for service in there if (why := cannot_run(service))}
    for service in there:
        waits_for = next((name for name in service.depends_on if name in left_out), None)
        # What somebody else runs is there, and what shall not run is not waited for; what a wheel is missing for is.
        if waits_for and service.name not in left_out and not _needs_nobody(platform.service(waits_for)):
            left_out[service.name] = f"it depends on {waits_for}"
    chosen = {service.name for service in there} - set(left_out)
    return Selection(whole, frozenset(chosen), tuple(left_out.items()))


def _needs_nobody(service: Service) -> bool:
    """Whether nothing has to be brought up for those that depend on it."""
    return service.external is not None or copies(service.compose) == 0


def known_phases(platform: Platform, phases: Sequence[str]) -> tuple[str, ...]:
    """These phases in roll-out order; raises `BadInput` for one that is not known."""
    wanted = {platform.phase(name).name for name in phases}
    return tuple(phase.name for phase in platform.phases if phase.name in wanted)


def _named(
    platform: Platform, names: Sequence[str], present: Collection[str], cannot_run: Callable[[Service], str]
) -> Selection:
    chosen = {service.name for service in platform.select(list(names))}
    waiting = list(chosen)
    while waiting:
        service = platform.service(waiting.pop())
        if why := cannot_run(service):
            if _needs_nobody(service) and service.name not in names:
                chosen.discard(service.name)
                continue
            raise BadInput(f"cannot deploy {service.name}: {why}", where=str(service.file))
        missing = [other for other in service.depends_on if other not in present and other not in chosen]
        chosen.update(missing)
        waiting.extend(missing)
    return Selection((), frozenset(chosen))
