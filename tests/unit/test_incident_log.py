"""Incidents, verdicts and repairs in the ledger: written, read back, and never two where there may be one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import guard_situations
import pytest

from sutazai_ops.ledger import (
    IncidentEventEntry,
    ModeEntry,
    VerdictEntry,
    open_ledger,
)
from sutazai_ops.settings import Settings

START = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
INCIDENT = replace(guard_situations.INCIDENT, number=0, opened_at=START, broken_since=START, changes=[START])
REPAIR = guard_situations.repair(id=0, incident=1, started_at=START, ended_at=None, outcome="")


@pytest.fixture
def log(tmp_path):
    return open_ledger(Settings(home=tmp_path)).incidents


def test_an_incident_comes_back_as_it_was_written(log):
    opened = log.open_incident(INCIDENT, [IncidentEventEntry(0, START, "opened", "x")])
    assert opened == replace(INCIDENT, number=1)
    assert log.open_ones() == [opened]
    assert log.events_of(1) == [IncidentEventEntry(1, START, "opened", "x")]
    assert log.find(1) == opened
    assert log.find(2) is None


def test_of_two_programs_that_see_the_same_one_opens_it(log):
    assert log.open_incident(INCIDENT, []) is not None
    assert log.open_incident(INCIDENT, []) is None
    assert log.open_incident(replace(INCIDENT, target="other"), []) is not None
    log.close(1, START, "ann", "enough")
    assert log.open_incident(INCIDENT, []) is not None


def test_what_a_person_said_meanwhile_is_not_overwritten_by_who_looked_before(log):
    opened = log.open_incident(INCIDENT, [])
    log.acknowledge(1, START, "ann")
    log.escalate(1, START, "told")
    assert log.update_incident(replace(opened, severity="ticket"), [])
    found = log.find(1)
    assert (found.severity, found.acknowledged_by, found.escalated_at) == ("ticket", "ann", START)


def test_what_was_closed_meanwhile_stays_closed(log):
    opened = log.open_incident(INCIDENT, [])
    log.close(1, START, "ann", "enough")
    assert not log.update_incident(replace(opened, severity="ticket"), [])
    assert (log.find(1).outcome, log.find(1).severity) == ("by a person", "page")


def test_one_repair_is_under_way_at_a_time(log):
    first = log.begin_repair(REPAIR)
    assert log.begin_repair(replace(REPAIR, target="other")) is None
    log.end_repair(replace(first, ended_at=START, outcome="helped", note="n"))
    assert log.begin_repair(replace(REPAIR, attempt=2)) is not None
    assert [one.outcome for one in log.repairs_of(1)] == ["helped", ""]


def test_repairs_that_lie_ahead_after_a_jump_back_and_one_that_died_are_among_those_of_late(log):
    ahead = log.begin_repair(replace(REPAIR, started_at=START + timedelta(days=30)))
    log.end_repair(replace(ahead, ended_at=START + timedelta(days=30)))
    log.begin_repair(replace(REPAIR, started_at=START - timedelta(days=30)))
    assert len(log.repairs_since(START - timedelta(days=1))) == 2


def test_the_newest_verdict_of_each_incident_that_lasts(log):
    log.open_incident(INCIDENT, [])
    log.open_incident(replace(INCIDENT, target="other"), [])
    log.close(2, START, "ann", "enough")
    verdict = VerdictEntry(1, START, "observe", "wait", "persistence", "restart", START, {"for": 3})
    for one in (verdict, replace(verdict, incident=2), replace(verdict, kind="skip", until=None)):
        log.record_verdicts([one])
    assert log.last_verdicts() == {1: replace(verdict, kind="skip", until=None)}
    assert [one.kind for one in log.verdicts_of(1)] == ["wait", "skip"]


def test_the_mode_is_what_was_said_last(log):
    assert log.mode() is None
    for mode in ("act", "off"):
        log.record_mode(ModeEntry(START, mode, "ann", "because"))
    assert log.mode().mode == "off"


def test_incidents_of_a_time_are_those_that_touch_it(log):
    log.open_incident(INCIDENT, [])
    log.close(1, START + timedelta(hours=1), "ann", "enough")
    log.open_incident(replace(INCIDENT, opened_at=START + timedelta(hours=3)), [])
    touching = log.between(START + timedelta(minutes=30), START + timedelta(hours=3))
    assert [one.number for one in touching] == [1]
    assert [one.number for one in log.between(START, START + timedelta(days=1))] == [1, 2]
    assert [one.number for one in log.recent(1)] == [2]


def test_when_each_incident_that_lasts_was_given_to_a_person_last(log):
    log.open_incident(INCIDENT, [])
    log.open_incident(replace(INCIDENT, target="other"), [])
    assert log.told_at() == {}
    log.escalate(1, START, "told")
    log.escalate(1, START + timedelta(hours=4), "told again")
    log.escalate(2, START, "told")
    log.close(2, START, "ann", "enough")
    assert log.told_at() == {1: START + timedelta(hours=4)}


def test_a_person_agrees_to_rungs_of_incidents_that_last(log):
    log.open_incident(INCIDENT, [])
    event = IncidentEventEntry(1, START, "approved", "ann agrees", {"rung": "restart"}, "ann")
    log.add_events([event, replace(event, detail={"rung": "recreate"})])
    assert log.approvals() == {1: {"restart", "recreate"}}
    log.add_events([replace(event, kind="withdrawn")])
    assert log.approvals() == {1: {"recreate"}}
    log.add_events([event])
    assert log.approvals() == {1: {"restart", "recreate"}}
    log.close(1, START, "ann", "enough")
    assert log.approvals() == {}
