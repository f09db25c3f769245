"""`sutazai-ops incidents …`: what is broken, what was decided and done about it, and whose it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops import human
from sutazai_ops.errors import BadInput, Refused
from sutazai_ops.installation import open_installation
from sutazai_ops.person import who
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry, IncidentEventEntry, RepairEntry, VerdictEntry

app = typer.Typer(help="What is broken, what was decided and done about it, and whose it is.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As `incidents list` shows it.")]
MOST = 50
"""Incidents that `list --all` shows."""


@app.command("list")
def list_incidents(
    every: Annotated[bool, typer.Option("--all", help=f"The last {MOST}, those that are over among them.")] = False,
    *,
    json: AsJson = False,
) -> None:
    """Show the incidents that last."""
    terminal, here = Terminal(), open_installation()
    log = here.ledger.incidents
    found = log.recent(MOST) if every else log.open_ones()
    verdicts = log.last_verdicts()

    def show() -> None:
        now = datetime.now(UTC)
        if not found:
            terminal.say("no incident lasts")
            return
        rows = [_row(one, verdicts.get(one.number), now) for one in found]
        terminal.table(["incident", "target", "symptom", "state", "since", "with", "what", "last verdict"], rows)

    facts = [_facts(one) | {"verdict": verdicts.get(one.number)} for one in found]
    terminal.show(facts, show, json=json)


@app.command("show")
def show_incident(number: Number, *, json: AsJson = False) -> None:
    """Show all that is known of one incident: its alerts, its timeline, what was decided and done, what to do next."""
    terminal, here = Terminal(), open_installation()
    incident = _find(here, number)
    log = here.ledger.incidents
    events, repairs, verdicts = log.events_of(number), log.repairs_of(number), log.verdicts_of(number)
    facts = _facts(incident) | {"events": events, "repairs": repairs, "verdicts": verdicts}
    terminal.show(
        facts, lambda: _show(terminal, incident, events, repairs, log.last_verdicts().get(number), here), json=json
    )


@app.command("report")
def report(number: Number, *, json: AsJson = False) -> None:
    """Write the page of an incident, for whoever was woken, and the draft of what is written after it, as Markdown."""
    from sutazai_ops.remediation.reporting import write_report

    terminal, here = Terminal(), open_installation()
    written = write_report(here, _find(here, number))
    terminal.show(
        {"files": [str(file) for file in written]}, lambda: terminal.say("\n".join(map(str, written))), json=json
    )


@app.command("ack")
def acknowledge(number: Number, *, json: AsJson = False) -> None:
    """Say that you take care of an incident: the machine leaves it alone from then on."""
    here, me = open_installation(), who()
    before = _find_lasting(here, number).acknowledged_by
    if before == me:
        _said(here, number, f"incident {number} is yours already", json=json)
        return
    here.ledger.incidents.acknowledge(number, datetime.now(UTC), me)
    _said(here, number, f"incident {number} is yours" + (f", and was {before}'s" if before else ""), json=json)


@app.command("approve")
def approve(number: Number, *, json: AsJson = False) -> None:
    """Agree to the rung that is proposed for an incident; it is done in the next round, if it still is due then."""
    from sutazai_ops.remediation.by_hand import agree

    here = open_installation()
    rung = agree(here.ledger.incidents, _find_lasting(here, number), datetime.now(UTC), who())
    _said(here, number, f"{rung} is done in the next round, if it is still due then", json=json)


@app.command("resolve")
def resolve(
    number: Number,
    note: Annotated[str, typer.Option("--note", help="What it was, for whoever reads of it later.")],
    *,
    json: AsJson = False,
) -> None:
    """Say that an incident is over, before it has been whole for a quarter of an hour."""
    if not note.strip():
        raise BadInput("a note says what it was, and this one says nothing", where="--note")
    here, now = open_installation(), datetime.now(UTC)
    incident = _find_lasting(here, number)
    if incident.broken_since is not None:
        raise Refused(
            f"incident {number} is still broken, for {human.since(incident.broken_since, now)}",
            remedy=f"mend it first, or take it over: sutazai-ops incidents ack {number}",
        )
    here.ledger.incidents.close(number, now, who(), note)
    _said(here, number, f"incident {number} is over", json=json)


def _find(here: Installation, number: int) -> IncidentEntry:
    found = here.ledger.incidents.find(number)
    if found is None:
        raise BadInput(f"there is no incident {number}", remedy="sutazai-ops incidents list --all shows them")
    return found


def _find_lasting(here: Installation, number: int) -> IncidentEntry:
    found = _find(here, number)
    if found.closed_at is not None:
        raise Refused(f"incident {number} is over: it ended {found.outcome}")
    return found


def _said(here: Installation, number: int, line: str, *, json: bool) -> None:
    terminal = Terminal()
    terminal.show(_facts(_find(here, number)), lambda: terminal.say(line), json=json)


def _facts(one: IncidentEntry) -> dict[str, Any]:
    read = {"state": _state(one), "ended_at": one.ended_at, "followers": one.followers}
    return {name: getattr(one, name) for name in one.__slots__} | read


def _state(one: IncidentEntry) -> str:
    if one.closed_at is not None:
        return "over"
    return "whole" if one.broken_since is None else "broken"


def _row(one: IncidentEntry, verdict: VerdictEntry | None, now: datetime) -> list[object]:
    from sutazai_ops.remediation.incidents import with_followers

    said = f"{verdict.kind} {verdict.rung}".strip() + f": {verdict.reason}" if verdict else one.outcome
    return [
        one.number,
        one.target,
        one.symptom,
        _state(one),
        human.since(one.ended_at or one.broken_since or one.whole_since or one.opened_at, now),
        one.acknowledged_by,
        with_followers(one),
        said,
    ]


def _show(
    terminal: Terminal,
    incident: IncidentEntry,
    events: Sequence[IncidentEventEntry],
    repairs: Sequence[RepairEntry],
    last: VerdictEntry | None,
    here: Installation,
) -> None:
    from sutazai_ops.monitoring.rules import runbook_of
    from sutazai_ops.remediation.verdict import Reason

    now = datetime.now(UTC)
    thresholds = list(dict.fromkeys(one["threshold"] for one in incident.own_alerts))
    terminal.facts(
        {
            "incident": f"{incident.number}: {incident.summary}",
            "target": incident.target,
            "state": f"{_state(incident)} {incident.outcome}".strip(),
            "opened": f"{human.since(incident.opened_at, now)} ago",
            "alerts": ", ".join(thresholds),
            **({"because of it": ", ".join(incident.followers)} if incident.followers else {}),
            "playbook": incident.playbook or "none",
            "with": incident.acknowledged_by or "nobody",
            "runbook": runbook_of(thresholds[0], here.settings.alerts.runbooks_url),
        }
    )
    terminal.say()
    rows = [[f"{one.at:%m-%d %H:%M:%S}", one.kind, one.actor, one.text] for one in events]
    terminal.table(["at (UTC)", "kind", "by", "what"], rows)
    if repairs:
        terminal.say()
        terminal.table(
            ["repair", "by", "outcome", "note"],
            [[one.rung, one.actor, one.outcome or "under way", one.note] for one in repairs],
        )
    if incident.closed_at is None:
        terminal.say()
        if last is not None and last.reason == Reason.APPROVAL:
            terminal.say(f"agree to {last.rung}: sutazai-ops incidents approve {incident.number}")
        if not incident.acknowledged_by:
            terminal.say(f"take it over: sutazai-ops incidents ack {incident.number}")
