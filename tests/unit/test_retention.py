"""What retention keeps and deletes, and above all what it never deletes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import commit, set_id, verify

from sutazai_ops.backups.lease import lease
from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.backups.retention import Night, SetFacts, apply, facts, plan_retention
from sutazai_ops.backups.store import Store
from sutazai_ops.settings import BackupSettings

V, R, U, N, C = Outcome.VERIFIED, Outcome.READ, Outcome.UNVERIFIED, Outcome.COULD_NOT_CHECK, Outcome.CORRUPT
FIRST = datetime(2026, 6, 1, 2, tzinfo=UTC)
ONE = BackupSettings(keep_within_days=7, keep_verified=1)
DEFAULT = BackupSettings()


def night(day: float, outcome: Outcome = V, services: str = "p", **more) -> SetFacts:
    """The set of a day; `services` is one letter each."""
    at = FIRST + timedelta(days=day)
    facts = SetFacts(f"{at:%Y%m%dT%H%M%SZ}-{services}", at, frozenset(services), outcome, stored_bytes=1000)
    return replace(facts, **more)


def nights(*days: float, outcome: Outcome = V) -> list[SetFacts]:
    return [night(day, outcome) for day in days]


def plan(sets, policy=ONE, *, day=1000.0, zone=UTC, **more):
    return plan_retention(sets, policy, Night(FIRST + timedelta(days=day), zone, **more))


def kept_days(plan) -> list[int]:
    return sorted(
        (datetime.strptime(one.set[:16], "%Y%m%dT%H%M%S%z") - FIRST).days for one in plan.decisions if one.keep
    )


def reason(plan, one: SetFacts) -> str:
    return next(decision.because for decision in plan.decisions if decision.set == one.id)


class TestWhatStays:
    def test_seven_days_are_counted_back_from_the_newest_verified_set(self):
        assert kept_days(plan(nights(*range(20)))) == [12, 13, 14, 15, 16, 17, 18, 19]

    def test_a_pipeline_that_stopped_long_ago_loses_nothing_more(self):
        sets = nights(*range(12, 20))
        assert plan(sets, day=20).deletes == plan(sets, day=10_000).deletes == ()

    def test_a_set_that_nobody_restored_does_not_shift_the_seven_days(self):
        sets = [*nights(*range(10)), *nights(30, outcome=R), *nights(31, outcome=U)]
        assert kept_days(plan(sets)) == [2, 3, 4, 5, 6, 7, 8, 9, 30, 31]

    def test_so_many_verified_sets_stay_whatever_their_age(self):
        sets = nights(0, 100, 200, 300)
        assert kept_days(plan(sets, DEFAULT)) == [100, 200, 300]

    def test_failures_between_them_do_not_count_as_any_of_them(self):
        sets = [*nights(0, 100, 200), *nights(150, 151, 152, outcome=C), *nights(290, 291, 292, outcome=R)]
        assert kept_days(plan(sets, DEFAULT)) == [0, 100, 200, 290, 291, 292]

    def test_the_newest_of_each_day_week_and_month_stays(self):
        sets = nights(0, 0.2, 10, 27, 32, 33, 39.1, 39.2, 60, 60.5)
        daily = BackupSettings(keep_within_days=1, keep_verified=1, keep_daily=3)
        assert kept_days(plan(sets, daily)) == [33, 39, 60, 60]
        weekly = BackupSettings(keep_within_days=1, keep_verified=1, keep_weekly=3)
        assert kept_days(plan(sets, weekly)) == [33, 39, 60, 60]
        monthly = BackupSettings(keep_within_days=1, keep_verified=1, keep_monthly=3)
        assert kept_days(plan(sets, monthly)) == [27, 60, 60]
        assert "newest verified in the month 2026-06 of p" in reason(plan(sets, monthly), sets[3])

    def test_days_are_those_of_the_named_time_zone(self):
        before, after = nights(20.75, 20.83)  # 23:00 and 00:55 in Kyiv, one day in UTC
        sets = [before, after, night(40)]
        policy = BackupSettings(keep_within_days=1, keep_verified=1, keep_daily=3)
        assert plan(sets, policy).deletes == (before.id,)
        assert plan(sets, policy, zone=ZoneInfo("Europe/Kyiv")).deletes == ()

    def test_a_set_stays_for_one_service_that_needs_it(self):
        both, only_p = night(0, services="pr"), night(100, services="p")
        result = plan([both, only_p])
        assert result.deletes == ()
        assert reason(result, both) == "newest verified of r"

    def test_each_service_counts_its_own_days(self):
        sets = [night(day, services="r") for day in (0, 5, 9)] + nights(100, 105)
        assert kept_days(plan(sets)) == [5, 9, 100, 105]

    def test_what_is_pinned_stays_and_says_so(self):
        pinned = night(0, pinned=True)
        assert reason(plan([pinned, *nights(100)]), pinned) == "pinned"

    def test_what_is_being_read_stays(self):
        leased = night(0, leased=True)
        assert reason(plan([leased, *nights(100)]), leased) == "being read just now"

    def test_what_was_copied_here_is_neither_counted_nor_deleted(self):
        copied, own = night(500, foreign=True), nights(0, 1, 100)
        result = plan([copied, *own])
        assert result.deletes == (own[1].id, own[0].id)
        assert reason(result, copied) == "copied from another store"

    def test_what_has_a_problem_is_left_to_a_person(self):
        broken = night(0, C, problem="its manifest was changed after it was written")
        unreadable = replace(broken, id="unreadable", taken_at=None, services=frozenset())
        result = plan([broken, unreadable, *nights(100)])
        assert result.deletes == ()
        assert "a person has to look at it: its manifest was changed" in reason(result, broken)

    @pytest.mark.parametrize("outcome", [R, U, N, C])
    def test_a_set_that_is_not_verified_goes_when_it_is_older_than_seven_days_before_the_newest_verified(self, outcome):
        old, new, latest = night(92, outcome), night(93, outcome), night(100)
        result = plan([old, new, latest])
        assert result.deletes == (old.id,)
        assert reason(result, old).startswith(f"{outcome}, not verified, and older than 7 days")

    def test_a_set_that_is_all_there_is_of_a_service_stays_though_nobody_verified_it(self):
        only = night(0, R, services="r")
        assert reason(plan([only, *nights(100)]), only) == "read; but no verified set holds r"

    def test_decisions_are_newest_first_and_every_set_has_one(self):
        sets = nights(3, 1, 2)
        assert [one.set for one in plan(sets).decisions] == [sets[0].id, sets[2].id, sets[1].id]


class TestRefusals:
    OLD = nights(0, 1, 2, 100)

    @pytest.mark.parametrize(
        ("sets", "more", "because"),
        [
            ([], {}, "there is no verified set"),
            (nights(0, 100, outcome=R), {}, "there is no verified set"),
            ([night(0, foreign=True), night(100, R)], {}, "there is no verified set"),
            (OLD, {"complete": False}, "part of the store could not be looked into"),
            (OLD, {"day": 99.9}, "the clock stands at 2026-09-08 23:36 UTC, before the newest set"),
            ([*OLD, night(101, U)], {"day": 100.5}, "the clock stands at"),
            (OLD, {"new_set": "another"}, "the new set another is not in the store"),
            ([*OLD, night(101, R)], {"new_set": night(101).id}, "is read, not verified"),
            ([*OLD, night(101, N)], {"new_set": night(101).id}, "is could not check, not verified"),
            (
                [*OLD, night(101, stored_bytes=499)],
                {"new_set": night(101).id},
                "has 499 bytes, less than 50% of the 1.0 kB",
            ),
        ],
    )
    def test_where_there_is_any_doubt_nothing_at_all_goes(self, sets, more, because):
        result = plan(sets, **more)
        assert because in result.refused
        assert result.deletes == ()
        assert all(one.because == f"nothing is pruned: {result.refused}" for one in result.decisions)

    def test_without_the_doubt_the_same_sets_do_go(self):
        assert len(plan(self.OLD).deletes) == 3

    def test_half_is_not_less_than_half(self):
        new = night(101, stored_bytes=500)
        assert plan([*self.OLD, new], new_set=new.id).refused == ""

    def test_a_set_of_fewer_services_is_not_a_shrunken_one(self):
        old, new = [night(day, services="pr") for day in (0, 1, 100)], night(101, stored_bytes=10)
        assert plan([*old, new], new_set=new.id).refused == ""

    def test_on_another_occasion_no_set_is_tonight(self):
        assert plan([*self.OLD, night(101, R)]).refused == ""

    def test_the_clock_of_another_host_does_not_matter(self):
        assert plan([*self.OLD, night(5000, foreign=True)]).refused == ""


services = st.frozensets(st.sampled_from("pqr"), min_size=1)
outcomes = st.sampled_from([V, V, V, R, U, N, C])
times = st.integers(0, 400 * 24).map(lambda hours: FIRST + timedelta(hours=hours))


@st.composite
def histories(draw) -> list[SetFacts]:
    """Nights with failures and gaps; a clock that jumps is a set whose time fits no order."""
    made = []
    for number in range(draw(st.integers(0, 30))):
        problem = draw(st.sampled_from(["", "", "", "", "its manifest was changed"]))
        made.append(
            SetFacts(
                id=f"{number:04}",
                taken_at=draw(times),
                services=draw(services),
                outcome=C if problem else draw(outcomes),
                stored_bytes=draw(st.integers(0, 5000)),
                pinned=draw(st.integers(0, 5)) == 0,
                leased=draw(st.integers(0, 5)) == 0,
                foreign=draw(st.integers(0, 5)) == 0,
                problem=problem,
            )
        )
    return made


policies = st.builds(
    BackupSettings,
    keep_within_days=st.integers(1, 60),
    keep_verified=st.integers(1, 5),
    keep_daily=st.integers(0, 5),
    keep_weekly=st.integers(0, 5),
    keep_monthly=st.integers(0, 5),
    shrink_limit=st.sampled_from([0, 0.5, 0.9]),
)
moments = st.builds(
    Night,
    now=st.one_of(times, st.just(FIRST + timedelta(days=401))),
    zone=st.sampled_from([UTC, ZoneInfo("Pacific/Auckland"), ZoneInfo("America/New_York")]),
    complete=st.sampled_from([True, True, True, False]),
    new_set=st.one_of(st.none(), st.integers(0, 29).map(lambda number: f"{number:04}")),
)


def verified_of(sets, service):
    """Newest first. Written out again rather than taken from the plan, so that the plan's own idea is tested too."""
    good = [s for s in sets if s.outcome is V and not s.foreign and not s.problem and service in s.services]
    return sorted(good, key=lambda s: (s.taken_at, s.id), reverse=True)


