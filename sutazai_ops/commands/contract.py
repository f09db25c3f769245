"""`contract`: which part of the metric contract each application keeps, by what it really serves."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops.errors import ExitCode, OpsError
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.monitoring.contract import Part

app = typer.Typer()


@app.command()
def contract(
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]…", help="Only these; if none is named, all that serve metrics of their own."),
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Hold what applications serve as metrics against the contract; ends with 3 where a part is broken or not asked.

    docs/metric-contract.md states it.
    """
    from sutazai_ops.monitoring.contract import State, applications, ask

    terminal = Terminal()
    here = open_installation()
    there = [service for service in applications(here.platform) if not here.engine.cannot_run(service)]
    chosen = here.platform.select(services) if services else there
    kept: dict[str, Sequence[Part]] = {}
    unasked: dict[str, str] = {}
    with terminal.progress(json=json) as progress, progress.step(f"ask {len(chosen)} services"):
        for service in chosen:
            try:
                kept[service.name] = ask(service, here.engine)
            except OpsError as error:
                unasked[service.name] = error.what
    facts = {
        "services": {name: [asdict(part) for part in parts] for name, parts in kept.items()},
        "not_asked": unasked,
    }
    terminal.show(facts, lambda: _show(terminal, kept, unasked), json=json)
    broken = any(part.state is State.NOT_MET for parts in kept.values() for part in parts)
    if broken or unasked or not kept:
        raise typer.Exit(ExitCode.CANNOT)


def _show(terminal: Terminal, kept: Mapping[str, Sequence[Part]], unasked: Mapping[str, str]) -> None:
    rows: list[list[Any]] = [
        [name, part.name, part.state, part.because] for name, parts in kept.items() for part in parts
    ]
    terminal.table(["service", "part", "state", "because"], rows)
    if not rows and not unasked:
        terminal.say("nothing that runs here serves metrics of its own")
    for because in unasked.values():
        terminal.say(f"not asked: {because}")
