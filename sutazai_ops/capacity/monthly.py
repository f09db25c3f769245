"""All that a month's report is made of, out of facts that are there already. Pure: it asks no server and no file.

Advice, forecasts and the judgement of limits look back a month from the last day of the report, so that one of the
first days of a month says as much as one of the last; costs and success metrics are of the report's own days.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import mean
from typing import TYPE_CHECKING

from sutazai_ops.capacity import values
from sutazai_ops.capacity.accounts import day_uses
from sutazai_ops.capacity.cost import add_up
from sutazai_ops.capacity.fit import Host, how_many_more
from sutazai_ops.capacity.forecast import Resource, forecasts
from sutazai_ops.capacity.kpis import Material as Measured
from sutazai_ops.capacity.kpis import judge as judge_metric
from sutazai_ops.capacity.report import Material, make_report
from sutazai_ops.capacity.sizing import Finding, Kind, advise, judge
from sutazai_ops.capacity.spread import spread_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from sutazai_ops.capacity.cost import Costs
    from sutazai_ops.capacity.facts import ServiceDay
    from sutazai_ops.capacity.forecast import Forecast
    from sutazai_ops.capacity.kpis import Kpi
    from sutazai_ops.capacity.prices import Prices
    from sutazai_ops.capacity.report import Head
    from sutazai_ops.capacity.report_model import Report
    from sutazai_ops.capacity.sizing import Advice, Judgement, Size
    from sutazai_ops.capacity.values import DayValue, Subject
    from sutazai_ops.slo.period import Span

DAY = timedelta(days=1)
WINDOW_DAYS = 30
NO_PRICES = "write down what the host costs (setting capacity.prices)"
NO_HOST = "measure the host (node exporter and Prometheus, of the monitoring phase)"


@dataclass(frozen=True, slots=True)
class Sized:
    """A service that a limit can be put on."""

    name: str
    now: Size
    copies: int = 1
    keeps_memory: str = ""
    """Why its memory limit is never lowered."""
    runs_models: bool = False
    scaled_on: date | None = None
    """The day on which its number of containers was changed last; None where it was not."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to tell from."""

    services: Sequence[Sized]
    facts: Mapping[tuple[str, date], ServiceDay]
    """From a month before the last day of the report on."""
    values: Mapping[tuple[str, Subject, date], DayValue]
    kpis: Mapping[str, Kpi]
    prices: Prices | None
    agent_memory: int
    """The limit that agents are judged by, in bytes."""
    journeys: float | None = None
    """What users had of their journeys, out of the objectives."""
    journeys_coverage: float = 0.0
    today: date | None = None
    """The last day that has begun; None where nobody knows."""
    is_over: bool = False
    """Whether the last day of the report is."""


def first_day(span: Span) -> date:
    """The first day whose facts a report of this time looks at."""
    return min(span.first, span.end - DAY * WINDOW_DAYS)


def monthly_report(head: Head, span: Span, known: Known) -> Report:
    """The report of a month."""
    facts = by_service(known.facts)
    in_span = {key: value for key, value in known.values.items() if span.first <= key[2] < span.end}
    costs = _costs(span, known, in_span)
    advice = advice_of(known.services, facts)
    ahead = forecasts(known.values)
    measured = Measured(
        days=[day for day in span.days if known.today is not None and day <= known.today],
        values=in_span,
        journeys=known.journeys,
        journeys_coverage=known.journeys_coverage,
        per_request=costs.per_request if costs else None,
        currency=known.prices.currency if known.prices else "",
    )
    return make_report(
        head,
        Material(
            span=span,
            facts={name: [one for one in days if one.day >= span.first] for name, days in facts.items()},
            advice=advice,
            agents=judge_all(_agents(known), facts, known.agent_memory),
            agent_memory=known.agent_memory,
            forecasts=ahead,
            fit=how_many_more(advice, _host(known.values, ahead)),
            results=[judge_metric(kpi, measured) for kpi in known.kpis.values()],
            costs=costs,
            no_cost="" if costs else NO_HOST if known.prices else NO_PRICES,
            host_used=_host_used(in_span),
            is_over=known.is_over,
        ),
    )


