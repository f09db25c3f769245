"""What counts as a difference between a manifest and a server that loaded its snapshot, and what traffic explains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.backups.manifest import RedisFacts
from sutazai_ops.backups.redis.restore import Found, differences


def facts(**changes):
    quiet = {"0": 60, "1": 40}
    told = {"keys": 100, "expiring": 0, "keys_before": quiet, "keys_after": quiet, "functions": ("limits",)} | changes
    return RedisFacts(product="valkey", version="9.1.2", major=9, **told)


def found(keys=None, loaded=100, functions=("limits",)):
    return Found(loaded, {"0": 60, "1": 40} if keys is None else keys, frozenset(functions))


def test_what_came_back_whole_has_no_differences():
    assert differences(facts(), found()) == []


@pytest.mark.parametrize("loaded", [0, 99, 101])
def test_every_key_too_few_or_too_many_is_a_difference(loaded):
    assert differences(facts(), found(loaded=loaded)) == [f"{loaded} keys were loaded instead of 100"]


def test_keys_in_the_wrong_database_are_a_difference_while_the_server_was_quiet():
    assert differences(facts(), found({"0": 40, "2": 60})) == [
        "database 0 holds 40 keys instead of 60",
        "database 1 holds 0 keys instead of 40",
        "database 2 holds 60 keys instead of 0",
    ]


def test_databases_are_compared_in_the_order_of_their_numbers():
    quiet = {"2": 1, "10": 1}
    wanted = facts(keys=2, keys_before=quiet, keys_after=quiet)
    assert [line.split()[1] for line in differences(wanted, found({}, loaded=2))] == ["2", "10"]


@given(st.integers(0, 60), st.integers(0, 40))
def test_keys_that_may_have_expired_since_are_no_difference(first, second):
    assert differences(facts(expiring=60), found({"0": 60 - first, "1": 40 - second})) == []


def test_more_gone_than_could_expire_is_a_difference():
    assert differences(facts(expiring=5), found({"0": 54, "1": 40})) == ["database 0 holds 54 keys instead of 60"]


@given(st.dictionaries(st.sampled_from(["0", "1", "2"]), st.integers(0, 100)), st.integers(0, 200))
def test_the_databases_of_a_busy_server_prove_nothing_so_only_the_total_counts(keys, after):
    busy = facts(keys_after={"0": after, "1": 41})
    assert differences(busy, found(keys)) == []


def test_a_server_that_told_nothing_is_compared_by_its_total_alone():
    silent = facts(keys_before={}, keys_after={}, functions=())
    assert differences(silent, found()) == []
    assert differences(silent, found(loaded=7)) == ["7 keys were loaded instead of 100"]


def test_a_missing_function_library_is_a_difference_and_one_more_is_not():
    assert differences(facts(), found(functions=("limits", "routing"))) == []
    assert differences(facts(), found(functions=())) == ["function library limits is missing"]


@pytest.mark.parametrize(("there", "whole"), [(100, True), (95, True), (94, False), (101, False)])
def test_a_server_that_does_not_count_what_it_loads_is_compared_by_what_is_there(there, whole):
    busy = facts(expiring=5, keys_after={})
    assert (differences(busy, found({"0": there}, loaded=None)) == []) is whole
