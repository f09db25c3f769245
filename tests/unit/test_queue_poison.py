"""Which entries of a queue nobody can finish, by what they say of themselves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.platform.model import Queue
from sutazai_ops.remediation.actions.queues import GIVEN_BACK, poison

COUNTED = Queue(name="tasks", key="tasks", queued_at="at", attempts="meta.tries")
DATED = Queue(name="tasks", key="tasks", queued_at="at")
PLAIN = Queue(name="tasks", key="tasks")


def entry(tries: object) -> bytes:
    return json.dumps({"at": 1, "meta": {"tries": tries}}).encode()


def test_what_was_given_back_too_often_is_found_by_its_own_count():
    entries = [entry(0), entry(GIVEN_BACK), entry(GIVEN_BACK - 1), entry(GIVEN_BACK + 40), b'{"at": 1}', entry("often")]
    assert poison(entries, COUNTED) == [entries[1], entries[3]]
    assert poison(entries, DATED) == []


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000], ids=["empty", "cut", "no text", "too deep"])
def test_what_cannot_be_read_is_found_where_entries_are_said_to_be_json(text):
    assert poison([text], COUNTED) == poison([text], DATED) == [text]
    assert poison([text], PLAIN) == []


@given(st.lists(st.binary() | st.integers(0, 2 * GIVEN_BACK).map(entry)))
def test_whatever_an_entry_holds_it_is_judged_and_what_is_young_stays(entries):
    young = {entry(tries) for tries in range(GIVEN_BACK)}
    assert not young & set(poison(entries, COUNTED))
