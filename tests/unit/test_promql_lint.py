"""What is wrong with an expression though Prometheus takes it, each fault beside the same asked rightly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rulebooks import PACKAGED

from sutazai_ops.monitoring.dashboards import dashboards_for
from sutazai_ops.monitoring.dashboards.boards import bound
from sutazai_ops.monitoring.dashboards.panels import Source
from sutazai_ops.monitoring.metrics import catalogue, exporters
from sutazai_ops.monitoring.promql import aggregate, calls, functions, parse
from sutazai_ops.monitoring.promql.lint import NAMES, Finding, Known, lint

DOCS = Path(__file__).parents[2] / "docs"
P95 = 'histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{service="backend"}[5m])))'


def found(expression: str, known: Known | None = None) -> list[str]:
    """The rules that an expression breaks."""
    return [finding.rule for finding in lint(expression, known or Known(catalogue()))]


def only(expression: str) -> Finding:
    (finding,) = lint(expression, Known(catalogue()))
    return finding


@pytest.mark.parametrize(
    ("rule", "wrong", "right"),
    [
        ("nobody-exports", "sutazai_probe_sate == 0", "sutazai_probe_state == 0"),
        ("nobody-exports", "absent(container_last_seen)", "absent(sutazai_service_state)"),
        ("bucket-without-rate", "histogram_quantile(0.9, sum by (le) (http_request_duration_seconds_bucket))", P95),
        (
            "quantile-without-le",
            "histogram_quantile(0.9, rate(http_request_duration_seconds_bucket[5m]))",
            "histogram_quantile(0.9, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))",
        ),
        (
            "quantile-without-le",
            "histogram_quantile(0.9, sum by (service) (rate(http_request_duration_seconds_bucket[5m])))",
            "histogram_quantile(0.9, sum without (instance) (rate(http_request_duration_seconds_bucket[5m])))",
        ),
        (
            "quantile-without-le",
            "histogram_quantile(0.9, avg by (le) (rate(http_request_duration_seconds_bucket[5m])))",
            "histogram_quantile(0.9, sum by (le) (increase(http_request_duration_seconds_bucket[5m])))",
        ),
        ("raw-counter", "http_requests_total > 100", "increase(http_requests_total[5m]) > 100"),
        ("raw-counter", "sum(http_requests_total)", "count(http_requests_total)"),
        ("raw-counter", "rate(sum(http_requests_total)[5m:1m])", "sum(rate(http_requests_total[5m]))"),
        ("raw-counter", "delta(http_requests_total[5m])", "increase(http_requests_total[5m])"),
        ("raw-counter", "max_over_time(http_requests_total[5m])", "max_over_time(rate(http_requests_total[5m])[1h:])"),
        ("raw-counter", "http_requests_total - http_requests_total offset 5m", "resets(http_requests_total[5m])"),
        (
            "raw-counter",
            "http_requests_total or rate(http_requests_total[5m])",
            "rate(http_requests_total[5m]) or 0 * http_requests_total",
        ),
        (
            "raw-counter",
            "agent_task_duration_seconds_sum / (agent_task_duration_seconds_count > 0)",
            "rate(agent_task_duration_seconds_sum[5m]) and agent_task_duration_seconds_sum",
        ),
        ("rate-of-gauge", "rate(node_load1[5m])", "deriv(node_load1[5m])"),
        (
            "ratio-without-guard",
            'sum(rate(http_requests_total{status="500"}[5m])) / sum(rate(http_requests_total[5m]))',
            'sum(rate(http_requests_total{status="500"}[5m])) / (sum(rate(http_requests_total[5m])) > 0)',
        ),
        (
            "ratio-without-guard",
            "rate(node_disk_read_time_seconds_total[5m]) / rate(node_disk_reads_completed_total[5m]) > 0.1",
            (
                "rate(node_disk_read_time_seconds_total[5m]) / rate(node_disk_reads_completed_total[5m]) > 0.1 "
                "and rate(node_disk_reads_completed_total[5m]) > 0"
            ),
        ),
        (
            "ratio-without-guard",
            "redis_memory_used_bytes / redis_memory_max_bytes",
            "redis_memory_used_bytes / clamp_min(redis_memory_max_bytes, 1)",
        ),
        ("no-such-label", 'sutazai_probe_state{name="shop"}', 'sutazai_probe_state{service="shop"}'),
        ("no-such-label", 'node_load1{mode!="idle"}', 'node_load1{mode=""}'),
        (
            "no-such-label",
            "sum by (code) (rate(http_requests_total[5m]))",
            "sum by (status) (rate(http_requests_total[5m]))",
        ),
        (
            "no-such-label",
            "sutazai_queue_depth and on (agent) sutazai_service_state",
            "sutazai_queue_depth and on (service) sutazai_service_state",
        ),
        (
            "no-such-label",
            "node_load1 * on (instance) group_left (nodname) node_uname_info",
            "node_load1 * on (instance) group_left (nodename) node_uname_info",
        ),
        (
            "no-such-label",
            'rate(http_request_duration_seconds_bucket{le="0.25"}[5m])',
            'rate(http_request_duration_seconds_bucket{le="0.2"}[5m])',
        ),
        (
            "no-such-label",
            'label_replace(node_load1, "host", "$1", "instance", "(.*):.*") * on (hots) group_left node_uname_info',
            'sum by (host) (label_replace(node_load1, "host", "$1", "instance", "(.*):.*"))',
        ),
        ("up-as-availability", "avg_over_time(up[1d])", "min_over_time(up[5m]) == 0"),
        ("up-as-availability", "sum(up) / count(up)", "count(up == 0) / count(up) > 0.1"),
        ("up-as-availability", "avg by (job) (up)", "sum by (job) (up) == 0"),
        ("up-as-availability", "up", "node_load1 and on (instance) up"),
        ("unreadable", "rate(node_load1[5m]", 'absent(up{job="node"})'),
    ],
)
def test_a_fault_is_found_and_the_right_expression_has_none(rule: str, wrong: str, right: str) -> None:
    assert set(found(wrong)) == {rule}
    assert found(right) == []


def test_the_three_dashboard_expressions_of_the_plan_are_refused_with_the_reason_and_the_right_one() -> None:
    health = only("up{job=~'sutazai.*'}")
    assert health.rule == "up-as-availability"
    assert "not that users were served" in health.what
    assert 'sutazai_probe_state{state="ok"}' in health.remedy

    times = lint("histogram_quantile(0.95, http_request_duration_seconds_bucket)", Known(catalogue()))
    assert [finding.rule for finding in times] == ["bucket-without-rate", "quantile-without-le"]
    assert "since their process began" in times[0].what
    right = "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))"
    assert {finding.remedy for finding in times} == {f"write {right}"}

    usage = only("container_memory_usage_bytes{name=~'sutazai.*'}")
    assert usage.rule == "nobody-exports"
    assert "cAdvisor does not run here" in usage.remedy
    assert "sutazai_service_memory_working_set_bytes" in usage.remedy

    rights = [right, 'sutazai_probe_state{state="ok"}', "sutazai_service_memory_working_set_bytes"]
    assert [found(expression) for expression in rights] == [[], [], []]


def test_what_a_quantile_is_grouped_by_and_its_range_stay_in_what_is_proposed() -> None:
    finding = only("histogram_quantile(0.9, sum by (service) (rate(http_request_duration_seconds_bucket[10m])))")
    assert finding.remedy == (
        "write histogram_quantile(0.9, sum by (le, service) (rate(http_request_duration_seconds_bucket[10m])))"
    )


def test_everything_that_is_proposed_as_an_expression_is_promql() -> None:
    proposed = [
        finding.remedy.removeprefix("write ")
        for wrong in (
            "histogram_quantile(0.9, http_request_duration_seconds_bucket)",
            'histogram_quantile(0.9, sum(http_request_duration_seconds_bucket{endpoint=~"/a|/b", method!="GET"}))',
        )
        for finding in lint(wrong, Known(catalogue()))
    ]
    assert proposed
    for expression in proposed:
        parse(expression)
        assert found(expression) == []


def test_a_metric_that_the_catalogue_does_not_have_is_judged_by_its_name() -> None:
    assert found("other_jobs_total > 5") == ["nobody-exports", "raw-counter"]
    assert found('other_level{anything="x"} > 5') == ["nobody-exports"]


def test_what_is_recorded_exists_with_its_labels_and_where_these_are_not_known_all_are_taken() -> None:
    known = Known(catalogue(), {"job:load:sum": frozenset({"job"}), "job:other:sum": None})
    assert found('job:load:sum{job="a"} > job:other:sum{x="y"}', known) == []
    assert found('job:load:sum{jub="a"}', known) == ["no-such-label"]


def test_labels_of_the_targets_are_labels_of_every_metric() -> None:
    assert found('node_load1{cluster="a"}') == ["no-such-label"]
    assert found('node_load1{cluster="a"}', Known(catalogue(), target_labels=frozenset({"cluster"}))) == []


def test_no_signal_of_the_platform_has_a_finding() -> None:
    asked = [
        (signal.name, finding)
        for signal in PACKAGED.signals.values()
        for expression in (signal.query, signal.expected)
        for finding in (lint(expression, Known(signal.catalogue())) if expression else ())
    ]
    assert asked == []


def test_no_panel_of_a_dashboard_has_a_finding() -> None:
    known = Known(PACKAGED.catalogue())
    asked = [
        (board.title, panel.title, bound(query.expression))
        for board in dashboards_for(PACKAGED, exporters().keys())
        for panel in board.panels
        if panel.source is Source.PROMETHEUS
        for query in panel.queries
    ]
    assert len(asked) > 50
    assert [(*place, lint(expression, known)) for *place, expression in asked if lint(expression, known)] == []


def test_every_rule_stands_on_its_page_with_an_expression_that_breaks_it_and_one_that_does_not() -> None:
    sections = re.split(r"^## ", (DOCS / "lint-rules.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    by_name = {section.splitlines()[0].strip("`"): section for section in sections}
    assert set(NAMES) <= by_name.keys()
    for name in NAMES:
        wrong, *rights = re.findall(r"```promql\n(.*?)\n```", by_name[name], re.DOTALL)
        assert name in found(wrong), (name, wrong)
        assert rights
        for right in rights:
            assert found(right) == [], (name, right)


def test_the_page_names_what_is_evaluated_here_and_nothing_else() -> None:
    section = (DOCS / "lint-rules.md").read_text(encoding="utf-8").partition("## What is evaluated")[2]
    named = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^(?:- |  ).*$", section, re.MULTILINE))))
    evaluated = {
        *functions.RANGE_FUNCTIONS, *functions.INSTANT_FUNCTIONS, *functions.DATE_FUNCTIONS, *calls.FUNCTIONS,
        *aggregate.AGGREGATIONS, "quantile", "topk", "bottomk", "count_values", "time", "pi", "scalar",
    }  # fmt: skip
    assert named == evaluated
