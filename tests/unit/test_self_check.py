"""Whether the monitoring itself can be relied on, judged from what it answers."""

from __future__ import annotations

import pytest

from sutazai_ops.monitoring import self_check
from sutazai_ops.monitoring.presence import exporters_of
from sutazai_ops.monitoring.prometheus import Rule, Target, Value
from sutazai_ops.monitoring.rules import rules_file
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM, Settings

GENERATED = """
groups:
  - name: host
    rules:
      - {record: "signal:host_cpu", expr: "1 - avg by (instance) (rate(node_cpu_seconds_total[300s]))"}
      - {alert: host_cpu_high, expr: "signal:host_cpu > 0.80"}
"""


def loaded(name: str, query: str, error: str = "") -> Rule:
    return Rule(name, "recording" if ":" in name else "alerting", query, None, error)


CPU = loaded("signal:host_cpu", "1 - avg by (instance) (rate(node_cpu_seconds_total[5m]))")
HIGH = loaded("host_cpu_high", "signal:host_cpu > 0.8")


def test_a_service_without_a_probe_is_named():
    assert self_check.unprobed([]).is_well
    found = self_check.unprobed([Value({"service": "shop"}, 1)])
    assert (found.is_well, found.because) == (False, "without a probe: shop")


def test_a_target_that_is_down_or_was_not_scraped_yet_is_not_up():
    up = Target({"service": "a"}, "up")
    assert self_check.down([up]).is_well
    found = self_check.down([up, Target({"service": "b"}, "down", "refused"), Target({"instance": "c:1"}, "unknown")])
    assert not found.is_well
    assert [row["target"] for row in found.rows] == ["b", "c:1"]


def test_nothing_scraped_is_not_well():
    assert not self_check.down([]).is_well


def test_a_rule_is_the_same_however_prometheus_writes_it():
    assert self_check.differing([CPU, HIGH], [GENERATED]).is_well


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ([CPU], {"host_cpu_high"}),
        ([CPU, loaded("host_cpu_high", "signal:host_cpu > 0.9")], {"host_cpu_high"}),
        ([CPU, HIGH, loaded("somebody_elses", "up == 0")], {"somebody_elses"}),
        ([CPU, loaded("host_cpu_high", "signal:host_cpu > 0.8", "many-to-many matching")], {"host_cpu_high"}),
    ],
    ids=["missing", "another level", "nobody's", "not computed"],
)
def test_a_rule_that_is_not_as_generated_is_named(rules, named):
    found = self_check.differing(rules, [GENERATED])
    assert (found.is_well, {row["rule"] for row in found.rows}) == (False, named)


def test_every_rule_of_the_packaged_platform_is_one_that_can_be_compared():
    platform = read_platform(PACKAGED_PLATFORM)
    rulebook = read_rulebook(Settings().monitoring).on(exporters_of(platform))
    assert not self_check.differing([], [rules_file(rulebook, "https://example.org")]).is_well


def test_a_day_of_which_too_little_was_measured_is_named_with_its_share():
    assert self_check.uncovered([Value({"service": "shop"}, 0.995)]).is_well
    found = self_check.uncovered([Value({"service": "shop"}, 0.995), Value({"service": "chat"}, 0.25)])
    assert (found.is_well, found.because) == (False, "of chat 25.0% of the last day was measured")
    assert [row["service"] for row in found.rows] == ["chat"]


def test_a_day_without_any_probe_is_not_well():
    assert not self_check.uncovered([]).is_well
