"""`config show`, `check`, `generate`, `reference`: settings and the platform's files, as this program reads them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """Read the settings and every file of the platform, and show what they amount to. Touches no server.

    What leaves somebody uninformed is shown at the end, and is no error.
    """
    terminal = Terminal()
    here = open_installation()
    facts = {
        "origins": here.loaded.origins,
        "platform": here.platform.folder,
        "services": [_facts(service) for service in here.platform],
        "findings": _findings(here),
    }
    terminal.show(facts, lambda: _show_check(terminal, here), json=json)


@app.command()
def generate(
    *,
    committed: Annotated[
        bool, typer.Option("--committed", help="Make the copies beside the packaged platform, from default settings.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Write what is generated for Prometheus, Alertmanager, Grafana and the exporter; a deployment does so itself."""
    from sutazai_ops.generated import write_configuration, write_copies
    from sutazai_ops.settings import PACKAGED_PLATFORM

    terminal = Terminal()
    here = open_installation()
    folder = PACKAGED_PLATFORM / "config" if committed else here.settings.generated
    changed = write_copies() if committed else write_configuration(here.settings, here.platform)
    terminal.show({"folder": folder, "changed": changed}, lambda: _show_generated(terminal, folder, changed), json=json)


def _show_generated(terminal: Terminal, folder: Path, changed: Sequence[str]) -> None:
    for name in changed:
        terminal.say(name)
    terminal.say(f"{len(changed)} files changed in {folder}" if changed else f"all is up to date in {folder}")


def _findings(here: Installation) -> list[str]:
    """What is not wrong enough to be refused, and leaves somebody uninformed all the same."""
    from sutazai_ops.capacity import room_of
    from sutazai_ops.capacity.rules import read_rules
    from sutazai_ops.generated import stale_files
    from sutazai_ops.maintenance import read_windows
    from sutazai_ops.models.fleet import Fleet
    from sutazai_ops.monitoring.additions import open_to_others
    from sutazai_ops.monitoring.alertmanager import who_is_not_told
    from sutazai_ops.monitoring.presence import not_measured
    from sutazai_ops.monitoring.scrape import out_of_reach
    from sutazai_ops.monitoring.thresholds import read_rulebook
    from sutazai_ops.remediation.playbooks import read_playbooks
    from sutazai_ops.remediation.surroundings import refuse_strangers

    settings, services = here.settings, here.platform.services
    rulebook = read_rulebook(settings.monitoring)
    # What is wrong in them is refused here, and not only by the report of the month, or at night.
    read_playbooks(rulebook, services, settings.remediation.playbooks, settings.monitoring.thresholds)
    refuse_strangers(here)
    read_windows(settings.monitoring.windows, services)
    room = room_of(here, list(here.platform))
    read_rules(here.platform, here.settings.capacity.autoscaling_rules)
    _ = room.kpis, room.prices
    found = [
        *who_is_not_told(here.settings.alerts),
        *open_to_others(here.settings.alerts),
        *out_of_reach(here.platform),
        *not_measured(rulebook, here.platform),
        *Fleet(here).strangers,
    ]
    # Before the first deployment there are none, and it makes them by itself.
    if here.settings.generated.exists() and (stale := stale_files(here.settings, here.platform)):
        words = f"{len(stale)} generated files are not up to date, {stale[0]} among them"
        found.append(f"{words}: sutazai-ops config generate")
    return found


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
    for finding in _findings(here):
        terminal.say(f"note: {finding}")


@app.command()
def reference() -> None:
    """Print what can be set, as Markdown: docs/settings.md."""
    from sutazai_ops.settings_page import settings_page

    sys.stdout.write(settings_page())
