"""Gives an incident to a person, once, by the routes that alerts take, with all that is known of it.

It is written down as given once every way of telling took it; until then the next round tries again those that did not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.alerting import Notice
from sutazai_ops.monitoring.notify import notifiers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry, RepairEntry
    from sutazai_ops.remediation.verdict import Verdict

ALERT = "incident_needs_you"
"""What it is called among alerts."""


def escalate(here: Installation, incident: IncidentEntry, verdict: Verdict, now: datetime) -> str:
    """Tell whoever is told of alerts of its severity; says in one line who was.

    Raises:
        OpsError: when one way did not take it; nothing is written down then, and the next round tries again.
    """
    log = here.ledger.incidents
    notice = notice_of(incident, verdict, log.repairs_of(incident.number), here.settings.alerts.runbooks_url)
    told = []
    for notifier in notifiers(here.settings.alerts, here.platform, here.engine):
        if notifier.wants(notice):
            notifier.tell([notice], [notice] if notifier.forgets else [])
            told.append(notifier.name)
    line = f"given to a person ({verdict.reason}): " + (", ".join(told) or "nobody is told of alerts here")
    log.escalate(incident.number, now, line)
    return line


def notice_of(incident: IncidentEntry, verdict: Verdict, repairs: Sequence[RepairEntry], runbooks_url: str) -> Notice:
    """What a person is told: what broke, since when, what was tried and how that ended, and the next command."""
    tried = ", ".join(f"{one.rung} {one.outcome}" for one in repairs) or "nothing"
    began = incident.broken_since or incident.opened_at
    return Notice(
        key=f"{ALERT}{{incident={incident.number}}}",
        threshold=ALERT,
        labels={
            "alertname": ALERT,
            "severity": incident.severity,
            "incident": str(incident.number),
            **({"service": incident.service} if incident.service else {}),
        },
        annotations={
            "summary": f"{incident.summary}; tried: {tried}; now yours, because {verdict.reason}",
            "next": f"sutazai-ops incidents show {incident.number}",
            "runbook_url": f"{runbooks_url.rstrip('/')}/{incident.alerts[0]['threshold']}.md",
        },
        begun_at=began.timestamp(),
        ended_at=None,
        value=float(incident.number),
    )


def try_to_escalate(here: Installation, incident: IncidentEntry, verdict: Verdict, now: datetime) -> str:
    """As `escalate`, for a loop that goes on: what was not taken is said, and tried again in the next round."""
    try:
        return escalate(here, incident, verdict, now)
    except OpsError as error:
        return f"could not be given to a person: {error.what}"
