"""`up`, `down`, `status`, `logs`: the platform as it runs now."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops import human
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.backups.store import Store
    from sutazai_ops.deployment.standing import Standing, Status
    from sutazai_ops.engines.base import Change
    from sutazai_ops.installation import Installation

app = typer.Typer()

Services = Annotated[list[str] | None, typer.Argument(metavar="[SERVICE]…", help="Only these; all if none is named.")]


@app.command()
def up(services: Services = None, *, json: AsJson = False) -> None:
    """Start services, and wait until each answers a real query."""
    terminal = Terminal()
    here = open_installation()
    wanted = here.platform.select(services)
    if services is None:
        wanted = [service for service in wanted if not here.engine.cannot_run(service)]
    changes = here.engine.plan(wanted)
    with terminal.progress(json=json) as progress:
        here.engine.apply(changes, progress)
    terminal.show([asdict(change) for change in changes], lambda: _show_changes(terminal, changes), json=json)


def _show_changes(terminal: Terminal, changes: Sequence[Change]) -> None:
    terminal.table(["did", "service", "because"], [[change.act, change.service, change.because] for change in changes])
    terminal.say()
    terminal.facts({"next": "sutazai-ops status"})


@app.command()
def down(
    services: Services = None,
    phase: Annotated[
        list[str] | None, typer.Option("--phase", metavar="PHASE", help="Take this phase down; can be given again.")
    ] = None,
    volumes_of: Annotated[
        str | None,
        typer.Option("--volumes-of", metavar="PHASE", help="Remove this phase's volumes, too: its data is lost."),
    ] = None,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="PHASE", help="Its name again, where nobody can be asked for it.")
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Stop services, or take phases down as a whole; their data stays unless it is named."""
    terminal = Terminal()
    here = open_installation()
    if services:
        _stop(terminal, here, services, json=json)
    else:
        _take_down(terminal, here, phase, volumes_of, confirm, json=json)


def _stop(terminal: Terminal, here: Installation, services: list[str], *, json: bool) -> None:
    wanted = [service.name for service in here.platform.select(services)][::-1]
    with terminal.progress(json=json) as progress:
        for service in wanted:
            with progress.step(f"stop {service}"):
                here.engine.stop(service)
    terminal.show({"stopped": wanted}, lambda: terminal.say(f"stopped {', '.join(wanted)}"), json=json)


def _take_down(
    terminal: Terminal,
    here: Installation,
    phases: list[str] | None,
    volumes_of: str | None,
    confirmed: str | None,
    *,
    json: bool,
) -> None:
    from sutazai_ops.deployment.deployments import Deployments
    from sutazai_ops.deployment.take_down import plan_take_down, take_down

    deployments = Deployments.of(here)
    plan = plan_take_down(deployments, phases, volumes_of)
    if volumes_of is not None and confirmed != volumes_of:
        losing = f"the volumes of {volumes_of} go; the newest verified backup set holds what is backed up of it"
        losing += f", and nothing holds the data of {', '.join(plan.lost)}" if plan.lost else ""
        terminal.confirm(volumes_of, losing=losing, flag=f"--confirm {volumes_of}")
    with terminal.progress(json=json) as progress:
        take_down(deployments, plan, progress)
    words = f"stopped {', '.join(plan.running)}" if plan.running else "nothing ran here"
    terminal.show({"stopped": plan.running, "volumes_of": volumes_of}, lambda: terminal.say(words), json=json)


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="Whose log.")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines of its end.")] = 50,
    *,
    json: AsJson = False,
) -> None:
    """Show the last lines that a service wrote."""
    terminal = Terminal()
    here = open_installation()
    found = here.engine.logs(here.platform.service(service).name, lines)
    terminal.show(found, lambda: terminal.say("\n".join(found)), json=json)


