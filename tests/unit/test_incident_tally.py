"""How many incidents there were and how long each step took; what is not known is no nought."""

from __future__ import annotations

from dataclasses import replace

from guard_situations import INCIDENT, MINUTE, NOW, repair

from sutazai_ops.remediation.situation import HELPED
from sutazai_ops.remediation.tally import Tally, tally

BEGAN = INCIDENT.changes[0]


def test_of_a_time_without_incidents_no_time_is_known():
    assert tally([], []) == Tally(0, 0, 0, 0, 0, None, None, None)


def test_each_step_is_counted_from_where_it_begins():
    over = replace(INCIDENT, broken_since=None, whole_since=NOW + 2 * MINUTE, closed_at=NOW + 20 * MINUTE)
    open_one = replace(INCIDENT, number=8, escalated_at=NOW)
    first = repair(incident=7, started_at=NOW, outcome="did not help")
    second = repair(incident=7, started_at=NOW + MINUTE, outcome=HELPED)
    found = tally([over, open_one], [second, first])
    assert (found.incidents, found.open, found.given_to_a_person, found.repairs, found.helped) == (2, 1, 1, 2, 1)
    assert found.to_detect == (INCIDENT.opened_at - BEGAN).total_seconds()
    assert found.to_act == (NOW - INCIDENT.opened_at).total_seconds()
    assert found.to_repair == (NOW + 2 * MINUTE - BEGAN).total_seconds()


def test_a_clock_that_was_set_back_makes_no_time_of_less_than_nothing():
    found = tally([INCIDENT], [repair(incident=7, started_at=INCIDENT.opened_at - MINUTE)])
    assert found.to_act is None
