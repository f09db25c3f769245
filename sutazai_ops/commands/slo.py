"""`sutazai-ops slo …`: what was promised, what users had, and whether a deployment may begin."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops.commands.days import DAY, From, To, named_days
from sutazai_ops.errors import BadInput, ExitCode, OpsError
from sutazai_ops.installation import open_installation
from sutazai_ops.reports.files import Format
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.period import Span
    from sutazai_ops.slo.promises import Promises
    from sutazai_ops.slo.report_model import ObjectiveReport, Report

app = typer.Typer(help="What was promised, what users had, and what spent the budget.", no_args_is_help=True)

File = Annotated[
    Path | None,
    typer.Option("--objectives", metavar="FILE", help="These objectives alone, of any Prometheus; needs no platform."),
]
Address = Annotated[
    str | None, typer.Option("--prometheus", metavar="URL", help="With --objectives: the Prometheus to ask.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there.")]


@app.command()
def status(*, json: AsJson = False) -> None:
    """Every objective over its rolling window, on one screen, the worst first."""
    from sutazai_ops.slo import burn_here
    from sutazai_ops.slo.period import rolling

    terminal, promises, now = Terminal(), _promises(), datetime.now(UTC)
    stale = _update(terminal, promises, promises.due(now), now, json=json)
    report = promises.report(rolling(now.date() + DAY, 30))
    alerts = burn_here.sentence() if promises.keeps_itself else ""
    facts = {
        "facts_as_of": report.facts_as_of,
        "stale": stale,
        "alerts_not_evaluated": list(burn_here.NOT_EVALUATED) if promises.keeps_itself else [],
        "objectives": [_facts(one) for one in report.objectives],
    }
    terminal.show(facts, lambda: _show_status(terminal, report, stale, alerts), json=json)


@app.command()
def report(
    month: Annotated[str | None, typer.Option("--month", metavar="2026-10", help="A calendar month.")] = None,
    last_week: Annotated[bool, typer.Option("--last-week", help="The last whole week, Monday to Sunday.")] = False,
    from_: From = None,
    to: To = None,
    how: Annotated[Format, typer.Option("--format", help="As what; md and json go to standard output.")] = Format.HTML,
    out: Out = None,
    open_: Annotated[bool, typer.Option("--open", help="Show it in a browser.")] = False,
    objectives: File = None,
    prometheus: Address = None,
    sample: Annotated[bool, typer.Option("--sample", help="A made-up month, to see what a report looks like.")] = False,
) -> None:
    """The report of a period; of this month so far if none is named."""
    terminal, now = Terminal(), datetime.now(UTC)
    span = _span(month, from_, to, now, last_week=last_week)
    if (objectives is None) != (prometheus is None):
        raise BadInput("--objectives and --prometheus belong together", remedy="give both, or neither")
    if sample:
        from sutazai_ops.slo.sample import MONTH, sample_report

        made, span = sample_report(), MONTH
    elif objectives is not None and prometheus is not None:
        made = _report_on_any(terminal, objectives, prometheus, span, now)
    else:
        promises = _promises()
        days = [day for day in promises.due(now) if span.first <= day < span.end]
        _update(terminal, promises, days, now, json=how is not Format.HTML)
        made = promises.report(span)
    _deliver(terminal, made, span, how, out, is_ours=objectives is None and not sample, open_=open_)


@app.command()
def facts(
    from_: From = None,
    to: To = None,
    objective: Annotated[str | None, typer.Option("--objective", metavar="NAME", help="Of this one alone.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Compute all of these days anew, settled ones too.")] = False,
    *,
    json: AsJson = False,
) -> None:
    """Compute the daily facts that can still change, and list those of the last week, or of the days that are named."""
    terminal, promises, now = Terminal(), _promises(), datetime.now(UTC)
    wanted = named_days(from_, to, now.date())
    if objective is not None and objective not in promises.objectives:
        from sutazai_ops.words import nearest

        raise BadInput(f"there is no objective {objective!r}", remedy=nearest(objective, promises.objectives))
    _update(terminal, promises, wanted if again else promises.due(now), now, json=json)
    known = promises.facts(wanted[0], wanted[-1], None if objective is None else [objective])
    rows = [
        {
            "day": day, "objective": name, "good": totals.good, "total": totals.total, "imputed": totals.imputed,
            "probe_ok_minutes": totals.ok, "probed_minutes": totals.probed, "measured_minutes": totals.measured,
            "expected_minutes": totals.expected, "final": fact.is_final(), "warnings": list(fact.warnings),
        }
        for name, days in known.items()
        for day, fact in days.items()
        for totals in [fact.totals]
    ]  # fmt: skip
    terminal.show(rows, lambda: _show_facts(terminal, rows), json=json)


@app.command()
def rules(
    objectives: File = None,
    tests: Annotated[bool, typer.Option("--tests", help="Their tests instead, for promtool test rules.")] = False,
    out: Out = None,
) -> None:
    """Prometheus' rules that tell when a budget burns."""
    from sutazai_ops.settings import load
    from sutazai_ops.slo.burn import burn_rules_file
    from sutazai_ops.slo.burn_tests import burn_tests_file
    from sutazai_ops.slo.generated import RULES_FILE, page_url

    ones, url = _objectives(objectives), page_url(load().settings)
    text = burn_tests_file(ones, Path(RULES_FILE).name, url) if tests else burn_rules_file(ones, url)
    _put(text, out)


