"""`sutazai-ops capacity …`: what services use, what they should be allowed, what is coming, and what it costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sutazai_ops.capacity.facts import ServiceDay, Use
    from sutazai_ops.capacity.room import Room

app = typer.Typer(help="What services use, what they should be allowed, and what it costs.", no_args_is_help=True)

DAY = timedelta(days=1)
From = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], metavar="DAY", help="The first day, UTC: 2026-10-01.")
]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="The last day, UTC.")]


@app.command()
def facts(
    from_: From = None,
    to: To = None,
    service: Annotated[str | None, typer.Option("--service", metavar="NAME", help="Of this one alone.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Compute all of these days anew, settled ones too.")] = False,
    *,
    json: AsJson = False,
) -> None:
    """Compute the daily facts that can still change, and list those of the last week, or of the days that are named."""
    terminal, room, now = Terminal(), _room(), datetime.now(UTC)
    last = to.date() if to else now.date()
    first = from_.date() if from_ else last - 6 * DAY
    if last < first:
        raise BadInput(f"there is no day from {first} to {last}", remedy="give the earlier one as --from")
    wanted = [first + DAY * number for number in range((last - first).days + 1)]
    _update(terminal, room, wanted if again else room.due(now), now, json=json)
    known = room.facts(first, last)
    if service is not None and service not in {name for name, _ in known}:
        service = room.installation.platform.service(service).name
    rows = [_row(fact) for (name, _), fact in known.items() if service in {None, name}]
    terminal.show(rows, lambda: _show_facts(terminal, rows), json=json)


def _room() -> Room:
    from sutazai_ops.capacity import room_of
    from sutazai_ops.deployment.meant import meant_to_run

    here = open_installation()
    return room_of(here, meant_to_run(here))


def _update(terminal: Terminal, room: Room, days: Sequence[date], now: datetime, *, json: bool) -> str:
    """Compute facts where they can be had; where not, say why, and go on with those that are known."""
    try:
        with terminal.progress(json=json) as progress:
            room.update(days, now, progress)
    except OpsError as error:
        if isinstance(error, BadInput):
            raise
        terminal.err.print(f"the facts are not of now: {error.what}")
        return error.what
    return ""


def _row(fact: ServiceDay) -> dict[str, Any]:
    return {
        "day": fact.day,
        "service": fact.service,
        **{f"memory_{key}": value for key, value in _of_use(fact.memory).items()},
        **{f"cpu_{key}": value for key, value in _of_use(fact.cpu).items()},
        "oom_kills": fact.kills,
        "throttled_seconds": fact.throttled,
        "coverage": fact.coverage,
        "final": fact.is_final(),
    }


def _of_use(use: Use) -> dict[str, float | None]:
    return {
        "peak": use.spread.peak if use.measured else None,
        "p95": use.spread.quantile(0.95),
        "mean": use.spread.mean,
        "limit": use.limit,
        "in_band": use.in_band / use.limited if use.limited else None,
    }


def _show_facts(terminal: Terminal, rows: Sequence[Mapping[str, Any]]) -> None:
    from sutazai_ops.capacity.words import cores, memory, share

    terminal.table(
        ["day", "service", "memory", "of", "cores", "of cores", "killed", "measured", "settled"],
        [
            [
                row["day"],
                row["service"],
                memory(row["memory_peak"]),
                memory(row["memory_limit"]),
                cores(row["cpu_p95"]),
                cores(row["cpu_limit"]),
                row["oom_kills"] or "",
                share(row["coverage"]),
                "yes" if row["final"] else "no",
            ]
            for row in rows
        ],
        right=["memory", "of", "cores", "of cores", "killed", "measured"],
    )
    terminal.say(
        "\nmemory is the day's peak, cores are its 95th percentile" if rows else "there are no facts of these days"
    )
