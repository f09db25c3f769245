"""What cannot be said of an objective, and what of its measurement is doubtful: in sentences, and never left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.reports.figures import minutes, percent, whole_percent
from sutazai_ops.slo import maths, words
from sutazai_ops.slo import report_model as m
from sutazai_ops.slo.maths import Totals
from sutazai_ops.slo.period import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.told import Told
    from sutazai_ops.slo.verdict import Verdict

NOT_FIRM = 0.1
"""What was lost is estimated; a verdict that a tenth more or less of it would turn is said to be so."""
HALF_A_DAY = 720
"""Minutes; a probe that was hardly asked contradicts nothing."""
LONG, FEW_EVENTS = 15, 30
"""Minutes, and events, below which a probe and the counters may differ by chance."""


def unknown(told: Told, totals: Totals, verdict: Verdict) -> Iterator[str]:
    """What is not known of an objective."""
    objective = told.objective
    if totals.measured <= 0:
        yield f"Nothing was measured in {told.span.label}."
        return
    missing = [day for day in told.span.days if day not in told.facts and told.day(day).expected > 0]
    if missing:
        yield f"There are no facts of {words.several(len(missing), 'day')}, the first of them {spoken(missing[0])}."
    if maths.coverage(totals) < maths.WELL_COVERED:
        yield f"{minutes(totals.unmeasured)} of it were not measured."
    if told.life.last is not None:
        yield f"It was measured for the last time on {spoken(told.life.last)}: it was removed, or has another name now."
    if objective.kind is m.ObjectiveKind.RATIO and objective.up is None:
        yield f"No probe says when it was down: {objective.events} that were lost then are not in the figure."
    if lacking := max((told.facts[day].lacking for day in told.span.days if day in told.facts), default=0):
        yield (
            f"What was lost while it was down is not known well: {words.several(lacking, 'day')} more of the same kind"
            " would be needed to say what such an hour brings."
        )
    if verdict.is_met or verdict.is_missed:
        yield from _not_firm(objective, totals)


def _not_firm(objective: Objective, totals: Totals) -> Iterator[str]:
    """That a verdict rests on an estimate, where a tenth of that would turn it."""
    if objective.kind is not m.ObjectiveKind.RATIO or totals.imputed <= 0:
        return

    def is_missed(factor: float) -> bool:
        share = maths.combined(Totals(good=totals.good, total=totals.total, imputed=totals.imputed * factor))
        return share is not None and share < objective.target

    if is_missed(1 - NOT_FIRM) != is_missed(1 + NOT_FIRM):
        yield (
            f"It is too close to call: {totals.imputed:,.0f} {objective.events} that could not be made are an estimate,"
            f" and {whole_percent(NOT_FIRM)} more or fewer of them would turn the verdict."
        )


def warnings(told: Told) -> Iterator[str]:
    """What is doubtful in how it was measured."""
    asked: list[tuple[date, str]] = []
    for day in told.span.days:
        fact = told.facts.get(day)
        if fact and fact.totals.measured > 0 and (not asked or asked[-1][1] != fact.question):
            asked.append((day, fact.question))
    for day, _ in asked[1:]:
        yield f"The question was changed on {spoken(day)}; the days before were asked the old way."
    days = [day for day in told.span.days if day in told.facts]
    yield from dict.fromkeys(warning for day in days for warning in told.facts[day].warnings)
    if told.objective.kind is m.ObjectiveKind.RATIO:
        for day in days:
            yield from _contradictions(told, day)


def _contradictions(told: Told, day: date) -> Iterator[str]:
    """Where the probe was answered while most requests failed: one of the two looks at the wrong thing."""
    for dip in told.facts[day].dips:
        length = dip.end - dip.start
        if length >= LONG and dip.down < length / 10 and dip.bad > dip.events / 2 and dip.events > FEW_EVENTS:
            if told.day(day).probed < HALF_A_DAY:
                continue
            began = f"{dip.start // 60:02d}:{dip.start % 60:02d}"
            yield (
                f"Two answers differ: on {spoken(day)} from {began} UTC the probe was answered while"
                f" {percent(min(1.0, dip.bad / dip.events))} of {told.objective.events} failed."
            )
