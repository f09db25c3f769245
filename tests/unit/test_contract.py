"""The metric contract: what keeps it, what breaks it, and that the page, the catalogue and the check say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sutazai_ops.monitoring.contract import RULES, State, applications, check
from sutazai_ops.monitoring.metrics import exporters
from sutazai_ops.monitoring.scrape import prometheus_file
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM

PAGE = (Path(__file__).parents[2] / "docs/metric-contract.md").read_text()

GOOD = """
# TYPE http_requests_total counter
http_requests_total{method="GET",endpoint="/tasks/{id}",status="200"} 3
http_requests_total{method="GET",endpoint="unknown",status="404"} 1
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{method="GET",endpoint="/tasks/{id}",le="0.2"} 3
http_request_duration_seconds_bucket{method="GET",endpoint="/tasks/{id}",le="+Inf"} 3
http_request_duration_seconds_sum{method="GET",endpoint="/tasks/{id}"} 0.1
http_request_duration_seconds_count{method="GET",endpoint="/tasks/{id}"} 3
# TYPE agent_tasks_total counter
agent_tasks_total{agent="qa",status="done"} 1
# TYPE agent_task_duration_seconds histogram
agent_task_duration_seconds_bucket{agent="qa",le="5.0"} 1
agent_task_duration_seconds_bucket{agent="qa",le="+Inf"} 1
agent_task_duration_seconds_sum{agent="qa"} 1
agent_task_duration_seconds_count{agent="qa"} 1
# TYPE llm_request_duration_seconds histogram
llm_request_duration_seconds_bucket{model="tinyllama",le="+Inf"} 1
llm_request_duration_seconds_sum{model="tinyllama"} 1
llm_request_duration_seconds_count{model="tinyllama"} 1
# TYPE user_votes_total counter
user_votes_total{vote="up"} 3
# TYPE llm_tokens_total counter
llm_tokens_total{model="tinyllama",kind="prompt"} 4
"""


def states(text: str) -> dict[str, State]:
    return {part.name: part.state for part in check(text)}


def because(text: str, part: str) -> str:
    return next(one.because for one in check(text) if one.name == part)


def test_a_service_that_serves_all_of_it_keeps_every_part():
    assert states(GOOD) == dict.fromkeys(RULES, State.MET)


def test_what_the_instrumentator_of_fastapi_serves_with_the_three_lines_of_the_page_keeps_it():
    # What prometheus-fastapi-instrumentator 8.1 answered, with its moments of creation.
    text = """
# TYPE http_requests_total counter
http_requests_total{handler="/tasks/{id}",method="GET",status="200"} 3.0
http_requests_total{handler="none",method="GET",status="404"} 1.0
# TYPE http_requests_created gauge
http_requests_created{handler="/tasks/{id}",method="GET",status="200"} 1.795e+09
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{handler="/tasks/{id}",le="0.2",method="GET"} 3.0
http_request_duration_seconds_bucket{handler="/tasks/{id}",le="+Inf",method="GET"} 3.0
http_request_duration_seconds_count{handler="/tasks/{id}",method="GET"} 3.0
http_request_duration_seconds_sum{handler="/tasks/{id}",method="GET"} 0.0063
"""
    assert {states(text)[part] for part in ("requests", "statuses", "routes", "durations")} == {State.MET}
    assert states(text)["tasks"] is State.ABSENT


@pytest.mark.parametrize(
    ("change", "part", "said"),
    [
        (('status="200"', 'status="2xx"'), "statuses", "status is '2xx'"),
        (("/tasks/{id}", "/tasks/4711"), "routes", "'/tasks/4711' is a path"),
        (("/tasks/{id}", "/t/0f8fad5b-d9cb-469f-a165-70867728950e/x"), "routes", "is a path and not a route"),
        (('le="0.2"', 'le="0.25"'), "durations", "no bucket that ends at 0.2 s"),
        (('endpoint="/tasks/{id}",', ""), "durations", "lacks the label endpoint"),
        (('method="GET",', ""), "requests", "lacks the label method"),
        (('le="5.0"', 'le="4.0"'), "task durations", "no bucket that ends at 5 s"),
        (('status="done"', 'status="fine"'), "tasks", "ends as 'fine'"),
        (('kind="prompt"', 'sort="prompt"'), "inference", "lacks the label kind"),
    ],
)  # fmt: skip
def test_what_breaks_a_part_is_said(change, part, said):
    text = GOOD.replace(*change)
    assert states(text)[part] is State.NOT_MET
    assert said in because(text, part)


def test_a_counter_that_is_a_gauge_is_told_to_be_one():
    text = 'http_requests{method="GET",endpoint="/",status="200"} 3\n'
    text = f"# TYPE http_requests gauge\n{text}"
    assert because(text, "requests") == "http_requests_total is a gauge: make it a counter"


def test_more_routes_than_anybody_writes_are_paths():
    lines = [f'http_requests_total{{method="GET",endpoint="/p{n}x",status="200"}} 1' for n in range(300)]
    text = "# TYPE http_requests_total counter\n" + "\n".join(lines) + "\n"
    assert because(text, "routes") == "it names 300 routes: they are paths"


@pytest.mark.parametrize("text", ["<!doctype html><title>no metrics</title>", '{"status": "ok"}'])
def test_what_is_no_page_of_metrics_is_none(text):
    with pytest.raises(ValueError, match=r".+"):
        check(text)


def test_the_page_the_catalogue_and_the_check_name_the_same_metrics():
    on_the_page = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
    catalogue = {name: str(metric.kind) for name, metric in exporters()["application"].metrics.items()}
    assert on_the_page == catalogue


def test_the_contract_is_for_the_platforms_own_programs_and_for_whoever_else_serves_metrics():
    names = {service.name for service in applications(read_platform(PACKAGED_PLATFORM))}
    assert {"backend", "qa-validator"} <= names
    assert not names & {"prometheus", "node-exporter", "exporter", "postgres-exporter", "grafana", "edge", "qdrant"}


def test_a_route_that_an_application_calls_handler_is_called_endpoint_by_prometheus():
    config = yaml.safe_load(prometheus_file(read_platform(PACKAGED_PLATFORM)))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    (rule,) = jobs["backend"]["metric_relabel_configs"]
    assert (rule["source_labels"], rule["target_label"]) == (["__name__", "handler"], "endpoint")
    assert re.fullmatch(rule["regex"], "http_requests_total;/tasks/{id}")[1] == "/tasks/{id}"
    assert not re.fullmatch(rule["regex"], "http_requests_total;")
    assert "metric_relabel_configs" not in jobs["prometheus"]


def test_a_vote_is_up_or_down():
    text = GOOD.replace('vote="up"', 'vote="5 stars"')
    assert states(text) == {**dict.fromkeys(RULES, State.MET), "votes": State.NOT_MET}