@app.command()
def status(*, json: AsJson = False) -> None:
    """Show what should run, what runs, what has drifted, and when the last proven backup was taken."""
    from sutazai_ops.deployment.standing import look

    terminal = Terminal()
    here = open_installation()
    found = look(here)
    backup = _last_verified(here.store)
    facts = {
        "environment": here.settings.environment,
        "engine": here.engine.name,
        "platform": here.platform.folder,
        **asdict(found),
        "last_verified_backup": backup,
    }
    terminal.show(facts, lambda: _show_status(terminal, here, found, backup), json=json)


def _show_status(terminal: Terminal, here: Installation, status: Status, backup: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    terminal.say(f"{here.settings.environment} on {here.engine.name}, {_release_words(status, now)}")
    terminal.say(f"platform {here.platform.folder}\n")
    shown = [one for one in status.services if one.is_there]
    if shown:
        terminal.table(
            ["phase", "service", "state", "health", "since", "release", "note"],
            [
                [
                    one.phase,
                    one.service,
                    one.state,
                    one.health,
                    human.since(one.since, now) if one.since else "",
                    one.release,
                    ", ".join(filter(None, [_drift_words(one), one.note])),
                ]
                for one in shown
            ],
            right=["release"],
        )
    for words, count in _left_out(here, status).items():
        terminal.say(f"{words} ({human.count(count, 'service')})")
    counts = Counter(str(one.health) for one in shown)
    healths = ", ".join(f"{count} {health}" for health, count in counts.items()) or "none runs"
    terminal.say(f"{human.count(len(shown), 'service')}: {healths}\n")
    terminal.facts({"last verified backup": _backup_words(backup, now), "next": _next(here, status, shown)})


def _drift_words(standing: Standing) -> str:
    fields = dict.fromkeys(drift.field for drift in standing.drifts)
    return f"drifted: {', '.join(fields)}" if fields else ""


def _release_words(status: Status, now: datetime) -> str:
    if status.release is None or status.made_at is None:
        return "no release yet"
    drifted = len({drift.service for drift in status.drifts})
    drift = f"{human.count(drifted, 'service')} drifted" if drifted else "nothing drifted"
    return f"release {status.release} of {human.since(status.made_at, now)} ago, {drift}"


def _left_out(here: Installation, status: Status) -> Counter[str]:
    """The services that are not shown, counted by phase and why."""
    services = [here.platform.service(one.service) for one in status.services if not one.is_there]
    return Counter(
        f"{service.phase}: {'not run on this engine' if here.engine.cannot_run(service) else 'not rolled out'}"
        for service in services
    )


def _next(here: Installation, status: Status, shown: Sequence[Standing]) -> str:
    if status.drifts:
        return "sutazai-ops drift"
    if failed := next((one.service for one in shown if one.health == "failed"), None):
        return f"sutazai-ops logs {failed}"
    if not shown:
        return "sutazai-ops up" if here.engine.name == "embedded" else "sutazai-ops plan"
    return "sutazai-ops backup run" if here.platform.backed_up() else "sutazai-ops probe"


def _last_verified(store: Store) -> dict[str, Any]:
    """What is known of the newest verified set of this store; `known` tells none from not being able to look."""
    from sutazai_ops.backups.manifest import Outcome

    listing = store.listing()
    for one in listing.sets:
        if one.outcome is Outcome.VERIFIED and one.summary and not one.foreign:
            return {
                "known": True,
                "set": one.id,
                "taken_at": one.summary.taken_at,
                "recovery_seconds": one.verification.recovery_seconds if one.verification else None,
            }
    return {"known": listing.complete or not store.folder.exists(), "set": None, "trouble": list(listing.trouble)}


def _backup_words(backup: dict[str, Any], now: datetime) -> str:
    if not backup["set"]:
        found = "none" if backup["known"] else f"unknown: {backup['trouble'][0]}"
        return f"{found}        sutazai-ops backup run"
    seconds = backup["recovery_seconds"]
    takes = f", restore takes about {human.duration(seconds)}" if seconds is not None else ""
    return f"{human.since(backup['taken_at'], now)} ago{takes}        sutazai-ops backup show {backup['set']}"
