"""Writes the page of an incident and its draft as Markdown into `reports/incidents/` of the home folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.deployment.meant import meant_to_run
from sutazai_ops.disk import write_whole, writing
from sutazai_ops.errors import OpsError
from sutazai_ops.remediation import curves
from sutazai_ops.remediation.diagnostics import folder_of, newest
from sutazai_ops.remediation.page import Facts, to_html, to_markdown

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry


def write_report(here: Installation, incident: IncidentEntry) -> tuple[Path, Path]:
    """Write both, readable by their owner alone, since a log may hold anything; returns where.

    Raises:
        OpsError: when the ledger cannot be read, or the folder cannot be written.
    """
    log = here.ledger.incidents
    facts = Facts(
        incident=incident,
        events=log.events_of(incident.number),
        repairs=log.repairs_of(incident.number),
        environment=here.settings.environment,
        runbooks_url=here.settings.alerts.runbooks_url,
        diagnostics=newest(here, incident.number),
        budget=_budget(here, incident),
        curves=curves.keep(here, incident, folder_of(here, incident.number), datetime.now(UTC)),
    )
    folder = here.settings.reports / "incidents"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    page, draft = folder / f"{incident.number}.html", folder / f"{incident.number}.md"
    write_whole(page, to_html(facts).encode())
    write_whole(draft, to_markdown(facts).encode())
    return page, draft


def _budget(here: Installation, incident: IncidentEntry) -> timedelta | None:
    """How long its service may be away in a window; None where nothing is promised, or that cannot be read."""
    from sutazai_ops.slo import may_be_away

    if not incident.service:
        return None
    try:
        return may_be_away(here, meant_to_run(here), incident.service)
    except OpsError:
        # What was promised is worth less than the page.
        return None
