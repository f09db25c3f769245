"""Makes the report of a month out of facts: pure, so that the same facts give the same bytes.

Nothing here asks a server or looks at a clock. What is shown, and how, is decided by whoever shows the value.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from sutazai_ops import __version__, human
from sutazai_ops.capacity import report_model as m
from sutazai_ops.capacity.forecast import Resource
from sutazai_ops.capacity.kpis import Source, Verdict
from sutazai_ops.capacity.methods import METHODS
from sutazai_ops.capacity.sizing import Confidence, Kind
from sutazai_ops.capacity.words import metric_target, metric_value, money
from sutazai_ops.slo.report_model import Headline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sutazai_ops.capacity.cost import Costs
    from sutazai_ops.capacity.cost import Each as EachCost
    from sutazai_ops.capacity.facts import ServiceDay
    from sutazai_ops.capacity.fit import Fit
    from sutazai_ops.capacity.forecast import Forecast
    from sutazai_ops.capacity.kpis import Result
    from sutazai_ops.capacity.sizing import Advice, Judgement
    from sutazai_ops.slo.period import Span

URGENT = (Kind.KILLED, Kind.NEAR_LIMIT, Kind.GROWS, Kind.NO_MEMORY_LIMIT, Kind.THROTTLED)
"""What a reader has to know of first."""
STEPS = 12
_ORDER = (Verdict.MISSED, Verdict.INSUFFICIENT, Verdict.UNKNOWN, Verdict.MET)


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
    facts: Mapping[str, Sequence[ServiceDay]]
    """Of the period, by service."""
    advice: Sequence[Advice]
    agents: Sequence[Judgement]
    agent_memory: int
    forecasts: Sequence[Forecast]
    fit: Fit
    results: Sequence[Result]
    costs: Costs | None
    no_cost: str = ""
    host_used: Mapping[str, float] = field(default_factory=dict)
    """Mean share of the host's `memory` and `cpu`, where it is known."""
    is_over: bool = False
    """Whether the period is, for where no fact says until when it was measured."""


def make_report(head: Head, material: Material) -> m.Report:
    """The report of a month."""
    as_of = max((one.computed_at for days in material.facts.values() for one in days), default=None)
    end = datetime.combine(material.span.end, time(), UTC)
    period = m.Period(
        label=material.span.label,
        start=material.span.first,
        end=material.span.end,
        ended=material.is_over if as_of is None else as_of >= end,
    )
    metrics = [_metric(one) for one in material.results]
    steps = list(_steps(material))
    return m.Report(
        title=f"Capacity and cost, {material.span.label}",
        environment=head.environment,
        source=head.source,
        program=f"sutazai-ops {__version__}",
        period=period,
        facts_as_of=as_of,
        sample=head.sample,
        summary=_summary(material, metrics),
        metrics=tuple(metrics),
        services=tuple(_service(one, material.facts.get(one.service, ())) for one in _ranked(material.advice)),
        agents=tuple(_judged(one) for one in material.agents),
        agent_memory=material.agent_memory,
        forecasts=tuple(_forecast(one) for one in material.forecasts),
        fit=m.Fit(more=material.fit.more, bound_by=material.fit.bound_by, sentence=material.fit.sentence),
        cost=None if material.costs is None else _cost(material.costs),
        no_cost=material.no_cost,
        next=tuple(steps[:STEPS]),
        unknown=tuple(_unknown(material)),
        methods=METHODS,
    )


def _metric(result: Result) -> m.Metric:
    kpi = result.kpi
    return m.Metric(
        name=kpi.name,
        title=kpi.title,
        group=kpi.group,
        kind=kpi.kind,
        target=metric_target(kpi),
        verdict=result.verdict,
        measured=metric_value(kpi, result.value),
        value=result.value,
        low=result.low,
        high=result.high,
        coverage=min(1.0, result.coverage),
        sentence=result.sentence,
    )


def _summary(material: Material, metrics: Sequence[m.Metric]) -> m.Summary:
    counted = Counter(one.verdict for one in metrics)
    verdict = next((one for one in _ORDER if counted[one]), Verdict.UNKNOWN)
    return m.Summary(
        verdict=verdict,
        sentence=_sentence(material, counted),
        headlines=tuple(_headlines(material)),
        counted={one: counted[one] for one in _ORDER if counted[one]},
    )


