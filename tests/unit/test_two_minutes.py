"""What is unknown, fails or hangs is told within two minutes: added up from the numbers that the programs are given."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from rulebooks import PACKAGED

from sutazai_ops.monitoring.alertmanager import GROUP_WAIT_SECONDS
from sutazai_ops.monitoring.exporter import alerting
from sutazai_ops.monitoring.exporter.measuring import CAUSE_SECONDS
from sutazai_ops.monitoring.exporter.schedule import JITTER, TURN_SECONDS
from sutazai_ops.monitoring.probes.run import ENGINE_SECONDS, GRACE_SECONDS
from sutazai_ops.monitoring.scrape import INTERVAL_SECONDS, TIMEOUT_SECONDS
from sutazai_ops.platform import Probe
from sutazai_ops.settings import MonitoringSettings

AT_MOST = 115
"""Two minutes, and a margin for what takes milliseconds each."""
PAGE = (Path(__file__).parents[2] / "docs/monitoring.md").read_text()
INTERVAL = MonitoringSettings().interval_seconds
ROUND = INTERVAL * (1 + JITTER)
SCRAPE = EVALUATION = INTERVAL_SECONDS
EVALUATION_HERE = alerting.EVERY_SECONDS * (1 + JITTER)


def lasting(name: str) -> float:
    """How long it has to be broken, as Prometheus sees it, which looks once an evaluation."""
    return math.ceil(PACKAGED.thresholds[name].for_ / EVALUATION) * EVALUATION


def level(name: str) -> float:
    return PACKAGED.thresholds[name].level


CASES = {
    "a probe that ends by its time": (
        ROUND + Probe(kind="tcp", port=1).timeout_seconds + GRACE_SECONDS + CAUSE_SECONDS
        + SCRAPE + EVALUATION + lasting("service_down") + GROUP_WAIT_SECONDS
    ),
    "an engine that hangs": (
        ROUND + TURN_SECONDS + ENGINE_SECONDS
        + SCRAPE + EVALUATION + lasting("service_unknown") + GROUP_WAIT_SECONDS
    ),
    "a collector that hangs": (
        level("collector_late") * INTERVAL + SCRAPE + EVALUATION + lasting("collector_late") + GROUP_WAIT_SECONDS
    ),
    "a target that answers HTML": (
        SCRAPE + TIMEOUT_SECONDS + EVALUATION + lasting("target_down") + GROUP_WAIT_SECONDS
    ),
    "a dead exporter": SCRAPE + TIMEOUT_SECONDS + EVALUATION + lasting("exporter_blind") + GROUP_WAIT_SECONDS,
    "a dead Prometheus": level("prometheus_blind") + EVALUATION_HERE + GROUP_WAIT_SECONDS,
    "a dead Alertmanager": level("alertmanager_blind") + EVALUATION_HERE,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_within_two_minutes_and_the_page_says_after_how_long(case):
    assert CASES[case] <= AT_MOST
    assert f"| {math.ceil(CASES[case])} |" in PAGE


def test_a_metric_that_vanishes_is_told_within_two_minutes():
    vanishes = ROUND + SCRAPE + EVALUATION + lasting("signal_unknown") + GROUP_WAIT_SECONDS
    assert vanishes <= AT_MOST