@settings(max_examples=300, deadline=None)
@given(histories(), policies, moments)
def test_no_history_loses_the_newest_verified_sets_of_a_service(sets, policy, moment):
    deleted = set(plan_retention(sets, policy, moment).deletes)
    for service in "pqr":
        newest = [one.id for one in verified_of(sets, service)[: policy.keep_verified]]
        assert deleted.isdisjoint(newest)


@settings(deadline=None)
@given(histories(), policies, moments)
def test_only_own_whole_unpinned_unread_sets_go_and_every_set_is_decided(sets, policy, moment):
    result = plan_retention(sets, policy, moment)
    assert sorted(one.set for one in result.decisions) == sorted(one.id for one in sets)
    by_id = {one.id: one for one in sets}
    for gone in map(by_id.__getitem__, result.deletes):
        assert not any((gone.pinned, gone.leased, gone.foreign, gone.problem))
        # It is older than the policy's days before the newest verified set of every service in it.
        for service in gone.services:
            newest = verified_of(sets, service)[0].taken_at
            assert gone.taken_at < newest - timedelta(days=policy.keep_within_days)


@settings(deadline=None)
@given(histories(), policies, moments)
def test_planning_again_after_following_a_plan_deletes_nothing_more(sets, policy, moment):
    gone = plan_retention(sets, policy, moment).deletes
    left = [one for one in sets if one.id not in gone]
    assert plan_retention(left, policy, moment).deletes == ()


