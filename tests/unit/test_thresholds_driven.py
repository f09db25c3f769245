"""Every threshold has been seen red for a real cause: which test does that, or why none can.

The claim of each line is held against the tests themselves: the test that is named exists and awaits the alert by its
name. A threshold without a line here, and a line without its threshold, are failures.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

from sutazai_ops.monitoring.presence import ON_THE_EMBEDDED_ENGINE
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.settings import MonitoringSettings

TESTS = Path(__file__).parents[1]
RULEBOOK = read_rulebook(MonitoringSettings())
WATCHED = "docker/watched/services/test_alarms.py"


@dataclass(frozen=True)
class Nowhere:
    """It cannot be had on a test's machine."""

    because: str


BESIDE = "docker/watched/around/test_alarms_beside.py"
WATCHERS = "docker/watched/around/test_watchers.py"
WINDOWS = "docker/watched/services/test_windows.py"
EMBEDDED = "embedded/test_alarms_of_servers.py"
CAUSES = (WATCHED, "test_each_cause_is_told_by_webhook_and_mail_and_its_end_too")
BESIDE_CAUSES = (BESIDE, "test_each_cause_beside_the_services_is_told_and_its_end_too")
HERE = (EMBEDDED, "test_each_cause_is_told_by_webhook_and_mail_and_its_end_too")
APPLICATION = (WATCHED, "test_a_backend_that_is_slow_and_one_that_fails_some_requests_are_told_as_such")
BACKUPS = (WATCHED, "test_backups_that_are_missing_are_told_and_those_that_were_spoilt_once_they_are_proved")
WINDOW = (WINDOWS, "hears_of_it_once_it_ends")
ONE_CLOCK = Nowhere(
    "everybody on a machine has its clock, and setting it would break whatever else runs there;"
    " tests/unit/test_exporter_collectors.py gives the collector one that jumps"
)

