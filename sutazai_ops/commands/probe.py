"""`probe`: what every service answers now, asked through the path that its users take."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops.errors import ExitCode
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.monitoring.probes import Outcome, Report
    from sutazai_ops.platform import Platform

app = typer.Typer()

Services = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERVICE]…", help="Only these; if none is named, all that are meant to run."),
]


@app.command()
def probe(services: Services = None, *, json: AsJson = False) -> None:
    """Ask services whether they do their work; ends with 3 unless every one is known to."""
    from sutazai_ops.deployment.meant import meant_to_run
    from sutazai_ops.monitoring.probes import ProbeState, probe_all

    terminal = Terminal()
    here = open_installation()
    selected = here.platform.select(services) if services else meant_to_run(here)
    with terminal.progress(json=json) as progress, progress.step(f"probe {len(selected)} services"):
        reports = probe_all(selected, here.engine)
    facts = [_facts(here.platform, report) for report in reports]
    terminal.show(facts, lambda: _show(terminal, here.platform, reports), json=json)
    if not reports or any(report.outcome.state is not ProbeState.OK for report in reports):
        raise typer.Exit(ExitCode.CANNOT)


def _facts(platform: Platform, report: Report) -> dict[str, Any]:
    outcome = report.outcome
    return {
        "service": report.service,
        "phase": platform.service(report.service).phase,
        "probe": report.probe.model_dump(exclude_defaults=True) if report.probe else None,
        "inferred": "probes" in platform.service(report.service).inferred,
        "state": outcome.state,
        "seconds": round(outcome.seconds, 6),
        "because": outcome.because,
        "facts": dict(outcome.facts),
    }


def _show(terminal: Terminal, platform: Platform, reports: Sequence[Report]) -> None:
    terminal.table(
        ["service", "probe", "state", "latency", "because"],
        [
            [
                report.service,
                _probe_words(platform, report),
                report.outcome.state,
                _latency(report.outcome),
                report.outcome.because,
            ]
            for report in reports
        ],
        right=["latency"],
    )
    if not reports:
        terminal.say("nothing that is meant to run here can be asked")
        return
    counts = Counter(report.outcome.state for report in reports)
    terminal.say(f"{len(reports)} probes: {', '.join(f'{count} {state}' for state, count in counts.items())}")


def _latency(outcome: Outcome) -> str:
    """How long the answer took; nothing where nobody was asked."""
    return "" if outcome.state == "unknown" else f"{outcome.seconds * 1000:,.0f} ms"


def _probe_words(platform: Platform, report: Report) -> str:
    if report.probe is None:
        return "none"
    words: str = report.probe.kind
    if report.probe.target:
        words += f" {report.probe.target}"
    if report.probe.through:
        words += f" through {report.probe.through}"
    return f"{words} (inferred)" if "probes" in platform.service(report.service).inferred else words
