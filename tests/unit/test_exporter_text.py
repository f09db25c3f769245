"""Figures as text: what Prometheus' own library reads out of them is what was measured."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sutazai_ops.monitoring.exporter.measured import Measured
from sutazai_ops.monitoring.exporter.tallies import Tallies
from sutazai_ops.monitoring.exporter.text import lines_of, page

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
def test_what_is_written_is_read_again_whoever_measured_it(first, second):
    known = {(one.name, *one.labels.items()) for one in first}
    second = [one for one in second if (one.name, *one.labels.items()) not in known]
    assert same(read(page([*lines_of(first), *lines_of(second)])), meant([*first, *second]))


def test_what_the_library_counts_is_written_as_the_library_would():
    tallies = Tallies()
    tallies.observe("sutazai_probe_duration_seconds", 0.3, service="web", probe="http")
    tallies.count("sutazai_notifications_total", 2, receiver='a "hook"')
    text = page(tallies.lines())
    found = read(text)
    labels = (("probe", "http"), ("service", "web"))
    assert found["sutazai_probe_duration_seconds_bucket", ("le", "0.5"), *labels] == 1
    assert found["sutazai_probe_duration_seconds_bucket", ("le", "0.2"), *labels] == 0
    assert found["sutazai_probe_duration_seconds_count", *labels] == 1
    assert found["sutazai_notifications_total", ("receiver", 'a "hook"')] == 2
    assert "# TYPE sutazai_notifications_total counter" in text
    assert "# TYPE sutazai_probe_duration_seconds histogram" in text


SERIES = st.tuples(st.sampled_from(["web", "db"]), st.sampled_from(["http", "tcp"]))


@given(st.lists(st.tuples(st.sampled_from(["observe", "count", "forget"]), SERIES, st.floats(0, 40))))
def test_after_whatever_was_counted_and_forgotten_what_is_written_is_what_the_library_knows(acts):
    tallies = Tallies()
    for act, (service, probe), value in acts:
        if act == "observe":
            tallies.observe("sutazai_probe_duration_seconds", value, service=service, probe=probe)
        elif act == "count":
            tallies.count("sutazai_exporter_errors_total", value, collector=service)
        else:
            tallies.forget(service=service)
            tallies.forget(collector=probe)
    library = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in tallies.families()
        for sample in family.samples
    }
    assert read(page(tallies.lines())) == library


def test_each_metric_says_once_what_it_is_whoever_measured_it():
    each = [lines_of([Measured("sutazai_drift_findings", 1, {"service": name})]) for name in ("a", "b")]
    lines = page([one for found in each for one in found]).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("#")] == ["HELP", "TYPE"]
    assert len(lines) == 4
