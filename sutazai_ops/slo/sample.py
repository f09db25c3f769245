"""A made-up month, told by the same code as a real one: what a report looks like before there is anything to report.

The story stands below as data: which objectives there are, what befell them, what was done. From it, minute by minute,
comes what would have been measured, and from there on everything is the real thing: facts, figures, sentences. Nothing
is random and nothing asks a clock, so the sample is the same every time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.platform import Criticality
from sutazai_ops.slo.day import STEP_MINUTES, STEPS, Measured, make_fact
from sutazai_ops.slo.facts import DAY_MINUTES
from sutazai_ops.slo.objective import Journey, Objective, usual_indicator
from sutazai_ops.slo.period import month
from sutazai_ops.slo.questions import identity, questions
from sutazai_ops.slo.report import Head, Material, make_report
from sutazai_ops.slo.report_model import Event, Lane, LaneKind, ObjectiveKind
from sutazai_ops.slo.timeline import TITLES
from sutazai_ops.slo.told import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.report_model import Report

MONTH = month("2026-10")
EDGES = ("0.05", "0.1", "0.2", "0.5", "1.0", "+Inf")
"""Of the histogram; the third is the limit that is promised."""
_FAST = (0.52, 0.84, 0.973, 0.994, 0.999, 1.0)
"""Of all answers, those at or below each edge on a usual day."""
_SLOW = (0.18, 0.41, 0.71, 0.93, 0.985, 1.0)
"""And on a slow one."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that befell some objectives."""

    objectives: frozenset[str]
    start: datetime
    end: datetime
    failing: float = 0.0
    """The share of requests that failed; 1 is an outage, in which none could be made and no probe was answered."""
    unseen: bool = False
    """Nobody measured them."""


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of the month."""
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


def _objective(name: str, kind: ObjectiveKind, service: str, **said: object) -> Objective:
    return Objective.model_validate(
        {"name": name, "kind": kind, "service": service, "owner": "platform", **usual_indicator(kind, service), **said}
    )


OBJECTIVES = (
    _objective(
        "front-page",
        ObjectiveKind.PROBE,
        "frontend",
        title="the site opens",
        criticality=Criticality.CRITICAL,
        target=0.999,
        journey=Journey(title="Opening the site", weight=3),
    ),
    _objective(
        "chat-answers",
        ObjectiveKind.RATIO,
        "backend",
        title="the chat answers",
        criticality=Criticality.CRITICAL,
        target=0.995,
        total='http_requests_total{service="backend",endpoint=~".*/chat"}',
        bad='http_requests_total{service="backend",endpoint=~".*/chat",status=~"5.."}',
        journey=Journey(title="Asking in the chat", weight=2),
    ),
    _objective(
        "agent-tasks",
        ObjectiveKind.RATIO,
        "backend",
        title="agents finish their tasks",
        criticality=Criticality.HIGH,
        target=0.99,
        events="tasks",
        total="agent_tasks_total",
        good='agent_tasks_total{status="done"}',
        bad=None,
        journey=Journey(title="Giving a task to an agent", weight=2),
    ),
    _objective(
        "backend-answers",
        ObjectiveKind.RATIO,
        "backend",
        title="backend answers requests",
        criticality=Criticality.CRITICAL,
        target=0.999,
        runbook="https://docs.example.org/runbooks/backend-answers",
    ),
    _objective(
        "backend-is-fast",
        ObjectiveKind.LATENCY,
        "backend",
        title="backend is fast",
        criticality=Criticality.CRITICAL,
        target=0.95,
        within="200ms",
    ),
    _objective(
        "backend-is-up",
        ObjectiveKind.PROBE,
        "backend",
        title="backend is up",
        criticality=Criticality.CRITICAL,
        target=0.999,
    ),
    _objective(
        "postgres-is-up",
        ObjectiveKind.PROBE,
        "postgres",
        title="postgres is up",
        criticality=Criticality.CRITICAL,
        target=0.999,
    ),
    _objective(
        "search-is-up",
        ObjectiveKind.PROBE,
        "search",
        title="search is up",
        owner="ai",
        target=0.99,
        since=date(2026, 10, 20),
    ),
    _objective(
        "flow-builder-answers",
        ObjectiveKind.RATIO,
        "flow-builder",
        title="the flow builder answers",
        owner="ai",
        target=0.99,
    ),
    Objective.model_validate(
        {
            "name": "backup-is-fresh",
            "kind": ObjectiveKind.FRESHNESS,
            "title": "a verified backup is younger than 36 hours",
            "owner": "platform",
            "target": 0.99,
            "age": "sutazai_backup_verified_age_seconds",
            "within": "36h",
        }
    ),
)

_ALL = frozenset(one.name for one in OBJECTIVES)
_OF_BACKEND = frozenset({"backend-answers", "backend-is-fast", "backend-is-up", "chat-answers", "agent-tasks"})
TROUBLES = (
    Trouble(frozenset({"front-page"}), at(6, 9, 1), at(6, 9, 10), failing=1),
    Trouble(frozenset({"backend-is-fast"}), at(8, 9), at(8, 16), failing=0.24),
    Trouble(_OF_BACKEND, at(13, 10, 12), at(13, 10, 57), failing=1),
    Trouble(frozenset({"front-page"}), at(13, 10, 14), at(13, 10, 20), failing=1),
    Trouble(frozenset({"backend-answers", "chat-answers"}), at(22, 18), at(22, 20), failing=0.021),
    Trouble(frozenset({"agent-tasks"}), at(22, 8), at(22, 20), failing=0.12),
    Trouble(_ALL - {"backup-is-fresh"}, at(18, 14), at(18, 15, 58), unseen=True),
    Trouble(frozenset({"backup-is-fresh"}), at(18, 14), at(20, 21, 30), unseen=True),
    Trouble(frozenset({"flow-builder-answers"}), at(1), at(31) + timedelta(days=1), unseen=True),
)
PER_STEP: Mapping[str, float] = {
    "backend-answers": 1450,
    "backend-is-fast": 1450,
    "chat-answers": 85,
    "agent-tasks": 0.42,
}
"""Events in five minutes of a working day's busiest hour."""
WEAR: Mapping[str, float] = {
    "backend-answers": 0.000_21,
    "chat-answers": 0.0011,
    "agent-tasks": 0.004,
    "backend-is-fast": 0.027,
}
"""The share of them that fails when nothing is wrong."""


