"""What alerts are to incidents: broken now or firing on, of which target, and when nothing can be relied on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sutazai_ops.monitoring.now import Look
from sutazai_ops.monitoring.prometheus import ActiveAlert, Rule
from sutazai_ops.monitoring.promql import Value
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.remediation.incidents import HOST
from sutazai_ops.remediation.seeing import blindness, sightings
from sutazai_ops.settings import MonitoringSettings

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
BOOK = read_rulebook(MonitoringSettings())
BEGUN = NOW - timedelta(minutes=7)


def alert(name: str, state: str = "firing", /, **labels: str) -> ActiveAlert:
    threshold = BOOK.thresholds[name]
    labels = {"alertname": name, "severity": threshold.severity, "signal": threshold.signal} | labels
    return ActiveAlert(labels, {"summary": f"{name} it is"}, state, BEGUN)


def recorded(name: str, value: float, /, **labels: str) -> Value:
    return Value({"__name__": f"signal:{name}", **labels}, value)


def look(*alerts: ActiveAlert, values=(), evaluated=NOW) -> Look:
    rules = [Rule("signal:host_cpu", "recording", "x", evaluated)]
    return Look(values, rules, [alert("watchdog"), *alerts])


def test_an_alert_is_broken_while_its_value_is_beyond_its_level():
    down = recorded("service_down", 1, service="backend")
    (one,) = sightings(look(alert("service_down", service="backend"), values=[down]), BOOK, NOW)
    assert (one.target, one.symptom, one.severity, one.since) == ("backend", "service-down", "page", BEGUN)
    assert (one.fires, one.broken) == (True, True)
    assert one.labels == {"service": "backend"}
    assert one.summary == "service_down it is"


def test_how_urgent_it_is_says_the_alert():
    minor = alert("service_down", service="qdrant", severity="ticket")
    assert [one.severity for one in sightings(look(minor), BOOK, NOW)] == ["ticket"]


def test_an_alert_that_fires_on_is_whole():
    up = recorded("service_down", 0, service="backend")
    other = recorded("service_down", 1, service="edge")
    (one,) = sightings(look(alert("service_down", service="backend"), values=[up, other]), BOOK, NOW)
    assert (one.fires, one.broken) == (True, False)


def test_what_is_pending_does_not_fire():
    (one,) = sightings(look(alert("service_down", "pending", service="backend")), BOOK, NOW)
    assert not one.fires


def test_what_names_no_service_is_of_the_host_and_keeps_the_labels_of_its_signal():
    (one,) = sightings(look(alert("host_disk_full", instance="a", mountpoint="/data")), BOOK, NOW)
    assert (one.target, one.labels) == (HOST, {"instance": "a", "mountpoint": "/data"})


def test_what_is_unknown_keeps_the_name_of_its_signal():
    unknown = recorded("unknown", 1, signal="queue_age", service="redis")
    seen = look(alert("signal_unknown", signal="queue_age", service="redis"), values=[unknown])
    (one,) = sightings(seen, BOOK, NOW)
    assert (one.labels, one.broken) == ({"signal": "queue_age", "service": "redis"}, True)


def test_what_is_inhibited_opens_no_incident_of_its_own():
    seen = look(
        alert("service_down", service="backend"), alert("http_slow", service="backend"), alert("http_slow", service="x")
    )
    assert {(one.threshold, one.target): one.fires for one in sightings(seen, BOOK, NOW)} == {
        ("service_down", "backend"): True,
        ("http_slow", "backend"): False,
        ("http_slow", "x"): True,
    }


def test_the_watchdog_and_what_no_threshold_is_known_of_are_none():
    strange = ActiveAlert({"alertname": "somebody_elses", "severity": "page"}, {}, "firing", BEGUN)
    assert sightings(look(strange), BOOK, NOW) == []


def test_it_is_blind_where_the_watchdog_is_silent_or_nothing_was_evaluated_or_an_alert_says_so():
    assert blindness(look(), NOW) == ""
    assert "watchdog" in blindness(Look((), (), ()), NOW)
    assert blindness(look(evaluated=NOW - timedelta(minutes=3)), NOW) == "no threshold was evaluated lately"
    assert blindness(look(evaluated=None), NOW) == "no threshold was evaluated lately"
    assert blindness(look(alert("engine_blind")), NOW) == "engine_blind fires"
    assert blindness(look(alert("engine_blind", "pending")), NOW) == ""
