"""`doctor`: what this machine has, what it lacks, and the command that mends it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from sutazai_ops.errors import ExitCode
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.machine import Finding

app = typer.Typer()


@app.command()
def doctor(*, json: AsJson = False) -> None:
    """Examine this machine; ends with 3 when something is missing that this platform needs."""
    from sutazai_ops.machine import Found, examine

    terminal = Terminal()
    findings = examine(open_installation())
    terminal.show([asdict(finding) for finding in findings], lambda: _show(terminal, findings), json=json)
    if any(finding.needed and finding.found is Found.MISSING for finding in findings):
        raise typer.Exit(ExitCode.CANNOT)


def _show(terminal: Terminal, findings: Sequence[Finding]) -> None:
    terminal.table(
        ["what", "found", "detail", "mend it with"],
        [[finding.what, finding.found, finding.detail, finding.remedy] for finding in findings],
    )
