"""Makes the report of a period out of facts and events: pure, so that the same facts give the same bytes.

Nothing here asks a server or looks at a clock. What is shown, and how, is decided by whoever shows the value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sutazai_ops import __version__
from sutazai_ops.platform import Criticality
from sutazai_ops.reports.figures import minutes, percent
from sutazai_ops.slo import maths, words
from sutazai_ops.slo import report_model as m
from sutazai_ops.slo.facts import DAY_MINUTES
from sutazai_ops.slo.life import life_of
from sutazai_ops.slo.methods import METHODS
from sutazai_ops.slo.objective_report import report_on, window
from sutazai_ops.slo.summary import left_of, notices, summary, unknown
from sutazai_ops.slo.timeline import gaps, merged
from sutazai_ops.slo.told import Told
from sutazai_ops.slo.verdict import Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.life import AllFacts
    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.period import Span
    from sutazai_ops.slo.told import Asked

WEIGHTS = {Criticality.CRITICAL: 4.0, Criticality.HIGH: 3.0, Criticality.NORMAL: 2.0, Criticality.LOW: 1.0}
"""How much a service counts in the mean over services."""
ENOUGH_WEIGHT = 0.9
"""So much of the journeys' weight has to be known for a figure of the platform to stand by itself."""
SHORTEST_GAP = timedelta(minutes=5)
"""Shorter holes in everything are told by the coverage alone."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a report says of itself."""

    environment: str
    source: str
    sample: bool = False


@dataclass(frozen=True, slots=True)
class Material:
    """What a report is made of."""

    span: Span
    objectives: Mapping[str, Objective]
    """Those of now."""
    facts: AllFacts
    """Of the period, and of the days before it that the rolling figures look back at."""
    lanes: Sequence[m.Lane]
    gone: Mapping[str, Objective] = field(default_factory=dict)
    """Objectives of earlier days, as they were; those that measured something in the period are reported."""
    asked: Mapping[str, Sequence[Asked]] = field(default_factory=dict)
    """What was asked for facts, by the hash of the question."""


def make_report(head: Head, material: Material) -> m.Report:
    """The report of a period."""
    span = material.span
    as_of = _as_of(material)
    gone = {
        name: objective
        for name, objective in material.gone.items()
        if name not in material.objectives and _has_measured(material, name)
    }
    lanes = _with_gaps(material, as_of)
    reports = [
        report_on(_told(material, objective, lanes, as_of, is_gone=name in gone))
        for name, objective in {**material.objectives, **gone}.items()
    ]
    order = list(Verdict)
    reports.sort(key=lambda one: (-order.index(one.verdict), left_of(one), one.name))
    journeys = _journeys(material.objectives, reports)
    platform = _platform(material.objectives, reports, journeys)
    return m.Report(
        title=f"Objectives in {span.label}",
        environment=head.environment,
        source=head.source,
        program=f"sutazai-ops {__version__}",
        period=m.Period(
            kind=span.kind,
            label=span.label,
            start=span.first,
            end=span.end,
            ended=as_of is None or as_of >= span.end_moment,
        ),
        facts_as_of=as_of,
        sample=head.sample,
        summary=summary(span, reports, platform),
        platform=platform,
        journeys=tuple(journeys),
        objectives=tuple(reports),
        lanes=tuple(lanes),
        remediation=_remediation(lanes, reports),
        unknown=tuple(unknown(span, reports, lanes)),
        warnings=tuple(notices(reports)),
        methods=METHODS,
    )


def _told(
    material: Material, objective: Objective, lanes: Sequence[m.Lane], as_of: datetime | None, *, is_gone: bool
) -> Told:
    life = life_of(objective, material.facts, material.span, is_gone=is_gone)
    lately = life
    if as_of is not None:
        lately = life_of(objective, material.facts, window(objective, material.span, as_of), is_gone=is_gone)
    return Told(
        objective=objective,
        facts=material.facts.get(objective.name, {}),
        life=life,
        span=material.span,
        as_of=as_of,
        lanes=lanes,
        asked=material.asked,
        lately=lately,
    )


def _in_span(material: Material) -> Iterator[Fact]:
    for facts in material.facts.values():
        for day, fact in facts.items():
            if material.span.first <= day < material.span.end:
                yield fact


def _as_of(material: Material) -> datetime | None:
    return max((fact.computed_at for fact in _in_span(material)), default=None)


def _has_measured(material: Material, name: str) -> bool:
    facts = material.facts.get(name, {})
    return any(
        material.span.first <= day < material.span.end and fact.totals.measured > 0 for day, fact in facts.items()
    )


def _journeys(objectives: Mapping[str, Objective], reports: Sequence[m.ObjectiveReport]) -> list[m.Journey]:
    by_name = {one.name: one for one in reports}
    return [
        m.Journey(
            name=name,
            title=objective.journey.title,
            objective=name,
            weight=objective.journey.weight,
            figure=by_name[name].figure,
            verdict=by_name[name].verdict,
        )
        for name, objective in objectives.items()
        if objective.journey
    ]