ON_CONTAINERS: dict[str, tuple[str, str] | Nowhere] = {
    "host_cpu_high": CAUSES,
    "host_memory_high": CAUSES,
    "host_disk_full": BESIDE_CAUSES,
    "host_disk_filling": BESIDE_CAUSES,
    "clock_jumped": ONE_CLOCK,
    "service_down": CAUSES,
    "service_unknown": BESIDE_CAUSES,
    "engine_blind": (WATCHED, "test_without_a_way_to_docker_nothing_is_ok_and_somebody_is_told"),
    "service_restarting": CAUSES,
    "service_out_of_memory": CAUSES,
    "service_cpu_high": CAUSES,
    "service_memory_high": CAUSES,
    "certificate_ending": (WATCHED, "test_a_certificate_is_told_before_it_ends"),
    "drifted": CAUSES,
    "http_slow": APPLICATION,
    "http_errors": APPLICATION,
    "task_slow": BESIDE_CAUSES,
    "inference_slow": BESIDE_CAUSES,
    "queue_old": (WATCHED, "test_a_queue_that_nobody_takes_from_is_told"),
    "backup_stale": BACKUPS,
    "backup_unverified": BACKUPS,
    "postgres_locked": BESIDE_CAUSES,
    "postgres_replica_late": BESIDE_CAUSES,
    "redis_replica_late": BESIDE_CAUSES,
    "remediation_asleep": (WATCHED, "test_a_watch_that_is_killed_is_told_by_others"),
    "dagster_asleep": BESIDE_CAUSES,
    "dagster_schedule_missed": BESIDE_CAUSES,
    "dagster_runs_stuck": BESIDE_CAUSES,
    "exporter_blind": (WATCHERS, "test_a_dead_exporter_is_told_and_leaves_no_figure_behind"),
    "collector_late": BESIDE_CAUSES,
    "collector_failing": BESIDE_CAUSES,
    "prometheus_blind": (WATCHED, "test_a_dead_prometheus_is_told_by_the_exporter"),
    "alertmanager_blind": (WATCHERS, "test_a_dead_alertmanager_is_told_past_it"),
    "target_down": BESIDE_CAUSES,
    "prometheus_keeps_too_little": Nowhere(
        "it needs a day of measurements, and most of a gigabyte of them; promtool drives its rule by such figures"
    ),
    "rules_failing": BESIDE_CAUSES,
    "alerts_undelivered": (WATCHED, "test_a_receiver_that_is_down_is_told_to_the_other"),
    "notices_undelivered": (WATCHERS, "test_a_dead_alertmanager_is_told_past_it"),
    "signal_unknown": BESIDE_CAUSES,
    "maintenance": WINDOW,
    "watchdog": (WINDOWS, "test_the_address_outside_hears_that_the_monitoring_lives"),
}
NO_CONTAINERS = Nowhere("servers are processes here: nothing limits them, starts them again, or counts that")
SAME_DISK = Nowhere("only node exporter's place is taken; tests/embedded/test_exporter.py holds the figures against df")
NO_PROMETHEUS = Nowhere("there is none here")
ON_THE_EMBEDDED: dict[str, tuple[str, str] | Nowhere] = {
    "host_cpu_high": HERE,
    "host_memory_high": HERE,
    "host_disk_full": SAME_DISK,
    "host_disk_filling": SAME_DISK,
    "clock_jumped": ONE_CLOCK,
    "service_down": HERE,
    "service_unknown": Nowhere("what does not run is down here, and the engine holds addresses and passwords itself"),
    "engine_blind": Nowhere("this engine is in the exporter's own process: it cannot be out of reach"),
    "service_restarting": NO_CONTAINERS,
    "service_out_of_memory": NO_CONTAINERS,
    "service_cpu_high": NO_CONTAINERS,
    "service_memory_high": NO_CONTAINERS,
    "certificate_ending": Nowhere("its servers listen on loopback, without TLS"),
    "drifted": Nowhere("its servers are what was released: there is no second hand that changes them"),
    "inference_slow": Nowhere("it runs no Ollama"),
    "queue_old": HERE,
    "backup_stale": HERE,
    "backup_unverified": HERE,
    "remediation_asleep": Nowhere("the same file of the same program is looked at as on containers"),
    "dagster_asleep": HERE,
    "dagster_schedule_missed": HERE,
    "dagster_runs_stuck": HERE,
    "exporter_blind": Nowhere("the exporter is who tells; the address outside hears nothing any more, and says so"),
    "collector_late": Nowhere("no server of its makes a collector wait for three rounds: it asks for seconds at most"),
    "collector_failing": HERE,
    "prometheus_blind": NO_PROMETHEUS,
    "alertmanager_blind": NO_PROMETHEUS,
    "notices_undelivered": HERE,
    "signal_unknown": HERE,
    "maintenance": Nowhere("tests/unit/test_maintenance.py: the window holds back what the exporter itself tells"),
    "watchdog": Nowhere("tests/unit/test_exporter_watchdog.py: the exporter calls the address by itself"),
}


def body_of(file: str, test: str) -> str:
    """The text of a test; empty where it is not there."""
    text = (TESTS / file).read_text(encoding="utf-8")
    found = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef) and one.name == test]
    return ast.get_source_segment(text, found[0]) or "" if found else ""


def test_every_threshold_says_what_drives_it():
    assert set(ON_CONTAINERS) == set(RULEBOOK.thresholds)


def test_every_threshold_that_is_evaluated_without_containers_says_what_drives_it_there():
    assert set(ON_THE_EMBEDDED) == set(RULEBOOK.on(ON_THE_EMBEDDED_ENGINE).thresholds)


@pytest.mark.parametrize(("threshold", "driven"), [*ON_CONTAINERS.items(), *ON_THE_EMBEDDED.items()])
def test_the_test_that_is_named_awaits_the_alert_by_its_name(threshold, driven):
    if isinstance(driven, Nowhere):
        assert driven.because
    else:
        assert f'"{threshold}"' in body_of(*driven)
