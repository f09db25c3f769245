"""What the engine sees of each service: whether it runs, its health, what it uses and what it may use.

One look at all services, then what each uses, side by side. An engine that does not answer makes every state unknown
and leaves all other figures out.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sutazai_ops.engines import Health, State
from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.measured import Measured, Round, states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sutazai_ops.engines import Container, Engine, Observed, Usage
    from sutazai_ops.monitoring.exporter.tallies import Tallies
    from sutazai_ops.platform import Service

UNKNOWN = "unknown"
STATES = (*State, UNKNOWN)
HEALTHS = tuple(Health)
OOM_KILLS = "sutazai_service_oom_kills_total"

log = logging.getLogger(__name__)


class EngineCollector:
    """A collector: services as the engine sees them."""

    name = "engine"

    def __init__(
        self,
        engine: Engine,
        services: Callable[[], Sequence[Service]],
        tallies: Tallies,
        *,
        interval: float,
        seconds: float = 20,
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._engine, self._services, self._tallies = engine, services, tallies

    def collect(self) -> Round:
        """Look once at all that is meant to run, and at what runs beside it."""
        wanted = {service.name: service for service in self._services()}
        try:
            seen = [one for one in self._engine.observe() if one.service in wanted]
        except (OpsError, OSError) as error:
            blind = [one for service in wanted.values() for one in _state_of(service, UNKNOWN)]
            return Round(tuple(blind), (error.what if isinstance(error, OpsError) else str(error),))
        usages = self._engine.usages(seen)
        missing = [
            f"the engine does not say what {one.service} uses"
            for one in seen
            if one.state is State.RUNNING and one.service not in usages
        ]
        measured = [
            figure for one in seen for figure in self._figures(wanted[one.service], one, usages.get(one.service))
        ]
        bad = tuple(one.service for one in seen if one.state in {State.STOPPED, State.ABSENT})
        return Round(tuple(measured), tuple(missing), bad)

    def _figures(self, service: Service, seen: Observed, usage: Usage | None) -> Iterator[Measured]:
        name = service.name
        yield from _state_of(service, seen.state)
        yield from states("sutazai_service_health", HEALTHS, seen.health, service=name)
        if seen.restarts is not None and seen.state is not State.ABSENT:
            yield _of("sutazai_service_restarts_total", name, seen.restarts)
        if seen.started_at is not None:
            yield _of("sutazai_service_started_timestamp_seconds", name, seen.started_at.timestamp())
        if usage is not None:
            yield _of("sutazai_service_cpu_seconds_total", name, usage.cpu_seconds)
            yield _of("sutazai_service_memory_working_set_bytes", name, usage.memory)
            if usage.throttled_seconds is not None:
                yield _of("sutazai_service_cpu_throttled_seconds_total", name, usage.throttled_seconds)
        containers = [one for one in seen.containers if not one.is_process]
        if containers:
            yield from self._of_containers(name, containers)

    def _of_containers(self, name: str, containers: Sequence[Container]) -> Iterator[Measured]:
        running = [one for one in containers if one.state is State.RUNNING]
        cpus = [one.cpus for one in running if one.cpus]
        memory = [one.memory for one in running if one.memory]
        # Of several copies, those without a limit have none together either.
        if cpus and len(cpus) == len(running):
            yield _of("sutazai_service_cpu_limit_cores", name, sum(cpus))
        if memory and len(memory) == len(running):
            yield _of("sutazai_service_memory_limit_bytes", name, sum(memory))
        made = self._engine.image_made_at(containers[-1].image_id)
        if made is not None:
            yield _of("sutazai_service_image_created_timestamp_seconds", name, made.timestamp())
        self._tallies.count(OOM_KILLS, 0, service=name)


class Kills:
    """Follows the engine as it tells of processes that the kernel ends for want of memory, and counts them.

    Whether the last end of a container was such a one can be looked at as well, but only until it is started again,
    which takes a tenth of a second.
    """

    def __init__(self, engine: Engine, tallies: Tallies, now: Callable[[], float] = time.time) -> None:
        self._engine, self._tallies = engine, tallies
        self._newest = now()

    def follow(self) -> None:
        """Count until the engine ends it; where it was away, what it still knows of that time is counted, too."""
        try:
            for kill in self._engine.kills(self._newest):
                if kill.at > self._newest:
                    self._newest = kill.at
                    self._tallies.count(OOM_KILLS, service=kill.service)
        except OpsError as error:
            log.debug("kills cannot be followed: %s", error.what)


def _state_of(service: Service, state: str) -> list[Measured]:
    return states("sutazai_service_state", STATES, state, service=service.name, phase=service.phase)


def _of(name: str, service: str, value: float) -> Measured:
    return Measured(name, float(value), {"service": service})
