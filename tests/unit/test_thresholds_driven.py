"""Every threshold has been seen red for a real cause: which test does that, or why none can.

The claim of each line is held against the tests themselves: the test that is named exists and awaits the alert by its
name. A threshold without a line here, and a line without its threshold, are failures.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import sutazai_ops.monitoring.thresholds

TESTS = Path(__file__).parents[1]
PACKAGED = Path(sutazai_ops.monitoring.thresholds.__file__).with_name("thresholds.yaml")
WATCHED = "docker/watched/test_alarms.py"


@dataclass(frozen=True)
class Nowhere:
    """It cannot be had on a test's machine."""

    because: str


CAUSES = "test_each_cause_is_told_by_webhook_and_mail_and_its_end_too"
DRIVEN: dict[str, tuple[str, str] | Nowhere] = {
    "host_cpu_high": (WATCHED, CAUSES),
    "host_memory_high": (WATCHED, CAUSES),
    "host_disk_full": Nowhere("not driven yet"),
    "host_disk_filling": Nowhere("not driven yet"),
    "clock_jumped": Nowhere(
        "all containers have the host's clock, and setting it would break whatever else runs there;"
        " tests/unit/test_exporter_collectors.py gives the collector a clock that jumps"
    ),
    "service_down": (WATCHED, CAUSES),
    "service_unknown": Nowhere("not driven yet"),
    "engine_blind": (WATCHED, "test_without_a_way_to_docker_nothing_is_ok_and_somebody_is_told"),
    "service_restarting": (WATCHED, CAUSES),
    "service_out_of_memory": (WATCHED, CAUSES),
    "service_cpu_high": (WATCHED, CAUSES),
    "service_memory_high": (WATCHED, CAUSES),
    "certificate_ending": Nowhere("not driven yet"),
    "drifted": (WATCHED, CAUSES),
    "http_slow": (WATCHED, "test_a_backend_that_is_slow_and_one_that_fails_some_requests_are_told_as_such"),
    "http_errors": (WATCHED, "test_a_backend_that_is_slow_and_one_that_fails_some_requests_are_told_as_such"),
    "task_slow": Nowhere("not driven yet"),
    "inference_slow": Nowhere("not driven yet"),
    "queue_old": (WATCHED, "test_a_queue_that_nobody_takes_from_is_told"),
    "backup_stale": (WATCHED, CAUSES),
    "backup_unverified": (WATCHED, CAUSES),
    "postgres_locked": Nowhere("make chaos FAULTS=locks drives it: what holds the lock has to have run for minutes"),
    "postgres_replica_late": Nowhere("not driven yet"),
    "redis_replica_late": Nowhere("not driven yet"),
    "dagster_asleep": Nowhere("not driven yet"),
    "remediation_asleep": ("docker/watched/test_incidents_watched.py", "test_a_watch_that_is_killed_is_told_by_others"),
    "dagster_schedule_missed": Nowhere("not driven yet"),
    "dagster_runs_stuck": Nowhere("not driven yet"),
    "exporter_blind": (WATCHED, "test_a_dead_exporter_is_told_and_leaves_no_figure_behind"),
    "collector_late": Nowhere("not driven yet"),
    "collector_failing": Nowhere("not driven yet"),
    "prometheus_blind": (WATCHED, "test_a_dead_prometheus_is_told_by_the_exporter"),
    "alertmanager_blind": (WATCHED, "test_a_dead_alertmanager_is_told_past_it"),
    "target_down": Nowhere("not driven yet"),
    "prometheus_keeps_too_little": Nowhere(
        "it needs a day of measurements and most of a gigabyte of them; tests/unit/test_rule_tests_here.py drives its"
        " rule by such figures"
    ),
    "rules_failing": Nowhere("not driven yet"),
    "alerts_undelivered": (WATCHED, "test_a_receiver_that_is_down_is_told_to_the_other"),
    "notices_undelivered": Nowhere("not driven yet"),
    "signal_unknown": Nowhere("not driven yet"),
    "maintenance": Nowhere("not driven yet"),
    "watchdog": Nowhere("not driven yet"),
}


def body_of(file: str, test: str) -> str:
    """The text of a test; empty where it is not there."""
    text = (TESTS / file).read_text(encoding="utf-8")
    found = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef) and one.name == test]
    return ast.get_source_segment(text, found[0]) or "" if found else ""


def test_every_threshold_says_what_drives_it():
    assert set(DRIVEN) == set(yaml.safe_load(PACKAGED.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("threshold", "driven"), DRIVEN.items())
def test_the_test_that_is_named_awaits_the_alert_by_its_name(threshold, driven):
    if isinstance(driven, Nowhere):
        assert driven.because
    else:
        assert f'"{threshold}"' in body_of(*driven)
