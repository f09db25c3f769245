"""`sutazai-ops maintenance …` and `silence`: tell nobody of services for a time, with a reason and an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sutazai_ops.errors import BadInput
from sutazai_ops.installation import open_installation
from sutazai_ops.person import who
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.ledger import WindowEntry
    from sutazai_ops.maintenance import Kind

app = typer.Typer(help="Tell nobody of services that are worked on, and leave them alone.", no_args_is_help=True)

Services = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Those that it is about; all if left out.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever asks why nobody was told.")]
Length = Annotated[str, typer.Option("--for", help="How long, such as 45m or 1h30m.")]


@app.command("open")
def open_maintenance(
    services: Services = None,
    *,
    reason: Reason,
    length: Length,
    start: Annotated[
        str | None, typer.Option("--from", help="When it begins, as YYYY-MM-DD HH:MM in `timezone`; now if left out.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Open a window: until its end nobody is told of these services, and nothing repairs them."""
    from sutazai_ops.maintenance import Kind

    _open(Kind.MAINTENANCE, services, reason, length, start, json=json)


@app.command("close")
def close_window(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As `maintenance list` shows it.")],
    *,
    json: AsJson = False,
) -> None:
    """End a window before its end."""
    from sutazai_ops.maintenance import close

    terminal, here = Terminal(), open_installation()
    window = close(here.ledger, number, datetime.now(UTC))
    terminal.show(window, lambda: terminal.say(f"window {number} is closed: {_whom(window)}"), json=json)


@app.command("list")
def list_windows(*, json: AsJson = False) -> None:
    """Show the windows that hold or are to come: of what nobody is told, why, until when, and who said so.

    One that comes again every week has no number, and bears its name in the place of who opened it.
    """
    from sutazai_ops.maintenance import coming, read_windows

    terminal, here, now = Terminal(), open_installation(), datetime.now(UTC)
    weekly = read_windows(here.settings.monitoring.windows, here.platform.services)
    found = [*here.ledger.windows_since(now), *coming(weekly, now, ZoneInfo(here.settings.timezone))]

    def show() -> None:
        if not found:
            terminal.say("people are told of every service")
            return
        rows = [
            [
                one.number or "weekly",
                one.kind,
                _whom(one),
                _shown(one.starts_at),
                _shown(one.ends_at),
                one.actor,
                one.reason,
            ]
            for one in found
        ]
        terminal.table(["window", "kind", "services", "from", "until", "by", "reason"], rows)

    terminal.show(found, show, json=json)


def silence(services: Services = None, *, reason: Reason, length: Length, json: AsJson = False) -> None:
    """Tell nobody of these services from now on, for a time; `maintenance close` ends it before."""
    from sutazai_ops.maintenance import Kind

    _open(Kind.SILENCE, services, reason, length, None, json=json)


def _open(
    kind: Kind, services: Sequence[str] | None, reason: str, length: str, start: str | None, *, json: bool
) -> None:
    from sutazai_ops.ledger import WindowEntry
    from sutazai_ops.maintenance import open_window
    from sutazai_ops.monitoring.duration import parse_duration
    from sutazai_ops.status_page import notices

    terminal, here, now = Terminal(), open_installation(), datetime.now(UTC)
    begins = notices.read_moment(start, ZoneInfo(here.settings.timezone)) if start else now
    try:
        ends = begins + timedelta(seconds=parse_duration(length))
    except (ValueError, OverflowError) as error:
        raise BadInput(str(error), where="--for") from None
    wanted = WindowEntry(0, kind, sorted({*(services or ())}), reason, begins, ends, who())
    window = open_window(here.ledger, wanted, known=here.platform.services, now=now)

    def show() -> None:
        begins = f"from {_shown(window.starts_at)} " if start else ""
        terminal.say(
            f"window {window.number}: nobody is told of {_whom(window)} {begins}until {_shown(window.ends_at)}"
        )
        terminal.say(f"close it before: sutazai-ops maintenance close {window.number}")

    terminal.show(window, show, json=json)


def _whom(window: WindowEntry) -> str:
    return ", ".join(window.services) or "all services"


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
