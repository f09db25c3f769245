"""The signals as they are now: what is ok, what is broken, and what nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sutazai_ops.monitoring.now import Look, Standing, rows, without_value
from sutazai_ops.monitoring.prometheus import ActiveAlert, Rule
from sutazai_ops.monitoring.promql import Value
from sutazai_ops.monitoring.thresholds import Rulebook, read_rulebook
from sutazai_ops.settings import MonitoringSettings

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
WHOLE = read_rulebook(MonitoringSettings())
BOOK = Rulebook(
    signals={name: WHOLE.signals[name] for name in ("host_cpu", "service_memory")},
    thresholds={name: WHOLE.thresholds[name] for name in ("host_cpu_high", "service_memory_high")},
)
BEGUN = NOW - timedelta(minutes=7)


def recorded(name: str, value: float, **labels: str) -> Value:
    return Value({"__name__": f"signal:{name}", **labels}, value)


def seen(*values: Value, **changes: Any) -> Look:
    rules = [
        Rule(signal.recorded, "recording", signal.query, NOW - timedelta(seconds=9)) for signal in BOOK.signals.values()
    ]
    alerts = [ActiveAlert({"alertname": "host_cpu_high", "instance": "a"}, {}, "firing", BEGUN)]
    return Look(**{"values": values, "rules": rules, "alerts": alerts, **changes})


def test_what_is_beyond_its_level_is_broken_since_it_was_found_so_and_comes_first():
    good, bad = recorded("host_cpu", 0.1, instance="b"), recorded("host_cpu", 0.9, instance="a")
    found = rows(BOOK, seen(recorded("service_memory", 0.2, service="shop"), good, bad), NOW)
    assert [(row.labels, row.standing) for row in found] == [
        ({"instance": "a"}, Standing.BROKEN),
        ({"instance": "b"}, Standing.OK),
        ({"service": "shop"}, Standing.OK),
    ]
    assert found[0].since == BEGUN
    assert found[0].measured_at == NOW - timedelta(seconds=9)


def test_what_is_expected_and_has_no_value_is_unknown_and_never_ok():
    missing = recorded("unknown", 1, signal="service_memory", service="shop")
    found = rows(BOOK, seen(recorded("host_cpu", 0.1, instance="a"), missing), NOW)
    (row,) = [row for row in found if row.signal.name == "service_memory"]
    assert (row.standing, row.value, row.labels) == (Standing.UNKNOWN, None, {"service": "shop"})


def test_a_value_that_was_not_computed_lately_is_unknown():
    old = [Rule(s.recorded, "recording", s.query, NOW - timedelta(minutes=3)) for s in BOOK.signals.values()]
    found = rows(BOOK, seen(recorded("host_cpu", 0.1, instance="a"), rules=old), NOW)
    assert {row.standing for row in found} == {Standing.UNKNOWN}
    assert {row.because for row in found} == {"it was not computed lately"}


def test_a_signal_whose_rule_is_not_loaded_or_fails_is_unknown():
    broken = [Rule("signal:host_cpu", "recording", "x", NOW, "many-to-many matching")]
    found = rows(BOOK, seen(recorded("host_cpu", 0.1, instance="a"), rules=broken), NOW)
    assert [row.because for row in found] == [
        "it cannot be computed: many-to-many matching",
        "its rule is not loaded",
    ]


def test_what_is_no_number_is_no_value():
    found = rows(BOOK, seen(recorded("host_cpu", float("nan"), instance="a")), NOW)
    assert found == []
    assert without_value(BOOK, found) == ["host_cpu", "service_memory"]
