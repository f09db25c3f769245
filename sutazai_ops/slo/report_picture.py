"""The report on objectives as one picture, for a message or an asset's page.

The verdict and why, the days of the objectives that fared worst, the leanest budgets over time, and the lanes of what
happened meanwhile. It is read at 700 pixels, on white and on dark, and in grey.
"""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.reports import canvas, chart, figures
from sutazai_ops.reports.look import LIGHT, Tone
from sutazai_ops.reports.page import clean, sentence, tied
from sutazai_ops.slo.report_model import LaneKind
from sutazai_ops.slo.report_order import leanest
from sutazai_ops.slo.report_tones import DAY_TONES, VERDICT_TONES, tone_of

if TYPE_CHECKING:
    from datetime import date

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sutazai_ops.slo.report_model import Lane, ObjectiveReport, Report

WIDTH = 1200
MOST_ROWS = 10
MOST_CURVES = 3
_NAME = 32
"""Letters of a name beside a row."""
_HEAD, _ROW, _CURVE, _LANE, _SPACE, _FOOT = 152, 24, 110, 22, 40, 26
_LEFT, _RIGHT = 236, 240
"""Pixels beside the time, for names and for figures."""
_SIGNS = {Tone.BAD: "\N{MULTIPLICATION SIGN}", Tone.UNKNOWN: "?", Tone.QUIET: "\N{EN DASH}"}


def draw(report: Report) -> bytes:
    """The picture as PNG."""
    rows, curves = report.objectives[:MOST_ROWS], leanest(report.objectives)[:MOST_CURVES]
    axis = chart.TimeAxis(_midnight(report.period.start), _midnight(report.period.end))
    height = _HEAD + len(rows) * _ROW + len(curves) * _CURVE + len(report.lanes) * _LANE + _SPACE + _FOOT
    with canvas.canvas(WIDTH, height) as figure:
        top = _head(figure, report, height)
        if rows:
            top = _days(figure, report, rows, top)
        for one in curves:
            top = _budget(figure, report, one, axis, top)
        _lanes(figure, report, axis, top)
        return canvas.to_png(figure)


def as_markdown(report: Report) -> str:
    """The picture as Markdown that holds it, for Dagster's metadata."""
    return canvas.in_markdown(draw(report), f"{report.title}: {report.summary.verdict}")


def _head(figure: Figure, report: Report, height: int) -> int:
    tone = VERDICT_TONES[report.summary.verdict]
    sample = "Sample, all made up.  " if report.sample else ""
    of = f"{sample}{report.environment}, {figures.days(report.period.start, report.period.end)}, UTC"
    verdict = sentence(report.summary.verdict) + ("" if report.period.ended else ", so far")
    why = tied(textwrap.shorten(clean(report.summary.sentence), 300, placeholder=" …"))
    _write(figure, 24, height - 26, clean(report.title), size=12, weight="bold")
    _write(figure, WIDTH - 24, height - 26, clean(of), color=LIGHT.soft, ha="right")
    _write(figure, 24, height - 64, verdict, size=22, weight="bold", color=canvas.INKS[tone])
    for number, line in enumerate(textwrap.wrap(why, 130)[:3]):
        _write(figure, 24, height - 98 - number * 17, line, size=10.5)
    return height - _HEAD


def _days(figure: Figure, report: Report, rows: tuple[ObjectiveReport, ...], top: int) -> int:
    from matplotlib.patches import Rectangle

    length = (report.period.end - report.period.start).days
    axes = _axes(figure, top, len(rows) * _ROW)
    axes.set_xlim(0, length)
    axes.set_ylim(len(rows), 0)
    for place, one in enumerate(rows):
        _name(axes, one.title, place + 0.5)
        for number, day in enumerate(one.days[:length]):
            tone = DAY_TONES[day.state]
            fill, hatch = canvas.FILLS[tone]
            edge = LIGHT.line if tone in {Tone.QUIET, Tone.NONE} else LIGHT.paper
            axes.add_patch(
                Rectangle((number + 0.05, place + 0.1), 0.9, 0.8, facecolor=fill, edgecolor=edge, hatch=hatch)
            )
            if sign := _SIGNS.get(tone):
                ink = LIGHT.on_bad if tone is Tone.BAD else LIGHT.ink
                axes.text(number + 0.5, place + 0.52, sign, ha="center", va="center", size=9, weight="bold", color=ink)
        figure_words = figures.percent(one.figure, one.target)
        axes.text(length * 1.01, place + 0.52, figure_words, va="center", weight="bold", size=9)
        axes.annotate(
            one.verdict,
            (length, place + 0.52),
            (70, 0),
            textcoords="offset points",
            va="center",
            size=8,
            color=canvas.INKS[VERDICT_TONES[one.verdict]],
        )
    for number in range(length):
        when = report.period.start + timedelta(days=number)
        if length <= 31 or when.weekday() == 0:  # noqa: PLR2004  (numbers of more days would print over each other)
            axes.text(number + 0.5, -0.25, str(when.day), ha="center", size=7.5, color=LIGHT.soft)
    if more := len(report.objectives) - len(rows):
        axes.text(0, len(rows) + 0.45, f"and {more} more, none of them worse", size=8, color=LIGHT.soft, va="center")
    return top - len(rows) * _ROW - _SPACE


