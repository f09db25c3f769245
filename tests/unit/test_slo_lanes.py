"""Incidents and repairs in the lanes of a report: from the ledger on every engine, each once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from slo_days import ANSWERS, LATER, dead_from, measured
from test_slo_report import BAD_DAY, report

from sutazai_ops.ledger import EventEntry, WindowEntry, open_ledger
from sutazai_ops.ledger.incident_entries import IncidentEntry, RepairEntry
from sutazai_ops.settings import Settings
from sutazai_ops.slo import period, timeline
from sutazai_ops.slo.day import make_fact
from sutazai_ops.slo.report import _remediation
from sutazai_ops.slo.report_model import Event, Lane, LaneKind

if TYPE_CHECKING:
    from pathlib import Path

    from sutazai_ops.ledger import Ledger

OCTOBER = period.month("2026-10")
TEN = datetime(2026, 10, 14, 10, tzinfo=UTC)
ALERTS = [{"threshold": "service_down", "labels": {"service": "backend"}}]
INCIDENT = IncidentEntry(
    0, "backend", "service_down", "service_down", "page", "backend does not answer", ALERTS, TEN, TEN
)  # fmt: skip
REPAIR = RepairEntry(
    0, 1, "backend", "service_down", "restart", "restart", 1, holds_state=False, disrupts=True, actor="guard",
    started_at=TEN + timedelta(minutes=2), ended_at=TEN + timedelta(minutes=3), outcome="helped",
)  # fmt: skip


def copied(start: datetime, end: datetime | None) -> EventEntry:
    return EventEntry(
        lane=LaneKind.INCIDENT, id=f"{start:%d%H}", started_at=start, ended_at=end, title="service down of backend",
        services=["backend"],
    )  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(Settings(home=tmp_path))


def lane(ledger: Ledger, kind: LaneKind) -> Lane:
    return next(one for one in timeline.lanes(ledger, OCTOBER) if one.kind is kind)


def test_where_no_incident_was_ever_kept_nothing_is_said_of_them(ledger: Ledger) -> None:
    assert not lane(ledger, LaneKind.INCIDENT).recorded
    assert not lane(ledger, LaneKind.REMEDIATION).recorded
    assert not lane(ledger, LaneKind.DRILL).recorded


def test_windows_in_which_nobody_was_told_are_silences_but_for_those_of_deployments(ledger: Ledger) -> None:
    assert lane(ledger, LaneKind.SILENCE).recorded
    until = TEN + timedelta(hours=1)
    for kind, services, start in (("silence", ["search"], TEN), ("maintenance", [], TEN), ("deployment", ["web"], TEN)):
        ledger.record_window(WindowEntry(0, kind, services, "new disk", start, until, "ben"))
    ledger.record_window(WindowEntry(0, "silence", [], "not yet", TEN + timedelta(days=40), until, "ben"))
    shown = [(one.title, one.detail, one.actor, one.start, one.end) for one in lane(ledger, LaneKind.SILENCE).events]
    assert shown == [
        ("silence of search", "new disk", "ben", TEN, until),
        ("maintenance of all services", "new disk", "ben", TEN, until),
    ]


def test_incidents_and_repairs_of_the_ledger_fill_their_lanes(ledger: Ledger) -> None:
    opened = ledger.incidents.open_incident(INCIDENT, [])
    assert opened
    begun = ledger.incidents.begin_repair(replace(REPAIR, ended_at=None, outcome=""))
    assert begun
    (running,) = lane(ledger, LaneKind.REMEDIATION).events
    assert (running.end, running.went_well) == (None, None)
    ledger.incidents.end_repair(replace(REPAIR, id=begun.id))
    incidents, repairs = lane(ledger, LaneKind.INCIDENT), lane(ledger, LaneKind.REMEDIATION)
    assert incidents.recorded
    assert [(one.id, one.title, one.services, one.ongoing) for one in incidents.events] == [
        ("1", "service down of backend", ("backend",), True)
    ]
    assert [(one.title, one.went_well, one.actor, one.services) for one in repairs.events] == [
        ("restart of backend", True, "guard", ("backend",))
    ]


def test_an_incident_is_of_the_services_too_that_failed_because_of_it(ledger: Ledger) -> None:
    above = {"threshold": "http_errors", "labels": {"service": "edge"}}
    ledger.incidents.open_incident(replace(INCIDENT, alerts=[*ALERTS, above]), [])
    assert [one.services for one in lane(ledger, LaneKind.INCIDENT).events] == [("backend", "edge")]


def test_an_alert_that_is_an_incident_of_the_ledger_is_not_shown_twice(ledger: Ledger) -> None:
    before = copied(TEN - timedelta(days=2), TEN - timedelta(days=2, hours=-1))
    ledger.record_events([before, copied(TEN - timedelta(minutes=1), None)])
    assert len(lane(ledger, LaneKind.INCIDENT).events) == 2
    ledger.incidents.open_incident(INCIDENT, [])
    assert [one.id for one in lane(ledger, LaneKind.INCIDENT).events] == [before.id, "1"]


def test_a_repair_outside_the_period_is_not_in_it(ledger: Ledger) -> None:
    ledger.incidents.open_incident(INCIDENT, [])
    long_ago = TEN - timedelta(days=40)
    ledger.incidents.begin_repair(replace(REPAIR, started_at=long_ago, ended_at=long_ago + timedelta(minutes=1)))
    assert lane(ledger, LaneKind.REMEDIATION).events == ()


def test_a_repair_is_charged_what_its_time_spent_of_the_budget_and_no_more() -> None:
    one = ANSWERS.model_copy(update={"service": "shop"})
    usual = [make_fact(one, "q", measured(day), [], LATER) for day in OCTOBER.days if day < BAD_DAY]
    bad = make_fact(one, "q", dead_from(10, 45), usual, LATER)
    made = report({one.name: {fact.day: fact for fact in [*usual, bad]}}, one)
    (dip,) = made.objective(one.name).dips
    repair = Event(id="1", start=dip.start + (dip.end - dip.start) / 2, end=dip.end, title="restart of shop",
                   went_well=True, services=("shop",))  # fmt: skip
    elsewhere = repair.model_copy(update={"id": "2", "start": dip.start, "services": ("other",)})
    lost = repair.model_copy(update={"id": "3", "end": None, "went_well": None})
    eighth = (dip.end - dip.start) / 8
    meanwhile = repair.model_copy(update={"id": "4", "start": repair.start + eighth, "end": dip.end - eighth})
    all_of_them = (repair, elsewhere, lost, meanwhile)
    lanes = [Lane(kind=LaneKind.REMEDIATION, title="remediation", recorded=True, events=all_of_them)]
    cost = _remediation(lanes, made.objectives)
    assert (cost.actions, cost.succeeded) == (4, 3)
    assert cost.minutes == pytest.approx(dip.minutes / 2, rel=0.01)
    assert cost.budget_share == pytest.approx(dip.budget_share / 2, rel=0.01)
    assert "Of 1 the end is not known" in cost.sentence
