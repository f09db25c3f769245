"""The catalogue of metrics: what may be asked for, and what a mistake in it is answered with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.metrics import Kind, catalogue, exporters, flatten, read_exporters

if TYPE_CHECKING:
    from pathlib import Path


def test_every_metric_of_our_own_exporter_says_what_it_is() -> None:
    assert all(metric.help for metric in exporters()["sutazai"].metrics.values())


def test_our_counters_and_only_they_end_in_total() -> None:
    ours = exporters()["sutazai"].metrics
    assert {name for name, metric in ours.items() if metric.kind is Kind.COUNTER} == {
        name for name in ours if name.endswith("_total")
    }


def test_a_histogram_is_known_by_its_three_series_and_not_by_its_base_name() -> None:
    known = catalogue()
    bucket = known.find("sutazai_probe_duration_seconds_bucket")
    assert bucket is not None
    assert bucket.is_bucket
    assert {"le", "service", "job"} <= bucket.labels
    assert known.find("sutazai_probe_duration_seconds_count") is not None
    assert known.find("sutazai_probe_duration_seconds") is None


def test_what_prometheus_makes_of_every_scrape_is_known() -> None:
    assert catalogue().find("up") is not None


def test_labels_of_the_exporter_are_labels_of_each_metric(tmp_path: Path) -> None:
    path = tmp_path / "metrics.yaml"
    path.write_text("thing: {source: its page, labels: [cluster], metrics: {a_total: {kind: counter, labels: [x]}}}")
    series = flatten(read_exporters(path)).find("a_total")
    assert series is not None
    assert series.labels == {"cluster", "x", "job", "instance", "service"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("thing: {source: a, metrics: {a: {kind: meter}}}", "thing"),
        ("just words", "metrics.yaml"),
        ("a: [", "metrics.yaml"),
    ],
)
def test_a_catalogue_that_cannot_be_read_is_one_sentence(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "metrics.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_exporters(path)
    assert named in f"{refused.value} {refused.value.where}"
