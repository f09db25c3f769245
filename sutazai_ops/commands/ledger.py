"""`sutazai-ops ledger …`: the database of what was done."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

app = typer.Typer(help="The database of what was done and what happened.", no_args_is_help=True)


@app.command("rebuild")
def rebuild(json: AsJson = False) -> None:
    """Make all that the ledger says of backups anew from the manifests. Nothing else in it changes."""
    from sutazai_ops.backups.records import rebuild as rebuild_ledger

    terminal, installation = Terminal(), open_installation()
    sets = rebuild_ledger(installation.ledger, installation.store, datetime.now(UTC))
    terminal.show({"sets": sets}, lambda: terminal.say(f"the ledger knows {sets} backup sets again"), json=json)
