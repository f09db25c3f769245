"""Rules and dashboards as people keep them, and what the command says of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sutazai_ops.errors import BadInput, ExitCode
from sutazai_ops.monitoring.metrics import catalogue
from sutazai_ops.monitoring.promql.lint import Known
from sutazai_ops.monitoring.promql.lint.files import lint_files, read_queries
from sutazai_ops.settings import PACKAGED_PLATFORM

RULES = """\
groups:
  - name: web
    rules:
      - record: service:requests:rate5m
        expr: sum by (service) (rate(http_requests_total[5m]))
        labels: {team: web}
      - alert: TooMany
        for: 5m
        expr: |
          service:requests:rate5m{team="web"}
            > 100
      - alert: Slow
        # A comment that allows nothing.
        expr: histogram_quantile(0.95, http_request_duration_seconds_bucket)
  - name: empty
  - name: scrapes
    rules:
      # lint: allow up-as-availability: it is the scrape that this is about
      - record: job:up:avg
        expr: avg by (job) (up)
      - record: job:up:other
        expr: avg by (job) (up)
"""
DASHBOARD = {
    "title": "Shop",
    "panels": [
        {"title": "Load", "targets": [{"expr": "rate(http_requests_total[$__rate_interval])"}, {"expr": ""}]},
        {"type": "row", "title": "folded", "panels": [{"title": "Up", "targets": [{"refId": "A", "expr": "up"}]}]},
        {"title": "Words", "type": "text"},
    ],
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return path


def findings(*paths: Path) -> list[tuple[int, str, str, str]]:
    _, found = lint_files(paths, Known(catalogue()))
    return [(one.query.line, one.query.group, one.query.name, one.finding.rule) for one in found]


def test_a_finding_names_line_group_and_rule(rules: Path) -> None:
    assert findings(rules) == [
        (14, "web", "Slow", "bucket-without-rate"),
        (14, "web", "Slow", "quantile-without-le"),
        (22, "scrapes", "job:up:other", "up-as-availability"),
    ]


def test_a_comment_with_a_reason_allows_a_finding_of_its_rule_alone(rules: Path) -> None:
    rules.write_text(RULES.replace("# A comment that allows nothing.", "# lint: allow quantile-without-le: one series"))
    assert (14, "web", "Slow", "bucket-without-rate") in findings(rules)
    assert (14, "web", "Slow", "quantile-without-le") not in findings(rules)


@pytest.mark.parametrize(
    ("comment", "what", "remedy"),
    [
        ("# lint: allow raw-counter", "nothing says why raw-counter is allowed", "the reason"),
        ("# lint: allow raw-conter: because", "the lint has no rule raw-conter", "did you mean 'raw-counter'?"),
    ],
)
def test_an_exception_without_a_reason_or_of_no_rule_is_refused(
    rules: Path, comment: str, what: str, remedy: str
) -> None:
    rules.write_text(RULES.replace("# A comment that allows nothing.", comment))
    with pytest.raises(BadInput) as refused:
        findings(rules)
    assert refused.value.what == what
    assert remedy in refused.value.remedy
    assert refused.value.where.endswith("rules.yml:13")


def test_what_one_file_records_another_may_ask_for(tmp_path: Path, rules: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text(
        'groups: [{name: a, rules: [{alert: A, expr: \'service:requests:rate5m{service="x", teem="y"} > 1\'}]}]'
    )
    assert [rule for *_, rule in findings(other)] == ["nobody-exports"]
    assert [rule for *_, rule in findings(rules, other)][-1:] == ["no-such-label"]


def test_what_is_recorded_of_what_is_recorded_has_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(
        "groups: [{name: a, rules: ["
        '{alert: A, expr: \'c:d{job="x", service="y"}\'},'
        "{record: 'c:d', expr: 'sum by (service, job) (b:c)'},"
        "{record: 'b:c', expr: 'sum by (service) (rate(http_requests_total[5m]))'}]}]"
    )
    assert [(name, rule) for _, _, name, rule in findings(path)] == [("A", "no-such-label"), ("c:d", "no-such-label")]


@pytest.mark.parametrize("text", ["groups: []\n", "groups:\n", "groups: [{name: a}, {name: b, rules: []}]\n"])
def test_a_file_without_any_rule_has_no_finding(tmp_path: Path, text: str) -> None:
    (tmp_path / "none.yml").write_text(text)
    assert lint_files([tmp_path / "none.yml"], Known(catalogue())) == ([], [])


def test_rules_of_the_operator_are_read(tmp_path: Path) -> None:
    path = tmp_path / "resource.yaml"
    path.write_text(
        "kind: PrometheusRule\nspec:\n  groups:\n  - name: a\n    rules:\n    - alert: Up\n      expr: up\n"
    )
    assert findings(path) == [(7, "a", "Up", "up-as-availability")]


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"dashboard": it}], ids=["exported", "of the API"])
def test_every_query_of_a_dashboard_is_read(tmp_path: Path, wrap: object) -> None:
    path = tmp_path / "dashboard.json"
    path.write_text(json.dumps(wrap(DASHBOARD), indent=2))  # type: ignore[operator]
    assert [(one.group, one.name, one.expression) for one in read_queries(path)] == [
        ("Shop", "Load", "rate(http_requests_total[5m])"),
        ("Shop", "Up", "up"),
    ]
    ((line, *_),) = findings(path)
    assert '"expr": "up"' in path.read_text().splitlines()[line - 1]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("services: {}", "holds neither rules nor panels"),
        ("groups: 5", "groups is no list"),
        ("groups: [{name: a, rules: [{alert: A}]}]", "the rule has no expr"),
        ("groups: [", "is not YAML"),
        ("words", "holds no keys"),
    ],
)
def test_a_file_that_is_neither_is_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "some.yml"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_queries(path)
    assert what in refused.value.what


def test_the_generated_rules_have_no_finding() -> None:
    queries, found = lint_files((PACKAGED_PLATFORM / "config/prometheus/rules").glob("*.yml"), Known(catalogue()))
    assert len(queries) > 50
    assert found == []


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sutazai_ops.cli", "lint", "rules", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_findings_are_exit_code_5_and_json_has_them_all(rules: Path) -> None:
    done = run(rules, "--json")
    assert done.returncode == ExitCode.CORRUPT
    assert [(one["line"], one["rule"]) for one in json.loads(done.stdout)] == [
        (14, "bucket-without-rate"), (14, "quantile-without-le"), (22, "up-as-availability"),
    ]  # fmt: skip
    told = run(rules)
    assert told.returncode == ExitCode.CORRUPT
    assert f"{rules}:14  web Slow" in told.stdout
    assert "5 expressions: 2 with findings" in told.stdout


def test_a_file_that_is_not_there_is_exit_code_64(tmp_path: Path) -> None:
    done = run(tmp_path / "none.yml")
    assert done.returncode == ExitCode.BAD_INPUT
    assert "Traceback" not in done.stderr


def test_further_metrics_and_labels_can_be_named(tmp_path: Path) -> None:
    path, metrics, scraped = tmp_path / "rules.yml", tmp_path / "metrics.yaml", tmp_path / "answer.txt"
    expression = 'mine{cluster="a"} > 1 and on (instance) theirs{kind="b", cluster="c"} > 1'
    path.write_text(f"groups: [{{name: a, rules: [{{alert: A, expr: {json.dumps(expression)}}}]}}]")
    assert run(path).returncode == ExitCode.CORRUPT
    metrics.write_text("mine: {source: my own, metrics: {mine: {kind: gauge}}}")
    scraped.write_text('# TYPE theirs gauge\ntheirs{kind="x"} 1\n')
    done = run(path, "--metrics", metrics, "--scrape", scraped, "--label", "cluster")
    assert done.returncode == ExitCode.DONE, done.stdout
    assert done.stdout == "1 expression: nothing found\n"


def test_what_is_scraped_and_does_not_answer_is_exit_code_3_and_what_is_no_exposition_64(rules: Path) -> None:
    assert run(rules, "--scrape", "http://127.0.0.1:1/metrics").returncode == ExitCode.CANNOT
    assert run(rules, "--scrape", rules.with_name("none.txt")).returncode == ExitCode.BAD_INPUT
