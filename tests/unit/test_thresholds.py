"""Signals and thresholds as files: what is read, what is laid over it, and what each mistake is answered with."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulebooks import PACKAGED, with_files

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring import signals, thresholds
from sutazai_ops.monitoring.promql import Samples, asked_ranges, evaluate
from sutazai_ops.monitoring.signals import UNKNOWN
from sutazai_ops.monitoring.thresholds import Severity, Side, Watcher, read_rulebook
from sutazai_ops.settings import MonitoringSettings

OWN_SIGNAL = """
orders_waiting:
  description: Orders that wait for a payment
  query: max(orders_waiting)
  metrics: {orders_waiting: {kind: gauge}}
"""
OWN_THRESHOLD = """
orders_pile_up: {signal: orders_waiting, above: 100, for: 5m, severity: ticket, summary: "{value} orders wait"}
"""


def refused(folder: Path, **texts: str) -> BadInput:
    with pytest.raises(BadInput) as error:
        with_files(folder, **texts)
    return error.value


def test_the_plan_s_thresholds_are_there() -> None:
    levels = {name: (one.signal, one.side, one.level) for name, one in PACKAGED.thresholds.items()}
    assert levels["host_cpu_high"] == ("host_cpu", Side.ABOVE, 0.8)
    assert levels["host_memory_high"] == ("host_memory", Side.ABOVE, 0.85)
    assert levels["host_disk_full"] == ("host_disk", Side.ABOVE, 0.9)
    assert levels["host_disk_filling"] == ("host_disk_tomorrow", Side.BELOW, 0)
    assert levels["http_slow"] == ("http_p95", Side.ABOVE, 0.2)
    assert levels["http_errors"] == ("http_errors", Side.ABOVE, 0.001)
    assert levels["task_slow"] == ("task_seconds", Side.ABOVE, 5)


def test_every_packaged_threshold_says_why_and_has_a_runbook() -> None:
    bare = [one.name for one in PACKAGED.thresholds.values() if not (one.because and one.runbook and one.summary)]
    assert bare == []


def test_every_packaged_signal_says_what_it_is_and_brings_an_example() -> None:
    bare = [
        one.name
        for one in PACKAGED.signals.values()
        if not one.description or not (one.example or one.name == "always")
    ]
    assert bare == []


def test_what_is_blind_or_dead_wakes_somebody() -> None:
    names = (
        "exporter_blind",
        "prometheus_blind",
        "alertmanager_blind",
        "engine_blind",
        "signal_unknown",
        "service_unknown",
    )
    assert {PACKAGED.thresholds[name].severity for name in names} == {Severity.PAGE}


def test_what_no_longer_serves_wakes_nobody_where_little_depends_on_it() -> None:
    minor = {name for name, one in PACKAGED.thresholds.items() if one.unless_critical is Severity.TICKET}
    assert minor == {"service_down", "service_unknown", "service_restarting", "http_errors"}


def test_without_the_signal_that_says_which_service_is_critical_no_severity_can_depend_on_it(tmp_path: Path) -> None:
    error = refused(tmp_path, signals="service_critical: null\n")
    assert "no signal 'service_critical'" in error.what


def test_only_what_prometheus_cannot_see_is_watched_by_the_exporter() -> None:
    watched = [name for name, one in PACKAGED.thresholds.items() if one.watch is Watcher.EXPORTER]
    assert watched == ["prometheus_blind", "alertmanager_blind", "maintenance"]


def test_a_dead_monitor_is_told_within_two_minutes() -> None:
    """Scrape and evaluation each take up to 15 s, Alertmanager waits as long for others of the same service."""
    slow = {
        name: one.for_
        for name in (
            "exporter_blind",
            "engine_blind",
            "service_down",
            "service_unknown",
            "target_down",
            "signal_unknown",
        )
        if (one := PACKAGED.thresholds[name]).for_ + 15 + 15 + 15 > 120
    }
    assert slow == {}


def test_a_query_over_a_range_asks_for_the_metric_now_as_well() -> None:
    for one in PACKAGED.signals.values():
        for name in re.findall(r"([a-z_]+)(?:\{[^}]*\})?\[", one.query):
            assert re.search(rf"\band {name}\b(?!\S*\[)", one.query), one.name


def test_every_query_is_evaluated_here() -> None:
    nothing = Samples(60)
    nothing.add(0, [])
    for one in PACKAGED.signals.values():
        for expression in filter(None, (one.query, one.expected)):
            evaluate(expression, nothing, 0)


def test_every_metric_of_an_example_is_asked_for() -> None:
    for one in PACKAGED.signals.values():
        asked = set(asked_ranges(filter(None, [one.query, one.expected])))
        strange = [series.series for series in one.example if series.series.partition("{")[0] not in asked]
        assert strange == [], one.name


def test_one_level_of_a_person_s_own_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    one = with_files(tmp_path, thresholds="host_cpu_high: {above: 0.95}\n").thresholds["host_cpu_high"]
    assert one == PACKAGED.thresholds["host_cpu_high"].model_copy(update={"above": 0.95})


def test_the_other_side_takes_the_place_of_the_packaged_one(tmp_path: Path) -> None:
    one = with_files(tmp_path, thresholds="host_cpu_high: {below: 0.1}\n").thresholds["host_cpu_high"]
    assert (one.side, one.level) == (Side.BELOW, 0.1)


def test_what_others_silence_can_be_taken_away_too(tmp_path: Path) -> None:
    book = with_files(tmp_path, thresholds="collector_failing: null\n")
    assert "collector_failing" not in book.thresholds
    assert "signal_unknown" in book.thresholds["engine_blind"].inhibits
    assert "collector_failing" not in book.thresholds["engine_blind"].inhibits


def test_null_takes_a_threshold_and_a_signal_away(tmp_path: Path) -> None:
    book = with_files(tmp_path, signals="drift: null\n", thresholds="drifted: null\n")
    assert "drift" not in book.signals
    assert book.thresholds.keys() == PACKAGED.thresholds.keys() - {"drifted"}


def test_a_signal_of_a_person_s_own_needs_few_keys(tmp_path: Path) -> None:
    book = with_files(tmp_path, signals=OWN_SIGNAL, thresholds=OWN_THRESHOLD)
    assert book.signals["orders_waiting"].exporters == {"application"}
    assert book.thresholds["orders_pile_up"].level == 100
    assert book.catalogue().find("orders_waiting") is not None


def test_a_time_is_written_with_its_unit_where_the_signal_is_one(tmp_path: Path) -> None:
    book = with_files(tmp_path, thresholds="backup_stale: {above: 50h}\n")
    assert book.thresholds["backup_stale"].level == 50 * 3600


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("host_cpu_high:\n  above: 0.9\n  signal: host_cup", "no signal 'host_cup'", "host_cpu"),
        ("host_cpu_high:\n  because: x\n  above: 1.2", "lies between 0 and 1", "within"),
        ("host_cpu_high:\n  because: x\n  above: 1", "lies between 0 and 1", "within"),
        ("host_cpu_high:\n  because: x\n  above: -0.1", "lies between 0 and 1", "within"),
        ("exporter_blind:\n  because: x\n  below: 0", "lies between 0 and 1", "within"),
        ("host_cpu_high:\n  because: x\n  for: 50d", "longer than measurements are kept, 40d", "retention_days"),
        ("host_cpu_high:\n  because: x\n  keep_firing_for: 41d", "longer than", "retention_days"),
        ("host_cpu_high:\n  because: x\n  abov: 0.9", "abov is no key of a threshold", "'above'"),
        ("host_cpu_high:\n  because: x\n  name: y", "name is no key", ""),
        ("host_cpu_high:\n  because: x\n  runbook: {meanin: x}", "runbook.meanin is no key", "'meaning'"),
        ("host_cpu_high:\n  because: x\n  while: {signal: drift, above: 0}", "label service, which host_cpu lacks", ""),
        ("host_cpu_high:\n  because: x\n  while: {signal: drift}", "say one of above and below", ""),
        ("host_cpu_high:\n  because: x\n  above: 5m", "above is a time, and the signal host_cpu is a ratio", "number"),
        ("host_cpu_high:\n  because: x\n  above: true", "write a number, not true", ""),
        ("host_cpu_high:\n  because: x\n  above: .nan", "above of the threshold", ""),
        ("host_cpu_high:\n  because: x\n  above: 90%", "write a number (90 % is 0.9)", ""),
        ("host_cpu_high:\n  because: x\n  for: 45", "write a time with its unit", ""),
        ("host_cpu_high:\n  because: x\n  severity: pge", "'page', 'ticket' or 'none'", ""),
        ("host_cpu_high:\n  because: x\n  summary: '{servce}'", "{servce}, and host_cpu has no such label", "instance"),
        ("host_cpu_high:\n  because: x\n  summary: '{{ $value }}'", "braces are for names alone", ""),
        ("host_cpu_high:\n  because: x\n  inhibits: [drifte]", "no threshold 'drifte' to inhibit", "'drifted'"),
        ("host_cpu_high:\n  because: x\n  unless_critical: ticket", "of no service that could be critical", "remove"),
        ("x:\n  above: 1\n  signal: drift", "the threshold x has no for", "add for:"),
        ("\n\nhost_cup_high: null", "no host_cup_high to take away", "host_cpu_high"),
        ("\n\nhost_cpu_high: 0.9", "host_cpu_high holds no keys", "docs/signals.md"),
        ("\n\nHost:\n  {signal: drift, above: 0, for: 0s, severity: page, summary: x}", "the threshold Host", ""),
    ],
)  # fmt: skip
def test_a_threshold_that_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str, what: str, remedy: str) -> None:
    error = refused(tmp_path, thresholds=text + "\n")
    assert what in error.what
    assert remedy in error.remedy
    assert re.match(rf"{re.escape(str(tmp_path / 'thresholds.yaml'))}:[13],", error.where)


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("a:\n  unit: count\n  query: max(nowhere_total)", "nobody exports nowhere_total", "under metrics:"),
        ("a:\n  unit: count\n  query: max(sutazai_probe_stat)", "nobody exports", "sutazai_probe_state"),
        ("a:\n  query: vector(1)\n  expected: max(sutazai_probe_stat)", "nobody exports", "sutazai_probe_state"),
        ("a:\n  unit: count\n  query: max(", "query of the signal a is not PromQL", ""),
        ("a:\n  query: vector(1)\n  unit: percent", "unit of the signal a", ""),
        ("a:\n  query: vector(1)\n  range: [1, 0]", "range of the signal a is empty", "[low, high]"),
        ("a:\n  query: vector(1)\n  example: [{series: b}]", "gauge, rate and timestamp", ""),
        ("a:\n  query: vector(1)\n  exampel: []", "exampel is no key of a signal", "'example'"),
        ("\n\nunknown: {query: vector(1)}", "the name unknown is taken", ""),
    ],
)
def test_a_signal_that_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str, what: str, remedy: str) -> None:
    error = refused(tmp_path, signals=text + "\n")
    assert what in error.what
    assert remedy in error.remedy
    assert re.match(rf"{re.escape(str(tmp_path / 'signals.yaml'))}:3,", error.where)


@settings(deadline=None)
@given(st.floats(-2, 2), st.sampled_from(["above", "below"]))
def test_only_a_level_that_can_be_crossed_is_taken(level: float, side: str) -> None:
    """`host_cpu` lies between 0 and 1: over 1 and under 0 it never is."""
    can_be_crossed = 0 <= level < 1 if side == "above" else 0 < level <= 1
    with TemporaryDirectory() as folder:
        try:
            with_files(Path(folder), thresholds=f"host_cpu_high: {{{side}: {level!r}}}\n")
        except BadInput:
            assert not can_be_crossed
        else:
            assert can_be_crossed


def test_a_threshold_on_a_signal_that_was_taken_away_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, signals="drift: null\n")
    assert "no signal 'drift'" in error.what
    assert error.where.startswith(str(thresholds.PACKAGED))


def test_what_the_packaged_file_says_is_told_with_its_own_line(tmp_path: Path) -> None:
    """A range of a person's own makes a packaged level wrong: the level is named where it stands."""
    error = refused(tmp_path, signals="host_cpu: {range: [0, 0.5]}\n")
    line = int(error.where.removeprefix(f"{thresholds.PACKAGED}:").partition(",")[0])
    assert thresholds.PACKAGED.read_text().splitlines()[line - 1].strip() == "above: 0.8"


