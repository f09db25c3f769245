"""Figures and verdicts as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.reports.figures import minutes, percent, promised, whole_percent
from sutazai_ops.slo import maths
from sutazai_ops.slo.period import spoken
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.slo.maths import Totals
    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.report_model import Dip

WORTH_A_WORD = 0.05
"""A dip that spent less than this share of the budget is not what a sentence is for."""


def sentence(objective: Objective, totals: Totals, verdict: Verdict, dips: Sequence[Dip], since: str) -> str:
    """Why an objective has its verdict, in one sentence; `since` says from when on it is held, or nothing."""
    value = maths.figure(objective.kind, totals)
    if value is None:
        return _nothing(objective, totals)
    said = _figure(objective, value)
    if verdict is Verdict.INSUFFICIENT:
        return f"{said}; {_too_little(objective, totals)}."
    but = f" where {promised(objective.target)} was promised"
    tail = f"; {percent(1 - maths.coverage(totals))} of the time was not measured" if "coverage" in verdict else ""
    if verdict.is_missed:
        return f"{since}{said}{but}{_because(dips)}{tail}."
    spent = _spent(objective, totals)
    return f"{since}{said}{but}{spent}{tail}."


def _figure(objective: Objective, value: float) -> str:
    share = percent(value, objective.target)
    match objective.kind:
        case ObjectiveKind.PROBE:
            return f"it was answered {share} of the measured time"
        case ObjectiveKind.FRESHNESS:
            return f"it was fresh {share} of the measured time"
        case ObjectiveKind.LATENCY:
            return f"{share} of {objective.events} were fast enough"
        case _:
            return f"{share} of {objective.events} were good"


def _nothing(objective: Objective, totals: Totals) -> str:
    if totals.measured <= 0:
        return "nothing was measured."
    if objective.counts_events:
        return f"there were no {objective.events}."
    return "nothing was measured."


def _too_little(objective: Objective, totals: Totals) -> str:
    covered, seen = maths.coverage(totals), maths.events(objective.kind, totals)
    reasons = []
    if covered < maths.COVERED:
        reasons.append(f"only {percent(covered)} of the time was measured, and {promised(maths.COVERED)} is needed")
    if seen < objective.enough:
        counted = f"{seen:,.0f} {objective.events}" if objective.counts_events else minutes(seen)
        needed = f"{objective.enough:,.0f}" if objective.counts_events else minutes(objective.enough)
        reasons.append(f"{counted} are too few to tell {promised(objective.target)} from less, which takes {needed}")
    return " and ".join(reasons)


def _because(dips: Sequence[Dip]) -> str:
    if not dips or dips[0].budget_share < WORTH_A_WORD:
        return ", in many small pieces"
    first = dips[0]
    length = minutes((first.end - first.start).total_seconds() / 60)
    return f": {length} on {spoken(first.start.date())} alone spent {whole_percent(first.budget_share)} of the budget"


def _spent(objective: Objective, totals: Totals) -> str:
    found = maths.budget(objective.kind, totals, objective.target, totals.expected)
    if found is None:
        return ""
    if found.spent_share == 0:
        return "; nothing of the budget was spent"
    return f"; {whole_percent(found.spent_share)} of the budget was spent"


def capital(text: str) -> str:
    """A sentence with its first letter large."""
    return text[:1].upper() + text[1:]


def several(count: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> [several(1, "objective"), several(3, "day")]
    ['1 objective', '3 days']
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
