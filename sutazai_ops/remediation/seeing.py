"""What is seen now: which alerts there are, whether each is broken at this moment, and if it can be relied on.

It is read from whoever evaluates the thresholds, by the questions that `sutazai-ops signals` asks; nothing is probed
here. `sightings` and `blindness` are pure.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.disk import writing
from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.alertmanager import WATCHDOG
from sutazai_ops.monitoring.evaluation import broken
from sutazai_ops.monitoring.now import LATE_SECONDS, look, measured_of
from sutazai_ops.monitoring.prometheus import open_prometheus
from sutazai_ops.monitoring.servers import exporter_of, prometheus_of
from sutazai_ops.monitoring.thresholds import Severity
from sutazai_ops.remediation.incidents import sight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.installation import Installation
    from sutazai_ops.monitoring.evaluation import Measured
    from sutazai_ops.monitoring.now import Look
    from sutazai_ops.monitoring.prometheus import ActiveAlert
    from sutazai_ops.monitoring.thresholds import Rulebook, Threshold
    from sutazai_ops.remediation.incidents import Sighting

BLINDING = ("engine_blind", "exporter_blind", "prometheus_blind")
"""Alerts that say of the monitoring itself that it does not see."""
BLIND_FOR = timedelta(minutes=1)
"""Until then it may be starting anew: as long as whatever is not scraped or not evaluated takes to be told."""
SEEN = "remediation/last-sight"
"""In the home folder: a file whose time is when all could be seen last."""
STARTED = "sutazai_service_started_timestamp_seconds"
RUNS = 'sutazai_service_state{state="running"} == 1'


@dataclass(frozen=True, slots=True)
class Seen:
    """One look."""

    sightings: Sequence[Sighting] = ()
    blind: str = ""
    """Why nothing of it can be relied on but what says so itself; empty where all of it can."""
    started_at: Mapping[str, datetime] = field(default_factory=dict)
    """Since when services run, as the exporter measured it."""
    running: frozenset[str] = frozenset()


def see(here: Installation, rulebook: Rulebook, now: datetime) -> Seen:
    """Look once. What keeps it from being seen is said in the answer and is no error."""
    try:
        prometheus = open_prometheus(here)
        seen = look(prometheus)
        started = prometheus.query(STARTED).values
        running = prometheus.query(RUNS).values
    except OpsError as error:
        return Seen(_unseen(here, rulebook, now), blind=error.what)
    blind = blindness(seen, now)
    found = sightings(seen, rulebook, now)
    if blind:
        # Of the rest nobody knows whether it is so now.
        found = [one for one in found if one.threshold in BLINDING] or _unseen(here, rulebook, now)
    else:
        seen_at(here.settings.home, now)
    return Seen(
        sightings=found,
        blind=blind,
        started_at={
            one.labels["service"]: datetime.fromtimestamp(one.value, UTC) for one in started if "service" in one.labels
        },
        running=frozenset(one.labels["service"] for one in running if "service" in one.labels),
    )


def seen_at(home: Path, now: datetime) -> None:
    """Write down that all could be seen, for whoever looks next, in whichever process."""
    file = home / SEEN
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (now.timestamp(), now.timestamp()))


def last_seen(home: Path) -> datetime | None:
    """When all could be seen last; None where it never could."""
    try:
        return datetime.fromtimestamp((home / SEEN).stat().st_mtime, UTC)
    except OSError:
        return None


def _unseen(here: Installation, rulebook: Rulebook, now: datetime) -> list[Sighting]:
    since = last_seen(here.settings.home)
    return [] if since is None else monitor_down(here, rulebook, since, now)


def monitor_down(here: Installation, rulebook: Rulebook, since: datetime, now: datetime) -> list[Sighting]:
    """That whoever evaluates the thresholds does not, as its alert would say it; none where nobody wants to hear it.

    What has never been seen has not begun yet, and one question that is not answered is no outage.
    """
    is_alone = here.engine.name == "embedded"
    service = exporter_of(here.platform) if is_alone else prometheus_of(here.platform)
    threshold = rulebook.thresholds.get("exporter_blind" if is_alone else "prometheus_blind")
    if service is None or threshold is None:
        return []
    summary = f"{service.name} does not evaluate the thresholds"
    fires = now - since >= BLIND_FOR
    return [sight(threshold, {"service": service.name}, since, fires=fires, broken=True, summary=summary)]


def blindness(seen: Look, now: datetime) -> str:
    """Why the alerts cannot be relied on; empty where they can."""
    firing = {one.name for one in seen.alerts if one.state == "firing"}
    if WATCHDOG not in firing:
        return "the watchdog, which always fires, does not: the thresholds are not evaluated"
    evaluated = [one.evaluated_at for one in seen.rules if one.evaluated_at is not None]
    if not evaluated or (now - max(evaluated)).total_seconds() > LATE_SECONDS:
        return "no threshold was evaluated lately"
    return next((f"{name} fires" for name in BLINDING if name in firing), "")


def sightings(seen: Look, rulebook: Rulebook, now: datetime) -> list[Sighting]:
    """Every alert that somebody is told of, each with whether it is broken at this moment.

    One beside which another fires that inhibits it is no incident of its own: it joins one that lasts, and opens none.
    """
    measured = measured_of(seen.values)
    found = [
        _sighting(one, rulebook.thresholds[one.name], rulebook, measured, now)
        for one in seen.alerts
        if one.name in rulebook.thresholds and rulebook.thresholds[one.name].severity is not Severity.NONE
    ]
    firing = [one for one in found if one.fires]
    return [replace(one, fires=False) if _is_inhibited(one, firing, rulebook) else one for one in found]


def _sighting(
    alert: ActiveAlert, threshold: Threshold, rulebook: Rulebook, measured: Measured, now: datetime
) -> Sighting:
    names = {*rulebook.signal_of(threshold).labels, "signal", "service"}
    # The label `signal` of every alert but those of what is unknown is the threshold's own.
    names -= {"signal"} if threshold.signal in rulebook.signals else set()
    labels = {name: text for name, text in alert.labels.items() if name in names}
    beyond = [one.labels for one in broken(threshold, rulebook, measured)]
    return sight(
        threshold,
        labels,
        alert.since or now,
        fires=alert.state == "firing",
        broken=any(one.items() <= alert.labels.items() for one in beyond),
        summary=alert.annotations.get("summary", ""),
        severity=alert.labels.get("severity", ""),
    )


def _is_inhibited(one: Sighting, firing: Sequence[Sighting], rulebook: Rulebook) -> bool:
    """As Alertmanager is told it: for the same service, or by what is of none."""
    return any(
        rulebook.thresholds[other.threshold].silences(
            one.threshold, one.labels.get("service", ""), beside=other.labels.get("service", "")
        )
        for other in firing
    )
