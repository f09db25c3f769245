"""`config show`, `check` and `reference`: the settings and the platform's files, as this program reads them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation
    from sutazai_ops.platform import Service

app = typer.Typer(help="Show and check the settings and the platform's files.", no_args_is_help=True)


@app.command()
def show(*, json: AsJson = False) -> None:
    """Show every setting, its value and where that came from. No setting holds a secret: files do."""
    terminal = Terminal()
    rows = [
        {"setting": key, "value": value, "origin": origin} for key, value, origin in open_installation().loaded.rows()
    ]
    terminal.show(
        rows, lambda: terminal.table(["setting", "value", "origin"], [list(row.values()) for row in rows]), json=json
    )


@app.command()
def check(*, json: AsJson = False) -> None:
    """Read the settings and every file of the platform, and show what they amount to. Touches no server."""
    terminal = Terminal()
    here = open_installation()
    facts = {
        "origins": here.loaded.origins,
        "platform": here.platform.folder,
        "services": [_facts(service) for service in here.platform],
    }
    terminal.show(facts, lambda: _show_check(terminal, here), json=json)


def _facts(service: Service) -> dict[str, object]:
    return {
        "phase": service.phase,
        "service": service.name,
        "tier": service.tier,
        "backup": service.backup.kind if service.backup else None,
        "probes": [probe.kind for probe in service.probes],
        "runs": "elsewhere" if service.external else "here",
        "inferred": sorted(service.inferred),
    }


def _show_check(terminal: Terminal, here: Installation) -> None:
    sources = sorted(set(here.loaded.origins.values()))
    terminal.say(f"the settings are in order, from {', '.join(sources) if sources else 'the defaults alone'}")
    terminal.say(f"the platform is in order: {here.platform.folder}\n")
    columns = ["phase", "service", "tier", "backup", "probes", "runs", "inferred"]
    rows = [list(_facts(service).values()) for service in here.platform]
    terminal.table(columns, [[", ".join(cell) if isinstance(cell, list) else cell for cell in row] for row in rows])


@app.command()
def reference() -> None:
    """Print what can be set, as Markdown: docs/settings.md."""
    from sutazai_ops.settings_page import settings_page

    sys.stdout.write(settings_page())
