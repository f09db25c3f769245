"""The first screen of a report, and what it cannot say, out of its objectives."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from sutazai_ops.reports.figures import left, minutes, percent
from sutazai_ops.slo import report_model as m
from sutazai_ops.slo import words
from sutazai_ops.slo.verdict import Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from sutazai_ops.slo.period import Span


def left_of(one: m.ObjectiveReport) -> float:
    """The budget left, where there is one; what has none comes last."""
    return one.budget.left_share if one.budget else math.inf


def summary(span: Span, reports: Sequence[m.ObjectiveReport], platform: m.PlatformFigure | None) -> m.Summary:
    """The first screen."""
    counted = Counter(one.verdict for one in reports)
    missed = [one for one in reports if one.verdict.is_missed]
    untold = [one for one in reports if one.verdict is Verdict.INSUFFICIENT]
    return m.Summary(
        verdict=worst(counted),
        sentence=_summary_sentence(span, reports, missed, untold),
        headlines=tuple(_headlines(reports, missed, untold, platform)),
        counted={verdict: counted[verdict] for verdict in Verdict if counted[verdict]},
    )


def _summary_sentence(
    span: Span,
    reports: Sequence[m.ObjectiveReport],
    missed: Sequence[m.ObjectiveReport],
    untold: Sequence[m.ObjectiveReport],
) -> str:
    if not reports:
        return "There are no objectives."
    if all(one.counts.measured_minutes == 0 for one in reports):
        return f"Nothing was measured in {span.label}, so nothing can be said of it."
    of_all = f"of {words.several(len(reports), 'objective')}"
    cannot = f" {len(untold)} cannot be told for want of data." if untold else ""
    if missed:
        first = missed[0]
        was = "was" if len(missed) == 1 else "were"
        return f"{len(missed)} {of_all} {was} missed. The worst is {first.title}: {first.sentence}{cannot}"
    if len(untold) == len(reports):
        return f"Too little was measured to say of any {of_all} whether it was met."
    if untold:
        told = len(reports) - len(untold)
        return f"{told} {of_all} {'was' if told == 1 else 'were'} met.{cannot}"
    return f"All {of_all} were met."


def _headlines(
    reports: Sequence[m.ObjectiveReport],
    missed: Sequence[m.ObjectiveReport],
    untold: Sequence[m.ObjectiveReport],
    platform: m.PlatformFigure | None,
) -> Iterator[m.Headline]:
    note = f"{len(untold)} more cannot be told" if untold else "all others were met"
    yield m.Headline(label="missed", value=f"{len(missed)} of {len(reports)}", note=note)
    if platform and platform.journeys is not None:
        yield m.Headline(
            label="users had",
            value=percent(platform.journeys),
            note=f"by the journeys, {percent(platform.known_weight)} of whose weight is known",
        )
    told = [one for one in reports if one.budget and one.verdict is not Verdict.INSUFFICIENT]
    leanest = min(told, key=left_of, default=None)
    if leanest and leanest.budget:
        yield m.Headline(label="least budget left", value=left(leanest.budget.left_share), note=leanest.title)
    expected = math.fsum(one.counts.expected_minutes for one in reports)
    measured = math.fsum(one.counts.measured_minutes for one in reports)
    yield m.Headline(
        label="measured",
        value=percent(measured / expected) if expected else "nothing",
        note="of the time, over all objectives",
    )


def unknown(span: Span, reports: Sequence[m.ObjectiveReport], lanes: Sequence[m.Lane]) -> Iterator[m.Unknown]:
    """What the report cannot say."""
    never = [one.name for one in reports if one.counts.measured_minutes == 0]
    if never:
        of_all = "any objective" if len(never) == len(reports) else words.several(len(never), "objective")
        yield m.Unknown(what=f"Nothing was measured of {of_all} in {span.label}.", objectives=tuple(never))
    for lane in lanes:
        if lane.kind is m.LaneKind.GAP:
            for event in lane.events:
                length = minutes(((event.end or event.start) - event.start).total_seconds() / 60)
                yield m.Unknown(
                    what=f"Nothing at all was measured for {length} from {event.start:%-d %B %H:%M} UTC.",
                    start=event.start,
                    end=event.end,
                )
    silent = [lane.title for lane in lanes if not lane.recorded]
    if silent:
        yield m.Unknown(what=f"Nothing writes down {', '.join(silent)}, so none are shown.")
    for one in reports:
        if one.name not in never:
            yield from (m.Unknown(what=what, objectives=(one.name,)) for what in one.unknown)


def notices(reports: Iterable[m.ObjectiveReport]) -> Iterator[m.Notice]:
    """Each warning once, with all that it was about."""
    about: dict[str, tuple[set[str], set[date]]] = {}
    for one in reports:
        for text in one.warnings:
            about.setdefault(text, (set(), set()))[0].add(one.name)
        for day in one.days:
            for text in day.warnings:
                names, days = about.setdefault(text, (set(), set()))
                names.add(one.name)
                days.add(day.day)
    for text, (names, days) in about.items():
        yield m.Notice(text=text, objectives=tuple(sorted(names)), days=tuple(sorted(days)))
