"""Figures as text: what Prometheus' own library reads out of them is what was measured."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sutazai_ops.monitoring.exporter.measured import Measured
from sutazai_ops.monitoring.exporter.tallies import Tallies
from sutazai_ops.monitoring.exporter.text import Writer

NAMES = {
    "sutazai_drift_findings": ("service",),
    "sutazai_model_loaded": ("service", "model"),
    "sutazai_backup_age_seconds": (),
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters='\n\\"'), max_size=8)


@st.composite
def figures(draw) -> list[Measured]:
    name = st.sampled_from(sorted(NAMES))
    found = {}
    for one in draw(st.lists(name, max_size=8)):
        labels = {label: draw(TEXTS) for label in NAMES[one]}
        found[one, *labels.values()] = Measured(one, draw(st.floats()), labels)
    return list(found.values())


def read(text: str) -> dict[tuple[object, ...], float]:
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def meant(measured: list[Measured]) -> dict[tuple[object, ...], float]:
    return {(one.name, *sorted(one.labels.items())): one.value for one in measured}


def same(one: dict[tuple[object, ...], float], other: dict[tuple[object, ...], float]) -> bool:
    return one.keys() == other.keys() and all(
        other[key] == value or (math.isnan(value) and math.isnan(other[key])) for key, value in one.items()
    )


@given(figures(), figures())
def test_what_is_written_is_read_again_also_after_another_scrape(first, second):
    writer = Writer()
    for measured in (first, second, first):
        assert same(read(writer.write(measured, [])), meant(measured))


def test_what_the_library_counts_is_written_as_the_library_would():
    tallies = Tallies()
    tallies.observe("sutazai_probe_duration_seconds", 0.3, service="web", probe="http")
    tallies.count("sutazai_notifications_total", 2, receiver='a "hook"')
    text = Writer().write([], tallies.families())
    found = read(text)
    labels = (("probe", "http"), ("service", "web"))
    assert found["sutazai_probe_duration_seconds_bucket", ("le", "0.5"), *labels] == 1
    assert found["sutazai_probe_duration_seconds_bucket", ("le", "0.2"), *labels] == 0
    assert found["sutazai_probe_duration_seconds_count", *labels] == 1
    assert found["sutazai_notifications_total", ("receiver", 'a "hook"')] == 2
    assert "# TYPE sutazai_notifications_total counter" in text
    assert "# TYPE sutazai_probe_duration_seconds histogram" in text


def test_each_metric_says_once_what_it_is():
    both = [Measured("sutazai_drift_findings", 1, {"service": name}) for name in ("a", "b")]
    lines = Writer().write(both, []).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("#")] == ["HELP", "TYPE"]
