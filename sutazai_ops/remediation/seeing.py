"""What is seen now: which alerts there are, whether each is broken at this moment, and if it can be relied on.

It is read from whoever evaluates the thresholds, by the questions that `sutazai-ops signals` asks; nothing is probed
here. `sightings` and `blindness` are pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.alertmanager import WATCHDOG
from sutazai_ops.monitoring.evaluation import broken
from sutazai_ops.monitoring.now import LATE_SECONDS, look, measured_of
from sutazai_ops.monitoring.prometheus import open_prometheus
from sutazai_ops.monitoring.thresholds import Severity
from sutazai_ops.remediation.incidents import sight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.installation import Installation
    from sutazai_ops.monitoring.evaluation import Measured
    from sutazai_ops.monitoring.now import Look
    from sutazai_ops.monitoring.prometheus import ActiveAlert
    from sutazai_ops.monitoring.thresholds import Rulebook, Threshold
    from sutazai_ops.remediation.incidents import Sighting

BLINDING = ("engine_blind", "exporter_blind", "prometheus_blind")
"""Alerts that say of the monitoring itself that it does not see."""
STARTED = "sutazai_service_started_timestamp_seconds"
RUNS = 'sutazai_service_state{state="running"} == 1'


@dataclass(frozen=True, slots=True)
class Seen:
    """One look."""

    sightings: Sequence[Sighting] = ()
    blind: str = ""
    """Why nothing of it can be relied on; empty where it can."""
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
        return Seen(blind=error.what)
    return Seen(
        sightings=sightings(seen, rulebook, now),
        blind=blindness(seen, now),
        started_at={
            one.labels["service"]: datetime.fromtimestamp(one.value, UTC) for one in started if "service" in one.labels
        },
        running=frozenset(one.labels["service"] for one in running if "service" in one.labels),
    )


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
