"""Days of a made-up shop, as they were measured, and the facts of them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta

from sutazai_ops.slo.day import STEPS, Measured, make_fact
from sutazai_ops.slo.facts import DAY_MINUTES, Fact
from sutazai_ops.slo.objective import Objective, usual_indicator
from sutazai_ops.slo.report_model import ObjectiveKind

DAY = date(2026, 10, 14)  # a Wednesday
LATER = datetime(2026, 12, 1, tzinfo=UTC)
PER_STEP = 300.0

ANSWERS = Objective(
    name="answers", kind=ObjectiveKind.RATIO, target=0.999, **usual_indicator(ObjectiveKind.RATIO, "shop")
)
UP = Objective(name="up", kind=ObjectiveKind.PROBE, target=0.999, **usual_indicator(ObjectiveKind.PROBE, "shop"))
FAST = Objective(
    name="fast",
    kind=ObjectiveKind.LATENCY,
    target=0.95,
    within="200ms",
    **usual_indicator(ObjectiveKind.LATENCY, "shop"),
)


def measured(day: date = DAY, **changes: object) -> Measured:
    """A day on which all was well: one request a second, all answered."""
    usual: dict[str, object] = {
        "elapsed": DAY_MINUTES,
        "ok": [1.0] * DAY_MINUTES,
        "probed": [1.0] * DAY_MINUTES,
        "scraped": [1.0] * DAY_MINUTES,
        "total": [PER_STEP] * STEPS,
        "good": [PER_STEP] * STEPS,
        "seen": [True] * STEPS,
    }
    return Measured(day, **{**usual, **changes})  # type: ignore[arg-type]


def fact(what: Measured, objective: Objective = ANSWERS, others: list[Fact] | None = None) -> Fact:
    return make_fact(objective, "q", what, usual_days() if others is None else others, LATER)


def usual_days(count: int = 14) -> list[Fact]:
    return [
        make_fact(ANSWERS, "q", measured(DAY - timedelta(days=number)), [], LATER) for number in range(1, count + 1)
    ]


def without(values: list[float], start: int, end: int, value: float = 0.0) -> list[float]:
    return [*values[:start], *[value] * (end - start), *values[end:]]


def dead_from(hour: int, minutes: int) -> Measured:
    """The process is dead: the probe fails, and there is nothing to scrape."""
    start, end = hour * 60, hour * 60 + minutes
    steps = (start // 5, end // 5)
    return measured(
        ok=without([1.0] * DAY_MINUTES, start, end),
        scraped=without([1.0] * DAY_MINUTES, start, end),
        total=without([PER_STEP] * STEPS, *steps),
        good=without([PER_STEP] * STEPS, *steps),
        seen=[not steps[0] <= step < steps[1] for step in range(STEPS)],
    )


def gap(start: int, end: int, day: date = DAY) -> Measured:
    """Prometheus is dead between two minutes."""
    hole = without([1.0] * DAY_MINUTES, start, end)
    seen = [not start // 5 <= step < end // 5 for step in range(STEPS)]
    return measured(day, probed=hole, ok=hole, scraped=hole, seen=seen)


def fields(one: Fact) -> dict[str, object]:
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one) if field.init}
