"""The page of one incident: what broke, since when, what was decided and done, how it was then, and what to do next.

All of it stands in the ledger and in the diagnostics; the same facts give the same bytes. The draft of what is written
after an incident is the same as Markdown, with room for what only people know.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from sutazai_ops import __version__
from sutazai_ops.monitoring.rules import runbook_of
from sutazai_ops.monitoring.thresholds import Side
from sutazai_ops.monitoring.wording import show
from sutazai_ops.remediation.incidents import BREAKS, broke_at, broken_stretches, with_followers
from sutazai_ops.remediation.situation import HELPED, NOTHING
from sutazai_ops.reports import chart, figures, lanes, markdown
from sutazai_ops.reports.frame import Figure, FirstScreen, Foot, Head
from sutazai_ops.reports.look import Tone
from sutazai_ops.reports.page import render, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sutazai_ops.ledger import IncidentEntry, IncidentEventEntry, RepairEntry
    from sutazai_ops.remediation.curves import Curve

ROUND = timedelta(minutes=5)
HEIGHT = 88.0
"""Of a panel, in pixels; it is never stretched."""
LINE = 15.0
"""Pixels that a line of small print needs."""
TONES = {
    HELPED: Tone.GOOD,
    NOTHING: Tone.QUIET,
    "": Tone.UNKNOWN,
}
"""Of what a repair came to; any other outcome is bad."""
PEOPLE = {
    "escalated": "given to a person",
    "acknowledged": "taken over",
    "approved": "agreed to",
    "withdrawn": "not agreed to any more",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of an incident."""

    incident: IncidentEntry
    events: Sequence[IncidentEventEntry]
    repairs: Sequence[RepairEntry]
    environment: str
    runbooks_url: str
    diagnostics: str = ""
    """What was collected before the last repair."""
    budget: timedelta | None = None
    """How long the service may be away in a window by what is promised of it; None where nothing is."""
    curves: Sequence[Curve] = ()

    @property
    def last(self) -> datetime:
        """The newest moment that it says anything of."""
        moments = [self.incident.opened_at, *(one.at for one in self.events)]
        moments += [one.ended_at for one in self.repairs if one.ended_at]
        return max(moments)


@dataclass(frozen=True, slots=True)
class Panel:
    """The picture of one signal: places in it, and its words."""

    title: str
    of: str
    path: str
    level: float
    """Where the level is, in pixels from the top."""
    beyond: tuple[float, float]
    """From where to where it is broken."""
    labels: Sequence[tuple[float, str]]
    words: str


def to_html(facts: Facts) -> str:
    """The whole page."""
    axis = _axis(facts)
    return render("remediation/incident.html.jinja", **_values(facts), lanes=lanes.lay_out(_lanes(facts), axis),
                  ticks=axis.ticks(), panels=[panel(one, axis) for one in facts.curves])  # fmt: skip


def to_markdown(facts: Facts) -> str:
    """The draft of what is written after it."""
    return markdown.render("remediation/incident.md.jinja", **_values(facts))


def _values(facts: Facts) -> dict[str, Any]:
    incident = facts.incident
    return {
        "facts": facts,
        "incident": incident,
        "head": Head(
            kind="Incident",
            title=f"Incident {incident.number}: {incident.summary}",
            environment=facts.environment,
            time=f"since {figures.exact(incident.opened_at).removesuffix(' UTC')}",
            made=f"as of {figures.moment(facts.last)}",
        ),
        "screen": _screen(facts),
        "foot": Foot(
            source="the ledger",
            program=f"sutazai-ops {__version__}",
            again=f"sutazai-ops incidents report {incident.number}",
        ),
        "next": _next(incident),
        "alerts": [
            (
                one["threshold"],
                ", ".join(f"{name} {text}" for name, text in one["labels"].items()),
                runbook_of(one["threshold"], facts.runbooks_url),
            )
            for one in incident.alerts
        ],
        "tone_of": lambda outcome: TONES.get(outcome, Tone.BAD),
    }


def _screen(facts: Facts) -> FirstScreen:
    incident = facts.incident
    broken = sum(((end or facts.last) - start).total_seconds() for start, end in broken_stretches(facts.events))
    first = min((one.started_at for one in facts.repairs), default=None)
    began = broken_stretches(facts.events)[0][0] if broken_stretches(facts.events) else incident.opened_at
    tried = ", ".join(f"{one.rung} {one.outcome or 'under way'}" for one in facts.repairs) or "nothing was done"
    if incident.closed_at is not None:
        tone, verdict = Tone.GOOD, f"Over, {incident.outcome}"
    elif incident.broken_since is None:
        tone, verdict = Tone.GOOD_IN_PART, "Whole, and watched"
    else:
        tone, verdict = Tone.BAD, "Broken"
    told = incident.acknowledged_by or ("somebody was told" if incident.escalated_at else "nobody yet")
    return FirstScreen(
        tone=tone,
        verdict=verdict,
        sentence=f"{sentence(with_followers(incident))}. Tried: {tried}.",
        figures=[
            Figure("broken for", figures.minutes(broken / 60)),
            Figure("until something was done", "nothing was" if first is None else _between(began, first)),
            Figure("repairs", str(len(facts.repairs))),
            Figure("with", told),
            *_budget(facts),
        ],
    )


