"""`alerts`: what fires, since when, and what to do next; `alerts test`: whether somebody is told."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from sutazai_ops import human
from sutazai_ops.errors import ExitCode
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.monitoring.prometheus import ActiveAlert

app = typer.Typer(help="What fires, and who is told of it.", invoke_without_command=True)


@app.callback(invoke_without_command=True)
def alerts(context: typer.Context, *, json: AsJson = False) -> None:
    """Show what fires or is about to, since when, and the next command for each."""
    if context.invoked_subcommand is not None:
        return
    from sutazai_ops.monitoring.alertmanager import WATCHDOG, who_is_not_told
    from sutazai_ops.monitoring.prometheus import open_prometheus

    terminal = Terminal()
    here = open_installation()
    active = open_prometheus(here).alerts()
    notes = who_is_not_told(here.settings.alerts)
    if not any(alert.name == WATCHDOG for alert in active):
        notes = ["the watchdog, which always fires, does not: the rules are not evaluated", *notes]
    shown = sorted((one for one in active if one.name != WATCHDOG), key=lambda one: (one.state, one.name))
    facts = {"alerts": [_facts(one) for one in shown], "notes": notes}
    terminal.show(facts, lambda: _show(terminal, shown, notes), json=json)


@app.command("test")
def send_test(*, json: AsJson = False) -> None:
    """Send a test alert the way of the real ones, and say what became of it at each receiver; ends with 3 unless all
    were told.
    """
    from sutazai_ops.monitoring.trial_alert import Arrival, send_trial

    terminal = Terminal()
    here = open_installation()
    with terminal.progress(json=json) as progress, progress.step("send a test alert"):
        told = send_trial(here)
    rows = [[one.receiver, here.settings.alerts.receivers[one.receiver].kind, one.arrival, one.because] for one in told]
    terminal.show(
        [asdict(one) for one in told],
        lambda: terminal.table(["receiver", "kind", "state", "because"], rows),
        json=json,
    )
    if any(one.arrival is not Arrival.TOLD for one in told):
        raise typer.Exit(ExitCode.CANNOT)


def _facts(alert: ActiveAlert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "state": alert.state,
        "since": alert.since,
        "labels": dict(alert.labels),
        "summary": alert.annotations.get("summary", ""),
        "next": alert.annotations.get("next", ""),
        "runbook": alert.annotations.get("runbook_url", ""),
    }


def _show(terminal: Terminal, shown: Sequence[ActiveAlert], notes: Sequence[str]) -> None:
    now = datetime.now(UTC)
    rows = [
        [
            one.name,
            one.labels.get("service", ""),
            one.state,
            one.labels.get("severity", ""),
            human.since(one.since, now) if one.since else "",
            one.annotations.get("summary", ""),
            one.annotations.get("next", ""),
        ]
        for one in shown
    ]
    if rows:
        terminal.table(["alert", "service", "state", "severity", "since", "what", "next"], rows)
    else:
        terminal.say("nothing fires")
    for note in notes:
        terminal.say(f"note: {note}")