def sample_report() -> Report:
    """The report of the made-up month, marked as a sample."""
    facts = {one.name: _facts(one) for one in OBJECTIVES}
    asked = {
        identity(one): tuple(Asked(question.purpose, question.text) for question in questions(one).all())
        for one in OBJECTIVES
    }
    return make_report(
        Head(environment="production", source="a made-up month", sample=True),
        Material(
            span=MONTH,
            objectives={one.name: one for one in OBJECTIVES},
            facts=facts,
            lanes=[
                Lane(kind=kind, title=TITLES[kind], recorded=True, events=tuple(_EVENTS.get(kind, ())))
                for kind in LaneKind
            ],
            asked=asked,
        ),
    )


def _facts(objective: Objective) -> dict[date, Fact]:
    """A day on which something was lost is made twice, since the other days tell how much."""
    days = [day for day in MONTH.days if objective.since is None or day >= objective.since]
    measured = dict(zip(days, _measured(objective, days), strict=True))
    first = {day: _fact(objective, one, ()) for day, one in measured.items()}
    again = {
        day: _fact(objective, measured[day], [fact for other, fact in first.items() if other != day])
        for day, fact in first.items()
        if fact.lacking
    }
    return {**first, **again}


def _fact(objective: Objective, measured: Measured, others: Sequence[Fact]) -> Fact:
    computed_at = datetime.combine(measured.day, datetime.min.time(), UTC) + timedelta(days=1, hours=2, seconds=7)
    return make_fact(objective, identity(objective), measured, others, computed_at)


def _measured(objective: Objective, days: Sequence[date]) -> Iterator[Measured]:
    """What would have been measured: the fractions of what came and of what failed are carried over, never drawn."""
    came = failed = 0.0
    for day in days:
        midnight = datetime.combine(day, datetime.min.time(), UTC)
        over = midnight + timedelta(days=1)
        troubles = [
            one for one in TROUBLES if objective.name in one.objectives and one.start < over and midnight < one.end
        ]
        probed = [0.0 if _is(midnight, minute, troubles, unseen=True) else 1.0 for minute in range(DAY_MINUTES)]
        up = [0.0 if _is(midnight, minute, troubles, failing=1) else seen for minute, seen in enumerate(probed)]
        total, good, slow = [], [], 0.0
        for step in range(STEPS):
            when = midnight + timedelta(minutes=step * STEP_MINUTES)
            there = math.fsum(up[step * STEP_MINUTES : (step + 1) * STEP_MINUTES]) / STEP_MINUTES
            came += PER_STEP.get(objective.name, 0.0) * _busy(when) * there
            share = next((one.failing for one in troubles if one.start <= when < one.end and one.failing < 1), 0.0)
            whole = math.floor(came)
            came -= whole
            failed += whole * (WEAR.get(objective.name, 0.0) + share)
            bad = min(whole, math.floor(failed))
            failed -= bad
            slow += share * whole
            total.append(float(whole))
            good.append(float(whole - bad))
        yield Measured(
            day=day,
            elapsed=DAY_MINUTES,
            ok=up,
            probed=probed,
            total=total if objective.counts_events else (),
            good=good if objective.counts_events else (),
            seen=[probed[step * STEP_MINUTES] > 0 for step in range(STEPS)] if objective.counts_events else (),
            buckets=_buckets(total, good) if objective.kind is ObjectiveKind.LATENCY else {},
        )


