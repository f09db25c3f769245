"""`signals`: what is measured now, held against its thresholds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops import human
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.monitoring.now import Row
    from sutazai_ops.monitoring.thresholds import Rulebook

app = typer.Typer()


@app.command()
def signals(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SIGNAL|SERVICE]…", help="Only these signals, or only what is of these services."),
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Show every signal now: its value, its threshold, whether it is broken, since when, and when it was measured."""
    from sutazai_ops.monitoring.configuration import rulebook_of
    from sutazai_ops.monitoring.now import look, rows, without_value
    from sutazai_ops.monitoring.prometheus import open_prometheus
    from sutazai_ops.monitoring.thresholds import read_rulebook

    terminal = Terminal()
    here = open_installation()
    rulebook = rulebook_of(here.settings, here.platform, here.engine.name)
    _refuse_unmeasured(names or [], rulebook, read_rulebook(here.settings.monitoring))
    with terminal.progress(json=json) as progress, progress.step("ask what is measured"):
        seen = look(open_prometheus(here))
    found = rows(rulebook, seen, datetime.now(UTC))
    chosen = _chosen(found, names or [], rulebook)
    facts = {
        "signals": [_facts(row) for row in chosen],
        "without_value": [] if names else without_value(rulebook, found),
        "warnings": list(seen.warnings),
    }
    terminal.show(facts, lambda: _show(terminal, chosen, facts), json=json)


def _refuse_unmeasured(names: Sequence[str], here: Rulebook, known: Rulebook) -> None:
    """Raise `OpsError` for a signal that there is, and that nothing of this platform and engine exports."""
    for name in names:
        if name in known.signals and name not in here.signals:
            exporters = ", ".join(sorted(known.signals[name].exporters))
            raise OpsError(
                f"the signal {name} is not measured here: nothing that runs here exports it ({exporters})",
                remedy="docs/signals.md says what it is measured by",
            )


def _chosen(found: Sequence[Row], names: Sequence[str], rulebook: Rulebook) -> list[Row]:
    services = {row.labels["service"] for row in found if "service" in row.labels}
    for name in names:
        if name not in rulebook.signals and name not in services:
            known = [*rulebook.signals, *services]
            raise BadInput(
                f"there is no signal and no measured service {name!r}",
                remedy=nearest(name, known) or "sutazai-ops signals shows them all",
            )
    return [row for row in found if not names or row.signal.name in names or row.labels.get("service") in names]


def _facts(row: Row) -> dict[str, Any]:
    threshold = row.threshold
    return {
        "signal": row.signal.name,
        "labels": dict(row.labels),
        "value": row.value,
        "unit": row.signal.unit,
        "threshold": threshold.name if threshold else None,
        "side": threshold.side if threshold else None,
        "level": threshold.level if threshold else None,
        "state": row.standing,
        "since": row.since,
        "measured_at": row.measured_at,
        "because": row.because,
    }


def _show(terminal: Terminal, chosen: Sequence[Row], facts: dict[str, Any]) -> None:
    from sutazai_ops.monitoring.rules import SYMBOL
    from sutazai_ops.monitoring.wording import show, show_level

    now = datetime.now(UTC)
    cells = []
    for row in chosen:
        level = ""
        if row.threshold:
            level = f"{SYMBOL[row.threshold.side]} {show_level(row.threshold.level, row.signal.unit)}"
        cells.append(
            [
                row.signal.name,
                " ".join(row.labels[name] for name in row.signal.labels if name in row.labels),
                row.because if row.value is None else show(row.value, row.signal.unit),
                level,
                row.standing,
                human.since(row.since, now) if row.since else "",
                f"{human.since(row.measured_at, now)} ago" if row.measured_at else "never",
            ]
        )
    columns = ["signal", "of", "value", "threshold", "state", "since", "measured"]
    terminal.table(columns, cells, right=["value", "threshold"])
    if without := facts["without_value"]:
        terminal.say(f"no value now, and none is needed: {', '.join(without)}")
    for warning in facts["warnings"]:
        terminal.say(f"note: {warning}")
