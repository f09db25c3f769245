"""Containers that follow a queue: what a rule may never do, whatever the load, and what a wrong rule is told."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.capacity.autoscaler import Memory
from sutazai_ops.capacity.autoscaling import Change, Move, Seen, Since, decide, follow, patience
from sutazai_ops.capacity.autoscaling_trial import BEGAN, Load, Tick, rehearse
from sutazai_ops.capacity.rules import Down, Rule, Up, read_rules
from sutazai_ops.errors import BadInput
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM

RULE = Rule(
    name="agents", service="agent", up=Up(above="60s", for_="60s"), down=Down(below="5s", for_="10m"),
    least=1, most=3, cool_down="3m",
)  # fmt: skip


def seconds(most: int):
    return st.integers(0, most).map(lambda number: f"{number}s")


@st.composite
def rules(draw) -> Rule:
    least = draw(st.integers(1, 3))
    below = draw(st.integers(1, 30))
    return Rule(
        name="any",
        service="agent",
        up=Up(above=f"{below + draw(st.integers(1, 60))}s", for_=draw(seconds(120))),
        down=Down(below=f"{below}s", for_=draw(seconds(300))),
        least=least,
        most=least + draw(st.integers(1, 4)),
        step=draw(st.integers(1, 3)),
        cool_down=draw(seconds(300)),
    )


loads = st.lists(
    st.builds(Load, rate=st.floats(0.01, 2), seconds=st.integers(30, 600).map(float)), min_size=1, max_size=4
)


def moves(ticks: list[Tick]) -> list[Tick]:
    return [one for one in ticks if one.decision.move is not Move.HOLD]


def seen(age: float | None, copies: int = 2, at: float = 0.0, running: int | None = None) -> Seen:
    return Seen(BEGAN + timedelta(seconds=at), age, copies, copies if running is None else running)


def decided(*ages: float | None, copies: int = 2, every: float = 60.0, rule: Rule = RULE, changes=()):
    """What is decided after these ages, one every minute."""
    since = Since()
    for number, age in enumerate(ages):
        now = seen(age, copies, number * every)
        since = follow(rule, since, now)
    return decide(rule, since, now, changes)


@given(rules(), loads, st.integers(1, 30))
def test_no_load_takes_a_service_out_of_its_bounds(rule, loads, task):
    for tick in rehearse(rule, loads, task):
        assert rule.least <= tick.decision.after <= rule.most
        assert abs(tick.decision.after - tick.decision.before) <= rule.step


@given(rules(), loads, st.integers(1, 30))
def test_no_load_makes_it_change_again_within_the_cool_down(rule, loads, task):
    changed = moves(list(rehearse(rule, loads, task)))
    assert all(other.second - one.second >= rule.cool_down for one, other in pairwise(changed))


@given(rules(), loads, st.integers(1, 30))
def test_it_goes_up_only_while_entries_wait_long_and_down_only_while_they_do_not(rule, loads, task):
    for tick in moves(list(rehearse(rule, loads, task))):
        if tick.decision.move is Move.UP:
            assert tick.age > rule.up.above
        else:
            assert tick.age < rule.down.below


@given(rules(), st.integers(1, 8), st.lists(st.sampled_from([None, 10.0]), min_size=1, max_size=8))
def test_what_is_not_known_changes_nothing(rule, copies, ages):
    within = min(max(copies, rule.least), rule.most)
    assert decided(*ages, None, copies=within, rule=rule).move is Move.HOLD


@given(rules(), st.integers(1, 8), st.floats(0, 1000))
def test_a_service_that_does_not_run_as_meant_is_left_alone(rule, copies, age):
    assert decide(rule, Since(BEGAN, None), seen(age, copies, 9999, running=copies - 1), ()).move is Move.HOLD


def test_a_peak_is_followed_up_and_down_once_each_way():
    ticks = list(rehearse(RULE, [Load(0.05, 300), Load(0.4, 900), Load(0.01, 3600)], task_seconds=5))
    assert [one.decision.after for one in moves(ticks)] == [2, 3, 2, 1]
    assert ticks[-1].waiting == 0


def test_a_load_between_one_container_and_two_is_tried_with_one_more_and_more_rarely():
    """0.25 tasks a second of 5 s need one container and a quarter: with one they wait, with two they do not."""
    ticks = moves(list(rehearse(RULE, [Load(0.25, 6 * 3600)], task_seconds=5)))
    downs = [one.second for one in ticks if one.decision.move is Move.DOWN]
    pauses = [other - one for one, other in pairwise(downs)]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 4 * pauses[0]


def test_an_unknown_age_begins_the_wait_anew():
    assert decided(90, 90).move is Move.UP
    assert decided(90, None, 90).move is Move.HOLD


def test_a_bound_that_holds_more_back_says_so():
    found = decided(90, 90, copies=3)
    assert (found.move, found.at_bound) == (Move.HOLD, True)
    assert found.because == "the oldest entry has waited for 1 min 30 s, and 3 containers are the most"


@pytest.mark.parametrize(("copies", "after"), [(7, 3), (0, 1)])
def test_bounds_that_were_changed_hold_at_once(copies, after):
    assert decided(10, copies=copies).after == after


def test_each_container_that_was_taken_away_too_early_doubles_the_wait():
    at = [BEGAN + timedelta(minutes=minute) for minute in range(0, 60, 5)]
    swings = [Change(one, Move.DOWN if number % 2 else Move.UP) for number, one in enumerate(at)]
    assert [patience(RULE, swings[:number]) / timedelta(minutes=10) for number in (1, 2, 3, 5)] == [1, 1, 2, 4]


@given(st.none() | st.datetimes().map(lambda one: one.replace(tzinfo=BEGAN.tzinfo)), st.booleans())
def test_what_a_rule_remembers_outlives_a_cursor(moment, capped):
    kept = Memory(Since(moment, None), capped)
    assert Memory.of_json(kept.as_json()) == kept


@pytest.fixture(scope="module")
def platform():
    return read_platform(PACKAGED_PLATFORM, {"SECRETS_FOLDER": "/run/secrets"})


def test_the_packaged_rules_can_be_followed(platform):
    assert [rule.service for rule in read_rules(platform).values()] == ["code-improver"]


def test_the_packaged_rule_is_left_out_where_there_is_no_such_service():
    assert read_rules(read_platform(Path("docs/platform"), {"SECRETS_FOLDER": "/run/secrets"})) == {}


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("agents: {down: {below: 90s, for: 1m}}", ":1", "down.below (1m30s) has to be lower than up.above (1m)"),
        ("agents:\n  most: 1", ":1", "least (1) has to be lower than most (1)"),
        ("agents:\n  service: redis", ":2", "redis does not say which queue it takes from"),
        ("agents:\n  service: code-improvr", ":2", "there is no service 'code-improvr'"),
        ("agents:\n  mosst: 3", ":2", "mosst is no key of a rule"),
        ("more:\n  service: code-improver\n  most: 2\n  up: {above: 9s, for: 9s}\n  down: {below: 1s, for: 9s}",
         ":2", "the rules agents and more are on one service"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_followed_is_refused_with_its_line(tmp_path, platform, text, where, words):
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_rules(platform, file)
    assert words in refused.value.what
    assert f"rules.yaml{where}" in refused.value.where