def _is(
    midnight: datetime, minute: int, troubles: Sequence[Trouble], *, unseen: bool = False, failing: float = 0.0
) -> bool:
    when = midnight + timedelta(minutes=minute)
    return any(
        one.start <= when < one.end and (one.unseen if unseen else one.failing >= failing > 0) for one in troubles
    )


def _busy(when: datetime) -> float:
    """How busy it is: little at night, most before and after noon, less at the weekend."""
    hour = when.hour + when.minute / 60
    by_day = 0.08 + 0.92 * max(0.0, math.sin(math.pi * (hour - 6) / 15)) ** 1.3 * (6 <= hour <= 21)  # noqa: PLR2004
    return float(by_day * (0.35 if when.weekday() >= 5 else 1.0))  # noqa: PLR2004  (Saturday and Sunday)


def _buckets(total: Sequence[float], good: Sequence[float]) -> dict[str, float]:
    """A histogram whose third edge holds what was fast enough, and whose shape goes from fast to slow with it."""
    whole, within = math.fsum(total), math.fsum(good)
    slowness = min(1.0, max(0.0, (_FAST[2] - within / whole) / (_FAST[2] - _SLOW[2]))) if whole else 0.0
    shares = [fast + (slow - fast) * slowness for fast, slow in zip(_FAST, _SLOW, strict=True)]
    counts = {edge: float(round(share * whole)) for edge, share in zip(EDGES, shares, strict=True)}
    return {**counts, EDGES[2]: within}


def _event(
    identifier: str, start: datetime, lasts_minutes: float, title: str, *, well: bool | None = True, **said: object
) -> Event:
    end = start + timedelta(minutes=lasts_minutes) if lasts_minutes else None
    return Event.model_validate(
        {"id": identifier, "start": start, "end": end, "title": title, "went_well": well, **said}
    )


_EVENTS: Mapping[LaneKind, Sequence[Event]] = {
    LaneKind.DEPLOYMENT: (
        _event("40", at(6, 9), 10, "release 40 of core", outcome="good", actor="anna", services=("frontend",)),
        _event(
            "41",
            at(13, 10, 9),
            3,
            "release 41 of core",
            well=False,
            outcome="failed",
            detail="backend: readiness says 503",
            actor="anna",
            services=("backend",),
        ),
        _event("43", at(14, 13, 30), 4, "release 43 of core", outcome="good", actor="anna", services=("backend",)),
        _event("44", at(20, 9), 6, "release 44 of vector-databases", outcome="good", actor="ben", services=("search",)),
        _event("45", at(27, 9, 30), 5, "release 45 of ai-services", outcome="good", actor="ben"),
    ),
    LaneKind.ROLL_BACK: (
        _event("42", at(13, 10, 55), 2, "core back to release 40", outcome="good", actor="anna", services=("backend",)),
    ),
    LaneKind.INCIDENT: (
        _event(
            "88",
            at(13, 10, 13),
            45,
            "backend is down",
            well=None,
            outcome="resolved",
            services=("backend",),
            link="https://dagster.example.org/runs/8f2c41d7",
        ),
        _event(
            "89", at(22, 18, 9), 116, "errors burn the budget", well=None, outcome="resolved", services=("backend",)
        ),
    ),
    LaneKind.REMEDIATION: (
        _event(
            "7",
            at(13, 10, 15),
            1,
            "restart of backend",
            well=False,
            outcome="failed",
            actor="playbook service-down",
            services=("backend",),
        ),
        _event(
            "8",
            at(22, 19, 58),
            0.5,
            "restart of backend",
            outcome="good",
            actor="playbook errors",
            services=("backend",),
        ),
    ),
    LaneKind.DRILL: (
        _event(
            "3",
            at(15, 11),
            9,
            "restore of the newest backup",
            outcome="good",
            detail="back after 49 s, nothing lost",
            actor="ben",
        ),
    ),
    LaneKind.BACKUP: tuple(
        _event(
            f"{day:%Y-%m-%d}",
            datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=2),
            1.5,
            "nightly backup",
            well=day.day != 24,  # noqa: PLR2004
            outcome="failed" if day.day == 24 else "verified",  # noqa: PLR2004
            detail="the disk was full" if day.day == 24 else "",  # noqa: PLR2004
        )
        for day in MONTH.days
    ),
    LaneKind.SILENCE: (_event("s-1", at(20, 8, 50), 30, "new search", well=None, actor="ben", services=("search",)),),
    LaneKind.OVERRIDE: (
        _event(
            "1",
            at(14, 13, 30),
            0,
            "the budget of backend-answers was spent",
            well=None,
            actor="anna",
            detail="release 43 mends what release 41 broke",
        ),
    ),
}
