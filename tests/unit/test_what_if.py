"""The ledger's own history as a trace: what was decided comes out again, and another rule is seen beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from guard_situations import HOUR, INCIDENT, MINUTE, NOW, TOPOLOGY, repair

from sutazai_ops.ledger import IncidentEventEntry, VerdictEntry, WindowEntry
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.remediation.history import Past, Premises, Remembered, as_trace
from sutazai_ops.remediation.playbook import Action
from sutazai_ops.remediation.playbooks import read_playbooks
from sutazai_ops.remediation.simulate import simulate
from sutazai_ops.remediation.situation import DID_NOT_HELP, HELPED, Limits
from sutazai_ops.remediation.trace import Trace, read_trace
from sutazai_ops.remediation.verdict import Mode, Reason
from sutazai_ops.remediation.what_if import beside
from sutazai_ops.settings import MonitoringSettings

RULEBOOK = read_rulebook(MonitoringSettings())
PLAYBOOKS = read_playbooks(RULEBOOK, list(TOPOLOGY.depends_on))
OPENED = INCIDENT.opened_at
WHOLE = NOW + MINUTE


def event(at, kind, **detail) -> IncidentEventEntry:
    return IncidentEventEntry(INCIDENT.number, at, kind, kind, detail)


def decided(at, kind, reason, rung="") -> VerdictEntry:
    return VerdictEntry(INCIDENT.number, at, "act", kind, reason, rung, None, {})


MENDED = Remembered(
    replace(INCIDENT, broken_since=None, whole_since=WHOLE, closed_at=WHOLE + HOUR / 4, outcome="by a repair"),
    [event(OPENED, "opened"), event(WHOLE, "whole"), event(WHOLE + HOUR / 4, "closed")],
    [
        decided(OPENED, "wait", Reason.PERSISTENCE),
        decided(NOW, "act", Reason.DUE, "restart"),
        decided(WHOLE, "wait", Reason.RECOVERING),
    ],
    [repair(incident=INCIDENT.number, started_at=NOW, ended_at=WHOLE + MINUTE, outcome=HELPED)],
)


def past(*incidents, windows=()) -> Past:
    return Past(NOW - HOUR, NOW + 2 * HOUR, incidents, windows)


def traced(one: Past, mode=Mode.ACT, assumed=(), **premises) -> Trace:
    return Trace.model_validate(as_trace(one, Premises(TOPOLOGY, **premises), RULEBOOK, mode, assumed))


def run(one: Past, mode=Mode.ACT, assumed=(), **premises):
    return simulate(traced(one, mode, assumed, **premises), RULEBOOK, PLAYBOOKS, Limits())


def would(one: Past, outcome) -> list[str]:
    return [row.would for row in beside(one, outcome) if row.would]


def test_by_the_same_rules_what_was_decided_is_decided_again():
    rows = beside(past(MENDED), run(past(MENDED)))
    both = [row.was for row in rows if row.was == row.would]
    assert both == [
        "wait: it is not broken for long enough",
        "act restart: it is due",
        "wait: it is whole, and is watched",
    ]
    assert {row.incident for row in rows} == {7}


def test_what_a_repair_mended_lasts_for_as_long_as_a_person_takes_where_it_is_not_made():
    outcome = run(past(MENDED), Mode.PROPOSE)
    assert outcome.repairs == []
    (ended,) = outcome.incidents
    without = (ended.whole_since - ended.opened_at).total_seconds()
    assert without == pytest.approx((WHOLE + Limits().a_person_takes - OPENED).total_seconds(), abs=120)


def test_what_mended_itself_ends_when_it_ended_whatever_is_done():
    (broken,) = traced(past(replace(MENDED, repairs=()))).broken
    assert (broken.until, broken.mended_by) == ((WHOLE - NOW + HOUR).total_seconds(), {})


def test_an_action_that_is_assumed_to_mend_is_so_only_where_no_repair_was_tried():
    lasts = replace(MENDED, incident=INCIDENT, events=[event(OPENED, "opened")], verdicts=(), repairs=())
    assert [one.repair.outcome for one in run(past(lasts), assumed=[Action.RESTART]).repairs] == [HELPED]
    failed = repair(incident=INCIDENT.number, started_at=NOW, ended_at=WHOLE, outcome=DID_NOT_HELP)
    tried = replace(lasts, repairs=[failed])
    assert traced(past(tried), assumed=[Action.RESTART]).broken[0].mended_by == {}


def test_times_in_which_it_was_blind_or_covered_are_so_again():
    verdicts = [decided(OPENED, "skip", Reason.BLIND), decided(WHOLE, "wait", Reason.RECOVERING)]
    blind = replace(MENDED, verdicts=verdicts, repairs=())
    window = WindowEntry(1, "maintenance", ["backend"], "a new disk", OPENED, OPENED + 2 * HOUR, "ann")
    assert run(past(blind)).repairs == []
    covered = past(MENDED, windows=[window])
    assert run(covered).repairs == []
    assert "skip: maintenance, a silence or a deployment covers it" in would(covered, run(covered))


def test_each_time_that_it_broke_is_one_and_a_threshold_counts_since_it_joined():
    again = [
        event(OPENED, "opened"),
        event(NOW, "whole"),
        event(NOW + MINUTE, "broken"),
        event(NOW + 2 * MINUTE, "attached", threshold="http_errors", labels={"service": "backend"}),
        event(NOW + 3 * MINUTE, "whole"),
    ]
    alerts = [*INCIDENT.alerts, {"threshold": "http_errors", "labels": {"service": "backend"}}]
    flapped = Remembered(replace(INCIDENT, alerts=alerts), again)
    since_hour = [(one.threshold, one.start - 3600, one.until - 3600) for one in traced(past(flapped)).broken]
    assert since_hour == [
        ("service_down", -180, 0),
        ("service_down", 60, 180),
        ("http_errors", 120, 180),
    ]


def test_what_failed_because_of_it_is_not_said_of_its_target():
    above = {"threshold": "http_errors", "labels": {"service": "edge"}}
    followed = [*MENDED.events, event(OPENED + MINUTE, "attached", **above)]
    told = replace(MENDED, incident=replace(INCIDENT, alerts=[*INCIDENT.alerts, above]), events=followed)
    assert {one.threshold for one in traced(past(told)).broken} == {"service_down"}


def test_a_backup_of_each_night_is_taken_to_be_there_where_there_is_one_now():
    of_redis = replace(INCIDENT, target="redis", alerts=[{"threshold": "service_down", "labels": {"service": "redis"}}])
    lasts = past(Remembered(of_redis, [event(OPENED, "opened")]))
    known = {"may_disrupt": frozenset({"redis"})}
    assert run(lasts, **known).repairs == []
    late = replace(lasts, since=NOW - timedelta(days=6))
    assert [one.repair.target for one in run(late, backed_up=frozenset({"redis"}), **known).repairs][:1] == ["redis"]


def test_what_began_before_the_time_that_is_looked_at_is_broken_from_its_beginning_on():
    began = replace(past(MENDED), since=NOW)
    assert traced(began).broken[0].start == 0


def test_the_history_of_a_service_that_is_gone_and_of_a_window_that_never_began_can_be_simulated(tmp_path):
    """`what-if --trace` wrote a file that `simulate` refused: it did not name the service that was taken out since."""
    gone = replace(
        MENDED,
        incident=replace(
            MENDED.incident, target="old", alerts=[{"threshold": "service_down", "labels": {"service": "old"}}]
        ),
    )
    closed = WindowEntry(1, "maintenance", ["older"], "a new disk", NOW + HOUR, NOW, "ann")
    held = WindowEntry(2, "maintenance", ["older"], "a new disk", NOW, NOW + HOUR, "ann")
    blind = [decided(NOW, "skip", Reason.BLIND), decided(OPENED, "wait", Reason.PERSISTENCE)]
    written = as_trace(
        past(gone, replace(MENDED, verdicts=blind), windows=[closed, held]),
        Premises(replace(TOPOLOGY, depends_on={**TOPOLOGY.depends_on, "backend": ["postgres", "not-here"]})),
        RULEBOOK,
        Mode.ACT,
    )
    file = tmp_path / "past.yaml"
    file.write_text(yaml.safe_dump(written))
    read = read_trace(file, RULEBOOK)
    assert {"old", "older"} <= set(read.services)
    assert [window.services for window in read.closed] == [("older",)]
