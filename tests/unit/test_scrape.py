"""What Prometheus is told to scrape, from what the platform's files say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sutazai_ops.monitoring.scrape import out_of_reach, prometheus_file
from sutazai_ops.platform import Platform, read_platform

MONITORED = """
services:
  watcher:
    image: registry.example/mirror/prometheus:v3.14.0
    networks: [inside]
    secrets: [key]
    x-sutazai: {metrics: 9090}
  teller:
    image: prom/alertmanager:v0.34.0
    networks: [inside]
  shop:
    image: registry.example/shop:1.0
    networks: [inside]
    x-sutazai: {metrics: {port: 8080, path: /internal/metrics, secret: key}}
  measures:
    image: registry.example/measures:1.0
    networks: [inside]
    x-sutazai: {metrics: {port: 9177, honor_labels: true}}
  cache:
    image: redis:7
    networks: [inside]
"""


def platform_of(folder: Path, text: str = MONITORED) -> Platform:
    (folder / "core.yaml").write_text(text)
    return read_platform(folder)


def jobs(folder: Path) -> dict[str, dict[str, Any]]:
    config = yaml.safe_load(prometheus_file(platform_of(folder)))
    return {job["job_name"]: job for job in config["scrape_configs"]}


def test_only_what_says_where_its_metrics_are_is_scraped_and_its_job_is_called_as_it_is(tmp_path):
    assert sorted(jobs(tmp_path)) == ["measures", "shop", "watcher"]


def test_every_series_has_the_name_of_its_service(tmp_path):
    for name, job in jobs(tmp_path).items():
        assert [one["labels"] for one in job["static_configs"]] == [{"service": name}]


def test_a_path_and_a_secret_are_those_that_the_file_states(tmp_path):
    shop = jobs(tmp_path)["shop"]
    assert shop["metrics_path"] == "/internal/metrics"
    assert shop["authorization"] == {"credentials_file": "/run/secrets/key"}
    assert shop["static_configs"][0]["targets"] == ["shop:8080"]


def test_the_labels_of_one_that_measures_others_stay_as_they_are(tmp_path):
    assert [name for name, job in jobs(tmp_path).items() if job.get("honor_labels")] == ["measures"]


def test_alertmanager_is_found_by_what_it_is_and_not_by_its_name(tmp_path):
    alerting = yaml.safe_load(prometheus_file(platform_of(tmp_path)))["alerting"]
    assert alerting == {"alertmanagers": [{"static_configs": [{"targets": ["teller:9093"]}]}]}


def test_a_platform_without_an_alertmanager_has_nobody_to_alert(tmp_path):
    text = "services: {watcher: {image: prom/prometheus:v3.14.0, x-sutazai: {metrics: 9090}}}"
    assert "alerting" not in yaml.safe_load(prometheus_file(platform_of(tmp_path, text)))


def test_what_is_on_no_network_with_prometheus_or_keeps_its_key_from_it_is_named(tmp_path):
    assert out_of_reach(platform_of(tmp_path)) == []
    apart = MONITORED.replace("shop:1.0\n    networks: [inside]", "shop:1.0\n    networks: [outside]")
    assert out_of_reach(platform_of(tmp_path, apart)) == ["watcher is on no network with shop, and cannot scrape it"]
    keyless = MONITORED.replace("    secrets: [key]\n", "")
    assert out_of_reach(platform_of(tmp_path, keyless)) == ["watcher is not given the secret key, which shop asks for"]
