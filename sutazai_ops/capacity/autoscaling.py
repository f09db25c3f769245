"""Decides how many containers a service should have, by how long the oldest entry of its queue has waited. Pure.

More are added once entries have waited too long for long enough, one is taken away once they have not for much longer,
and nothing changes within the cool-down, outside the bounds, or while the age is not known. A container that was taken
away and soon missed is not taken away so soon again: the time that the queue has to be young is doubled each time that
more were needed shortly after fewer within a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from sutazai_ops import human

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sutazai_ops.capacity.rules import Rule

REGRETTED_FOR = timedelta(days=1)
"""How long a container that was taken away too early is remembered."""
MOST_DOUBLINGS = 4


class Move(StrEnum):
    """What is decided."""

    UP = "up"
    DOWN = "down"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a service and its queue at one moment."""

    at: datetime
    age: float | None
    """Seconds that the oldest entry has waited; None where that is not known."""
    copies: int
    """How many containers it is meant to have."""
    running: int
    """How many of them run."""


@dataclass(frozen=True, slots=True)
class Since:
    """Since when the age has been beyond a level without a pause; None where it is not."""

    old: datetime | None = None
    young: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was begun, whatever became of it."""

    at: datetime
    move: Move


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided, and why."""

    move: Move
    before: int
    after: int
    because: str
    """One sentence."""
    at_bound: bool = False
    """Whether a bound alone is what holds it."""


def follow(rule: Rule, since: Since, seen: Seen) -> Since:
    """Since when the age has been beyond each level, with what is seen now; unknown counts as a pause."""
    is_old = seen.age is not None and seen.age > rule.up.above
    is_young = seen.age is not None and seen.age < rule.down.below
    return Since(
        old=(since.old or seen.at) if is_old else None,
        young=(since.young or seen.at) if is_young else None,
    )


def decide(rule: Rule, since: Since, seen: Seen, changes: Sequence[Change]) -> Decision:
    """What to do now.

    Args:
        rule: whose bounds and levels hold.
        since: as `follow` made it, with what is seen now.
        seen: what is known now.
        changes: those that were begun within the last day, the first first.
    """
    last = changes[-1] if changes else None
    rest = last.at + _seconds(rule.cool_down) - seen.at if last else timedelta(0)
    if seen.running != seen.copies:
        return _hold(seen, f"{seen.running} of {human.count(seen.copies, 'container')} run, and that comes first")
    if rest > timedelta(0):
        return _hold(seen, f"it was changed lately, and is left alone for {_words(rest)} more")
    if not rule.least <= seen.copies <= rule.most:
        within = min(max(seen.copies, rule.least), rule.most)
        return _to(within, seen, f"it has {seen.copies}, and its rule says {rule.least} to {rule.most}")
    return _by_age(rule, since, seen, changes)


def _by_age(rule: Rule, since: Since, seen: Seen, changes: Sequence[Change]) -> Decision:
    if since.old is not None:
        return _when_old(rule, seen, _lasted(since.old, seen, changes))
    if since.young is not None:
        return _when_young(rule, seen, _lasted(since.young, seen, changes), patience(rule, changes))
    if seen.age is None:
        return _hold(seen, "it is not known how long the oldest entry has waited")
    return _hold(seen, f"{_waits(seen)}, which is neither long nor short")


def patience(rule: Rule, changes: Sequence[Change]) -> timedelta:
    """How long the queue has to be young until a container is taken away, after what was regretted."""
    usual = _seconds(rule.down.for_)
    soon = max(usual, _seconds(rule.cool_down) * 2)
    regretted = sum(
        one.move is Move.DOWN and other.move is Move.UP and other.at - one.at <= soon
        for one, other in pairwise(changes)
    )
    doubled: int = 2 ** min(regretted, MOST_DOUBLINGS)
    return usual * doubled


def _lasted(begun: datetime, seen: Seen, changes: Sequence[Change]) -> timedelta:
    """How long it has been so with the containers that there are: before a change it was so with others."""
    return seen.at - max([begun, *(one.at for one in changes[-1:])])


def _when_old(rule: Rule, seen: Seen, lasted: timedelta) -> Decision:
    if seen.copies == rule.most:
        return _hold(seen, f"{_waits(seen)}, and {rule.most} containers are the most", at_bound=True)
    if (left := _seconds(rule.up.for_) - lasted) > timedelta(0):
        return _hold(seen, f"{_waits(seen)}; more are added if that lasts for {_words(left)} more")
    more = min(seen.copies + rule.step, rule.most)
    return _to(more, seen, f"{_waits(seen)}, longer than {human.duration(rule.up.above)} for {_words(lasted)}")


def _when_young(rule: Rule, seen: Seen, lasted: timedelta, needed: timedelta) -> Decision:
    if seen.copies == rule.least:
        return _hold(seen, f"{_waits(seen)}, and {rule.least} is the least")
    if (left := needed - lasted) > timedelta(0):
        return _hold(seen, f"{_waits(seen)}; one is taken away if that lasts for {_words(left)} more")
    why = f"the oldest entry has waited for less than {human.duration(rule.down.below)} for {_words(lasted)}"
    return _to(seen.copies - 1, seen, why)


def _hold(seen: Seen, because: str, *, at_bound: bool = False) -> Decision:
    return Decision(Move.HOLD, seen.copies, seen.copies, because, at_bound)


def _to(copies: int, seen: Seen, because: str) -> Decision:
    return Decision(Move.UP if copies > seen.copies else Move.DOWN, seen.copies, copies, because)


def _waits(seen: Seen) -> str:
    return f"the oldest entry has waited for {human.duration(seen.age or 0.0)}" if seen.age else "nothing waits"


def _words(span: timedelta) -> str:
    return human.duration(span.total_seconds())


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)
