"""The report on objectives as one page of HTML.

Everything on it stands in the `Report`; here is only decided where and in what order it is shown: the verdicts first,
then the days, then where the budget went and what happened meanwhile, then what is not known, and how each number was
got. Of many objectives those that fared worst come first, and are shown open.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.reports import chart, figures, lanes
from sutazai_ops.reports.frame import Figure, FirstScreen, Foot, Head, Method
from sutazai_ops.reports.look import Tone
from sutazai_ops.reports.page import render, sentence
from sutazai_ops.slo import report_panels as panels
from sutazai_ops.slo.report_model import LaneKind, PeriodKind
from sutazai_ops.slo.report_order import dearest, event_of, leanest
from sutazai_ops.slo.report_tones import VERDICT_TONES, tone_of
from sutazai_ops.slo.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sutazai_ops.slo.report_model import Dip, Event, Lane, ObjectiveReport, Report
    from sutazai_ops.slo.report_order import Numbered

ROUTINE = frozenset({LaneKind.BACKUP, LaneKind.DEPLOYMENT, LaneKind.REMEDIATION, LaneKind.GAP})
"""What may happen so often that it would bury the rest of the list of events, and is then folded up below it."""
FEW = 12
MANY = 15
"""Of more objectives than this, those that were simply met are folded up on the first screen."""
OPEN = 3
"""So many objectives are open at first where none was missed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One objective: what the report says of it, and its pictures."""

    id: str
    said: ObjectiveReport
    tone: Tone
    cells: Sequence[panels.Cell]
    budget: panels.BudgetPanel | None
    speed: panels.SpeedPanel | None
    noted: Sequence[panels.Stretch]
    dips: Sequence[Numbered]
    further: Sequence[Dip]
    """What the list of what spent the budget has no room for."""
    is_open: bool

    @property
    def all_good(self) -> bool:
        """Whether there is nothing to see in its days."""
        return {cell.tone for cell in self.cells} <= {Tone.GOOD, Tone.NONE}


@dataclass(frozen=True, slots=True)
class Routine:
    """A lane that is folded up."""

    title: str
    events: Sequence[tuple[str, Lane, Event]]


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch in which nothing was measured, in hundredths of the width."""

    left: float
    width: float
    words: str


def to_html(report: Report) -> str:
    """The whole page. The same report gives the same bytes."""
    axis = chart.TimeAxis(_midnight(report.period.start), _midnight(report.period.end))
    dips = dearest(report.objectives)
    ids = _ids([one.name for one in report.objectives])
    open_ones = {one.name for one in report.objectives if one.verdict.is_missed}
    open_ones = open_ones or {one.name for one in report.objectives[:OPEN]}
    rows = [_row(one, ids[one.name], dips, axis, is_open=one.name in open_ones) for one in report.objectives]
    told = rows if len(rows) <= MANY else [row for row in rows if row.said.verdict is not Verdict.MET] or rows[:OPEN]
    days_told = rows if len(rows) <= MANY else [row for row in rows if not row.all_good] or rows[:OPEN]
    by_name = {row.said.name: row for row in rows}
    places = _places(report)
    return render(
        "slo/report.html.jinja",
        report=report,
        head=_head(report),
        screen=_screen(report),
        foot=_foot(report),
        rows=rows,
        told=told,
        folded=[row for row in rows if row not in told],
        days_told=days_told,
        days_folded=[row for row in rows if row not in days_told],
        by_name=by_name,
        counted=[
            (one, VERDICT_TONES[one], report.summary.counted[one])
            for one in reversed(Verdict)
            if one in report.summary.counted
        ],
        days=_days(report),
        panels=[by_name[one.name] for one in leanest(report.objectives)],
        ticks=axis.ticks(),
        lanes=lanes.lay_out(_lanes(report, places), axis),
        gaps=_gaps(report, axis),
        dips=dips,
        event_of=lambda reference: event_of(report, reference),
        places=places,
        events=_events(report, places),
        routine=_routine(report, places),
        verdict_tones=VERDICT_TONES,
        now=_now(report, axis),
    )


def _row(one: ObjectiveReport, place: str, dips: Sequence[Numbered], axis: chart.TimeAxis, *, is_open: bool) -> Row:
    own = [dip for dip in dips if dip.objective == one.name]
    numbered = [(dip.number, dip.dip.start) for dip in own]
    return Row(
        id=place,
        said=one,
        tone=VERDICT_TONES[one.verdict],
        cells=panels.cells(one),
        budget=panels.budget_panel(one.curve, axis, numbered) if one.curve else None,
        speed=panels.speed_panel(one, one.latency, axis) if one.latency else None,
        noted=panels.noted_days(one),
        dips=own,
        further=one.dips[len(own) :],
        is_open=is_open,
    )