@settings(deadline=None)
@given(histories(), policies, moments, times)
def test_what_time_it_is_decides_only_whether_anything_goes(sets, policy, moment, other_time):
    first = plan_retention(sets, policy, moment)
    second = plan_retention(sets, policy, replace(moment, now=other_time))
    assert first.refused or second.refused or first == second


@settings(deadline=None)
@given(histories(), policies, moments)
def test_a_refused_plan_deletes_nothing(sets, policy, moment):
    result = plan_retention(sets, policy, moment)
    assert not (result.refused and result.deletes)


class TestFollowingAPlan:
    @pytest.fixture
    def store(self, tmp_path) -> Store:
        store = Store(tmp_path)
        for number in (0, 1, 2, 20):
            verify(store, commit(store, number))
        return store

    def test_what_is_not_kept_is_gone_and_doing_it_again_does_nothing(self, store):
        result = plan(facts(store.listing()))
        assert apply(result, store) == [set_id(2), set_id(1), set_id(0)]
        assert [one.id for one in store.listing().sets] == [set_id(20)]
        assert apply(result, store) == []

    def test_a_set_that_somebody_began_to_read_or_pinned_since_is_passed_over(self, store):
        result = plan(facts(store.listing()))
        store.pin(store.find(set_id(0)), "wait", "ada", FIRST)
        with lease(store.find(set_id(1)).folder, "restore"):
            assert apply(result, store) == [set_id(2)]
        assert plan(facts(store.listing())).deletes == (set_id(1),)

    def test_the_facts_are_those_of_the_files(self, store):
        one = store.find(set_id(20))
        store.pin(one, "keep", "ada", FIRST)
        with lease(one.folder, "restore"):
            newest = facts(store.listing())[0]
        taken_at = one.manifest().taken_at
        assert newest == SetFacts(one.id, taken_at, frozenset({"postgres"}), V, 17, pinned=True, leased=True)