def _sentence(material: Material, counted: Mapping[Verdict, int]) -> str:
    all_ = sum(counted.values())
    if counted[Verdict.UNKNOWN] == all_ and not any(one.coverage for days in material.facts.values() for one in days):
        return f"nothing was measured in {material.span.label}"
    parts = [
        f"{counted.get(Verdict.MET, 0)} of {all_} success metrics are met, {counted.get(Verdict.MISSED, 0)} missed"
    ]
    kills = {one.service: one.evidence.kills for one in material.advice if one.evidence.kills}
    if kills:
        times = human.count(sum(kills.values()), "time")
        parts.append(f"{' and '.join(sorted(kills))} ran out of memory {times}")
    soonest = next((one for one in material.forecasts if one.earliest is not None), None)
    if soonest is not None:
        parts.append(soonest.sentence)
    return "; ".join(parts)


def _headlines(material: Material) -> Iterator[Headline]:
    changes = sum(one.resizes for one in material.advice)
    sure = sum(one.confidence is not Confidence.INSUFFICIENT for one in material.advice)
    note = f"of {human.count(sure, 'service')} with enough data"
    yield Headline(label="to be resized", value=human.count(changes, "service"), note=note)
    used = material.host_used
    if "memory" in used:
        note = f"and {used['cpu'] * 100:.0f} % of its processors, on average" if "cpu" in used else "on average"
        yield Headline(label="used of the host's memory", value=f"{used['memory'] * 100:.0f} %", note=note)
    more = material.fit.more
    value = "not known" if more is None else str(more)
    note = f"bound by {material.fit.bound_by}" if material.fit.bound_by else ""
    yield Headline(label="more services would fit", value=value, note=note)
    costs = material.costs
    if costs is None:
        yield Headline(label="cost of a request", value="not known", note=material.no_cost)
    elif costs.per_request is None:
        yield Headline(label="cost so far", value=money(costs.total, costs.currency), note="no request was counted")
    else:
        note = f"{money(costs.total, costs.currency)} in all"
        yield Headline(label="cost of a request", value=money(costs.per_request.amount, costs.currency), note=note)


def _ranked(advice: Sequence[Advice]) -> list[Advice]:
    def rank(one: Advice) -> tuple[bool, bool, str]:
        urgent = any(finding.kind in URGENT for finding in one.findings)
        return not urgent, not one.resizes, one.service

    return sorted(advice, key=rank)


def _service(advice: Advice, days: Sequence[ServiceDay]) -> m.Service:
    evidence = advice.evidence
    return m.Service(
        name=advice.service,
        copies=advice.copies,
        now=m.Size(**asdict(advice.now)),
        proposed=None if advice.proposed is None else m.Size(**asdict(advice.proposed)),
        changes=advice.changes,
        confidence=advice.confidence,
        days=tuple(_day(one) for one in days),
        days_counted=evidence.days,
        memory_peak=evidence.memory_peak,
        memory_p95=evidence.memory_p95,
        memory_in_band=evidence.memory_in_band,
        cpu_p95=evidence.cpu_p95,
        cpu_in_band=evidence.cpu_in_band,
        oom_kills=evidence.kills,
        throttled_seconds=evidence.throttled,
        exceeded=evidence.exceeded,
        because=advice.because,
        findings=tuple(m.Finding(kind=one.kind, sentence=one.sentence) for one in advice.findings),
    )


def _day(fact: ServiceDay) -> m.Day:
    memory, cpu = fact.memory, fact.cpu
    return m.Day(
        day=fact.day,
        memory_peak=memory.spread.peak if memory.measured else None,
        memory_p95=memory.spread.quantile(0.95),
        memory_limit=memory.limit,
        cpu_p95=cpu.spread.quantile(0.95),
        cpu_limit=cpu.limit,
        oom_kills=fact.kills,
        coverage=fact.coverage,
    )


def _judged(one: Judgement) -> m.Judged:
    return m.Judged(
        service=one.service,
        limit=one.limit,
        holds=one.holds,
        days=one.days,
        days_over=one.days_over,
        sentence=one.sentence,
    )


def _forecast(one: Forecast) -> m.Forecast:
    return m.Forecast(
        resource=one.resource,
        name=one.name,
        used=max(0.0, one.now),
        size=one.size,
        days=tuple(m.Level(day=day, used=max(0.0, level)) for day, level in one.days),
        growth=None if one.growth is None else m.Range(**asdict(one.growth)),
        ahead=None if one.ahead is None else m.Range(**asdict(one.ahead)),
        earliest=one.earliest,
        likely=one.likely,
        latest=one.latest,
        sentence=one.sentence,
    )


