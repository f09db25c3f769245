"""All that a report on one objective is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sutazai_ops.slo import maths
from sutazai_ops.slo.life import totals_of_day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from sutazai_ops.slo import report_model as m
    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.life import Life
    from sutazai_ops.slo.maths import Totals
    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.period import Span

DAY_MINUTES = 1440.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for facts of one hash."""

    purpose: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """All that a report on one objective is made of."""

    objective: Objective
    facts: Mapping[date, Fact]
    life: Life
    span: Span
    as_of: datetime | None
    """When the newest fact of the period was computed."""
    lanes: Sequence[m.Lane]
    asked: Mapping[str, Sequence[Asked]]
    """By the hash of the question."""
    lately: Life
    """As `life`, for the rolling window."""
    _days: dict[date, Totals] = field(default_factory=dict, repr=False, compare=False)
    _minutes: list[float] = field(default_factory=list, repr=False, compare=False)

    def day(self, day: date) -> Totals:
        """What a day of the period came to."""
        if day not in self._days:
            self._days[day] = totals_of_day(day, self.facts.get(day), self.life, self.as_of)
        return self._days[day]

    def late(self, days: Sequence[date]) -> Totals:
        """What the days of the rolling window came to."""
        return maths.add_up(totals_of_day(day, self.facts.get(day), self.lately, self.as_of) for day in days)

    def totals(self, days: Sequence[date]) -> Totals:
        """What some days came to."""
        return maths.add_up(self.day(day) for day in days)

    @property
    def minutes(self) -> float:
        """Of the period, those in which the objective is held, days to come among them."""
        if not self._minutes:
            held = sum(DAY_MINUTES for day in self.span.days if self.life.holds(day))
            self._minutes.append(max(held, self.totals(self.span.days).expected))
        return self._minutes[0]
