"""Gives an incident to a person by the routes that alerts take, with all that is known of it.

Once, and again after `alerts.repeat_hours` while it is broken and nobody has acknowledged it: then besides to the next
of the receivers that `alerts.then` names.

It is written down as given once every way of telling took it; until then the next round tries again those that did not.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.ledger.incident_log import ESCALATED
from sutazai_ops.monitoring.exporter.alerting import Notice
from sutazai_ops.monitoring.notify import ToReceiver, notifiers
from sutazai_ops.monitoring.rules import runbook_of
from sutazai_ops.remediation.diagnostics import collect, newest
from sutazai_ops.remediation.incidents import with_followers
from sutazai_ops.remediation.verdict import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry, RepairEntry, VerdictEntry
    from sutazai_ops.monitoring.exporter.telling import Notifier
    from sutazai_ops.remediation.observe import Round
    from sutazai_ops.remediation.verdict import Verdict
    from sutazai_ops.settings import AlertSettings

ALERT = "incident_needs_you"
"""What it is called among alerts."""


def escalate(here: Installation, incident: IncidentEntry, verdict: Verdict, now: datetime) -> str:
    """Tell whoever is told of alerts of its severity, and whose turn it is besides; says in one line who was.

    Raises:
        OpsError: when one way did not take it; nothing is written down then, and the next round tries again.
    """
    log = here.ledger.incidents
    reason = reason_of(log.verdicts_of(incident.number), verdict)
    notice = notice_of(incident, reason, log.repairs_of(incident.number), here.settings.alerts.runbooks_url)
    # Whoever is woken finds it there already.
    page = _page(here, incident)
    alerts = here.settings.alerts
    times = sum(one.kind == ESCALATED for one in log.events_of(incident.number))
    wanted = [one for one in notifiers(alerts, here.platform, here.engine) if one.wants(notice)]
    told = {}
    for notifier in [*wanted, *next_routes(alerts, times)]:
        if notifier.name not in told:
            notifier.tell([notice], [notice] if notifier.forgets else [])
            told[notifier.name] = True
    again = "again " if times else ""
    line = f"given to a person {again}({reason}): " + (", ".join(told) or "nobody is told of alerts here")
    line += f"; {page}"
    log.escalate(incident.number, now, line)
    return line


def _page(here: Installation, incident: IncidentEntry) -> str:
    """Write it, with diagnostics also where nothing was tried; says where it is, or why there is none."""
    from sutazai_ops.remediation.reporting import write_report

    try:
        if not newest(here, incident.number):
            collect(here, incident, attempt=0)
        page, _ = write_report(here, incident)
    except OpsError as error:
        # That a disk is full is no reason for nobody to be told of it.
        return f"its page is not written: {error.what}"
    return str(page)


def next_routes(alerts: AlertSettings, times: int) -> list[Notifier]:
    """Whom it is given to besides, after it was told so many times: one further with each reminder."""
    return [ToReceiver(name, alerts.receivers[name]) for name in alerts.then[:times]]


def reason_of(before: Sequence[VerdictEntry], verdict: Verdict) -> str:
    """Why it is a person's: what it was given to one for, also where it is said again."""
    # That a person has it is no reason for one to take it.
    given = [one.reason for one in before if one.kind == Kind.ESCALATE]
    return given[-1] if given else verdict.reason


def notice_of(incident: IncidentEntry, reason: str, repairs: Sequence[RepairEntry], runbooks_url: str) -> Notice:
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
            "summary": f"{with_followers(incident)}; tried: {tried}; now yours, because {reason}",
            "next": f"sutazai-ops incidents show {incident.number}",
            "runbook_url": runbook_of(incident.alerts[0]["threshold"], runbooks_url),
        },
        begun_at=began.timestamp(),
        ended_at=None,
        value=float(incident.number),
    )


def escalate_all(here: Installation, found: Round) -> list[str]:
    """Give what needs a person to one, and remind of what nobody has taken since; says in one line each what was done.

    What was not taken by whoever should tell is said, and tried again in the next round.
    """
    told_at, repeat_hours = here.ledger.incidents.told_at(), here.settings.alerts.repeat_hours
    said = []
    for one in found.judged:
        last = told_at.get(one.incident.number)
        is_new = last is None and one.verdict.kind is Kind.ESCALATE
        is_forgotten = last is not None and needs_reminder(one.incident, last, repeat_hours, found.at)
        if not (is_new or is_forgotten):
            continue
        try:
            line = escalate(here, one.incident, one.verdict, found.at)
        except OpsError as error:
            line = f"could not be given to a person: {error.what}"
        said.append(f"incident {one.incident.number}, {one.incident.target}: {line}")
    return said


def needs_reminder(incident: IncidentEntry, last: datetime, repeat_hours: float, now: datetime) -> bool:
    """Whether it is still broken and nobody's, so long after it was told last; a clock that was set back reminds."""
    is_waiting = incident.acknowledged_at is None and incident.broken_since is not None
    return is_waiting and not timedelta() <= now - last < timedelta(hours=repeat_hours)