def by_service(facts: Mapping[tuple[str, date], ServiceDay]) -> dict[str, list[ServiceDay]]:
    """Facts by service, the earliest first."""
    found: dict[str, list[ServiceDay]] = {}
    for name, day in sorted(facts):
        found.setdefault(name, []).append(facts[name, day])
    return found


def advice_of(services: Iterable[Sized], facts: Mapping[str, Sequence[ServiceDay]]) -> list[Advice]:
    """What each service should be allowed."""
    return [_advice(one, facts) for one in services]


def _advice(one: Sized, facts: Mapping[str, Sequence[ServiceDay]]) -> Advice:
    counted = _counted(one, facts)
    found = advise(one.name, counted, one.now, one.copies, keeps_memory=one.keeps_memory)
    if len(counted) == len(facts.get(one.name, ())):
        return found
    words = f"on {one.scaled_on} its number of containers was changed to {one.copies}: days until then do not count"
    return replace(found, findings=(Finding(Kind.RESIZED, words), *found.findings))


def _counted(one: Sized, facts: Mapping[str, Sequence[ServiceDay]]) -> Sequence[ServiceDay]:
    """The days on which it had as many containers as now: what was measured is all of them together."""
    days = facts.get(one.name, ())
    return days if one.scaled_on is None else [day for day in days if day.day > one.scaled_on]


def judge_all(services: Iterable[Sized], facts: Mapping[str, Sequence[ServiceDay]], limit: int) -> list[Judgement]:
    """What a memory limit for one container would have come to for each service."""
    return [judge(one.name, _counted(one, facts), limit, one.copies) for one in services]


def _agents(known: Known) -> list[Sized]:
    """The services that tasks were counted for under their own name."""
    names = {
        value.label.get("agent", "") for (measure, *_), value in known.values.items() if measure == values.TASKS.name
    }
    return [one for one in known.services if one.name in names]


def _costs(span: Span, known: Known, in_span: Mapping[tuple[str, Subject, date], DayValue]) -> Costs | None:
    if known.prices is None:
        return None
    facts = {key: fact for key, fact in known.facts.items() if key[1] >= span.first}
    uses = day_uses(facts, in_span)
    models = [one.name for one in known.services if one.runs_models]
    return add_up(uses, known.prices, models) if uses else None


def _host(known: Mapping[tuple[str, Subject, date], DayValue], ahead: Sequence[Forecast]) -> Host | None:
    memory, size = _of(known, values.HOST_MEMORY), _of(known, values.HOST_MEMORY_SIZE)
    cpu, cpus = _of(known, values.HOST_CPU), _of(known, values.HOST_CPU_SIZE)
    if not (memory and size and cpu and cpus):
        return None
    used = max(one.peak or 0.0 for one in memory)
    later = next((one.ahead.high for one in ahead if one.resource is Resource.MEMORY and one.ahead), used)
    hours = spread_of(hour for one in cpu for hour in one.known)
    return Host(size[-1].last or 0.0, used, max(used, later), cpus[-1].last or 0.0, hours.quantile(0.95) or 0.0)


def _host_used(known: Mapping[tuple[str, Subject, date], DayValue]) -> dict[str, float]:
    found = {}
    for name, used, size in (
        ("memory", values.HOST_MEMORY, values.HOST_MEMORY_SIZE),
        ("cpu", values.HOST_CPU, values.HOST_CPU_SIZE),
    ):
        levels = [one.value for one in _of(known, used) if one.value is not None]
        sizes = [one.value for one in _of(known, size) if one.value]
        if levels and sizes:
            found[name] = mean(levels) / mean(sizes)
    return found


def _of(known: Mapping[tuple[str, Subject, date], DayValue], measure: values.Measure) -> list[DayValue]:
    """The days on which something of which there is one was measured, the earliest first."""
    found = [value for (name, subject, _), value in known.items() if name == measure.name and not subject]
    return sorted((one for one in found if one.known), key=lambda one: one.day)
