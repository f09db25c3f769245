"""Retention: what stays, what goes, and when nothing may go at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.backups.retention import Night, SetFacts, plan_retention
from sutazai_ops.settings import BackupSettings

FIRST = datetime(2026, 11, 1, 2, tzinfo=UTC)
POLICY = BackupSettings()
BOTH = frozenset({"postgres", "redis"})


def a_set(day: float, outcome: Outcome = Outcome.VERIFIED, **more) -> SetFacts:
    at = FIRST + timedelta(days=day)
    return SetFacts(id=f"{at:%Y%m%dT%H%M%SZ}", taken_at=at, services=BOTH, outcome=outcome, stored_bytes=1000, **more)


def night(day: float, **more) -> Night:
    return Night(FIRST + timedelta(days=day, hours=1), UTC, **more)


def fates(sets, policy=POLICY, when=None) -> dict[str, bool]:
    plan = plan_retention(sets, policy, when or night(100))
    return {decision.set: decision.keep for decision in plan.decisions}


def gone(sets, policy=POLICY, when=None) -> list[float]:
    kept = fates(sets, policy, when)
    return [(one.taken_at - FIRST) / timedelta(days=1) for one in sets if not kept[one.id]]


def test_seven_days_are_counted_back_from_the_newest_verified_set():
    assert gone([a_set(day) for day in range(20)]) == list(range(12))


def test_a_pipeline_that_has_stopped_never_empties_the_store():
    sets = [a_set(day) for day in range(5)]
    assert gone(sets, when=night(3650)) == []


def test_failing_nights_do_not_push_the_good_ones_out():
    sets = [a_set(0), a_set(1), *(a_set(day, Outcome.UNVERIFIED) for day in range(2, 40))]
    assert gone(sets) == []


def test_three_verified_stay_whatever_their_age():
    assert gone([a_set(0), a_set(30), a_set(60), a_set(90)]) == [0]


def test_a_set_that_was_only_read_does_not_count():
    sets = [a_set(0), a_set(20, Outcome.READ), a_set(21, Outcome.READ), a_set(22, Outcome.READ)]
    assert gone(sets) == []
    assert gone([*sets, a_set(60)]) == [20, 21, 22]


def test_days_weeks_and_months_are_kept_when_asked_for():
    policy = POLICY.model_copy(update={"keep_within_days": 1, "keep_verified": 1, "keep_weekly": 3})
    # 1 November 2026 is a Sunday, the last day of its week.
    assert gone([a_set(day) for day in range(15)], policy) == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]


def test_every_service_keeps_its_own_newest_sets():
    old_redis = replace(a_set(0), services=frozenset({"redis"}))
    assert gone([old_redis, *(replace(a_set(day), services=frozenset({"postgres"})) for day in range(20, 40))]) == [
        *range(20, 32)
    ]


@pytest.mark.parametrize("mark", ["pinned", "leased", "foreign", "problem"])
def test_some_sets_are_never_deleted(mark):
    special = a_set(0, **{mark: "it was changed" if mark == "problem" else True})
    assert gone([special, *(a_set(day) for day in range(50, 60))]) == [50, 51]


@pytest.mark.parametrize(
    ("sets", "when", "words"),
    [
        ([a_set(0, Outcome.UNVERIFIED)], night(9), "no verified set"),
        ([a_set(0), a_set(1)], night(9, complete=False), "could not be looked into"),
        ([a_set(0), a_set(10)], night(9), "before the newest set"),
        ([a_set(0), a_set(9, Outcome.CORRUPT)], night(9, new_set=a_set(9).id), "corrupt, not verified"),
        ([a_set(0), a_set(9, Outcome.READ)], night(9, new_set=a_set(9).id), "read, not verified"),
        ([a_set(0)], night(9, new_set="gone"), "not in the store"),
    ],
)
def test_nothing_is_pruned_while_there_is_any_doubt(sets, when, words):
    old = a_set(-50)
    plan = plan_retention([old, a_set(-49), *sets] if "no verified" not in words else sets, POLICY, when)
    assert words in plan.refused
    assert plan.deletes == ()


def test_a_set_that_shrank_by_more_than_half_blocks_pruning_and_says_both_sizes():
    sets = [a_set(-50), a_set(0), a_set(1), replace(a_set(9), stored_bytes=499)]
    plan = plan_retention(sets, POLICY, night(9, new_set=a_set(9).id))
    assert "499 bytes" in plan.refused
    assert "1.0 kB" in plan.refused or "1 kB" in plan.refused
    enough = [*sets[:-1], replace(a_set(9), stored_bytes=501)]
    assert plan_retention(enough, POLICY, night(9, new_set=a_set(9).id)).refused == ""


def histories():
    one = st.builds(
        lambda minute, outcome, services, size, marks: SetFacts(
            id=f"{minute:08d}-{size:05d}",
            taken_at=FIRST + timedelta(minutes=minute),
            services=frozenset(services),
            outcome=outcome,
            stored_bytes=size,
            pinned="pinned" in marks,
            leased="leased" in marks,
            foreign="foreign" in marks,
            problem="it was changed" if "problem" in marks else "",
        ),
        st.integers(0, 200 * 24 * 60),
        st.sampled_from(Outcome),
        st.sets(st.sampled_from(["postgres", "redis", "other"]), min_size=1),
        st.integers(0, 10_000),
        st.sets(st.sampled_from(["pinned", "leased", "foreign", "problem"]), max_size=1),
    )
    return st.lists(one, max_size=40, unique_by=lambda one: one.id)


def policies():
    return st.builds(
        BackupSettings,
        keep_within_days=st.integers(1, 30),
        keep_verified=st.integers(1, 5),
        keep_daily=st.integers(0, 10),
        keep_weekly=st.integers(0, 5),
        keep_monthly=st.integers(0, 3),
        shrink_limit=st.floats(0, 0.99),
    )


def nights(sets):
    names = st.none() | (st.sampled_from([one.id for one in sets]) if sets else st.none())
    # A clock may stand anywhere: before the first set, between two, far after the last.
    return st.builds(
        lambda minute, new, complete: Night(FIRST + timedelta(minutes=minute), UTC, complete, new),
        st.integers(-10_000, 500_000),
        names,
        st.sampled_from([True, True, True, False]),
    )


@given(st.data(), histories(), policies())
def test_no_history_makes_retention_delete_the_newest_verified_set_of_any_service(data, sets, policy):
    plan = plan_retention(sets, policy, data.draw(nights(sets)))
    deleted = set(plan.deletes)
    for service in ("postgres", "redis", "other"):
        verified = sorted((one.taken_at, one.id) for one in sets if one.verified and service in one.services)
        newest = {set_id for _, set_id in verified[-policy.keep_verified :]}
        assert not newest & deleted


@given(st.data(), histories(), policies())
def test_no_plan_deletes_what_is_pinned_read_foreign_or_odd_or_what_is_not_there(data, sets, policy):
    plan = plan_retention(sets, policy, data.draw(nights(sets)))
    by_id = {one.id: one for one in sets}
    assert set(plan.deletes) <= by_id.keys()
    assert sorted(decision.set for decision in plan.decisions) == sorted(by_id)
    for deleted in plan.deletes:
        one = by_id[deleted]
        assert not any((one.pinned, one.leased, one.foreign, one.problem))
    if plan.refused:
        assert plan.deletes == ()


@given(st.data(), histories(), policies())
def test_following_a_plan_twice_deletes_nothing_more(data, sets, policy):
    when = replace(data.draw(nights(sets)), new_set=None)
    deleted = set(plan_retention(sets, policy, when).deletes)
    left = [one for one in sets if one.id not in deleted]
    assert plan_retention(left, policy, when).deletes == ()


@given(histories(), policies())
def test_waiting_alone_never_deletes_anything(sets, policy):
    soon = plan_retention(sets, policy, night(200))
    late = plan_retention(sets, policy, night(5000))
    assert soon.deletes == late.deletes
