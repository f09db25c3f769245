"""Which exporters a platform has: what is measured there, and what is no alarm."""

from __future__ import annotations

from pathlib import Path

import pytest
from rulebooks import PACKAGED

from sutazai_ops.monitoring.presence import ON_THE_EMBEDDED_ENGINE, exporters_of, not_measured
from sutazai_ops.platform import Service, read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM


def service(name: str, image: str, **keys: object) -> Service:
    return Service.model_validate({"name": name, "phase": "core", "file": Path("core.yaml"), "image": image, **keys})


@pytest.mark.parametrize(
    ("image", "exporter"),
    [
        ("prom/node-exporter:v1.12.1", "node"),
        ("registry.example:5000/mirror/node-exporter", "node"),
        ("quay.io/prometheuscommunity/postgres-exporter:v0.20.1", "postgres"),
        ("oliver006/redis_exporter:v1.88.0-alpine", "redis"),
        ("prom/alertmanager:v0.34.0", "alertmanager"),
        ("shop/backend:1.0.0", "application"),
    ],
)
def test_a_service_that_is_scraped_is_the_exporter_that_its_image_says(image: str, exporter: str) -> None:
    assert exporters_of([service("x", image, metrics=9100)]) == {exporter}


def test_a_service_that_is_not_scraped_measures_nothing() -> None:
    assert exporters_of([service("x", "prom/node-exporter")]) == set()


def test_a_prometheus_that_is_not_scraped_tells_nothing_of_itself() -> None:
    """It knows which targets are up, and still nobody asks it whether its rules can be evaluated."""
    one = {"probes": ["prometheus"]}
    assert exporters_of([service("x", "prom/prometheus:v3.14.0", **one)]) == set()
    assert exporters_of([service("x", "prom/prometheus:v3.14.0", metrics=9090, **one)]) == {"prometheus"}


def test_what_somebody_else_runs_is_not_scraped() -> None:
    external = {"address": "redis://cache.example:6379"}
    assert exporters_of([service("x", "oliver006/redis_exporter", metrics=9121, external=external)]) == set()


def test_this_program_measures_only_where_its_exporter_is_a_service() -> None:
    """A platform of somebody else's whose Prometheus never hears of us must have no rule that waits for our figures."""
    ours = {"image": "sutazai/ops:0.1.0", "compose": {"command": ["exporter"]}}
    assert exporters_of([service("x", metrics=9177, **ours)]) == {"sutazai"}
    assert exporters_of([service("x", "sutazai/ops:0.1.0", compose={"command": ["dagster"]})]) == set()


def test_the_rules_of_a_platform_ask_for_nothing_that_its_services_do_not_export(tmp_path: Path) -> None:
    (tmp_path / "core.yaml").write_text(
        "services:\n"
        "  watcher: {image: prom/prometheus, x-sutazai: {metrics: 9090}}\n"
        "  host: {image: prom/node-exporter, x-sutazai: {metrics: 9100}}\n"
    )
    there = exporters_of(read_platform(tmp_path))
    book = PACKAGED.on(there)
    assert there == {"prometheus", "node"}
    assert {"host_cpu", "rule_failures"} <= book.signals.keys()
    assert not {"service_down", "http_p95", "redis_replica_lag"} & book.signals.keys()


def test_what_is_not_measured_is_said_with_what_lacks(tmp_path: Path) -> None:
    (tmp_path / "core.yaml").write_text(
        "services: {watcher: {image: prom/prometheus}, x: {image: y, x-sutazai: {metrics: 80}}}"
    )
    said = not_measured(PACKAGED, read_platform(tmp_path))
    assert any(one.startswith("not measured here, for want of the exporter node: host_cpu") for one in said)
    (tmp_path / "core.yaml").write_text("services: {x: {image: y}}")
    assert not_measured(PACKAGED, read_platform(tmp_path)) == []


def test_everything_is_measured_on_the_packaged_platform() -> None:
    assert PACKAGED.not_on(exporters_of(read_platform(PACKAGED_PLATFORM))) == {}


def test_the_embedded_engine_has_figures_of_the_host() -> None:
    assert {"sutazai", "node"} == ON_THE_EMBEDDED_ENGINE
