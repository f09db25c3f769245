"""`sutazai-ops remediation simulate` and `what-if`: what the guard would do, or would have done; nothing is touched."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sutazai_ops import human
from sutazai_ops.disk import write_whole
from sutazai_ops.errors import BadInput
from sutazai_ops.installation import open_installation
from sutazai_ops.remediation.verdict import Mode
from sutazai_ops.terminal import AsJson, Terminal
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.remediation.playbook import Action
    from sutazai_ops.remediation.simulate import Outcome
    from sutazai_ops.remediation.trace import Trace
    from sutazai_ops.remediation.what_if import Beside

app = typer.Typer()


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
    read = read_trace(trace, rulebook)
    own, thresholds = here.settings.remediation.playbooks, here.settings.monitoring.thresholds
    found = read_playbooks(rulebook, [*read.services, *here.platform.services], own, thresholds)
    with terminal.progress(json=json) as progress, progress.step(f"{human.duration(read.lasts)}, simulated"):
        outcome = run(read, rulebook, found, Limits())
    terminal.show(_facts(outcome), lambda: _show(terminal, read, outcome), json=json)


@app.command("what-if")
def what_if(
    since: Annotated[str, typer.Option("--since", help="How far to look back, such as 12h or 30d.")] = "7d",
    mode: Annotated[Mode, typer.Option("--mode", help="How much it may have done.")] = Mode.ACT,
    playbooks: Annotated[
        Path | None, typer.Option("--playbooks", help="A file of playbooks to try, in place of your own.")
    ] = None,
    assume: Annotated[
        list[str], typer.Option("--assume", help="Taken to mend whatever no repair was tried on; may be repeated.")
    ] = [],  # noqa: B006  (typer reads it, and nobody writes it)
    trace: Annotated[Path | None, typer.Option("--trace", help="Write the history there, for `simulate`.")] = None,
    *,
    json: AsJson = False,
) -> None:
    """Run the guard over the incidents of the ledger, and show what it would have done beside what was decided then.

    Nothing that runs is touched.
    """
    import yaml

    from sutazai_ops.monitoring.thresholds import read_rulebook
    from sutazai_ops.remediation.history import as_trace
    from sutazai_ops.remediation.playbooks import read_playbooks
    from sutazai_ops.remediation.simulate import simulate as run
    from sutazai_ops.remediation.situation import Limits
    from sutazai_ops.remediation.trace import Trace
    from sutazai_ops.remediation.what_if import beside, remember

    terminal, here = Terminal(), open_installation()
    now = datetime.now(UTC)
    past, premises = remember(here, _ago(now, since), now)
    rulebook = read_rulebook(here.settings.monitoring)
    own, thresholds = playbooks or here.settings.remediation.playbooks, here.settings.monitoring.thresholds
    found = read_playbooks(rulebook, here.platform.services, own, thresholds)
    written = as_trace(past, premises, rulebook, mode, _actions(assume))
    if trace is not None:
        write_whole(trace, yaml.safe_dump(written, sort_keys=False).encode())
    read = Trace.model_validate(written)
    with terminal.progress(json=json) as progress, progress.step(f"{human.duration(read.lasts)}, simulated"):
        outcome = run(read, rulebook, found, Limits())
    rows = beside(past, outcome)
    then = sum(len(each.repairs) for each in past.incidents)
    told = sum(each.incident.escalated_at is not None for each in past.incidents)

    def show() -> None:
        _show_beside(terminal, rows, past.since)
        _say_sum(terminal, f"then, in {human.duration(read.lasts)}", len(past.incidents), then, told)
        _say_sum(terminal, "as it would be", len(outcome.incidents), len(outcome.repairs), len(outcome.escalations))

    terminal.show({"since": past.since, "mode": mode, "rows": rows, **_facts(outcome)}, show, json=json)


def _actions(names: Sequence[str]) -> list[Action]:
    from sutazai_ops.remediation.playbook import Action

    for name in names:
        if name not in list(Action):
            remedy = nearest(name, Action) or f"there are: {', '.join(Action)}"
            raise BadInput(f"there is no action {name!r}", where="--assume", remedy=remedy)
    return [Action(one) for one in names]


def _ago(now: datetime, length: str) -> datetime:
    from sutazai_ops.monitoring.duration import parse_duration

    try:
        return now - timedelta(seconds=parse_duration(length))
    except (ValueError, OverflowError) as error:
        raise BadInput(str(error), where="--since") from None


def _show_beside(terminal: Terminal, rows: Sequence[Beside], since: datetime) -> None:
    if not rows:
        return

    def at(elapsed: float | None) -> str:
        return "" if elapsed is None else f"{since + timedelta(seconds=elapsed):%m-%d %H:%M:%S}"

    terminal.table(
        ["incident", "target", "symptom", "then", "was decided", "at", "would be decided"],
        [
            [one.incident, one.target, one.symptom, at(one.was_after), one.was, at(one.would_after), one.would]
            for one in rows
        ],
        right=["incident"],
    )
    terminal.say()


def _facts(outcome: Outcome) -> dict[str, object]:
    return {
        "decisions": outcome.decisions,
        "repairs": [{"elapsed": one.elapsed, "until": one.until, **asdict(one.repair)} for one in outcome.repairs],
        "escalations": [{"elapsed": one.elapsed, "incident": one.incident} for one in outcome.escalations],
        "incidents": outcome.incidents,
    }


def _show(terminal: Terminal, trace: Trace, outcome: Outcome) -> None:
    from sutazai_ops.monitoring.duration import format_duration

    if outcome.decisions:
        rows = [
            [
                # As the trace writes its times: days alone would be the same in every row of a long one.
                format_duration(one.elapsed),
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
    when = f"in {human.duration(trace.lasts)}"
    _say_sum(terminal, when, len(outcome.incidents), len(outcome.repairs), len(outcome.escalations))


def _say_sum(terminal: Terminal, when: str, incidents: int, repairs: int, told: int) -> None:
    terminal.say(
        f"{when}: {human.count(incidents, 'incident')}, {human.count(repairs, 'repair')}, "
        f"a person told {human.count(told, 'time')}"
    )
