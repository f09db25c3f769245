"""Which models push each other out of memory, out of what was counted."""

from __future__ import annotations

from sutazai_ops.models.sharing import Eviction, contentions

USERS = {"chat:3b": ["backend"], "code:7b": ["improver", "backend"]}


def test_two_that_put_each_other_out_are_one_finding_with_all_who_use_either():
    counted = [Eviction("ollama", "chat:3b", "code:7b", 7.2), Eviction("ollama", "code:7b", "chat:3b", 6.1)]
    (found,) = contentions(counted, USERS)
    assert (found.models, found.times, found.users) == (("chat:3b", "code:7b"), 13, ["backend", "improver"])
    assert "13 times in a day" in str(found)
    assert "OLLAMA_MAX_LOADED_MODELS" in str(found)


def test_one_that_only_gives_way_and_servers_of_their_own_are_no_finding():
    assert contentions([Eviction("ollama", "chat:3b", "code:7b", 9)], USERS) == []
    apart = [Eviction("one", "chat:3b", "code:7b", 9), Eviction("two", "code:7b", "chat:3b", 9)]
    assert contentions(apart, USERS) == []


def test_the_worst_comes_first():
    pairs = [("a", "b", 3), ("b", "a", 3), ("a", "c", 9), ("c", "a", 9)]
    found = contentions([Eviction("ollama", model, by, times) for model, by, times in pairs], {})
    assert [one.times for one in found] == [18, 6]
