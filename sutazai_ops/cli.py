"""The front door for a person at a terminal: `sutazai-ops …`.

Every error is shown here and only here: what happened, where, what to do, and an exit code (`ExitCode`). A traceback is
never shown; that of a defect goes to the log, whose path is. Importing this module loads no database driver and no
Dagster, so that help and completion answer at once.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sutazai_ops import __version__
from sutazai_ops.commands import backup, config, doctor, ledger, platform, restore
from sutazai_ops.errors import ExitCode, OpsError
from sutazai_ops.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _alone(command: Callable[..., None]) -> typer.Typer:
    commands = typer.Typer()
    commands.command()(command)
    return commands


COMMANDS: tuple[tuple[typer.Typer, str | None], ...] = (
    (platform.app, None),
    (backup.app, "backup"),
    (_alone(restore.restore), None),
    (ledger.app, "ledger"),
    (config.app, "config"),
    (doctor.app, None),
)
"""The commands in the order of the help; those under a name stand behind that word."""

# What a shell reports for a program that ended by SIGINT and by SIGPIPE.
INTERRUPTED = 130
PIPE_CLOSED = 141


class FrontDoor(TyperGroup):
    """Turns every end of a command that is no success into words and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  (typer keeps its context's type to itself)
        """Run the command that was typed."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except OpsError as error:
            _show(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            Terminal().err.print("interrupted: what was under way was ended; what was finished stays")
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise
            # Python flushes standard output once more when it ends, and would complain about the closed pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        else:
            return result


app = typer.Typer(
    name="sutazai-ops",
    cls=FrontDoor,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _commands, _name in COMMANDS:
    app.add_typer(_commands, name=_name)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (typer calls it with the option's value)
    if wanted:
        Terminal().say(__version__)
        raise typer.Exit


@app.callback()
def sutazai_ops(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Roll a self-hosted platform out, and prove its backups by restoring them."""


def main() -> None:
    """What the shell runs."""
    try:
        app()
    except Exception as error:  # noqa: BLE001  (the front door: whatever comes here is a defect of ours)
        from sutazai_ops.logs import write_defect

        log = write_defect(_log_folder(), " ".join(sys.argv[:3]), error)
        Terminal().err.print(
            f"this is a fault of sutazai-ops itself: {type(error).__name__}\n  its log says more: {log}"
        )
        sys.exit(ExitCode.DEFECT)


def _show(error: OpsError) -> None:
    what = error.what if error.what.startswith("cannot ") else f"cannot go on: {error.what}"
    Terminal().err.print("\n  ".join(part for part in (what, error.where, error.remedy) if part))


def _log_folder() -> Path | None:
    from sutazai_ops.settings import load

    try:
        return load().settings.logs
    except OpsError:
        return None