@app.command("import")
def import_(file: Annotated[Path, typer.Argument(metavar="FILE", help="OpenSLO v1.")], out: Out = None) -> None:
    """Read OpenSLO, and write it as objectives of ours."""
    from sutazai_ops.slo import openslo

    _put(openslo.to_entries(openslo.read(file)), out)


@app.command()
def export(objectives: File = None, out: Out = None) -> None:
    """Write the objectives as OpenSLO v1."""
    from sutazai_ops.slo import openslo

    _put(openslo.write(_objectives(objectives).values()), out)


@app.command()
def gate(*, json: AsJson = False) -> None:
    """Whether a deployment may begin, and why not. Exit code 4: it may not."""
    from sutazai_ops.slo.gate import ask

    terminal, promises = Terminal(), _promises()
    with terminal.progress(json=json) as progress, progress.step("ask the objectives"):
        said = ask(promises, datetime.now(UTC))
    found = {
        "open": said.is_open,
        "mode": promises.installation.settings.slo.gate,
        "sentence": said.sentence,
        "reasons": [{"cause": one.cause, "objective": one.objective, "sentence": one.sentence} for one in said.reasons],
        "looked_at": list(said.looked_at),
        "facts_as_of": said.as_of,
    }

    def show() -> None:
        terminal.say(f"gate {said.sentence}")
        if said.reasons:
            terminal.say()
            terminal.table(["cause", "why"], [[str(one.cause), one.sentence] for one in said.reasons])
            terminal.say()
            terminal.facts({"go on all the same": 'sutazai-ops deploy --override "why it cannot wait"'})

    terminal.show(found, show, json=json)
    if not said.is_open:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def schema() -> None:
    """Print the JSON schema of a report."""
    from sutazai_ops.slo.report_model import schema as made

    typer.echo(made(), nl=False)


def _promises() -> Promises:
    from sutazai_ops.deployment.meant import meant_to_run
    from sutazai_ops.slo import promises_of

    here = open_installation()
    return promises_of(here, meant_to_run(here))


def _objectives(file: Path | None) -> Mapping[str, Objective]:
    from sutazai_ops.slo.objectives import read_objectives_file

    return _promises().objectives if file is None else read_objectives_file(file)


def _update(terminal: Terminal, promises: Promises, days: Sequence[date], now: datetime, *, json: bool) -> str:
    """Compute facts where they can be had; where not, say why, and go on with those that are known."""
    from sutazai_ops.status_page.basis import refresh_of

    try:
        with terminal.progress(json=json) as progress:
            promises.update(days, now, progress)
        refresh_of(promises.installation, promises.objectives.values(), now)
    except OpsError as error:
        if isinstance(error, BadInput):
            raise
        terminal.err.print(f"the facts are not of now: {error.what}")
        return error.what
    return ""


def _span(month: str | None, from_: datetime | None, to: datetime | None, now: datetime, *, last_week: bool) -> Span:
    from sutazai_ops.slo import period

    if sum((month is not None, from_ is not None or to is not None, last_week)) > 1:
        raise BadInput("--month, --last-week and --from are different periods", remedy="give one of them")
    if last_week:
        return period.week_before(now.date())
    if from_ is not None or to is not None:
        if from_ is None:
            raise BadInput("--to without --from", remedy="say where the period begins: --from 2026-10-01")
        return period.between(from_.date(), to.date() if to else now.date())
    return period.month(month) if month else period.month_of(now.date())


