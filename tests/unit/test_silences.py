"""What is silenced in Alertmanager itself, by target and symptom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from probe_servers import as_json, page, read_request, service, serving
from rulebooks import PACKAGED
from small_engine import SmallEngine

from sutazai_ops.remediation.silences import silenced, silences

NOW = datetime(2026, 11, 27, 3, tzinfo=UTC)
ALERTMANAGER = service("alertmanager", image="prom/alertmanager:v0.27.0")


def at(hours: float) -> str:
    return (NOW + timedelta(hours=hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alert(name: str, *silenced_by: str, **labels: str) -> dict:
    state = "suppressed" if silenced_by else "active"
    status = {"inhibitedBy": [], "silencedBy": [*silenced_by], "state": state}
    return {"labels": {"alertname": name, **labels}, "status": status, "startsAt": at(-1), "endsAt": at(1)}


def silence(name: str, ends: float, comment: str = "ticket 12") -> dict:
    return {"id": name, "comment": comment, "createdBy": "ann", "startsAt": at(-1), "endsAt": at(ends)}


def test_an_alert_that_is_silenced_covers_its_target_and_symptom_until_the_silence_ends():
    [one] = silenced([alert("service_down", "a", service="redis")], [silence("a", 2)], PACKAGED)
    assert (one.targets, one.symptom) == (frozenset({"redis"}), "service-down")
    assert one.end == NOW + timedelta(hours=2)
    assert one.reason == "ticket 12, by ann"
    assert one.covers("redis", "service-down", NOW)
    assert not one.covers("redis", "service-memory", NOW)


def test_what_somebody_is_told_of_is_not_covered_though_another_alert_of_it_is_silenced():
    alerts = [alert("service_memory_high", "a", service="redis"), alert("service_out_of_memory", service="redis")]
    assert PACKAGED.thresholds["service_memory_high"].playbook == PACKAGED.thresholds["service_out_of_memory"].playbook
    assert silenced(alerts, [silence("a", 2)], PACKAGED) == []


def test_of_several_silences_the_longest_of_an_alert_counts_and_the_first_alert_that_is_told_of_again():
    alerts = [
        alert("service_memory_high", "a", "b", service="redis"),
        alert("service_out_of_memory", "c", service="redis"),
    ]
    [one] = silenced(alerts, [silence("a", 1), silence("b", 5), silence("c", 3)], PACKAGED)
    assert one.end == NOW + timedelta(hours=3)


def test_what_names_no_service_is_of_the_host_and_somebody_elses_alert_is_of_nothing():
    alerts = [alert("host_disk_full", "a", mountpoint="/"), alert("of_somebody_else", "a", service="redis")]
    [one] = silenced(alerts, [silence("a", 1)], PACKAGED)
    assert one.targets == frozenset({"host"})


def alertmanager(alerts: object, known: object):
    def behave(connection, over) -> None:
        path = read_request(connection, peek=True).split()[1].decode()
        return as_json(alerts if path == "/api/v2/alerts" else known)(connection, over)

    return behave


def test_it_is_asked_for_both():
    with serving(alertmanager([alert("service_down", "a", service="redis")], [silence("a", 2)])) as port:
        assert len(silences([ALERTMANAGER], SmallEngine(alertmanager=port), PACKAGED)) == 1


@pytest.mark.parametrize(
    "behaves", [page(500), page(200, "<html>"), as_json({}), as_json([{}]), as_json([1])],
    ids=["500", "HTML", "no list", "no alert", "a number"],
)  # fmt: skip
def test_one_that_answers_with_something_else_silences_nothing(behaves):
    with serving(behaves) as port:
        assert silences([ALERTMANAGER], SmallEngine(alertmanager=port), PACKAGED) == []


def test_one_that_is_not_there_silences_nothing():
    assert silences([ALERTMANAGER], SmallEngine(), PACKAGED) == []
    assert silences([service("web", image="web:1")], SmallEngine(), PACKAGED) == []
