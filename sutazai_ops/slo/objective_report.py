"""One objective over a period, as the report says it: pure, from facts and events to `ObjectiveReport`."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from sutazai_ops.slo import maths, words
from sutazai_ops.slo import report_model as m
from sutazai_ops.slo.blame import dips_of
from sutazai_ops.slo.doubts import unknown, warnings
from sutazai_ops.slo.facts import HOUR_MINUTES, HOURS
from sutazai_ops.slo.maths import Totals
from sutazai_ops.slo.period import rolling, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.period import Span
    from sutazai_ops.slo.told import Told

FEW_EVENTS = 30
"""Budgets of bad events: with fewer events than 30 / (1 - target), chance may still turn the verdict."""
CURVE_SECONDS = 3600
HALF = 0.5
P95 = 0.95


def report_on(told: Told) -> m.ObjectiveReport:
    """The report on one objective."""
    objective, span = told.objective, told.span
    totals = told.totals(span.days)
    verdict = maths.judge(objective.kind, totals, objective.target, objective.enough)
    budget = maths.budget(objective.kind, totals, objective.target, told.minutes)
    dips, others = _dips(told, totals, budget)
    since = f"since {spoken(told.life.first)}, " if told.life.first and told.life.first > span.first else ""
    value = maths.figure(objective.kind, totals)
    return m.ObjectiveReport(
        name=objective.name,
        title=objective.title or objective.name,
        kind=objective.kind,
        service=objective.service,
        criticality=objective.criticality,
        description=objective.description,
        indicator=objective.indicator,
        owner=objective.owner,
        runbook=objective.runbook,
        target=objective.target,
        verdict=verdict,
        figure=_share(value),
        sentence=words.capital(words.sentence(objective, totals, verdict, dips, since)),
        first_day=told.life.first,
        last_day=told.life.last,
        figures=_figures(objective, totals),
        counts=_counts(objective, totals),
        budget=_budget(budget),
        rolling=_rolling(told),
        days=tuple(_day(told, day, totals) for day in span.days),
        curve=_curve(told, totals),
        dips=dips,
        other_dips_share=round(max(0.0, others), 6),
        latency=_latency(told, value),
        questions=tuple(_questions(told)),
        unknown=tuple(unknown(told, totals, verdict)),
        warnings=tuple(warnings(told)),
    )


def _figures(objective: Objective, totals: Totals) -> m.Figures:
    bounds = maths.bounds(objective.kind, totals)
    seen = maths.events(objective.kind, totals)
    value = maths.figure(objective.kind, totals)
    is_few = objective.counts_events and 0 < seen < FEW_EVENTS / (1 - objective.target)
    chance = maths.interval((value or 0.0) * seen, seen) if is_few else None
    return m.Figures(
        requests=_share(maths.requests(totals)),
        probe=_share(maths.probe(totals)),
        combined=_share(maths.combined(totals)) if objective.kind is m.ObjectiveKind.RATIO else None,
        coverage=_share(maths.coverage(totals)) or 0.0,
        low=_share(chance.worst) if chance else None,
        high=_share(chance.best) if chance else None,
        best=_share(bounds.best),
        worst=_share(bounds.worst),
    )


def _counts(objective: Objective, totals: Totals) -> m.Counts:
    del objective
    return m.Counts(
        good=_count(totals.good),
        bad=_count(totals.bad),
        total=_count(totals.total),
        imputed=_count(totals.imputed),
        ok_minutes=_count(totals.ok),
        down_minutes=_count(totals.down),
        measured_minutes=_count(totals.measured),
        unmeasured_minutes=_count(totals.unmeasured),
        expected_minutes=_count(totals.expected),
    )


def _budget(found: maths.Budget | None) -> m.Budget | None:
    if found is None:
        return None
    events = found.total_events
    return m.Budget(
        total_minutes=_count(found.total_minutes),
        spent_minutes=_count(found.spent_minutes),
        left_minutes=_count(found.total_minutes - found.spent_minutes),
        total_events=None if events is None else _count(events),
        spent_events=None if found.spent_events is None else _count(found.spent_events),
        left_events=None if events is None or found.spent_events is None else _count(events - found.spent_events),
        left_share=round(found.left_share, 6),
        burn_rate=round(found.burn_rate, 6),
    )


def _rolling(told: Told) -> m.Rolling | None:
    if told.as_of is None:
        return None
    objective = told.objective
    totals = told.late(window(objective, told.span, told.as_of).days)
    budget = maths.budget(objective.kind, totals, objective.target, totals.expected)
    return m.Rolling(
        days=objective.window_days,
        figure=_share(maths.figure(objective.kind, totals)),
        verdict=maths.judge(objective.kind, totals, objective.target, objective.enough),
        budget_left_share=round(budget.left_share, 6) if budget else None,
        coverage=_share(maths.coverage(totals)) or 0.0,
    )


def window(objective: Objective, span: Span, as_of: datetime) -> Span:
    """The rolling window at the end of a period, or now where that has not come."""
    return rolling(min(span.end, as_of.date() + timedelta(days=1)), objective.window_days)


def _day(told: Told, day: date, whole: Totals) -> m.Day:
    objective, fact, totals = told.objective, told.facts.get(day), told.day(day)
    buckets = {_edge(edge): count for edge, count in fact.buckets.items()} if fact else {}
    return m.Day(
        day=day,
        state=_state(told, day, totals),
        figure=_share(maths.figure(objective.kind, totals)),
        coverage=_share(maths.coverage(totals)) if totals.expected else None,
        good=_count(totals.good),
        total=_count(totals.total),
        imputed=_count(totals.imputed),
        down_minutes=_count(totals.down),
        unmeasured_minutes=_count(totals.unmeasured),
        budget_share=round(_spent(told, totals, whole), 6),
        p95_seconds=_seconds(maths.quantile(P95, buckets)[0]),
        warnings=tuple(fact.warnings) if fact else (),
    )


def _state(told: Told, day: date, totals: Totals) -> m.DayState:
    if not told.life.holds(day):
        return m.DayState.BEFORE if told.life.first and day < told.life.first else m.DayState.GONE
    if totals.expected <= 0:
        return m.DayState.AHEAD
    return _measured_state(told.objective, totals)


def _measured_state(objective: Objective, totals: Totals) -> m.DayState:
    value, covered = maths.figure(objective.kind, totals), maths.coverage(totals)
    if covered < maths.COVERED:
        is_sure = value is not None and maths.is_missed_for_sure(objective.kind, totals, objective.target)
        return m.DayState.MISSED if is_sure else m.DayState.UNKNOWN
    if value is None:
        return m.DayState.QUIET
    if value < objective.target:
        return m.DayState.MISSED
    return m.DayState.MET if covered >= maths.WELL_COVERED else m.DayState.PARTLY


def _spent(told: Told, part: Totals, whole: Totals) -> float:
    """Of the period's budget, what a part of it spent."""
    return _share_of(told, _lost(told.objective, part), whole)


