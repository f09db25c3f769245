"""`sutazai-ops capacity …`: what services use, what they should be allowed, what is coming, and what it costs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops.commands import autoscale
from sutazai_ops.commands.days import DAY, From, To, named_days
from sutazai_ops.disk import write_whole
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.installation import open_installation
from sutazai_ops.reports.files import Format
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sutazai_ops.capacity.facts import ServiceDay, Use
    from sutazai_ops.capacity.report_model import Report
    from sutazai_ops.capacity.room import Room
    from sutazai_ops.capacity.sizing import Advice

app = typer.Typer(help="What services use, what they should be allowed, and what it costs.", no_args_is_help=True)
app.add_typer(autoscale.app, name="autoscale")
app.command("scale")(autoscale.scale)

WINDOW_DAYS = 30
Services = Annotated[list[str] | None, typer.Argument(metavar="SERVICE", help="These alone.", show_default=False)]
Days = Annotated[int, typer.Option("--days", min=1, metavar="N", help="By so many days until now.")]


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
    wanted = named_days(from_, to, now.date())
    _update(terminal, room, wanted if again else room.due(now), now, json=json)
    known = room.facts(wanted[0], wanted[-1])
    if service is not None and service not in {name for name, _ in known}:
        service = room.installation.platform.service(service).name
    rows = [_row(fact) for (name, _), fact in known.items() if service in {None, name}]
    terminal.show(rows, lambda: _show_facts(terminal, rows), json=json)


@app.command()
def report(
    month: Annotated[str | None, typer.Option("--month", metavar="2026-10", help="A calendar month.")] = None,
    how: Annotated[Format, typer.Option("--format", help="As what; md and json go to standard output.")] = Format.HTML,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show it in a browser.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="A made-up month, to see what a report looks like.")] = False,
) -> None:
    """The report of a month, of this one so far if none is named: success metrics, limits, forecasts and cost."""
    from sutazai_ops.slo import period

    terminal, now = Terminal(), datetime.now(UTC)
    if sample:
        from sutazai_ops.capacity.sample import MONTH, sample_report

        span, made = MONTH, sample_report()
    else:
        span = period.month(month) if month else period.month_of(now.date())
        room = _room()
        _update(terminal, room, room.due(now), now, json=how is not Format.HTML)
        made = room.report(span, now)
    _deliver(terminal, made, span.file_name, how, out, open_=open_)


@app.command()
def schema() -> None:
    """Print the JSON schema of a report."""
    from sutazai_ops.capacity.report_model import schema as made

    typer.echo(made(), nl=False)


@app.command()
def plan(
    services: Services = None,
    days: Days = WINDOW_DAYS,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the changes as a phase that is laid over the others."),
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """What services should be allowed, by what they used; as a diff of the platform's files. Changes nothing."""
    from sutazai_ops.capacity.changes import diff, override

    terminal, room, now = Terminal(), _room(), datetime.now(UTC)
    _update(terminal, room, room.due(now), now, json=json)
    advice = room.advice(now.date() - days * DAY, now.date(), services)
    changes, by_hand = diff(advice, room.installation.platform, room.phases)
    if out is not None and any(one.changes for one in advice):
        write_whole(out.absolute(), override(advice, room.installation.platform).encode())
    found = {"advice": [_advice(one) for one in advice], "diff": changes, "by_hand": by_hand}
    terminal.show(found, lambda: _show_plan(terminal, advice, changes, by_hand, out), json=json)


@app.command()
def judge(
    limit: Annotated[str, typer.Argument(metavar="LIMIT", help="Memory for one container, such as 256M.")],
    services: Services = None,
    days: Days = WINDOW_DAYS,
    *,
    json: AsJson = False,
) -> None:
    """Whether a memory limit would have held on the days that were measured, service by service."""
    from sutazai_ops.deployment.limits import size

    try:
        asked = size(limit)
    except ValueError:
        raise BadInput(f"{limit!r} is no size of memory", remedy="write it as 256M or 1.5G") from None
    terminal, room, now = Terminal(), _room(), datetime.now(UTC)
    _update(terminal, room, room.due(now), now, json=json)
    found = room.judge(asked, now.date() - days * DAY, now.date(), services)
    rows = [[_holds(one.holds), one.service, one.sentence] for one in found]
    terminal.show([asdict(one) for one in found], lambda: terminal.table(["", "service", "why"], rows), json=json)


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


def _deliver(terminal: Terminal, made: Report, name: str, how: Format, out: Path | None, *, open_: bool) -> None:
    from sutazai_ops.capacity.writing import rendered, write

    if how is not Format.HTML and out is None and not open_:
        typer.echo(rendered(made, how), nl=False)
        return
    if out is not None:
        path = out.absolute()
        write_whole(path, rendered(made, how).encode())
    elif made.sample:
        path = write(made, Path.cwd(), f"capacity-{name}", [how])[how]
    else:
        path = write(made, open_installation().settings.reports / "capacity", name, list(Format))[how]
    terminal.say(f"{made.summary.verdict}: {made.summary.sentence}")
    terminal.facts({"report": str(path)})
    if open_:
        terminal.open(path)


def _holds(verdict: bool | None) -> str:  # noqa: FBT001  (three words for three values)
    return {True: "holds", False: "too little", None: "not known"}[verdict]


def _advice(one: Advice) -> dict[str, Any]:
    return {**asdict(one), "changes": one.changes, "exceeded": one.evidence.exceeded}


def _show_plan(
    terminal: Terminal, advice: Sequence[Advice], changes: str, by_hand: Sequence[str], out: Path | None
) -> None:
    from sutazai_ops.capacity.words import cores, memory, share

    terminal.table(
        ["service", "memory", "limit", "proposed", "in band", "cores", "limit", "proposed", "in band", "sure", "why"],
        [
            [
                one.service,
                memory(one.evidence.memory_peak),
                memory(one.now.memory) or "none",
                "" if one.proposed is None else memory(one.proposed.memory),
                share(one.evidence.memory_in_band),
                cores(one.evidence.cpu_p95),
                cores(one.now.cpus) or "none",
                "" if one.proposed is None else cores(one.proposed.cpus),
                share(one.evidence.cpu_in_band),
                str(one.confidence),
                "; ".join([one.because, *(finding.sentence for finding in one.findings)]),
            ]
            for one in advice
        ],
        right=["memory", "limit", "proposed", "in band", "cores"],
    )
    if not any(one.changes for one in advice):
        terminal.say("\nnothing is to be changed")
        return
    terminal.say()
    terminal.out.file.write(changes)
    for line in by_hand:
        terminal.say(line)
    if out is not None:
        terminal.say()
        terminal.facts({"written": str(out), "next": "put it beside the platform's files, then sutazai-ops plan"})


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