def _budget(facts: Facts) -> list[Figure]:
    """What of the service's budget the incident has spent, and what of that while it was being repaired."""
    if not facts.budget:
        return []
    lasted = [(start, end or facts.last) for start, end in broken_stretches(facts.events)]
    repairing = [(one.started_at, one.ended_at or facts.last) for one in facts.repairs if one.disrupts]
    spent = sum((end - start for start, end in lasted), timedelta())
    within = sum((_overlap(one, other) for one in lasted for other in repairing), timedelta())
    return [
        Figure("of its budget", figures.percent(spent / facts.budget)),
        Figure("of it during repairs", figures.percent(within / facts.budget)),
    ]


def _overlap(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> timedelta:
    return max(timedelta(), min(one[1], other[1]) - max(one[0], other[0]))


def _between(start: datetime, end: datetime) -> str:
    return figures.minutes(max(0.0, (end - start).total_seconds()) / 60)


def _next(incident: IncidentEntry) -> str:
    if incident.closed_at is not None:
        return f"sutazai-ops incidents show {incident.number}"
    if incident.acknowledged_at is None:
        return f"sutazai-ops incidents ack {incident.number}"
    return f"sutazai-ops logs {incident.service}" if incident.service else "sutazai-ops doctor"


def _axis(facts: Facts) -> chart.TimeAxis:
    """Whole five minutes around all of it."""
    begun = min(facts.incident.broken_since or facts.incident.opened_at, facts.incident.opened_at)
    begun = min([begun, *(start for start, _ in broken_stretches(facts.events)), *(one.start for one in facts.curves)])
    return chart.TimeAxis(_five_minutes(begun), _five_minutes(facts.last) + ROUND)


def _five_minutes(moment: datetime) -> datetime:
    there = moment.astimezone(UTC)
    return there - timedelta(minutes=there.minute % 5, seconds=there.second, microseconds=there.microsecond)


def panel(curve: Curve, axis: chart.TimeAxis) -> Panel:
    """A curve of which something is known, with its level; the scale holds nought, the level and every value."""
    known = [value for value in curve.values if value is not None]
    low, high = min(0.0, curve.level, *known), max(curve.level, *known)
    margin = (high - low or 1.0) * 0.08
    scale = chart.Scale(low - (margin if low < 0 else 0.0), high + margin, HEIGHT)
    points = [
        None if value is None else (axis.place(curve.moment(n)), scale.place(value))
        for n, value in enumerate(curve.values)
    ]
    worst = max(known) if curve.side is Side.ABOVE else min(known)
    level, most = (show(value, curve.unit) for value in (curve.level, worst))
    labels = [(scale.place(curve.level), level)]
    if abs(scale.place(worst) - scale.place(curve.level)) >= LINE:
        labels.append((scale.place(worst), most))
    of = ", ".join(curve.labels.values())
    end = "highest" if curve.side is Side.ABOVE else "lowest"
    beyond = (0.0, scale.place(curve.level)) if curve.side is Side.ABOVE else (scale.place(curve.level), HEIGHT)
    words = f"{curve.threshold} of {of or 'all'} over time: {most} at the {end}; broken {curve.side} {level}"
    return Panel(curve.threshold, of, chart.line(points), scale.place(curve.level), beyond, labels, words)


def _place(facts: Facts, begun: datetime) -> str:
    """The row of the event with which it broke."""
    return next(f"event-{n}" for n, one in enumerate(facts.events) if one.kind in BREAKS and broke_at(one) == begun)


def _lanes(facts: Facts) -> list[lanes.Lane]:
    broken = [
        lanes.Happening(_place(facts, start), start, end, "broken", Tone.BAD, ongoing=end is None)
        for start, end in broken_stretches(facts.events)
    ]
    repairs = [
        lanes.Happening(
            f"repair-{one.id}", one.started_at, one.ended_at, one.rung, TONES.get(one.outcome, Tone.BAD),
            one.outcome or "under way", ongoing=one.ended_at is None,
        )
        for one in facts.repairs
    ]  # fmt: skip
    people = [
        lanes.Happening(f"event-{n}", one.at, None, PEOPLE[one.kind], Tone.QUIET, one.text)
        for n, one in enumerate(facts.events)
        if one.kind in PEOPLE
    ]
    decided = [
        lanes.Happening(f"event-{n}", one.at, None, one.text, Tone.QUIET)
        for n, one in enumerate(facts.events)
        if one.kind == "verdict"
    ]
    named = {"broken": broken, "repairs": repairs, "people": people, "decided": decided}
    return [lanes.Lane(title, happenings) for title, happenings in named.items()]