def _report_on_any(terminal: Terminal, file: Path, url: str, span: Span, now: datetime) -> Report:
    """The report of a Prometheus that is nobody's we know: no platform, no ledger, nothing is written down."""
    from sutazai_ops.slo import timeline
    from sutazai_ops.slo.facts import DONORS_REACH
    from sutazai_ops.slo.measure import measure_days, not_all_answered
    from sutazai_ops.slo.objectives import read_objectives_file
    from sutazai_ops.slo.questions import identity, questions
    from sutazai_ops.slo.report import Head, Material, make_report
    from sutazai_ops.slo.source import PrometheusSource
    from sutazai_ops.slo.told import Asked

    ones = read_objectives_file(file)
    source = PrometheusSource(url)
    days = [day for day in span.days if day <= now.date()]
    # Some days before, to say what an hour that was lost would have brought, and for the rolling figures.
    before = [span.first - DAY * number for number in range(DONORS_REACH.days // 2, 0, -1)]
    with terminal.progress() as progress, progress.step(f"ask {source.where} about {len(days)} days"):
        silent: dict[str, OpsError] = {}
        found = measure_days(
            ones.values(), [*before, *days], source, {}, now,
            unanswered=lambda one, error: silent.setdefault(one.name, error),
        )  # fmt: skip
    if silent and not any(found.values()):
        raise next(iter(silent.values()))
    if silent:
        terminal.err.print(not_all_answered(silent).what)
    asked = {identity(one): [Asked(q.purpose, q.text) for q in questions(one).all()] for one in ones.values()}
    return make_report(Head("", source.where), Material(span, ones, found, timeline.empty(), asked=asked))


def _deliver(
    terminal: Terminal, made: Report, span: Span, how: Format, out: Path | None, *, is_ours: bool, open_: bool
) -> None:
    from sutazai_ops.slo.writing import rendered, write

    if how is not Format.HTML and out is None and not open_:
        typer.echo(rendered(made, how), nl=False)
        return
    if out is not None:
        _put(rendered(made, how), out)
        path = out
    elif is_ours:
        folder = open_installation().settings.reports / "slo"
        path = write(made, folder, span.file_name, list(Format))[how]
    else:
        path = write(made, Path.cwd(), f"objectives-{span.file_name}", [how])[how]
    terminal.say(f"{made.summary.verdict}: {made.summary.sentence}")
    terminal.facts({"report": str(path)})
    if open_:
        terminal.open(path)


def _put(text: str, out: Path | None) -> None:
    from sutazai_ops.disk import write_whole

    if out is None:
        typer.echo(text, nl=False)
    else:
        write_whole(out.absolute(), text.encode())


def _facts(one: ObjectiveReport) -> dict[str, Any]:
    return {
        "objective": one.name,
        "verdict": one.verdict,
        "figure": one.figure,
        "target": one.target,
        "coverage": one.figures.coverage,
        "budget_left_share": one.budget.left_share if one.budget else None,
        "burn_rate": one.budget.burn_rate if one.budget else None,
        "sentence": one.sentence,
    }


def _show_status(terminal: Terminal, report: Report, stale: str, alerts: str) -> None:
    from sutazai_ops.reports.figures import exact, left, percent, promised

    terminal.say(f"{report.summary.verdict}: {report.summary.sentence}\n")
    measured = [one for one in report.objectives if one.counts.measured_minutes > 0]
    if measured:
        terminal.table(
            ["verdict", "objective", "came to", "promised", "budget left", "measured"],
            [
                [
                    str(one.verdict),
                    one.name,
                    percent(one.figure, one.target),
                    promised(one.target),
                    left(one.budget.left_share) if one.budget else "",
                    percent(one.figures.coverage),
                ]
                for one in measured
            ],
            right=["came to", "promised", "budget left", "measured"],
        )
        terminal.say()
    never = [one.name for one in report.objectives if one.counts.measured_minutes == 0]
    if never:
        terminal.say(f"never measured in these 30 days: {', '.join(never)}\n")
    if alerts:
        terminal.say(f"{alerts}\n")
    as_of = exact(report.facts_as_of) if report.facts_as_of else "never"
    terminal.facts({"facts as of": f"{as_of}{f' ({stale})' if stale else ''}", "next": "sutazai-ops slo report --open"})


def _show_facts(terminal: Terminal, rows: Sequence[Mapping[str, Any]]) -> None:
    from sutazai_ops.reports.figures import count, minutes, percent

    terminal.table(
        ["day", "objective", "good", "of", "imputed", "down", "measured", "settled"],
        [
            [
                row["day"],
                row["objective"],
                count(row["good"]) if row["total"] else "",
                count(row["total"]) if row["total"] else "",
                count(row["imputed"]) if row["imputed"] else "",
                minutes(row["probed_minutes"] - row["probe_ok_minutes"]),
                percent(row["measured_minutes"] / row["expected_minutes"]) if row["expected_minutes"] else "",
                "yes" if row["final"] else "no",
            ]
            for row in rows
        ],
        right=["good", "of", "imputed", "down", "measured"],
    )
    if not rows:
        terminal.say("there are no facts of these days")