def _budget(figure: Figure, report: Report, one: ObjectiveReport, axis: chart.TimeAxis, top: int) -> int:
    if one.curve is None:
        return top
    axes = _axes(figure, top, _CURVE - 22)
    step = timedelta(seconds=one.curve.step_seconds)
    places = [axis.place(one.curve.start + number * step) for number in range(1, len(one.curve.left_share) + 1)]
    # NaN only inside of the picture: it is how a line is told to stop and begin again.
    values = [float("nan") if left is None else left for left in one.curve.left_share]
    known = [left for left in one.curve.left_share if left is not None]
    low = min(0.0, *known)
    axes.set_xlim(0, chart.WIDTH)
    axes.set_ylim(low - (1 - low) * 0.03, 1 + (1 - low) * 0.03)
    axes.axhspan(low, 0, color=LIGHT.bad_fill, alpha=0.1, lw=0)
    axes.axhline(1, color=LIGHT.line, lw=1)
    axes.axhline(0, color=LIGHT.bad, lw=1, ls=(0, (5, 3)))
    axes.plot(places, values, color=LIGHT.ink, lw=1.6, solid_joinstyle="round")
    _gaps(axes, report, axis)
    _name(axes, one.title, (1 + low) / 2, second="budget left")
    axes.text(chart.WIDTH * 1.01, known[-1], figures.left(known[-1]), va="center", weight="bold", size=9)
    for value, words in ((1, "100 %"), (0, "0 %, all spent")):
        if abs(value - known[-1]) > (1 - low) * 0.18:
            axes.text(chart.WIDTH * 1.01, value, words, va="center", size=8, color=LIGHT.soft)
    return top - _CURVE


def _lanes(figure: Figure, report: Report, axis: chart.TimeAxis, top: int) -> None:
    axes = _axes(figure, top, len(report.lanes) * _LANE)
    axes.set_xlim(0, chart.WIDTH)
    axes.set_ylim(len(report.lanes), 0)
    _gaps(axes, report, axis)
    for place, lane in enumerate(report.lanes):
        _name(axes, lane.title, place + 0.5)
        axes.axhline(place + 1, color=LIGHT.line, lw=0.7, clip_on=False)
        _marks(axes, lane, place + 0.5, axis)
    for tick in axis.ticks():
        axes.text(tick.at, -0.3, tick.label, size=8, color=LIGHT.soft)


def _marks(axes: Axes, lane: Lane, place: float, axis: chart.TimeAxis) -> None:
    shown = [one for one in lane.events if axis.overlaps(one.start, axis.end if one.ongoing else one.end)]
    if not shown:
        words = "none" if lane.recorded else "not written down here"
        axes.text(6, place + 0.04, words, va="center", size=8, color=LIGHT.soft)
    for one in shown:
        bad = tone_of(one, lane.kind) is Tone.BAD
        colour = LIGHT.bad_fill if bad else LIGHT.unknown if lane.kind is LaneKind.GAP else LIGHT.soft
        ends = [axis.place(one.start), axis.place((axis.end if one.ongoing else one.end) or one.start)]
        # A mark at each end, so that what took a minute of a month is seen.
        marker, size = ("s", 8) if bad else ("o", 5)
        axes.plot(ends, [place, place], color=colour, lw=size, marker=marker, ms=size, mew=0, solid_capstyle="butt")


def _gaps(axes: Axes, report: Report, axis: chart.TimeAxis) -> None:
    for lane in report.lanes:
        for one in lane.events if lane.kind is LaneKind.GAP else ():
            start, end = axis.place(one.start), axis.place((axis.end if one.ongoing else one.end) or one.start)
            axes.axvspan(
                start, max(end, start + 3), facecolor=LIGHT.unknown_fill, edgecolor=LIGHT.unknown, hatch="////", lw=0
            )


def _axes(figure: Figure, top: float, height: float) -> Axes:
    whole = figure.get_figheight() * canvas.DOTS_PER_INCH
    axes = figure.add_axes(
        (_LEFT / WIDTH, (top - height) / whole, (WIDTH - _LEFT - _RIGHT) / WIDTH, max(height, 1) / whole)
    )
    canvas.bare(axes)
    return axes


def _name(axes: Axes, name: str, place: float, second: str = "") -> None:
    words = textwrap.shorten(sentence(clean(name)), _NAME, placeholder=" …") or "…"
    at = axes.transAxes.inverted().transform(axes.transData.transform((0, place)))[1]
    axes.text(
        -(_LEFT - 24) / (WIDTH - _LEFT - _RIGHT),
        at + (0.09 if second else 0),
        words,
        transform=axes.transAxes,
        va="center",
        size=9,
    )
    if second:
        axes.text(
            -(_LEFT - 24) / (WIDTH - _LEFT - _RIGHT),
            at - 0.12,
            second,
            transform=axes.transAxes,
            va="center",
            size=8,
            color=LIGHT.soft,
        )


def _write(figure: Figure, left: float, bottom: float, words: str, **looks: object) -> None:
    whole = figure.get_figheight() * canvas.DOTS_PER_INCH
    figure.text(left / WIDTH, bottom / whole, words, va="center", **looks)  # type: ignore[arg-type]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
