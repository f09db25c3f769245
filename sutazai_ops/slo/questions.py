"""An objective as PromQL: what is asked of Prometheus about one UTC day of it.

Counters are asked for as they stand and never as a rate: their differences are exact, whatever was missed in between,
and no ratio is formed before everything is added up. Gauges are averaged over steps of a minute, so that a day has as
many steps however often it was scraped.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.duration import format_duration
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.selectors import edge_matcher

if TYPE_CHECKING:
    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.selectors import Selector

MINUTE = 60
WINDOW = 300
"""The seconds between two readings of a counter."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that is asked, and why."""

    purpose: str
    text: str
    step: int
    """Seconds between two answers; the text looks back as far."""


@dataclass(frozen=True, slots=True)
class Questions:
    """All that is asked about one objective."""

    up: Question | None = None
    unknown: Question | None = None
    stopped: Question | None = None
    age: Question | None = None
    scraped: Question | None = None
    """Whether the targets that count were scraped: absent series of one that was mean that nothing happened yet."""
    total: Question | None = None
    good: Question | None = None
    bad: Question | None = None
    buckets: Question | None = None

    def all(self) -> list[Question]:
        """Those that are asked."""
        found = (getattr(self, name) for name in self.__slots__)
        return [question for question in found if question is not None]


def questions(objective: Objective) -> Questions:
    """What is asked about an objective."""
    slot = slot_seconds(objective.every)
    gauge = {
        "up": _gauge("probe, each minute", "avg_over_time", objective.selector("up"), slot),
        "unknown": _gauge("probe not made, each minute", "max_over_time", objective.selector("unknown"), slot),
        "stopped": _gauge("not running, each minute", "max_over_time", objective.selector("stopped"), slot),
    }
    match objective.kind:
        case ObjectiveKind.PROBE:
            return Questions(**gauge)
        case ObjectiveKind.FRESHNESS:
            return Questions(age=_gauge("age, each minute", "max_over_time", objective.selector("age"), slot))
        case ObjectiveKind.RATIO:
            total = objective.selector("total")
            return Questions(
                **gauge,
                scraped=_scraped(total, slot),
                total=_counter("events, every 5 minutes", total),
                good=_counter("good events, every 5 minutes", objective.selector("good")),
                bad=_counter("bad events, every 5 minutes", objective.selector("bad")),
            )
        case _:
            return _latency(objective, gauge, slot)


def identity(objective: Objective) -> str:
    """A hash of what is asked: facts of the same one may be added up without a word, of others not."""
    asked = {
        "kind": objective.kind,
        "within": objective.within,
        "questions": [question.text for question in questions(objective).all()],
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def slot_seconds(every: float) -> int:
    """How long a step has to be to surely hold a sample where they come so often; whole minutes."""
    return MINUTE if every * 2 <= MINUTE else math.ceil(every * 1.5 / MINUTE) * MINUTE


def _latency(objective: Objective, gauge: dict[str, Question | None], slot: int) -> Questions:
    histogram = objective.selector("histogram")
    assert histogram is not None  # noqa: S101  (a latency has one)
    buckets = histogram.called(f"{histogram.name}_bucket")
    counted = histogram.called(f"{histogram.name}_count")
    limit = objective.within or 0
    return Questions(
        **gauge,
        scraped=_scraped(histogram, slot),
        total=_counter("answers, every 5 minutes", counted),
        good=_counter(f"answers within {limit:g} s, every 5 minutes", buckets.and_(edge_matcher(limit))),
        buckets=Question("answers by how long they took, each day", f"sum by (le) (increase({buckets}[1d]))", 86_400),
    )


def _gauge(purpose: str, function: str, selector: Selector | None, slot: int) -> Question | None:
    return None if selector is None else Question(purpose, f"{function}({selector}[{format_duration(slot)}])", slot)


def _counter(purpose: str, selector: Selector | None) -> Question | None:
    return (
        None
        if selector is None
        else Question(purpose, f"last_over_time({selector}[{format_duration(WINDOW)}])", WINDOW)
    )


def _scraped(selector: Selector | None, slot: int) -> Question | None:
    target = selector.target() if selector else None
    if target is None:
        return None
    return Question("targets scraped, each minute", f"max(max_over_time({target}[{format_duration(slot)}]))", slot)


def peak(question: Question) -> str:
    """What a counter reached before it began anew within a step: asked only of steps in which one did."""
    return question.text.replace("last_over_time(", "max_over_time(", 1)


def earlier(question: Question, seconds: int) -> str:
    """Where a counter stood before the day, looked for further back."""
    return question.text.replace(f"[{format_duration(question.step)}])", f"[{format_duration(seconds)}])")
