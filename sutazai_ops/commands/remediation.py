"""`sutazai-ops remediation …`: what may repair itself, and what it would do."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic_core import to_json

from sutazai_ops.commands import trying
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.installation import open_installation
from sutazai_ops.person import who
from sutazai_ops.remediation.verdict import Mode, say
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.monitoring.exporter.sources import Sources
    from sutazai_ops.remediation.follow import Follower
    from sutazai_ops.remediation.observe import Watched
    from sutazai_ops.remediation.playbook import Playbook


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


def _ladder(playbook: Playbook) -> str:
    return ", ".join(rung.name + (" (asks)" if rung.approval else "") for rung in playbook.ladder) or "nothing"


app.registered_commands += trying.app.registered_commands


@app.command("mode")
def mode(
    new: Annotated[Mode | None, typer.Argument(metavar="[off|observe|propose|act]", help="What it shall be.")] = None,
    because: Annotated[str, typer.Option("--because", help="Why, for whoever reads of it later.")] = "",
    *,
    json: AsJson = False,
) -> None:
    """Show how much the remediation may do, or change it; it holds at once for every program that uses this ledger."""
    from sutazai_ops.ledger import ModeEntry
    from sutazai_ops.remediation.surroundings import mode_of

    if new is None and because:
        raise BadInput("--because says why the mode is changed, and no mode is given", remedy="name one of the four")
    terminal, here = Terminal(), open_installation()
    log = here.ledger.incidents
    if new is not None:
        log.record_mode(ModeEntry(datetime.now(UTC), new.value, who(), because))
    said = log.mode()
    facts = {"mode": mode_of(log), "since": said.at if said else None, "by": said.actor if said else None,
             "because": said.reason if said else None}  # fmt: skip
    line = f"{mode_of(log)}, since {said.at:%Y-%m-%d %H:%M} UTC by {said.actor} {said.reason}" if said else mode_of(log)
    terminal.show(facts, lambda: terminal.say(line.strip()), json=json)


@app.command("watch")
def watch(
    every: Annotated[float, typer.Option("--every", min=0.5, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end when what is due is done.")] = False,
    *,
    json: AsJson = False,
) -> None:
    """Look at the alerts, keep the incidents, decide about each, and do what the mode allows, until interrupted.

    It needs no Dagster. What is new is printed, one line each; with --json as one object a line.
    """
    from sutazai_ops.remediation.follow import Follower
    from sutazai_ops.remediation.heartbeat import beat, leave
    from sutazai_ops.remediation.observe import Watched

    terminal = Terminal()
    watched = Watched.of(open_installation())
    follower = Follower(watched, terminal.err.print)
    sources = _sources(watched)
    blind = trouble = ""
    try:
        while True:
            begun = time.monotonic()
            if not follower.is_repairing and sources.are_newer():
                watched = follower.watched = Watched.of(open_installation())
                sources = _sources(watched)
            try:
                blind = _look(terminal, watched, follower, blind, json=json)
            except BadInput:
                raise
            except OpsError as error:
                if once:
                    raise
                trouble = _tell(terminal, f"nothing was decided: {error.what}", trouble)
            else:
                if once:
                    return
                trouble = ""
                beat(watched.here.settings)
            time.sleep(max(0.0, every - (time.monotonic() - begun)))
    finally:
        if follower.is_repairing:
            terminal.err.print("the repair that is under way is brought to its end")
        follower.wait()
        if not once:
            leave(watched.here.settings)


@app.command("run")
def run(
    playbook: Annotated[str, typer.Argument(metavar="PLAYBOOK", help="As `remediation playbooks` shows it.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The service, or host.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    *,
    json: AsJson = False,
) -> None:
    """Do the next rung of a playbook for the incident that lasts at a target, as if you had agreed to it.

    The guard decides all the same: what holds state is not disrupted without a fresh verified backup, whoever asks.
    """
    from sutazai_ops.remediation.by_hand import run_by_hand
    from sutazai_ops.remediation.observe import Watched

    terminal, here = Terminal(), open_installation()
    with terminal.progress(json=json) as progress, progress.step(f"{playbook} at {target}"):
        done = run_by_hand(Watched.of(here), playbook, target, who(), dry_run=dry_run)
    terminal.show(done, lambda: terminal.say(done.said), json=json)


def _sources(watched: Watched) -> Sources:
    """The files that say what is watched, so that one that was changed counts."""
    from sutazai_ops.monitoring.exporter.sources import Sources
    from sutazai_ops.remediation.observe import Watched

    settings = watched.here.settings
    return Sources(settings, lambda: Watched.of(open_installation()), also=[settings.remediation.playbooks])


def _tell(terminal: Terminal, line: str, told: str) -> str:
    """Say it, unless it was said in the round before; returns what was said last."""
    if line != told:
        terminal.err.print(line)
    return line


def _look(terminal: Terminal, watched: Watched, follower: Follower, blind: str, *, json: bool) -> str:
    """One round, told and followed; returns why it was blind.

    Raises:
        OpsError: where nothing could be decided.
    """
    from sutazai_ops.remediation.observe import observe

    found = observe(watched, datetime.now(UTC))
    follower.follow(found)
    if found.blind != blind:
        terminal.err.print(f"blind: {found.blind}" if found.blind else "sees again")
    lines: list[tuple[IncidentEntry, str, dict[str, object]]] = [
        (one.incident, say(one.verdict), {"verdict": one.verdict}) for one in found.judged if one.is_new
    ]
    lines += [(one, f"over, {one.outcome}", {"outcome": one.outcome}) for one in found.closed]
    for incident, line, facts in lines:
        head = {"at": found.at, "incident": incident.number, "target": incident.target, "symptom": incident.symptom}
        shown = f"{found.at:%H:%M:%S}  {incident.number}  {incident.target}  {incident.symptom}  {line}"
        terminal.say(to_json({**head, **facts}).decode() if json else shown)
    return found.blind
