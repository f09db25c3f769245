"""Retention followed night after night: no history of nights, failures, clock jumps and pins loses what must stay.

The other tests plan once. Here every plan is followed, and the next one is made of what it left, as a store lives.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.backups.retention import Night, SetFacts, plan_retention
from sutazai_ops.settings import BackupSettings

SERVICES = ("postgres", "redis", "second postgres")
policies = st.builds(
    BackupSettings,
    keep_within_days=st.integers(1, 30),
    keep_verified=st.integers(1, 4),
    keep_daily=st.integers(0, 5),
    keep_weekly=st.integers(0, 5),
    keep_monthly=st.integers(0, 5),
    shrink_limit=st.sampled_from([0, 0.5, 0.9]),
)
outcomes = st.sampled_from([*Outcome, Outcome.VERIFIED, Outcome.VERIFIED])
services = st.frozensets(st.sampled_from(SERVICES), min_size=1)
choices = st.integers(0, 1000)


def is_proof(one: SetFacts, service: str) -> bool:
    """Written out again rather than asked of the set, so that its own idea is tested too."""
    return one.outcome is Outcome.VERIFIED and service in one.services and not one.foreign and not one.problem


class StoreOverTheYears(RuleBasedStateMachine):
    """A store, its clock, and everything that can happen to both."""

    def __init__(self) -> None:
        super().__init__()
        self.sets: dict[str, SetFacts] = {}
        self.now = datetime(2026, 3, 1, 2, tzinfo=UTC)
        self.made = 0

    @initialize(policy=policies, zone=st.sampled_from(["UTC", "Pacific/Auckland", "America/New_York"]))
    def settle(self, policy, zone):
        self.policy = policy
        self.zone = ZoneInfo(zone)

    @rule(
        outcome=outcomes,
        services=services,
        size=st.integers(0, 5000),
        hours=st.integers(1, 24 * 10),
        foreign=st.sampled_from([False, False, False, True]),
    )
    def a_night_passes(self, outcome, services, size, hours, foreign):
        self.now += timedelta(hours=hours)
        self.made += 1
        one = SetFacts(f"{self.made:04}", self.now, services, outcome, size, foreign=foreign)
        self.sets[one.id] = one
        gone = self.prune(new_set=None if foreign else one.id)
        assert foreign or outcome is Outcome.VERIFIED or gone == []

    @rule(days=st.integers(-1000, 1000))
    def the_clock_jumps(self, days):
        self.now += timedelta(days=days)

    @rule(policy=policies)
    def somebody_changes_the_settings(self, policy):
        self.policy = policy

    @precondition(lambda self: self.sets)
    @rule(choice=choices, change=st.sampled_from(["pinned", "leased"]))
    def somebody_pins_or_reads_one_or_ends_that(self, choice, change):
        one = self.chosen(choice)
        self.sets[one.id] = replace(one, **{change: not getattr(one, change)})

    @precondition(lambda self: self.sets)
    @rule(choice=choices, outcome=outcomes)
    def one_is_looked_at_again(self, choice, outcome):
        one = self.chosen(choice)
        self.sets[one.id] = replace(one, outcome=outcome)

    @precondition(lambda self: self.sets)
    @rule(choice=choices)
    def a_manifest_is_edited_by_hand(self, choice):
        one = self.chosen(choice)
        self.sets[one.id] = replace(one, outcome=Outcome.CORRUPT, problem="its manifest was changed")

    @rule()
    def somebody_prunes(self):
        self.prune()

    @rule()
    def somebody_prunes_while_part_of_the_store_cannot_be_seen(self):
        assert self.prune(complete=False) == []

    def chosen(self, choice: int) -> SetFacts:
        return list(self.sets.values())[choice % len(self.sets)]

    def prune(self, **more) -> list[SetFacts]:
        """Plan, follow the plan, and hold what has gone against what was promised."""
        before = list(self.sets.values())
        night = Night(self.now, self.zone, **more)
        gone = [self.sets.pop(one) for one in plan_retention(before, self.policy, night).deletes]
        for service in SERVICES:
            proofs = sorted((one.taken_at, one.id) for one in before if is_proof(one, service))
            assert all(one in self.sets for _, one in proofs[-self.policy.keep_verified :])
        assert not any(one.pinned or one.leased or one.foreign or one.problem for one in gone)
        left = list(self.sets.values())
        assert plan_retention(left, self.policy, night).deletes == ()
        years_later = replace(night, now=self.now + timedelta(days=3650), new_set=None)
        if gone:
            assert plan_retention(left, self.policy, years_later).deletes == ()
        return gone


TestAnyHistory = StoreOverTheYears.TestCase
TestAnyHistory.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
