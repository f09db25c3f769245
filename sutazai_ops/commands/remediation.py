"""`sutazai-ops remediation …`: what may repair itself, and what it would do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sutazai_ops import human
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from sutazai_ops.remediation.playbook import Playbook
    from sutazai_ops.remediation.simulate import Outcome
    from sutazai_ops.remediation.trace import Trace

app = typer.Typer(help="What may repair itself, and what it would do.", no_args_is_help=True)


@app.command("playbooks")
def playbooks(*, json: AsJson = False) -> None:
    """Show every playbook: what is tried for which thresholds, the mildest first."""
    from sutazai_ops.monitoring.thresholds import read_rulebook
    from sutazai_ops.remediation.playbooks import read_playbooks

    terminal, here = Terminal(), open_installation()
    rulebook = read_rulebook(here.settings.monitoring)
    found = read_playbooks(
        rulebook, here.platform.services, here.settings.remediation.playbooks, here.settings.monitoring.thresholds
    )
    named: dict[str, list[str]] = {name: [] for name in found}
    for threshold in rulebook.thresholds.values():
        if threshold.playbook:
            named[threshold.playbook].append(threshold.name)
    facts = [{**one.model_dump(mode="json"), "thresholds": named[name]} for name, one in found.items()]
    rows = [[name, _ladder(one), ", ".join(named[name]), one.description] for name, one in found.items()]
    terminal.show(
        facts, lambda: terminal.table(["playbook", "tries", "for the thresholds", "what it does"], rows), json=json
    )


@app.command("simulate")
def simulate(
    trace: Annotated[Path, typer.Option("--trace", help="The file: docs/remediation/simulate.md shows one.")],
    *,
    json: AsJson = False,
) -> None:
    """Run the guard over a trace, and show what it would have done; nothing that runs is touched."""
    from sutazai_ops.monitoring.thresholds import read_rulebook
    from sutazai_ops.remediation.playbooks import read_playbooks
    from sutazai_ops.remediation.simulate import simulate as run
    from sutazai_ops.remediation.situation import Limits
    from sutazai_ops.remediation.trace import read_trace

    terminal, here = Terminal(), open_installation()
    rulebook = read_rulebook(here.settings.monitoring)
    read = read_trace(trace, rulebook.thresholds)
    found = read_playbooks(rulebook, [*read.services, *here.platform.services], here.settings.remediation.playbooks)
    outcome = run(read, rulebook, found, Limits())
    terminal.show(_facts(outcome), lambda: _show(terminal, read, outcome), json=json)


def _ladder(playbook: Playbook) -> str:
    return ", ".join(rung.name + (" (asks)" if rung.approval else "") for rung in playbook.ladder) or "nothing"


def _facts(outcome: Outcome) -> dict[str, object]:
    return {
        "decisions": outcome.decisions,
        "repairs": [{"elapsed": one.elapsed, "until": one.until, **asdict(one.repair)} for one in outcome.repairs],
        "escalations": [{"elapsed": one.elapsed, "incident": one.incident} for one in outcome.escalations],
        "incidents": outcome.incidents,
    }


def _show(terminal: Terminal, trace: Trace, outcome: Outcome) -> None:
    if outcome.decisions:
        rows = [
            [
                human.duration(one.elapsed),
                one.incident,
                one.target,
                one.symptom,
                one.verdict.kind,
                one.verdict.rung,
                one.verdict.reason,
            ]
            for one in outcome.decisions
        ]
        terminal.table(
            ["after", "incident", "target", "symptom", "verdict", "rung", "because"], rows, right=["after", "incident"]
        )
        terminal.say()
    told = human.count(len(outcome.escalations), "time")
    terminal.say(
        f"in {human.duration(trace.lasts)}: {human.count(len(outcome.incidents), 'incident')}, "
        f"{human.count(len(outcome.repairs), 'repair')}, a person told {told}"
    )
