"""Which exporters a platform has: what is measured there, and what is no alarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from sutazai_ops.monitoring.presence import ON_THE_EMBEDDED_ENGINE, exporters_of
from sutazai_ops.platform import Service


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
    assert exporters_of([service("x", image, metrics=9100)]) == {"sutazai", exporter}


def test_a_service_that_is_not_scraped_measures_nothing() -> None:
    assert exporters_of([service("x", "prom/node-exporter")]) == {"sutazai"}


def test_prometheus_knows_of_itself_without_being_told_to() -> None:
    assert exporters_of([service("x", "prom/prometheus:v3.14.0")]) == {"sutazai", "prometheus"}


def test_what_somebody_else_runs_is_not_scraped() -> None:
    external = {"address": "redis://cache.example:6379"}
    assert exporters_of([service("x", "oliver006/redis_exporter", metrics=9121, external=external)]) == {"sutazai"}


def test_the_embedded_engine_has_figures_of_the_host() -> None:
    assert {"sutazai", "node"} == ON_THE_EMBEDDED_ENGINE
