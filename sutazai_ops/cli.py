"""The front door for a person at a terminal: `sutazai-ops …`.

Assembles the commands, and is the one place where an error becomes words and an exit code: what an operator can cause
is a sentence of what, of where, and of what to do; a defect of this program is one sentence and the path of its log.
"""

from __future__ import annotations

import gc
import os
import sys

import typer

from sutazai_ops import __version__
from sutazai_ops.commands import (
    alerts,
    backup,
    baseline,
    capacity,
    config,
    contract,
    dashboards,
    deployment,
    doctor,
    exporter,
    images,
    incidents,
    ledger,
    lint,
    maintenance,
    models,
    platform,
    probe,
    remediation,
    restore,
    signals,
    slo,
    status_page,
)
from sutazai_ops.errors import ExitCode, OpsError
from sutazai_ops.terminal import Terminal
from sutazai_ops.termination import heed_termination

INTERRUPTED = 130
"""As a shell reports a command that SIGINT ended: 128 + 2."""

NEW_VALUES = 20_000
"""How many values are made between two looks for cycles among them. What a command loads stays to its end: looking at
it once in 700 values, as Python does by itself, was a twelfth of `status`."""

# What Typer refuses is bad input as any other; its own number for that, 2, is what `plan` says of changes. The class of
# all such refusals has no public name of its own.
for _refusal in typer.BadParameter.__mro__:
    if getattr(_refusal, "exit_code", 0) == ExitCode.CHANGES:
        _refusal.exit_code = ExitCode.BAD_INPUT  # type: ignore[attr-defined]

app = typer.Typer(
    help="Roll the platform out, keep it as it is meant, back it up, prove the backups, and bring them back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for commands in (platform.app, deployment.app, probe.app, signals.app, contract.app, exporter.app, doctor.app):
    app.registered_commands += commands.registered_commands
app.add_typer(backup.app, name="backup")
app.command("restore")(restore.restore)
app.add_typer(slo.app, name="slo")
app.add_typer(capacity.app, name="capacity")
app.add_typer(baseline.app, name="baseline")
app.add_typer(status_page.app, name="status-page")
app.add_typer(remediation.app, name="remediation")
app.add_typer(incidents.app, name="incidents")
app.add_typer(alerts.app, name="alerts")
app.add_typer(maintenance.app, name="maintenance")
app.command("silence")(maintenance.silence)
app.add_typer(models.app, name="models")
app.add_typer(dashboards.app, name="dashboards")
app.add_typer(images.app, name="images")
app.add_typer(config.app, name="config")
app.add_typer(ledger.app, name="ledger")
app.add_typer(lint.app, name="lint")


def _version(wanted: bool) -> None:  # noqa: FBT001  (typer calls it with the flag's value)
    if wanted:
        typer.echo(f"sutazai-ops {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),  # noqa: FBT001, FBT003
) -> None:
    """What every command has in common."""


def main() -> None:
    """Run one command and end the process with its exit code (see `ExitCode`)."""
    gc.set_threshold(NEW_VALUES)
    heed_termination()
    _make_only(*sys.argv[1:2])
    try:
        try:
            app(standalone_mode=True)
        finally:
            # What fits a buffer would be written when Python ends, where nobody could say that its reader is gone.
            sys.stdout.flush()
    except OpsError as error:
        _tell(error)
        sys.exit(error.exit_code)
    except SystemExit as end:
        # Typer turns an interrupt and a closed pipe into its own ends; they mean the same here as everywhere.
        if isinstance(end.__context__, BrokenPipeError):
            _leave_quietly()
        if end.code == INTERRUPTED:
            _tell_interrupt()
        raise
    except KeyboardInterrupt:
        _tell_interrupt()
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _leave_quietly()
    except Exception as error:  # noqa: BLE001  (the front door)
        _tell_defect(error)
        sys.exit(ExitCode.DEFECT)


def _make_only(name: str = "") -> None:
    """Have Typer make the command of that name alone, as making all of them takes as long as reading the platform.

    They all stay where there is none of that name: for `--help`, and for a slip of the pen, which is told what is near.
    """
    groups = [group for group in app.registered_groups if group.name == name]
    commands = [one for one in app.registered_commands if name in {one.name, getattr(one.callback, "__name__", None)}]
    if groups or commands:
        app.registered_groups, app.registered_commands = groups, commands


def _tell_interrupt() -> None:
    Terminal().err.print("interrupted; nothing half-done stays, and the next run sweeps what was left")


def _leave_quietly() -> None:
    """Whoever read us has seen enough. Python would complain when it flushes at exit, so that goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(ExitCode.DONE)


def _tell(error: OpsError) -> None:
    err = Terminal().err
    command = " ".join(word for word in sys.argv[1:3] if not word.startswith("-"))
    err.print(f"{command or 'sutazai-ops'} failed: {error.what}")
    for line in f"{error.where}\n{error.remedy}".splitlines():
        if line:
            err.print(f"  {line}")


def _tell_defect(error: Exception) -> None:
    from sutazai_ops.logs import write_defect
    from sutazai_ops.settings import load

    try:
        folder = load().settings.logs
    except OpsError:
        folder = None
    log = write_defect(folder, " ".join(sys.argv), error)
    Terminal().err.print(f"a defect of this program: {type(error).__name__}; please report it with {log}")


if __name__ == "__main__":
    main()
