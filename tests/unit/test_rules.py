"""The rules for Prometheus: what is made of the two files, and that it means what we evaluate ourselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from rulebooks import PACKAGED, rulebook, signal, threshold, with_files

from sutazai_ops.monitoring.duration import parse_duration
from sutazai_ops.monitoring.evaluation import Alert, State, advance, annotations_of, labels_of, measure
from sutazai_ops.monitoring.promql import Sample, Samples, parse
from sutazai_ops.monitoring.promql.lint import Known, lint
from sutazai_ops.monitoring.rule_tests import cases_of, exercised, rule_tests_file
from sutazai_ops.monitoring.rules import expression, rules_file, unknown_expression
from sutazai_ops.monitoring.thresholds import CRITICAL, Rulebook, Watcher

URL = "https://docs.example/runbooks"
RUNBOOK = {"meaning": "", "impact": "", "look": "", "mend": ""}


def rules(book: Rulebook = PACKAGED) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(rules_file(book, URL))["groups"] for rule in group["rules"]]


def by_alert(book: Rulebook = PACKAGED) -> dict[str, dict[str, Any]]:
    """The first rule of each alert."""
    return {rule["alert"]: rule for rule in reversed(rules(book)) if "alert" in rule}


def test_the_same_rulebook_is_written_the_same() -> None:
    assert rules_file(PACKAGED, URL) == rules_file(PACKAGED.model_copy(deep=True), URL)


def test_the_head_names_a_hash_that_changes_with_the_sources(tmp_path: Path) -> None:
    other = with_files(tmp_path, thresholds="host_cpu_high: {because: another}\n")
    one, two = rules_file(PACKAGED, URL), rules_file(other, URL)
    assert re.search(r"^# .*[0-9a-f]{64}\.$", one, re.MULTILINE)
    # What is evaluated is the same, and still the file says that its sources are others.
    assert one != two
    assert one.partition("groups:")[2] == two.partition("groups:")[2]


def test_every_expression_is_promql() -> None:
    for rule in rules():
        parse(rule["expr"])


def test_nothing_is_wrong_with_what_is_asked() -> None:
    known = Known(PACKAGED.catalogue())
    assert {rule["expr"]: found for rule in rules() if (found := lint(rule["expr"], known))} == {}


def test_every_threshold_is_an_alert_but_those_that_the_exporter_watches() -> None:
    watched = {name for name, one in PACKAGED.thresholds.items() if one.watch is Watcher.EXPORTER}
    assert by_alert().keys() == PACKAGED.thresholds.keys() - watched


def test_every_signal_is_recorded_before_an_alert_asks_for_it() -> None:
    for group in yaml.safe_load(rules_file(PACKAGED, URL))["groups"]:
        recorded: set[str] = set()
        for rule in group["rules"]:
            # Which service is critical stays as it is from one moment to the next.
            asked = set(re.findall(r"signal:\w+", rule["expr"])) - {"signal:unknown", f"signal:{CRITICAL}"}
            assert asked <= recorded
            recorded.add(rule.get("record", ""))


def test_no_two_rules_record_the_same_series() -> None:
    recorded = [(rule["record"], str(rule.get("labels"))) for rule in rules() if "record" in rule]
    assert len(recorded) == len(set(recorded))


def test_an_alert_says_who_is_told_what_to_do_and_what_it_is_about() -> None:
    rule = by_alert()["service_down"]
    assert rule["expr"] == "(signal:service_down > 0) unless on (service) (signal:service_critical < 1)"
    assert (rule["for"], rule["keep_firing_for"]) == ("30s", "1m")
    assert rule["labels"] == {"severity": "page", "signal": "service_down", "playbook": "service-down"}
    assert rule["annotations"] == {
        "summary": "{{ $labels.service }} does not do its work",
        "next": "sutazai-ops probe {{ $labels.service }}",
        "runbook_url": f"{URL}/service_down.md",
    }


def test_an_alert_whose_severity_depends_on_the_service_has_a_rule_for_each() -> None:
    found = [
        (rule["labels"]["severity"], rule["expr"]) for rule in rules() if rule.get("alert") == "service_restarting"
    ]
    broken, minor = "(signal:service_restarts > 2.5)", "on (service) (signal:service_critical < 1)"
    assert found == [("page", f"{broken} unless {minor}"), ("ticket", f"{broken} and {minor}")]


def test_what_is_unknown_names_its_signal_by_itself() -> None:
    assert by_alert()["signal_unknown"]["labels"] == {"severity": "page", "playbook": "monitoring"}


def test_a_threshold_without_a_page_leads_to_none() -> None:
    one = by_alert(rulebook([signal()], [threshold()]))["too_much"]
    assert "runbook_url" not in one["annotations"]


def test_what_stands_under_while_is_asked_for_the_same_labels() -> None:
    signals = [signal(labels=["service", "path"]), signal("traffic", "traffic", labels=["service"])]
    one = threshold(**{"while": {"signal": "traffic", "below": 0.5}})
    assert expression(one, rulebook(signals, [one])) == "signal:load > 10 and on (service) signal:traffic < 0.5"


def test_what_is_missing_is_told_apart_by_the_labels_of_the_signal() -> None:
    one = signal(labels=["service", "queue"], expected="count by (service, queue) (meant)")
    assert unknown_expression(one) == (
        "(count by (service, queue) (meant)) unless on (service, queue) (signal:load >= -Inf)"
    )
    assert unknown_expression(signal(labels=["service"])) == "vector(1) unless on () (signal:load >= -Inf)"
    assert unknown_expression(signal(expected=None)) is None


def test_every_threshold_that_prometheus_evaluates_is_tested() -> None:
    assert {one.name for one in exercised(PACKAGED)} == by_alert().keys() - {"signal_unknown"}


def test_a_signal_without_an_example_has_no_tests() -> None:
    assert exercised(rulebook([signal()], [threshold()])) == []


def test_the_tests_name_the_rules_they_are_of() -> None:
    assert yaml.safe_load(rule_tests_file(PACKAGED, "../rules/x.yml", URL))["rule_files"] == ["../rules/x.yml"]


def played(case: dict[str, Any], book: Rulebook) -> dict[float, list[Alert]]:
    """The alerts at each look of a case, as we evaluate it ourselves."""
    step = parse_duration(case["interval"])
    looks = [parse_duration(look["eval_time"]) for look in case["alert_rule_test"]]
    samples, alerts, found = Samples(8 * 3600), [], {}
    for i in range(int(max(looks) / step) + 1):
        samples.add(i * step, [_sample(one, i) for one in case["input_series"]])
        alerts = advance(book, measure(book, samples, i * step), alerts, i * step)
        found[i * step] = [one for one in alerts if one.state is State.FIRING]
    return {look: found[look] for look in looks}


def _sample(given: dict[str, str], i: int) -> Sample:
    name, _, labels = given["series"].rstrip("}").partition("{")
    values = re.fullmatch(r"(-?[\d.e+-]+?)(?:\+(-?[\d.e+-]+))?x\d+", given["values"])
    assert values, given["values"]
    return Sample(name, dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(values[1]) + i * float(values[2] or 0))


@pytest.mark.parametrize("name", [name for name in PACKAGED.thresholds if name != "signal_unknown"])
def test_it_fires_and_is_quiet_here_as_the_tests_for_prometheus_expect(name: str) -> None:
    """The same cases that promtool runs: one meaning on every engine."""
    one = PACKAGED.thresholds[name]
    used = {one.signal, *([one.while_.signal] if one.while_ else []), *([CRITICAL] if one.unless_critical else [])}
    book = rulebook([each for each in PACKAGED.signals.values() if each.name in used], [one])
    cases = list(cases_of(one, book, URL))
    assert next(case["name"] for case in cases) == f"{name} fires"
    assert len(cases) == (1 if name == "watchdog" else 3 if one.unless_critical else 2)
    for case in cases:
        firing = played(case, book)
        for look in case["alert_rule_test"]:
            alerts = firing[parse_duration(look["eval_time"])]
            told = [
                {"exp_labels": labels_of(alert, book), "exp_annotations": annotations_of(alert, book, URL)}
                for alert in alerts
            ]
            expected = [
                {**each, "exp_labels": {"alertname": name, **each["exp_labels"]}} for each in look["exp_alerts"]
            ]
            assert told == expected, case["name"]
