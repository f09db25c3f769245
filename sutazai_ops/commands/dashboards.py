"""`dashboards`: which there are and where; `dashboards check`: whether every panel has something to show."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from sutazai_ops.errors import ExitCode, Unsupported
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.installation import Installation
    from sutazai_ops.monitoring.dashboards import Checked
    from sutazai_ops.monitoring.dashboards.panels import Dashboard

GRAFANA_URL = "GF_SERVER_ROOT_URL"

app = typer.Typer(help="Grafana's dashboards: where they are, and whether they show anything.")


@app.callback(invoke_without_command=True)
def dashboards(context: typer.Context, *, json: AsJson = False) -> None:
    """List the dashboards, and where a browser finds each."""
    if context.invoked_subcommand is not None:
        return
    terminal = Terminal()
    here = open_installation()
    grafana = _grafana(here)
    rows = [
        {
            "dashboard": board.title,
            "panels": len(list(board.panels)),
            "address": f"{grafana}/d/{board.uid}" if grafana else None,
            "file": here.settings.generated / "dashboards" / f"{board.uid}.json",
            "about": board.description,
        }
        for board in _boards(here)
    ]
    columns = ["dashboard", "panels", "address", "about"]
    terminal.show(
        rows,
        lambda: terminal.table(columns, [[row[column] for column in columns] for row in rows], right=["panels"]),
        json=json,
    )


@app.command()
def check(*, json: AsJson = False) -> None:
    """Put every question of every panel to Prometheus; ends with 3 where a panel shows nothing that should."""
    from sutazai_ops.monitoring.dashboards import check_dashboards
    from sutazai_ops.monitoring.prometheus import open_prometheus

    terminal = Terminal()
    here = open_installation()
    boards = _boards(here)
    if here.engine.name == "embedded":
        raise Unsupported(
            "the embedded engine has no Grafana that could show anything",
            remedy="sutazai-ops signals shows the figures",
        )
    prometheus = open_prometheus(here)
    with terminal.progress(json=json) as progress, progress.step("ask what every panel shows"):
        checked = list(check_dashboards(boards, prometheus))
    facts = [asdict(one) | {"is_well": one.is_well} for one in checked]
    terminal.show(facts, lambda: _show(terminal, checked), json=json)
    if not all(one.is_well for one in checked):
        raise typer.Exit(ExitCode.CANNOT)


def _show(terminal: Terminal, checked: Sequence[Checked]) -> None:
    from sutazai_ops.monitoring.dashboards import Found

    rows: list[list[Any]] = [
        [one.dashboard, one.panel, one.found, one.because] for one in checked if one.found is not Found.DATA
    ]
    if rows:
        terminal.table(["dashboard", "panel", "shows", "because"], rows)
    counts = Counter(one.found for one in checked)
    terminal.say(f"{len(checked)} panels: {', '.join(f'{count} {found}' for found, count in counts.items())}")


def _boards(here: Installation) -> list[Dashboard]:
    from sutazai_ops.monitoring.configuration import rulebook_of
    from sutazai_ops.monitoring.dashboards import dashboards_for
    from sutazai_ops.monitoring.presence import exporters_of

    return dashboards_for(rulebook_of(here.settings, here.platform), exporters_of(here.platform))


def _grafana(here: Installation) -> str:
    """Where a browser finds Grafana, as its own service is told; empty where the platform has none."""
    from sutazai_ops.platform.infer import image_name

    for service in here.platform:
        if image_name(service.image or "").startswith("grafana"):
            return str((service.compose.get("environment") or {}).get(GRAFANA_URL) or "").rstrip("/")
    return ""
