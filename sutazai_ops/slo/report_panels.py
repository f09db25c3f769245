"""The pictures of one objective: its days, its budget over time, how slow its answers were. Places, no markup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sutazai_ops.reports import chart, figures
from sutazai_ops.slo.report_model import DayState
from sutazai_ops.slo.report_tones import DAY_TONES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime

    from sutazai_ops.reports.chart import TimeAxis
    from sutazai_ops.slo.report_model import Curve, Day, Latency, ObjectiveReport

HEIGHT = 88.0
"""Of a panel, in pixels; it is never stretched."""
_LINE = 15.0
"""Pixels that a line of small print needs: labels nearer than this would print over each other."""
_NEAR = 75.0
"""Thousandths of the width within which two numbers above a curve would do the same, on a phone."""
_COLUMN = 0.7
"""Of a day's width."""
_FAST, _SLOW = 0.5, 2.0
"""Half and twice the threshold: where the colour of a 95th percentile changes, besides at the threshold."""


@dataclass(frozen=True, slots=True)
class Label:
    """A word beside a panel, and how many pixels from its top."""

    top: float
    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """The number of a dip above the curve, and where."""

    at: float
    text: str
    target: int


@dataclass(frozen=True, slots=True)
class BudgetPanel:
    """The budget of one objective over time."""

    path: str
    zero: float
    """Where all is spent, in pixels from the top."""
    labels: Sequence[Label]
    numbers: Sequence[Number]
    words: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of one objective."""

    tone: str
    words: str
    week_begins: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """One day, or some that follow on each other and are alike."""

    said: Day
    """The first of them."""
    last: date
    unmeasured_minutes: float


@dataclass(frozen=True, slots=True)
class SpeedPanel:
    """How slow answers were, day by day: the share beyond the threshold as columns from zero."""

    columns: str
    allowed: float
    """Where the share that is allowed lies, in pixels from the top."""
    labels: Sequence[Label]
    p95: Sequence[Cell]
    words: str


def cells(objective: ObjectiveReport) -> list[Cell]:
    """A cell a day."""
    return [
        Cell(DAY_TONES[one.state], day_words(one, objective.target), one.day.weekday() == 0) for one in objective.days
    ]


def day_words(day: Day, target: float) -> str:
    """What is known of a day, in a line."""
    if day.state in {DayState.BEFORE, DayState.GONE, DayState.AHEAD}:
        return day.state
    parts = [day.state + (f" {figures.percent(day.figure, target)}" if day.figure is not None else "")]
    if day.budget_share >= 0.01:  # noqa: PLR2004  (a hundredth of the budget is worth a word)
        parts.append(f"{figures.whole_percent(day.budget_share)} of the budget")
    if day.down_minutes:
        parts.append(f"down {figures.minutes(day.down_minutes)}")
    if day.unmeasured_minutes and day.state is not DayState.UNKNOWN:
        parts.append(f"{figures.minutes(day.unmeasured_minutes)} not measured")
    return ", ".join(parts)


def noted_days(objective: ObjectiveReport) -> list[Stretch]:
    """The days of which more is to be said than that they were met; those alike, of which nothing is known, as one."""
    plain = {DayState.MET, DayState.BEFORE, DayState.GONE, DayState.AHEAD}
    found: list[Stretch] = []
    for one in objective.days:
        if one.state in plain and not one.warnings and one.unmeasured_minutes < 1:
            continue
        last = found[-1] if found else None
        if last is not None and _continues(last, one):
            found[-1] = Stretch(last.said, one.day, last.unmeasured_minutes + one.unmeasured_minutes)
        else:
            found.append(Stretch(one, one.day, one.unmeasured_minutes))
    return found


def _continues(stretch: Stretch, day: Day) -> bool:
    said = stretch.said
    alike = said.state == day.state and said.figure is None and day.figure is None and said.warnings == day.warnings
    return alike and day.day - stretch.last == timedelta(days=1)


def budget_panel(curve: Curve, axis: TimeAxis, numbered: Sequence[tuple[int, datetime]]) -> BudgetPanel | None:
    """The curve of what is left; None where it holds no point at all.

    The scale always holds all of the budget and the line where it is spent, so that panels can be compared by shape.
    """
    known = [left for left in curve.left_share if left is not None]
    if not known:
        return None
    scale = chart.Scale(low=min(0.0, *known), high=1.0, height=HEIGHT)
    path = chart.line(list(_points(curve, axis, scale)))
    last, lowest = known[-1], min(known)
    labels = [Label(scale.place(last), figures.left(last), strong=True)]
    for value, text in ((0.0, "0 %"), (1.0, "100 %"), (lowest, figures.left(lowest))):
        place = scale.place(value)
        if all(abs(place - label.top) >= _LINE for label in labels):
            labels.append(Label(place, text))
    words = f"Budget left over time: {figures.left(known[0])} at first, {figures.left(last)} at the end"
    words += "" if lowest == last else f", {figures.left(lowest)} at the lowest"
    return BudgetPanel(path, scale.place(0), labels, _numbers(numbered, axis), words)


def speed_panel(objective: ObjectiveReport, latency: Latency, axis: TimeAxis) -> SpeedPanel | None:
    """The share of slow answers from zero up, and the 95th percentile as colour; None where no day has either."""
    slow = [(day, 1 - day.figure) for day in objective.days if day.figure is not None]
    if not slow:
        return None
    allowed = 1 - objective.target
    scale = chart.Scale(low=0, high=max(allowed, *(share for _, share in slow)) * 1.15, height=HEIGHT)
    width = chart.WIDTH * timedelta(days=1) / (axis.end - axis.start)
    columns = "".join(
        f"M{_left(day, axis, width):.1f} {HEIGHT:.0f}V{scale.place(share):.1f}h{width * _COLUMN:.1f}V{HEIGHT:.0f}z"
        for day, share in slow
    )
    worst, most = max(slow, key=lambda one: one[1])
    return SpeedPanel(
        columns,
        scale.place(allowed),
        [Label(scale.place(allowed), f"{figures.percent(allowed)} allowed"), Label(HEIGHT, "0 %")],
        [Cell(*_p95(day, latency), day.day.weekday() == 0) for day in objective.days],
        f"Share of answers slower than {figures.seconds(latency.threshold_seconds)}, by day: at most"
        f" {figures.percent(most)}, on {figures.day(worst.day)}; {figures.percent(allowed)} is allowed",
    )


def _left(day: Day, axis: TimeAxis, width: float) -> float:
    return ((day.day - axis.start.date()) / timedelta(days=1) + (1 - _COLUMN) / 2) * width


def _p95(day: Day, latency: Latency) -> tuple[str, str]:
    """The colour of a day's 95th percentile, from `step-0` to `step-3`, and its words."""
    if day.p95_seconds is None:
        if day.figure is None:
            return DAY_TONES[day.state], day.state
        return "step-3", "slower than the last edge of the histogram"
    edges = (latency.threshold_seconds * _FAST, latency.threshold_seconds, latency.threshold_seconds * _SLOW)
    return f"step-{sum(day.p95_seconds > edge for edge in edges)}", f"p95 {figures.seconds(day.p95_seconds)}"


def _points(curve: Curve, axis: TimeAxis, scale: chart.Scale) -> Iterator[chart.Point | None]:
    step = timedelta(seconds=curve.step_seconds)
    places = axis.places(curve.start + step, step, len(curve.left_share))
    for at, left in zip(places, curve.left_share, strict=True):
        yield None if left is None else (at, scale.place(left))


def _numbers(numbered: Sequence[tuple[int, datetime]], axis: TimeAxis) -> list[Number]:
    """The numbers where their dips begin; of those that would print over each other the lowest, and how many more."""
    clusters: list[list[tuple[float, int]]] = []
    for number, start in sorted(numbered, key=lambda one: one[1]):
        at = axis.place(start)
        if clusters and at - clusters[-1][0][0] < _NEAR:
            clusters[-1].append((at, number))
        else:
            clusters.append([(at, number)])
    found = []
    for cluster in clusters:
        lowest = min(number for _, number in cluster)
        found.append(Number(cluster[0][0], f"{lowest}" + (f" +{len(cluster) - 1}" if cluster[1:] else ""), lowest))
    return found
