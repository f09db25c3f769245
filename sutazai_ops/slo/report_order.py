"""What of a report is shown where there is not room for all: the dearest dips, the leanest budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.slo.report_model import Dip, Event, EventReference, ObjectiveReport, Report

MOST_PANELS = 5
"""So many budgets are drawn above the lanes."""
MOST_DIPS = 20
MOST_OF_ONE = 4
"""Of one objective, so that many small dips of it do not push the others off the list."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A dip in the list of what spent the budget."""

    number: int
    objective: str
    dip: Dip


def dearest(objectives: Sequence[ObjectiveReport]) -> list[Numbered]:
    """What spent the most, whichever objective it was of; the earlier first where two spent the same."""
    every = [(dip, one.name) for one in objectives for dip in one.dips[:MOST_OF_ONE]]
    every.sort(key=lambda pair: (-pair[0].budget_share, pair[0].start, pair[1]))
    return [Numbered(number, name, dip) for number, (dip, name) in enumerate(every[:MOST_DIPS], 1)]


def leanest(objectives: Sequence[ObjectiveReport]) -> list[ObjectiveReport]:
    """Those with the least budget left, of all that have a curve with anything in it."""
    lefts = [
        (one.budget.left_share, one.name, one)
        for one in objectives
        if one.budget and one.curve and any(left is not None for left in one.curve.left_share)
    ]
    return [one for _, _, one in sorted(lefts, key=lambda left: left[:2])[:MOST_PANELS]]


def event_of(report: Report, reference: EventReference | None) -> Event | None:
    """The event that a dip refers to; None where it refers to none, or to one that the report does not hold."""
    try:
        return None if reference is None else report.event(reference)
    except KeyError:
        return None