def test_a_longer_retention_allows_a_longer_for(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("host_cpu_high: {for: 50d}\n")
    settings = MonitoringSettings(thresholds=tmp_path / "t.yaml", retention_days=60)
    assert read_rulebook(settings).thresholds["host_cpu_high"].for_ == 50 * 86_400


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    assert "stands twice" in refused(tmp_path, thresholds="drifted: null\ndrifted: null\n").what


def test_what_nobody_exports_here_has_no_threshold_here() -> None:
    here = PACKAGED.on({"sutazai"})
    assert "host_cpu" not in here.signals
    assert "host_cpu_high" not in here.thresholds
    assert "signal_unknown" in here.thresholds
    assert here.thresholds["service_down"].inhibits == ("service_unknown", "signal_unknown")
    assert PACKAGED.not_on({"sutazai"})["host_cpu"] == ["node"]


def test_everything_is_measured_where_every_exporter_is() -> None:
    every = {exporter for one in PACKAGED.signals.values() for exporter in one.exporters}
    assert PACKAGED.on(every) == PACKAGED
    assert PACKAGED.not_on(every) == {}


def test_what_is_recorded_can_be_asked_for() -> None:
    known = PACKAGED.catalogue()
    for one in PACKAGED.signals.values():
        found = known.find(one.recorded)
        assert found is not None
        assert found.labels == set(one.labels)
    assert known.find(f"signal:{UNKNOWN}") is not None
    assert signals.PACKAGED.exists()
