"""`sutazai-ops capacity autoscale …` and `capacity scale`: how many containers of a service run, and who decides it."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic_core import to_json

from sutazai_ops import human
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.installation import open_installation
from sutazai_ops.person import who
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.capacity.autoscaler import Judged, Memory
    from sutazai_ops.capacity.autoscaling_trial import Load
    from sutazai_ops.capacity.rules import Rule
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import ScalingEntry
    from sutazai_ops.progress import Progress

NOTHING_FOLLOWED = "no rule is on a service of the current release"

app = typer.Typer(help="Let containers follow the age of their queue, within bounds.", no_args_is_help=True)


@app.command("rules")
def rules(*, json: AsJson = False) -> None:
    """Show every rule that holds for this platform."""
    terminal, here = Terminal(), open_installation()
    found = _rules(here)
    facts = {
        "mode": here.settings.capacity.autoscaling,
        "rules": [one.model_dump(mode="json") for one in found.values()],
    }
    rows = [[name, one.service, _up(one), _down(one), f"{one.least} to {one.most}", human.duration(one.cool_down)]
            for name, one in found.items()]  # fmt: skip

    def show() -> None:
        terminal.say(f"capacity.autoscaling is {here.settings.capacity.autoscaling}")
        terminal.table(["rule", "service", "one more when", "one less when", "containers", "cool-down"], rows)

    terminal.show(facts, show, json=json)


@app.command("status")
def status(*, json: AsJson = False) -> None:
    """Show how long each queue has waited, how many containers there are, and what would be decided now."""
    from sutazai_ops.capacity.autoscaler import judge_all

    terminal, here = Terminal(), open_installation()
    judged = judge_all(here, _rules(here), {}, datetime.now(UTC))
    terminal.show(
        {"mode": here.settings.capacity.autoscaling, "rules": [_facts(one) for one in judged]},
        lambda: _show_status(terminal, here, judged),
        json=json,
    )


@app.command("watch")
def watch(
    every: Annotated[float, typer.Option("--every", min=0.5, help="Seconds between two looks.")] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    *,
    json: AsJson = False,
) -> None:
    """Look at the queues and do what the mode allows, until interrupted; needs no Dagster. What is new is printed."""
    terminal, here = Terminal(), open_installation()
    found = _rules(here)
    memories: dict[str, Memory] = {}
    said: dict[str, str] = {}
    while True:
        begun = time.monotonic()
        with terminal.progress(json=json) as progress:
            _look(terminal, here, found, memories, said, progress, json=json)
        if once:
            return
        time.sleep(max(0.0, every - (time.monotonic() - begun)))


@app.command("simulate")
def simulate(
    name: Annotated[str, typer.Argument(metavar="RULE", help="As `autoscale rules` shows it.")],
    load: Annotated[
        list[str],
        typer.Option("--load", metavar="RATE@TIME", help="Tasks a second for a time: 0.4@15m. Again for what follows."),
    ],
    task: Annotated[float, typer.Option("--task", min=0.001, metavar="SECONDS", help="What a task takes.")] = 5.0,
    *,
    json: AsJson = False,
) -> None:
    """What a rule would do about a load, on a queue that is only reckoned with. Touches nothing."""
    from sutazai_ops.capacity.autoscaling import Move
    from sutazai_ops.capacity.autoscaling_trial import rehearse

    terminal = Terminal()
    found = _rules(open_installation())
    if name not in found:
        raise BadInput(f"there is no rule {name!r}", remedy=f"there are: {', '.join(found) or 'none'}")
    ticks = list(rehearse(found[name], [_load(one) for one in load], task))
    changes = [one for one in ticks if one.decision.move is not Move.HOLD]
    oldest = max(ticks, key=lambda one: one.age)
    facts = {
        "changes": [{"second": one.second, "waiting": one.waiting, "age_seconds": one.age, **asdict(one.decision)}
                    for one in changes],
        "oldest_seconds": oldest.age,
        "waiting_at_the_end": ticks[-1].waiting,
    }  # fmt: skip
    rows = [[human.duration(one.second), f"{one.decision.before} -> {one.decision.after}", str(one.waiting),
             one.decision.because] for one in changes]  # fmt: skip

    def show() -> None:
        terminal.table(["after", "containers", "waiting", "because"], rows)
        terminal.say(
            f"{human.count(len(changes), 'change')}; the longest wait was {human.duration(oldest.age)}, and"
            f" {human.count(ticks[-1].waiting, 'task')} wait at the end"
        )

    terminal.show(facts, show, json=json)


@app.command("log")
def log(
    days: Annotated[int, typer.Option("--days", min=1, metavar="N", help="Of so many days until now.")] = 7,
    *,
    json: AsJson = False,
) -> None:
    """List what was decided, by rules and by people, and what became of it."""
    terminal, here = Terminal(), open_installation()
    found = here.ledger.scalings_since(datetime.now(UTC) - timedelta(days=days))
    rows = [[f"{one.at:%Y-%m-%d %H:%M:%S}", one.service, f"{one.before} -> {one.after}", one.outcome, one.actor,
             ", ".join(part for part in (one.because, one.note) if part)] for one in reversed(found)]  # fmt: skip

    def show() -> None:
        if rows:
            terminal.table(["at (UTC)", "service", "containers", "outcome", "by", "because"], rows)
        else:
            terminal.say(f"nothing was decided in {human.count(days, 'day')}")

    terminal.show([asdict(one) for one in found], show, json=json)


def scale(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="A stateless one of the current release.")],
    copies: Annotated[int, typer.Argument(metavar="N", min=1, help="How many containers.")],
    because: Annotated[str, typer.Option("--because", help="Why, for whoever reads of it later.")] = "asked for",
    *,
    json: AsJson = False,
) -> None:
    """Run so many containers of a service. It is what is meant from then on, until its file says another number.

    What a container that is taken away has in hand, it finishes in its grace period, or it goes back to the queue.
    """
    from sutazai_ops.deployment.deployments import Deployments
    from sutazai_ops.ledger import ScalingEntry

    terminal, here = Terminal(), open_installation()
    name = here.platform.service(service).name

    def decided(released: int, before: int) -> ScalingEntry:
        move = "up" if copies > before else "down" if copies < before else "hold"
        return ScalingEntry(datetime.now(UTC), name, move, released, before, copies, because, who())

    with terminal.progress(json=json) as progress:
        done = Deployments.of(here).scale(progress, name, copies, decided)
    terminal.show(asdict(done), lambda: terminal.say(_done(done)), json=json)


def _look(
    terminal: Terminal,
    here: Installation,
    found: Mapping[str, Rule],
    memories: dict[str, Memory],
    said: dict[str, str],
    progress: Progress,
    *,
    json: bool,
) -> None:
    from sutazai_ops.capacity.autoscaler import carry_out, judge_all

    try:
        judged = judge_all(here, found, memories, datetime.now(UTC))
    except OpsError as error:
        terminal.err.print(f"nothing was decided: {error.what}")
        return
    if not judged and not said:
        terminal.err.print(NOTHING_FOLLOWED)
        said[""] = NOTHING_FOLLOWED
    for one in judged:
        # How long something lasts is another word each time; that it does is none.
        words = f"{one.decision.move} {one.decision.after} {one.decision.at_bound}"
        if said.get(one.rule.name) != words:
            _tell(terminal, _facts(one), f"{one.rule.service}: {_decision(one)}", json=json)
        said[one.rule.name] = words
        try:
            entry, memories[one.rule.name] = carry_out(here, one, progress)
        except OpsError as error:
            memories[one.rule.name] = one.memory
            terminal.err.print(f"{one.rule.service} was not scaled: {error.what}")
        else:
            if entry is not None and entry.outcome == "done":
                _tell(terminal, asdict(entry), _done(entry), json=json)


def _tell(terminal: Terminal, facts: Mapping[str, object], line: str, *, json: bool) -> None:
    if json:
        typer.echo(to_json(facts).decode())
    else:
        terminal.say(line)


def _rules(here: Installation) -> dict[str, Rule]:
    from sutazai_ops.capacity.rules import read_rules

    return read_rules(here.platform, here.settings.capacity.autoscaling_rules)


def _load(text: str) -> Load:
    from sutazai_ops.capacity.autoscaling_trial import Load
    from sutazai_ops.monitoring.duration import parse_duration

    rate, _, lasting = text.partition("@")
    try:
        return Load(float(rate), float(parse_duration(lasting)))
    except ValueError:
        raise BadInput(f"{text!r} is no load", remedy="write it as 0.4@15m: tasks a second, and for how long") from None


def _facts(one: Judged) -> dict[str, object]:
    return {"rule": one.rule.name, "service": one.rule.service, "age_seconds": one.seen.age,
            "running": one.seen.running, **asdict(one.decision)}  # fmt: skip


def _show_status(terminal: Terminal, here: Installation, judged: Sequence[Judged]) -> None:
    mode = here.settings.capacity.autoscaling
    terminal.say(f"capacity.autoscaling is {mode}" + (": nothing is done by itself" if mode != "act" else ""))
    rows = [[one.rule.name, one.rule.service, "unknown" if one.seen.age is None else human.duration(one.seen.age),
             f"{one.seen.copies}", _decision(one)] for one in judged]  # fmt: skip
    if rows:
        terminal.table(["rule", "service", "oldest", "containers", "decision"], rows)
    else:
        terminal.say(NOTHING_FOLLOWED)


def _decision(one: Judged) -> str:
    decision = one.decision
    words = "stays" if decision.before == decision.after else f"{decision.before} -> {decision.after}"
    return f"{words}: {decision.because}"


def _done(entry: ScalingEntry) -> str:
    note = f"; {entry.note}" if entry.note else ""
    return f"{entry.service} runs as {human.count(entry.after, 'container')} now, no longer {entry.before}{note}"


def _up(rule: Rule) -> str:
    return f"the oldest waits over {human.duration(rule.up.above)} for {human.duration(rule.up.for_)}"


def _down(rule: Rule) -> str:
    return f"under {human.duration(rule.down.below)} for {human.duration(rule.down.for_)}"
