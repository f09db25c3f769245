"""What a rule would do about a load, on a queue that is only reckoned with. Pure.

Tasks arrive evenly; each is taken by the container that is free first and keeps it for a fixed time; a container works
as soon as it is there. So the trial shows how a rule behaves, and not how fast a platform is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.capacity.autoscaling import Change, Move, Seen, Since, decide, follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sutazai_ops.capacity.autoscaling import Decision
    from sutazai_ops.capacity.rules import Rule

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Load:
    """So many tasks a second for so long."""

    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Tick:
    """One look at the reckoned queue."""

    second: float
    waiting: int
    age: float
    decision: Decision


def rehearse(rule: Rule, loads: Sequence[Load], task_seconds: float, every: float = 5.0) -> Iterator[Tick]:
    """Every look at the queue under these loads, one after the other.

    Args:
        rule: that decides.
        loads: what arrives.
        task_seconds: how long a container takes for a task.
        every: seconds between two looks.
    """
    arrivals = deque(_arrivals(loads))
    queue: deque[float] = deque()
    free_at = [0.0] * rule.least
    since, changes = Since(), list[Change]()
    for number in range(int(sum(one.seconds for one in loads) // every) + 1):
        now = number * every
        while arrivals and arrivals[0] <= now:
            queue.append(arrivals.popleft())
        _work(queue, free_at, now, task_seconds)
        age = now - queue[0] if queue else 0.0
        seen = Seen(BEGAN + timedelta(seconds=now), age, len(free_at), len(free_at))
        since = follow(rule, since, seen)
        decision = decide(rule, since, seen, changes)
        if decision.move is not Move.HOLD:
            changes.append(Change(seen.at, decision.move))
            # One that is taken away finishes what it has in hand, and takes nothing more.
            free_at = sorted(free_at)[: decision.after] + [now] * (decision.after - decision.before)
        yield Tick(now, len(queue), age, decision)


def _arrivals(loads: Sequence[Load]) -> Iterator[float]:
    begins = 0.0
    for load in loads:
        for number in range(int(load.rate * load.seconds)):
            yield begins + number / load.rate
        begins += load.seconds


def _work(queue: deque[float], free_at: list[float], now: float, task_seconds: float) -> None:
    """Let the containers take what they could have taken until now."""
    while queue:
        first = min(range(len(free_at)), key=free_at.__getitem__)
        begins = max(free_at[first], queue[0])
        if begins > now:
            return
        queue.popleft()
        free_at[first] = begins + task_seconds
