"""What a person is told of an incident, and when again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from guard_situations import HOUR, INCIDENT, MINUTE, NOW, repair

from sutazai_ops.ledger import VerdictEntry
from sutazai_ops.remediation.escalation import needs_reminder, next_routes, notice_of, reason_of
from sutazai_ops.remediation.verdict import Kind, Reason, Verdict
from sutazai_ops.settings import AlertSettings

VERDICT = Verdict(Kind.ESCALATE, Reason.LADDER_ENDED)


def test_it_says_what_broke_since_when_what_was_tried_and_what_to_do_next():
    notice = notice_of(INCIDENT, VERDICT.reason, [repair(outcome="did not help")], "https://books.example/")
    assert notice.annotations == {
        "summary": "backend does not do its work; tried: restart did not help;"
        " now yours, because nothing is left to try",
        "next": "sutazai-ops incidents show 7",
        "runbook_url": "https://books.example/service_down.md",
    }
    assert (notice.severity, notice.service) == ("page", "backend")
    assert notice.begun_at == INCIDENT.broken_since.timestamp()


def test_what_is_about_the_host_names_no_service():
    host = replace(INCIDENT, target="host", alerts=[{"threshold": "host_disk_full", "labels": {"mountpoint": "/"}}])
    assert "service" not in notice_of(host, VERDICT.reason, [], "x").labels


@pytest.mark.parametrize(
    ("changes", "ago", "is_due"),
    [
        ({}, 4 * HOUR, True),
        ({}, 4 * HOUR - MINUTE, False),
        ({}, -HOUR, True),
        ({"acknowledged_at": NOW}, 9 * HOUR, False),
        ({"broken_since": None, "whole_since": NOW}, 9 * HOUR, False),
    ],
)
def test_it_is_told_again_while_it_is_broken_and_nobodys(changes, ago: timedelta, is_due):
    assert needs_reminder(replace(INCIDENT, **changes), NOW - ago, 4, NOW) is is_due


def test_a_reminder_says_why_it_was_given_to_a_person_and_not_that_one_has_it():
    def entry(kind: Kind, reason: Reason) -> VerdictEntry:
        return VerdictEntry(7, NOW, "act", kind, reason, "", None, {})

    before = [entry(Kind.ESCALATE, Reason.LADDER_ENDED), entry(Kind.SKIP, Reason.WITH_A_PERSON)]
    assert reason_of(before, Verdict(Kind.SKIP, Reason.WITH_A_PERSON)) == Reason.LADDER_ENDED
    assert reason_of([], VERDICT) == Reason.LADDER_ENDED


def test_each_reminder_goes_one_route_further():
    receivers = {name: {"kind": "webhook", "url_file": f"/{name}", "severities": []} for name in ("team", "head")}
    alerts = AlertSettings.model_validate({"receivers": receivers, "then": ["team", "head"]})
    told = [[one.name for one in next_routes(alerts, times)] for times in range(4)]
    assert told == [[], ["team"], ["team", "head"], ["team", "head"]]


def test_a_next_route_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="no receiver of that name"):
        AlertSettings.model_validate({"then": ["nobody"]})