def _lost(objective: Objective, part: Totals) -> float:
    """What of a part counts against the budget: events, or minutes for a kind that counts time."""
    if not objective.counts_events:
        return part.down
    return part.bad + (part.imputed if objective.kind is m.ObjectiveKind.RATIO else 0.0)


def _share_of(told: Told, bad: float, whole: Totals) -> float:
    objective = told.objective
    return maths.share_of_budget(objective.kind, bad, whole, objective.target, told.minutes)


def _curve(told: Told, whole: Totals) -> m.Curve | None:
    """The budget left, hour by hour, up to now; nothing where an hour was not measured."""
    left, points = 1.0, []
    one = _share_of(told, 1.0, whole)
    for day in told.span.days:
        expected = told.day(day).expected
        if expected <= 0 and told.life.holds(day):
            break
        fact = told.facts.get(day) if told.life.holds(day) else None
        for hour in range(HOURS):
            here = fact.hours[hour] if fact else Totals()
            if fact and here.expected <= 0 and expected < HOURS * HOUR_MINUTES:
                break
            left -= _lost(told.objective, here) * one
            points.append(round(left, 5) if here.measured >= HALF * max(1.0, here.expected) else None)
    if all(point is None for point in points):
        return None
    return m.Curve(start=told.span.start_moment, step_seconds=CURVE_SECONDS, left_share=tuple(points))


def _dips(told: Told, whole: Totals, budget: maths.Budget | None) -> tuple[tuple[m.Dip, ...], float]:
    if budget is None:
        return (), 0.0
    facts = [told.facts[day] for day in told.span.days if day in told.facts and told.life.holds(day)]
    dips, _ = dips_of(told.objective, facts, told.lanes, lambda bad: _share_of(told, bad, whole), budget.total_minutes)
    return dips, budget.spent_share - math.fsum(dip.budget_share for dip in dips)


def _latency(told: Told, value: float | None) -> m.Latency | None:
    objective = told.objective
    if objective.kind is not m.ObjectiveKind.LATENCY:
        return None
    buckets: dict[float, float] = {}
    for day in told.span.days:
        fact = told.facts.get(day)
        for edge, count in (fact.buckets if fact else {}).items():
            buckets[_edge(edge)] = buckets.get(_edge(edge), 0.0) + count
    p95, between = maths.quantile(P95, buckets)
    return m.Latency(
        threshold_seconds=objective.within or 1.0, share=_share(value), p95_seconds=_seconds(p95), p95_between=between
    )


def _questions(told: Told) -> Iterator[m.Question]:
    days: dict[str, list[date]] = {}
    for day in told.span.days:
        if day in told.facts:
            days.setdefault(told.facts[day].question, []).append(day)
    for question, on in days.items():
        for one in told.asked.get(question, ()):
            yield m.Question(purpose=one.purpose, text=one.text, first_day=on[0], last_day=on[-1])


def _edge(text: str) -> float:
    return math.inf if text in {"+Inf", "Inf"} else float(text)


def _share(value: float | None) -> float | None:
    """To the ten-millionth: what is beyond is noise, and the same facts shall give the same bytes everywhere."""
    return None if value is None else round(value, 7)


def _count(value: float) -> float:
    return round(value, 2)


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