def _cost(costs: Costs) -> m.Cost:
    dearest = sorted(costs.services.items(), key=lambda item: (-item[1].full, item[0]))
    return m.Cost(
        currency=costs.currency,
        total=costs.total,
        host=costs.host,
        left_over=costs.left_over,
        storage=costs.storage,
        egress=costs.egress,
        days=len(costs.days),
        services=tuple(
            m.ServiceCost(
                name=name,
                own=part.own,
                left_over=max(0.0, part.left_over),
                full=part.full,
                share=min(1.0, part.full / costs.host) if costs.host else 0.0,
                per_request=costs.per_service_request[name].amount if name in costs.per_service_request else None,
            )
            for name, part in dearest
        ),
        request=None if costs.per_request is None else _each("request", costs.per_request),
        agents=tuple(_each(name, one) for name, one in sorted(costs.per_task.items())),
        models=dict(sorted(costs.models.items())),
    )


def _each(name: str, one: EachCost) -> m.Each:
    return m.Each(
        name=name, amount=one.amount, low=one.low, high=one.high, count=one.count, total=one.amount * one.count
    )


def _steps(material: Material) -> Iterator[m.Step]:
    """What to change next, the most urgent first, each with what it does."""
    for one in _ranked(material.advice):
        if one.resizes:
            yield m.Step(what=_resize_words(one), effect=_effect(one))
    for forecast in material.forecasts:
        if forecast.earliest is not None:
            what = (
                "keep fewer backup sets, or put their store on a larger disk"
                if forecast.resource is Resource.BACKUP
                else f"make room on {forecast.resource} {forecast.name}, or make it larger"
            )
            yield m.Step(what=what, effect=f"otherwise {forecast.sentence}")
    for result in material.results:
        if result.verdict is Verdict.UNKNOWN and result.kpi.kind is not Source.COST:
            yield m.Step(what=result.kpi.export, effect=f"then {result.kpi.title!r} is known")
    kept = [one.service for one in _ranked(material.advice) if one.changes and not one.resizes]
    if kept:
        yield m.Step(what=f"say what is reserved for {', '.join(kept)}", effect="the host knows what to keep for them")
    if material.no_cost:
        yield m.Step(what=material.no_cost, effect="then what a request costs is known")


def _resize_words(one: Advice) -> str:
    new, now = one.proposed, one.now
    parts = []
    if new and new.memory and new.memory != now.memory:
        parts.append(
            f"memory {'none' if now.memory is None else human.memory(now.memory)} → {human.memory(new.memory)}"
        )
    if new and new.cpus and new.cpus != now.cpus:
        before = "none" if now.cpus is None else f"{now.cpus:.2f}"
        parts.append(f"cores {before} → {new.cpus:.2f}")
    return f"{one.service}: {', '.join(parts)}"


def _effect(one: Advice) -> str:
    new, now, peak = one.proposed, one.now, one.evidence.memory_peak
    if one.evidence.kills:
        return "it stops being killed, or shows how much it really needs"
    if new is None or new.memory is None or now.memory is None:
        return "a leak in it can no longer take the whole host"
    if new.memory < now.memory:
        return f"{human.memory((now.memory - new.memory) * one.copies)} more for others"
    if new.memory > now.memory and peak:
        return (
            f"its peak is {peak / new.memory * 100:.0f} % of its limit, and no longer {peak / now.memory * 100:.0f} %"
        )
    if new.cpus is not None and now.cpus is not None and new.cpus < now.cpus:
        return f"{(now.cpus - new.cpus) * one.copies:.2f} cores more may be promised to others"
    return "it is no longer held back"


def _unknown(material: Material) -> Iterator[str]:
    for one in material.advice:
        if one.confidence is Confidence.INSUFFICIENT:
            yield f"{one.service}: {one.because}"
    for forecast in material.forecasts:
        if forecast.growth is None:
            yield forecast.sentence
    if not material.forecasts:
        yield "nothing was measured of the host's disks and memory"
    for result in material.results:
        if result.verdict is Verdict.UNKNOWN:
            yield f"{result.kpi.title}: {result.sentence}"
