"""`probe`: ask services what a gate would ask them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from sutazai_ops.errors import ExitCode
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

app = typer.Typer()


@app.command()
def probe(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]…", help="Only these; all that are meant to run if none.")
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Ask services through the path that their users take. Exit code 3: one failed, or could not be asked."""
    from sutazai_ops.monitoring.probes import ProbeState, probe_all

    terminal = Terminal()
    here = open_installation()
    with terminal.progress(json=json) as progress, progress.step("probes"):
        reports = probe_all(here.platform.select(services), here.engine)
    facts = [
        {
            "service": report.service,
            "probe": report.probe.model_dump(exclude_defaults=True) if report.probe else None,
            **asdict(report.outcome),
        }
        for report in reports
    ]

    def show() -> None:
        terminal.table(
            ["service", "probe", "state", "because"],
            [[r.service, r.probe.kind if r.probe else "", r.outcome.state, r.outcome.because] for r in reports],
        )

    terminal.show(facts, show, json=json)
    if any(report.outcome.state is not ProbeState.OK for report in reports):
        raise typer.Exit(ExitCode.CANNOT)
