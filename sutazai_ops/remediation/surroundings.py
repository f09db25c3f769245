"""The world around the incidents, gathered for the guard: what depends on what, what was done, what is under way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sutazai_ops.deployment.meant import meant_to_run
from sutazai_ops.deployment.release import Releases
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.lock import held_by
from sutazai_ops.maintenance import holding, in_force, read_windows
from sutazai_ops.monitoring.duration import parse_duration
from sutazai_ops.monitoring.servers import is_alertmanager, is_exporter, is_prometheus
from sutazai_ops.platform import Tier
from sutazai_ops.platform.infer import image_name
from sutazai_ops.remediation.guard import DAY
from sutazai_ops.remediation.playbook import Check
from sutazai_ops.remediation.situation import Closure, Topology
from sutazai_ops.remediation.verdict import Mode
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry, WindowEntry
    from sutazai_ops.ledger.incident_log import IncidentLog
    from sutazai_ops.platform import Service
    from sutazai_ops.remediation.seeing import Seen

DEFAULT_INTERVAL, DEFAULT_RETRIES = 30.0, 3
"""Of a health check that does not say them: https://docs.docker.com/reference/dockerfile/#healthcheck."""


def mode_of(log: IncidentLog) -> Mode:
    """How much may be done: what somebody said last, and in a fresh installation `observe`."""
    said = log.mode()
    return Mode(said.mode) if said else Mode.OBSERVE


def topology_of(here: Installation) -> Topology:
    """What is meant to run here, and what each of it stands on."""
    meant = meant_to_run(here)
    return Topology(
        depends_on={one.name: one.depends_on for one in meant if one.external is None},
        holds_state=frozenset(one.name for one in meant if holds_state(one)),
        grace={one.name: grace for one in meant if (grace := grace_of(one.compose)) is not None},
    )


def holds_state(service: Service) -> bool:
    """Whether it holds what must not be lost.

    What was measured and is not backed up is no such thing, by its owner's own word; and without it nothing is seen.
    """
    return service.tier is Tier.STATEFUL and (service.is_backed_up or not measures(service))


def refuse_strangers(here: Installation) -> None:
    """Raise `BadInput` where somebody opted in to the disruption of a service that there is not."""
    services = here.platform.services
    for name in here.settings.remediation.may_disrupt:
        if name not in services:
            raise BadInput(
                f"there is no service {name!r}",
                where="the setting remediation.may_disrupt",
                remedy=nearest(name, services) or "sutazai-ops status names them",
            )


def is_postgres(service: Service) -> bool:
    """Whether it is a PostgreSQL."""
    return any(probe.kind == "postgres" for probe in service.probes)


def grace_of(definition: Mapping[str, Any]) -> timedelta | None:
    """How long a service may take after its start until its health check calls it unhealthy; None without one."""
    check = definition.get("healthcheck")
    if not isinstance(check, dict) or check.get("disable"):
        return None
    period, interval = _seconds(check.get("start_period"), 0.0), _seconds(check.get("interval"), DEFAULT_INTERVAL)
    return timedelta(seconds=period + interval * int(check.get("retries", DEFAULT_RETRIES)))


def closures_of(here: Installation, now: datetime) -> list[Closure]:
    """What covers targets now: a deployment under way, and the windows that are open."""
    open_now = [
        Closure(one.kind, one.reason, one.starts_at, one.ends_at, frozenset(one.services) or None)
        for one in (*in_force(here.ledger, now), *_come_again(here, now))
    ]
    holder = held_by(Releases(here.settings.releases).folder)
    return open_now if holder is None else [Closure("deployment", str(holder), now), *open_now]


def _come_again(here: Installation, now: datetime) -> list[WindowEntry]:
    windows = read_windows(here.settings.monitoring.windows, here.platform.services)
    return holding(windows, now, ZoneInfo(here.settings.timezone))


def backup_ages(here: Installation, incidents: Iterable[IncidentEntry], now: datetime) -> dict[str, timedelta]:
    """The age of the newest verified backup of each service of an incident that has one.

    Of a store that cannot be looked into nothing is known, and what is not known is no backup.
    """
    from sutazai_ops.backups import latest_verified

    services = here.platform.services
    found = {}
    for target in {one.target for one in incidents if one.target in services and services[one.target].is_backed_up}:
        try:
            newest = latest_verified(here.store, target)
        except OpsError:
            continue
        if newest is not None and newest.summary:
            found[target] = now - newest.summary.taken_at
    return found


def failed_checks(here: Installation, target: str, seen: Seen, now: datetime) -> frozenset[Check]:
    """What a rung may ask for beforehand and is not so; of what is not known nothing is so."""
    service = here.platform.services.get(target)
    if service is None:
        return frozenset(Check)
    so = {
        Check.RUNS: target in seen.running,
        Check.RELEASED_LATELY: was_released_lately(here, service, now),
        Check.MEASURES: measures(service),
        Check.POSTGRES: is_postgres(service),
        Check.CACHES: bool(service.caches),
    }
    return frozenset(check for check in Check if not so[check])


def measures(service: Service) -> bool:
    """Whether it is one of those that measure: Prometheus, Alertmanager or an exporter."""
    # Many a server measures itself besides; restarting that is no repair of the monitoring.
    is_nothing_else = image_name(service.image or "").endswith("exporter")
    return is_nothing_else or is_exporter(service) or is_prometheus(service) or is_alertmanager(service)


def was_released_lately(here: Installation, service: Service, now: datetime) -> bool:
    """Whether it was changed by a release of the last day, and there is a good one before that."""
    releases = Releases(here.settings.releases)
    try:
        current = releases.current()
        if current is None or service.name not in current.services:
            return False
        born = current.services[service.name].release
        lately = now - releases.record(born).created_at < DAY
        return lately and releases.last_good(service.phase, before=born) is not None
    except OpsError:
        return False


def _seconds(text: object, otherwise: float) -> float:
    try:
        return parse_duration(str(text)) if text is not None else otherwise
    except ValueError:
        return otherwise
