"""The report on capacity and cost as one page of HTML.

Everything on it stands in the `Report`; here is only decided where and in what order it is shown: the verdict, the
success metrics, what to change next, then each service's days, what is coming, and what it cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.capacity.facts import CPU_BAND, MEMORY_BAND
from sutazai_ops.capacity.kpis import Group, Verdict
from sutazai_ops.capacity.words import cores, memory, money, share
from sutazai_ops.reports import chart, figures
from sutazai_ops.reports.frame import Figure, FirstScreen, Foot, Head, Method
from sutazai_ops.reports.look import Tone
from sutazai_ops.reports.page import fragment, render, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from sutazai_ops.capacity.facts import Band
    from sutazai_ops.capacity.report_model import Forecast, Report, Service

TONES = {
    Verdict.MET: Tone.GOOD,
    Verdict.MISSED: Tone.BAD,
    Verdict.INSUFFICIENT: Tone.UNKNOWN,
    Verdict.UNKNOWN: Tone.UNKNOWN,
}
GROUPS = {Group.PERFORMANCE: "Performance", Group.RESOURCES: "Resources", Group.BUSINESS: "Business"}
HEIGHT = 56
AHEAD_DAYS = 30
DRAWN = 24
"""So many services are drawn at first; the others are folded up."""


@dataclass(frozen=True, slots=True)
class Small:
    """One small picture over the days: use, limit, and the band between them."""

    path: str
    limit: str
    band: tuple[float, float] | None
    """Top and height of where the use should be; None without a limit."""
    words: str
    """What it shows, for whoever cannot see it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One service: what the report says of it, and its pictures."""

    id: str
    said: Service
    memory: Small
    cpu: Small


@dataclass(frozen=True, slots=True)
class Ahead:
    """One forecast: what was used, the fan of what is coming, and the end."""

    said: Forecast
    path: str
    fan: str
    likely: str
    end: float | None
    """Where the size lies, from the top."""
    words: str


def to_html(report: Report) -> str:
    """The whole page. The same report gives the same bytes."""
    rows = [_row(one, report) for one in report.services]
    measured = [row for row in rows if row.said.days]
    return render(
        "capacity/report.html.jinja",
        report=report,
        head=_head(report),
        screen=_screen(report),
        foot=_foot(report),
        groups=[(GROUPS[one], [metric for metric in report.metrics if metric.group is one]) for one in Group],
        tones=TONES,
        counted=[(one, TONES[one], count) for one, count in report.summary.counted.items()],
        rows=rows,
        drawn=measured[:DRAWN],
        folded=measured[DRAWN:],
        ahead=[_ahead(one) for one in report.forecasts],
        height=HEIGHT,
        memory=memory,
        cores=cores,
        share=share,
        size=lambda count: human.size(round(count)),
        money=lambda amount: money(amount, report.cost.currency if report.cost else ""),
    )


def _row(one: Service, report: Report) -> Row:
    days = [report.period.start + timedelta(days=n) for n in range((report.period.end - report.period.start).days)]
    by_day = {day.day: day for day in one.days}
    found = [by_day.get(day) for day in days]
    return Row(
        id=f"s-{fragment(one.name)}",
        said=one,
        memory=_small(
            [day.memory_peak if day else None for day in found],
            [day.memory_limit if day else None for day in found],
            MEMORY_BAND,
            memory,
        ),
        cpu=_small(
            [day.cpu_p95 if day else None for day in found],
            [day.cpu_limit if day else None for day in found],
            CPU_BAND,
            lambda number: f"{cores(number)} cores" if number is not None else "",
        ),
    )


def _small(
    used: Sequence[float | None], limits: Sequence[float | None], band: Band, words: Callable[[float | None], str]
) -> Small:
    known = [one for one in used if one is not None]
    limit = next((one for one in reversed(limits) if one is not None), None)
    highest = max([*known, *(one for one in limits if one is not None)], default=1.0) or 1.0
    scale = chart.Scale(0, highest * 1.1, HEIGHT)
    said = f"at most {words(max(known))}" if known else "not measured"
    return Small(
        path=chart.line(_points(used, scale)),
        limit=chart.line(_points(limits, scale)),
        band=None
        if limit is None
        else (scale.place(limit * band.high), scale.place(limit * band.low) - scale.place(limit * band.high)),
        words=said + (f" of {words(limit)}" if limit is not None else ", no limit"),
    )


def _points(values: Sequence[float | None], scale: chart.Scale) -> list[chart.Point | None]:
    step = chart.WIDTH / max(1, len(values))
    return [
        None if value is None else (round((place + 0.5) * step, 1), scale.place(value))
        for place, value in enumerate(values)
    ]


def _ahead(one: Forecast) -> Ahead:
    if not one.days:
        return Ahead(one, "", "", "", None, one.sentence)
    first, last = one.days[0].day, one.days[-1].day
    axis = chart.TimeAxis(_midnight(first), _midnight(last + timedelta(days=AHEAD_DAYS)))
    highest = max([level.used for level in one.days] + ([one.ahead.high] if one.ahead else []))
    show_end = one.size is not None and one.size <= highest * 3
    top = max(highest, one.size or 0.0) if show_end else highest
    scale = chart.Scale(0, (top or 1.0) * 1.08, HEIGHT)
    here = (axis.place(_midnight(last)), scale.place(one.days[-1].used))
    fan = likely = ""
    if one.ahead is not None:
        low, middle, high = (scale.place(level) for level in (one.ahead.low, one.ahead.likely, one.ahead.high))
        fan = f"M{here[0]} {here[1]}L1000 {high}L1000 {low}Z"
        likely = f"M{here[0]} {here[1]}L1000 {middle}"
    return Ahead(
        said=one,
        path=chart.line([(axis.place(_midnight(level.day)), scale.place(level.used)) for level in one.days]),
        fan=fan,
        likely=likely,
        end=scale.place(one.size) if show_end and one.size is not None else None,
        words=one.sentence,
    )


def _head(report: Report) -> Head:
    as_of = "no facts yet" if report.facts_as_of is None else f"facts as of {figures.exact(report.facts_as_of)}"
    over = "" if report.period.ended else ", not over yet"
    return Head(
        kind="Capacity",
        title=report.title,
        environment=report.environment,
        time=figures.days(report.period.start, report.period.end) + over,
        made=as_of,
        sample=report.sample,
    )


def _screen(report: Report) -> FirstScreen:
    verdict = {
        Verdict.MET: "Met",
        Verdict.MISSED: "Missed",
        Verdict.INSUFFICIENT: "Insufficient data",
        Verdict.UNKNOWN: "Not all is known",
    }[report.summary.verdict]
    return FirstScreen(
        tone=TONES[report.summary.verdict],
        verdict=verdict + ("" if report.period.ended else ", so far"),
        sentence=sentence(report.summary.sentence),
        figures=[Figure(one.label, one.value, one.note) for one in report.summary.headlines],
    )


def _foot(report: Report) -> Foot:
    month = " --sample" if report.sample else f" --month {report.period.start:%Y-%m}"
    return Foot(
        source=report.source,
        program=report.program,
        again=f"sutazai-ops capacity report{month}",
        methods=[Method(one.name, one.meaning, one.formula, one.source) for one in report.methods],
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
