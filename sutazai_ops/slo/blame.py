"""What spent the budget: the dips of an objective, each with the event that was nearest. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sutazai_ops.reports.figures import minutes, percent
from sutazai_ops.slo.report_model import Dip, EventReference, LaneKind, ObjectiveKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from sutazai_ops.slo.facts import Fact, Stretch
    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.report_model import Event, Lane

CAUSES = (
    LaneKind.DEPLOYMENT, LaneKind.ROLL_BACK, LaneKind.REMEDIATION, LaneKind.DRILL, LaneKind.BACKUP, LaneKind.OVERRIDE,
)  # fmt: skip
"""What may have brought a dip about; an incident is what it was called, and comes last."""
NEAR = timedelta(hours=1)
NEAR_ELSEWHERE = timedelta(minutes=10)
"""How long after an event of the same service, and of another one, a dip may have to do with it."""
CLOCKS = timedelta(minutes=3)
"""A dip is seen in steps of up to five minutes, so it may seem to begin a little before its cause."""
JOINED = timedelta(minutes=10)
LISTED = 12
LEAST_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch with its moments."""

    start: datetime
    end: datetime
    stretch: Stretch


def dips_of(
    objective: Objective,
    facts: Iterable[Fact],
    lanes: Sequence[Lane],
    share_of: Callable[[float], float],
    budget_minutes: float,
) -> tuple[tuple[Dip, ...], float]:
    """The dips of a period, the dearest first, and what those that are not listed spent together.

    Args:
        objective: whose.
        facts: of the period.
        lanes: what happened.
        share_of: the share of the period's budget that so many bad events, or minutes down, have spent.
        budget_minutes: the period's budget.
    """
    found = [_dip(objective, spell, lanes, share_of, budget_minutes) for spell in _joined(_spells(facts))]
    found.sort(key=lambda dip: (-dip.budget_share, dip.start))
    listed = [dip for dip in found if dip.budget_share >= LEAST_SHARE][:LISTED]
    return tuple(listed), sum(dip.budget_share for dip in found[len(listed) :])


def _spells(facts: Iterable[Fact]) -> Iterator[Spell]:
    for fact in sorted(facts, key=lambda one: one.day):
        for stretch in sorted(fact.dips, key=lambda one: one.start):
            yield Spell(fact.moment(stretch.start), fact.moment(stretch.end), stretch)


def _joined(spells: Iterable[Spell]) -> list[Spell]:
    """Spells over midnight are one."""
    found: list[Spell] = []
    for spell in spells:
        last = found[-1] if found else None
        if last and spell.start.date() != last.start.date() and spell.start - last.end <= JOINED:
            found[-1] = Spell(last.start, spell.end, _sum(last.stretch, spell.stretch))
        else:
            found.append(spell)
    return found


def _sum(one: Stretch, other: Stretch) -> Stretch:
    return replace(
        one,
        end=other.end,
        bad=one.bad + other.bad,
        imputed=one.imputed + other.imputed,
        down=one.down + other.down,
        events=one.events + other.events,
    )


def _dip(
    objective: Objective,
    spell: Spell,
    lanes: Sequence[Lane],
    share_of: Callable[[float], float],
    budget_minutes: float,
) -> Dip:
    stretch = spell.stretch
    share = share_of(stretch.bad + stretch.imputed if objective.counts_events else stretch.down)
    near = _nearest(objective, spell, lanes)
    return Dip(
        start=spell.start,
        end=spell.end,
        minutes=round(share * budget_minutes, 3),
        bad=round(stretch.bad, 2),
        imputed=round(stretch.imputed, 2),
        down_minutes=round(stretch.down, 2),
        budget_share=round(share, 6),
        sentence=f"{_what(objective, spell)}{_when(spell, near)}",
        event=EventReference(lane=near[0].kind, id=near[1].id) if near else None,
        distance_seconds=round((spell.start - near[1].start).total_seconds()) if near else None,
    )


def _what(objective: Objective, spell: Spell) -> str:
    stretch = spell.stretch
    length = minutes((spell.end - spell.start).total_seconds() / 60)
    down = minutes(stretch.down)
    if not objective.counts_events:
        state = "down" if objective.kind is ObjectiveKind.PROBE else "too old"
        return f"{state} for {down}" + ("" if down == length else f" within {length}")
    if stretch.imputed >= stretch.bad:
        return f"no answer for {down}"
    slow = "were too slow" if objective.kind is ObjectiveKind.LATENCY else "failed"
    share = stretch.bad / stretch.events if stretch.events else 1.0
    lost = f", and it was down for {down}" if stretch.imputed else ""
    return f"{percent(min(1.0, share))} of {objective.events} {slow} for {length}{lost}"


def _when(spell: Spell, near: tuple[Lane, Event] | None) -> str:
    if near is None:
        return "; no event was near"
    event = near[1]
    outcome = f" ({event.outcome})" if event.outcome else ""
    if near[0].kind is LaneKind.INCIDENT:
        return f"; incident {event.id}: {event.title}"
    apart = (spell.start - event.start).total_seconds()
    if event.end is not None and event.start <= spell.start <= event.end:
        return f", during {event.title}{outcome}"
    if abs(apart) < 60:  # noqa: PLR2004  (less than what can be told apart)
        return f", at the same time as {event.title}{outcome}"
    return f", {minutes(abs(apart) / 60)} {'after' if apart > 0 else 'before'} {event.title}{outcome}"


def _nearest(objective: Objective, spell: Spell, lanes: Sequence[Lane]) -> tuple[Lane, Event] | None:
    """The event of a cause's kind that began last before the dip; else the incident that it was."""
    near = [
        (lane, event)
        for lane in lanes
        if lane.kind in CAUSES
        for event in lane.events
        if -CLOCKS <= spell.start - (event.end or event.start) <= _reach(objective, event)
        or event.start <= spell.start <= (event.end or event.start)
    ]
    if near:
        return min(near, key=lambda one: (not _concerns(objective, one[1]), abs(spell.start - one[1].start), one[1].id))
    incidents = [
        (lane, event)
        for lane in lanes
        if lane.kind is LaneKind.INCIDENT
        for event in lane.events
        if _concerns(objective, event) and event.start <= spell.end and spell.start <= (event.end or event.start) + NEAR
    ]
    return min(incidents, key=lambda one: abs(spell.start - one[1].start), default=None)


def _concerns(objective: Objective, event: Event) -> bool:
    return not event.services or objective.service is None or objective.service in event.services


def _reach(objective: Objective, event: Event) -> timedelta:
    return NEAR if _concerns(objective, event) else NEAR_ELSEWHERE