def _head(report: Report) -> Head:
    as_of = "no facts yet" if report.facts_as_of is None else f"facts as of {figures.exact(report.facts_as_of)}"
    time_words = figures.days(report.period.start, report.period.end)
    return Head(
        kind="Objectives",
        title=report.title,
        environment=report.environment,
        time=time_words + ("" if report.period.ended else ", not over yet"),
        made=as_of,
        sample=report.sample,
    )


def _screen(report: Report) -> FirstScreen:
    return FirstScreen(
        tone=VERDICT_TONES[report.summary.verdict],
        verdict=sentence(report.summary.verdict) + ("" if report.period.ended else ", so far"),
        sentence=report.summary.sentence,
        figures=[Figure(one.label, one.value, one.note) for one in report.summary.headlines],
    )


def _foot(report: Report) -> Foot:
    month = f" --month {report.period.start:%Y-%m}" if report.period.kind is PeriodKind.MONTH else ""
    return Foot(
        source=report.source,
        program=report.program,
        again="sutazai-ops slo report" + (" --sample" if report.sample else month),
        methods=[Method(one.name, one.meaning, one.formula, one.source) for one in report.methods],
    )


def _places(report: Report) -> dict[tuple[LaneKind, str], str]:
    return {
        (lane.kind, event.id): f"{lane.kind}-{number}"
        for lane in report.lanes
        for number, event in enumerate(lane.events, 1)
    }


def _lanes(report: Report, places: Mapping[tuple[LaneKind, str], str]) -> list[lanes.Lane]:
    return [
        lanes.Lane(
            title=sentence(lane.title),
            recorded=lane.recorded,
            happenings=[
                lanes.Happening(
                    id=places[lane.kind, one.id],
                    start=one.start,
                    end=one.end,
                    title=one.title,
                    tone=tone_of(one, lane.kind),
                    note=one.outcome,
                    ongoing=one.ongoing,
                )
                for one in lane.events
            ],
        )
        for lane in report.lanes
    ]


def _events(report: Report, places: Mapping[tuple[LaneKind, str], str]) -> list[tuple[str, Lane, Event]]:
    """What happened, in the order of time, with its place on the page and its lane; routine stands elsewhere."""
    found = [
        (places[lane.kind, one.id], lane, one) for lane in report.lanes if not _is_routine(lane) for one in lane.events
    ]
    return sorted(found, key=lambda event: event[2].start)


def _routine(report: Report, places: Mapping[tuple[LaneKind, str], str]) -> list[Routine]:
    return [
        Routine(lane.title, [(places[lane.kind, one.id], lane, one) for one in lane.events])
        for lane in report.lanes
        if _is_routine(lane)
    ]


def _is_routine(lane: Lane) -> bool:
    return lane.kind in ROUTINE and len(lane.events) > FEW


def _gaps(report: Report, axis: chart.TimeAxis) -> list[Band]:
    found = []
    for lane in report.lanes:
        for one in lane.events if lane.kind is LaneKind.GAP else ():
            if axis.overlaps(one.start, one.end):
                left, right = axis.place(one.start), axis.place(one.end or (axis.end if one.ongoing else one.start))
                words = f"not measured: {figures.span(one.start, one.end)}"
                found.append(Band(round(left / 10, 2), round((right - left) / 10, 2), words))
    return found


def _now(report: Report, axis: chart.TimeAxis) -> float | None:
    """Where the newest fact stands, in hundredths, in a period that is not over."""
    if report.period.ended or report.facts_as_of is None:
        return None
    return round(axis.place(report.facts_as_of) / 10, 2)


def _days(report: Report) -> list[date]:
    length = (report.period.end - report.period.start).days
    return [report.period.start + timedelta(days=number) for number in range(length)]


def _ids(names: Sequence[str]) -> dict[str, str]:
    """A place on the page for each name: its letters, and a number where two would come to the same."""
    found, seen = {}, Counter[str]()
    for name in names:
        letters = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "objective"
        seen[letters] += 1
        found[name] = f"o-{letters}" + (f".{seen[letters]}" if seen[letters] > 1 else "")
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
