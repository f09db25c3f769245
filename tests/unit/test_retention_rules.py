"""Each rule of retention, seen red: with the line that carries it taken out, what it guards is lost.

A test of what stays proves little while it would stay anyway. So each rule stands here with a history in which nothing
else saves its set, and the same history is planned once by the module and once by the module without that rule.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from sutazai_ops.backups import retention
from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.settings import BackupSettings

FIRST = datetime(2026, 6, 1, 2, tzinfo=UTC)
V, READ = Outcome.VERIFIED, Outcome.READ
LEAST = BackupSettings(keep_within_days=1, keep_verified=1)


def night(day: float, outcome: Outcome = V, services: str = "p", **more) -> retention.SetFacts:
    """The set of a day, called by it; `services` is one letter each."""
    one = retention.SetFacts(f"{day:g}", FIRST + timedelta(days=day), frozenset(services), outcome, stored_bytes=1000)
    return replace(one, **more)


def nights(*days: float) -> list[retention.SetFacts]:
    return [night(day) for day in days]


@dataclass(frozen=True)
class Rule:
    """A rule, the line that is the rule, and what that line becomes when there is no such rule."""

    line: str
    without: str
    sets: list[retention.SetFacts]
    goes: set[str]
    """What goes while the rule stands; something else goes without it."""
    policy: BackupSettings = LEAST
    now: float = 1000
    moment: dict[str, object] = field(default_factory=dict)


def policy(**more) -> BackupSettings:
    return LEAST.model_copy(update=more)


RULES = {
    "the newest verified set of a service stays": Rule(
        'yield mine[0][0], "newest verified"',
        "pass",
        nights(0, 100),
        {"0"},
        # Three rules keep the newest verified set; the settings allow none of the other two to be less than 1.
        BackupSettings.model_construct(**(LEAST.model_dump() | {"keep_within_days": -1, "keep_verified": 0})),
    ),
    "so many days stay": Rule(
        "if taken_at < newest - timedelta(days=policy.keep_within_days):",
        "if taken_at < newest:",
        nights(0, 94, 100),
        {"0"},
        policy(keep_within_days=7),
    ),
    "days are counted from the newest verified set and not from now": Rule(
        "if taken_at < newest - timedelta(days=policy.keep_within_days):",
        "if taken_at < datetime.now(zone) - timedelta(days=policy.keep_within_days):",
        [replace(one, taken_at=one.taken_at - timedelta(days=9000)) for one in nights(94, 95, 100)],
        set(),
        policy(keep_within_days=7),
    ),
    "so many verified sets stay": Rule(
        "for set_id, _ in mine[: policy.keep_verified]:",
        "for set_id, _ in mine[:0]:",
        nights(0, 30, 60, 90),
        {"0"},
        policy(keep_verified=3),
    ),
    "so many days that have one stay": Rule(
        '(policy.keep_daily, "day"', '(0, "day"', nights(0, 30, 60), {"0"}, policy(keep_daily=2)
    ),
    "so many weeks that have one stay": Rule(
        '(policy.keep_weekly, "week"', '(0, "week"', nights(0, 30, 60), {"0"}, policy(keep_weekly=2)
    ),
    "so many months that have one stay": Rule(
        '(policy.keep_monthly, "month"', '(0, "month"', nights(0, 20, 60), {"0"}, policy(keep_monthly=2)
    ),
    "every service is counted by itself": Rule(
        "for one in verified if service in one.services]",
        "for one in verified]",
        [night(0, services="r"), *nights(1, 100)],
        {"1"},
    ),
    "a pinned set stays": Rule("if one.pinned:", "if False:", [night(0, pinned=True), *nights(1, 100)], {"1"}),
    "a set that is being read stays": Rule(
        "if one.leased:", "if False:", [night(0, leased=True), *nights(1, 100)], {"1"}
    ),
    "a set that was copied here stays": Rule(
        "if one.foreign:", "if False:", [night(0, foreign=True), *nights(1, 100)], {"1"}
    ),
    "a set with a problem stays": Rule(
        "if one.problem:", "if False:", [night(0, problem="odd"), *nights(1, 100)], {"1"}
    ),
    "a set that was copied here counts for nothing": Rule(
        "return not self.foreign and not self.problem",
        "return not self.problem",
        [*nights(0, 100), night(500, foreign=True)],
        {"0"},
    ),
    "a set with a problem counts for nothing": Rule(
        "return not self.foreign and not self.problem",
        "return not self.foreign",
        [*nights(0, 100), night(500, problem="odd")],
        {"0"},
    ),
    "a set that was not restored counts for nothing": Rule(
        "return self.counts and self.outcome is Outcome.VERIFIED",
        "return self.counts",
        [*nights(0, 100), night(500, READ)],
        {"0"},
    ),
    "a set that was not restored waits for so many days": Rule(
        "if _taken(one) >= newest - self._within:", "if False:", [*nights(0, 100), night(99.5, READ)], {"0"}
    ),
    "a set stays where nothing better holds its service": Rule(
        "if newest is None:",
        "if newest is None: continue\n            if False:",
        [*nights(1, 100), night(0, READ, "r")],
        {"1"},
    ),
    "nothing goes while part of the store is not seen": Rule(
        "if not night.complete:", "if False:", nights(0, 100), set(), moment={"complete": False}
    ),
    "nothing goes while the clock stands before the newest set": Rule(
        "if night.now < _taken(newest):", "if False:", nights(0, 100), set(), now=99
    ),
    "nothing goes on a night whose set is not there": Rule(
        "if new is None:", "if new is None: return ''\n    if False:", nights(0, 100), set(), moment={"new_set": "200"}
    ),
    "nothing goes on a night whose set is not verified": Rule(
        "if not new.verified:", "if False:", [*nights(0, 100), night(200, READ)], set(), moment={"new_set": "200"}
    ),
    "nothing goes on a night whose set has shrunk": Rule(
        "if before and new.stored_bytes < policy.shrink_limit * before.stored_bytes:",
        "if False:",
        [*nights(0, 100), night(200, stored_bytes=499)],
        set(),
        moment={"new_set": "200"},
    ),
    "a night's set is held against one of the same services": Rule(
        "and one.services == new.services",
        "",
        [*nights(0, 99), night(98, services="pr"), night(99.5, stored_bytes=1500, services="pr"), night(200)],
        {"0", "99", "98"},
        policy(shrink_limit=0.7),
        moment={"new_set": "200"},
    ),
}


def goes(module: ModuleType, rule: Rule) -> set[str]:
    """What goes as `module` has it."""
    sets = [module.SetFacts(*(getattr(one, name) for name in retention.SetFacts.__slots__)) for one in rule.sets]
    moment = module.Night(FIRST + timedelta(days=rule.now), UTC, **rule.moment)
    return set(module.plan_retention(sets, rule.policy, moment).deletes)


@pytest.fixture
def without(monkeypatch):
    """Makes the module anew with one line changed."""

    def make(rule: Rule) -> ModuleType:
        source = inspect.getsource(retention)
        assert source.count(rule.line) == 1, f"the rule's line is not there, or more than once: {rule.line}"
        broken = ModuleType("retention_without_a_rule")
        monkeypatch.setitem(sys.modules, broken.__name__, broken)
        broken.__dict__["datetime"] = datetime  # a line without its rule may ask what time it is
        exec(source.replace(rule.line, rule.without), broken.__dict__)
        return broken

    return make


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_holds_and_what_it_guards_is_lost_without_it(rule, without):
    assert goes(retention, rule) == rule.goes
    assert goes(without(rule), rule) != rule.goes
