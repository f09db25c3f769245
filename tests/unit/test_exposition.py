"""What a program exports, read from its answer to a scrape."""

from __future__ import annotations

import pytest

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.exposition import read_exposition
from sutazai_ops.monitoring.metrics import Kind, Metric, exporters, flatten

TEXT = """\
# HELP http_requests_total Requests, by {odd} help.
# TYPE http_requests_total counter
http_requests_total{code="200",path="/a,b=\\"c\\"} x"} 3 1700000000000
http_requests_total{code="500"} 0
# TYPE seconds histogram
seconds_bucket{path="/",le="0.1"} 1
seconds_bucket{path="/",le="+Inf"} 2
seconds_sum{path="/"} 0.5
seconds_count{path="/"} 2
# TYPE gc_seconds summary
gc_seconds{quantile="0.5"} 0.1
gc_seconds_sum 1
gc_seconds_count 2
# TYPE old untyped
old{le="x"} NaN
untold 1
http_requests_created{code="200"} 1.7e9
"""


def test_names_kinds_labels_and_edges_are_read() -> None:
    assert read_exposition(TEXT, "here").metrics == {
        "http_requests_total": Metric(kind=Kind.COUNTER, labels=("code", "path")),
        "seconds": Metric(kind=Kind.HISTOGRAM, labels=("path",), edges=(0.1,)),
        "gc_seconds": Metric(kind=Kind.SUMMARY),
        "old": Metric(kind=Kind.UNTYPED, labels=("le",)),
        "untold": Metric(kind=Kind.UNTYPED),
    }


def test_a_counter_of_openmetrics_is_known_by_the_name_of_its_series() -> None:
    read = read_exposition('# TYPE jobs counter\njobs_total{kind="a"} 1\njobs_created{kind="a"} 1\n# EOF\n', "here")
    assert read.metrics == {"jobs_total": Metric(kind=Kind.COUNTER, labels=("kind",))}


@pytest.mark.parametrize("text", ["", "<html><body>hello</body></html>", '{"status": "ok"}'])
def test_what_is_no_exposition_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no metrics") as refused:
        read_exposition(text, "http://there/metrics")
    assert refused.value.where == "http://there/metrics"


def test_a_name_that_two_exporters_serve_has_the_labels_of_either() -> None:
    one = read_exposition('# TYPE x counter\nx{a="1"} 1', "one")
    other = read_exposition('# TYPE x counter\nx{b="1"} 1', "other")
    series = flatten({"one": one, "other": other}).find("x")
    assert series is not None
    assert {"a", "b"} <= series.labels


def test_what_this_program_asks_for_keeps_its_words_where_the_exporter_was_scraped_too() -> None:
    node = exporters()["node"].metrics
    assert node["node_cpu_seconds_total"].help
    assert node["node_cpu_seconds_total"].labels == ("cpu", "mode")
    assert "node_load1" in node
