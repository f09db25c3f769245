"""Facts on the ledger's shelf: kept as rows, taken down as values."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sutazai_ops.ledger import FactEntry, QuestionEntry
from sutazai_ops.slo.facts import DONORS_REACH, SETTLED_AFTER, of_detail, to_detail
from sutazai_ops.slo.questions import identity, questions
from sutazai_ops.uncollected import uncollected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from sutazai_ops.ledger import Ledger
    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.objective import Objective

DAY = timedelta(days=1)


def keep(ledger: Ledger, facts: Sequence[Fact]) -> None:
    """Write facts down, each in the place of the one of its objective and day."""
    ledger.record_facts([_entry(fact) for fact in facts])


def keep_questions(ledger: Ledger, objectives: Iterable[Objective], now: datetime) -> None:
    """Write down what is asked, so that a fact can be told when its objective is long gone or asks otherwise."""
    ledger.record_questions(
        [
            QuestionEntry(
                question=identity(objective),
                objective=objective.name,
                definition=objective.model_dump(mode="json", exclude_defaults=True),
                asked=[{"purpose": one.purpose, "text": one.text} for one in questions(objective).all()],
                first_asked_at=now,
            )
            for objective in objectives
        ]
    )


def take_down(
    ledger: Ledger, first: date, last: date, objectives: Collection[str] | None = None
) -> dict[str, dict[date, Fact]]:
    """The facts of these days, both ends among them, by objective and day; of all objectives for None."""
    found: dict[str, dict[date, Fact]] = {}
    with uncollected():
        for entry in ledger.facts_between(first, last, objectives):
            fact = of_detail(
                entry.objective, entry.day, entry.question, entry.detail, entry.warnings, entry.computed_at
            )
            found.setdefault(entry.objective, {})[entry.day] = fact
    return found


def neighbours(ledger: Ledger, days: Collection[date], objectives: Collection[str]) -> dict[str, dict[date, Fact]]:
    """The facts of these days and of those around them that say what an hour would have brought."""
    return take_down(ledger, min(days) - DONORS_REACH, max(days) + DONORS_REACH, objectives)


def unsettled(
    objectives: Iterable[Objective], facts: Mapping[str, Mapping[date, Fact]], first: date, today: date
) -> list[date]:
    """The days from `first` to today of which a fact is missing or may still change, the earliest first."""
    days = [first + DAY * number for number in range((today - first).days + 1)]
    names = [objective.name for objective in objectives]
    return [day for day in days if any(_may_change(facts.get(name, {}).get(day), today) for name in names)]


def _may_change(fact: Fact | None, today: date) -> bool:
    if fact is None:
        return True
    # What only waits for other days to say what was lost is worth one look a day.
    is_over = fact.computed_at >= fact.start + DAY + SETTLED_AFTER
    return not fact.is_final() and not (is_over and fact.computed_at.date() >= today)


def _entry(fact: Fact) -> FactEntry:
    totals = fact.totals
    return FactEntry(
        objective=fact.objective,
        day=fact.day,
        question=fact.question,
        good=totals.good,
        total=totals.total,
        imputed=totals.imputed,
        probe_ok=totals.ok,
        probed=totals.probed,
        measured=totals.measured,
        expected=totals.expected,
        final=fact.is_final(),
        warnings=list(fact.warnings),
        detail=to_detail(fact),
        computed_at=fact.computed_at,
    )