def _platform(
    objectives: Mapping[str, Objective], reports: Sequence[m.ObjectiveReport], journeys: Sequence[m.Journey]
) -> m.PlatformFigure | None:
    if not journeys:
        return None
    known = {one.name: None if one.verdict is Verdict.INSUFFICIENT else one.figure for one in journeys}
    mean, weight = maths.weighted_mean(known, {one.name: one.weight for one in journeys})
    services = {
        one.name: one.figure
        for one in reports
        if one.kind is m.ObjectiveKind.PROBE
        and one.service
        and one.name in objectives
        and not objectives[one.name].journey
    }
    by_service, _ = maths.weighted_mean(services, {name: WEIGHTS[objectives[name].criticality] for name in services})
    return m.PlatformFigure(
        journeys=mean,
        known_weight=weight,
        services=by_service,
        verdict=worst(one.verdict for one in journeys),
        sentence=_platform_sentence(mean, weight, journeys),
    )


def _platform_sentence(mean: float | None, weight: float, journeys: Sequence[m.Journey]) -> str:
    if mean is None:
        return "What users had is not known: none of the journeys was measured well enough."
    unknown = [one.title for one in journeys if one.verdict is Verdict.INSUFFICIENT]
    rest = f"; not known is: {', '.join(unknown)}" if weight < ENOUGH_WEIGHT or unknown else ""
    return f"Users had {percent(mean)} of what they came for{rest}."


def _with_gaps(material: Material, as_of: datetime | None) -> list[m.Lane]:
    """The lanes, with what was never looked at by anybody as the lane of gaps."""
    stretches = [list(_gaps_of(facts, material.span, as_of)) for facts in material.facts.values()]
    found = [(start, end) for start, end in gaps(stretches) if end - start >= SHORTEST_GAP]
    events = tuple(
        m.Event(id=start.isoformat(timespec="minutes"), start=start, end=end, title="nothing was measured")
        for start, end in found
    )
    return [
        lane.model_copy(update={"events": events}) if lane.kind is m.LaneKind.GAP else lane for lane in material.lanes
    ]


def _gaps_of(facts: Mapping[date, Fact], span: Span, as_of: datetime | None) -> Iterator[tuple[datetime, datetime]]:
    for day in span.days:
        midnight = span.start_moment + timedelta(days=(day - span.first).days)
        fact = facts.get(day)
        if fact is None:
            end = min(midnight + timedelta(minutes=DAY_MINUTES), as_of or midnight)
            if midnight < end:
                yield midnight, end
        else:
            yield from ((fact.moment(start), fact.moment(end)) for start, end in fact.gaps)


def _remediation(lanes: Sequence[m.Lane], reports: Sequence[m.ObjectiveReport]) -> m.RemediationCost:
    """How many repairs there were, and what of the hardest-hit objective's budget went while they were under way.

    What was broken goes on being broken until it is mended, so that a repair has cost this at most.
    """
    lane = next(one for one in lanes if one.kind is m.LaneKind.REMEDIATION)
    if not lane.recorded:
        return m.RemediationCost(
            recorded=False, sentence="Nothing writes down what mends itself, so its cost is not known."
        )
    if not lane.events:
        return m.RemediationCost(
            recorded=True, actions=0, succeeded=0, minutes=0, sentence="Nothing was mended by itself."
        )
    well = sum(event.went_well is True for event in lane.events)
    went, share = max((_spent_during(lane.events, one) for one in reports), default=(0.0, 0.0), key=lambda one: one[1])
    unended = sum(event.end is None for event in lane.events)
    of_these = f" Of {unended} the end is not known, so their time is not in it." if unended else ""
    return m.RemediationCost(
        recorded=True,
        actions=len(lane.events),
        succeeded=well,
        minutes=round(went, 2),
        budget_share=round(share, 6),
        sentence=f"{words.several(len(lane.events), 'repair')}, of which {well} helped. While they were under way"
        f" {minutes(went)} of the budget of the objective that they hit hardest went; what was broken before them is in"
        f" it.{of_these}",
    )


def _spent_during(repairs: Sequence[m.Event], report: m.ObjectiveReport) -> tuple[float, float]:
    """The minutes and the share of an objective's budget that its dips spent during the repairs of its service."""
    went = share = 0.0
    # Of an objective without a service all of them count.
    its = [one for one in repairs if not report.service or report.service in one.services]
    for start, end in merged((one.start, one.end) for one in its if one.end):
        for dip in report.dips:
            length = (dip.end - dip.start).total_seconds()
            both = (min(end, dip.end) - max(start, dip.start)).total_seconds()
            if both > 0:
                went += dip.minutes * both / length
                share += dip.budget_share * both / length
    return went, share
