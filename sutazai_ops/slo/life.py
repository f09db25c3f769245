"""Since when an objective is held, and until when: a service that came on the 20th is not to blame for the 1st.

Days before the first measured one do not count where everything else was measured on them, so that the service was
really not there; where nothing was, the measuring was not there, and those days are not measured. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from sutazai_ops.slo.day import STEP_MINUTES
from sutazai_ops.slo.facts import DAY_MINUTES, Fact
from sutazai_ops.slo.maths import COVERED, Totals, coverage

if TYPE_CHECKING:
    from datetime import datetime

    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.period import Span

AllFacts = Mapping[str, Mapping[date, Fact]]
"""By objective and day."""


@dataclass(frozen=True, slots=True)
class Life:
    """The days on which an objective is held."""

    first: date | None = None
    """None where it was there before the period."""
    last: date | None = None
    """None where it still is."""

    def holds(self, day: date) -> bool:
        """Whether it is held on a day."""
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


def life_of(objective: Objective, facts: AllFacts, span: Span, *, is_gone: bool) -> Life:
    """When an objective is held within a period.

    Args:
        objective: which.
        facts: of all objectives, some from before the period among them.
        span: the period.
        is_gone: whether it is no longer an objective.
    """
    measured = sorted(day for day, fact in facts.get(objective.name, {}).items() if fact.totals.measured > 0)
    last = measured[-1] if is_gone and measured else None
    if objective.since is not None:
        return Life(objective.since if objective.since > span.first else None, last)
    first = measured[0] if measured else None
    if first is None or first <= span.first or not _was_measured(objective.name, facts, span.first, first):
        return Life(None, last)
    return Life(first, last)


def _was_measured(name: str, facts: AllFacts, first: date, until: date) -> bool:
    """Whether on almost all of these days something else was measured, and well."""
    well = {
        day
        for other, days in facts.items()
        if other != name
        for day, fact in days.items()
        if first <= day < until and coverage(fact.totals) >= COVERED
    }
    return len(well) >= COVERED * (until - first).days


def totals_of_day(day: date, fact: Fact | None, life: Life, as_of: datetime | None) -> Totals:
    """What a day came to, with what should have been measured of it up to `as_of`.

    A day without a fact is not measured. Of the day on which an objective began, no more is expected than from its
    first measured minute on.
    """
    if not life.holds(day):
        return Totals()
    if fact is None:
        return Totals(expected=_elapsed(day, as_of))
    totals = fact.totals
    # A fact that was computed before its day was over says nothing of the rest.
    totals = replace(totals, expected=max(totals.expected, _elapsed(day, as_of)))
    if day == life.first and fact.gaps and fact.gaps[0][0] == 0:
        return replace(totals, expected=max(totals.measured, totals.expected - fact.gaps[0][1]))
    return totals


def _elapsed(day: date, as_of: datetime | None) -> float:
    """Minutes of the day that were over; all where nobody knows what time it was."""
    if as_of is None or day < as_of.date():
        return DAY_MINUTES
    return 0.0 if day > as_of.date() else float((as_of.hour * 60 + as_of.minute) // STEP_MINUTES * STEP_MINUTES)
