"""What Prometheus is told to scrape: every service that says where it serves its metrics, and nothing else.

A job is called as its service is, and each series has the service's name as the label `service`. A service that speaks
no Prometheus has no job, so that `up` is never zero for want of an endpoint. Pure: a platform comes in, a file's text
goes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from sutazai_ops.monitoring.contract import ROUTE_LABELS, applications
from sutazai_ops.monitoring.servers import alertmanager_of, networks_of, port_of, prometheus_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sutazai_ops.platform import Platform, Service

INTERVAL_SECONDS = 15
"""How often each target is scraped and each rule evaluated: three times before what is unknown for half a minute is an
alarm, so that a scrape that fails once or twice is none."""
TIMEOUT_SECONDS = 10
RULES = "rules/*.yml"
"""Where the rules lie, from the configuration's own folder on."""
SECRETS = "/run/secrets"
ROUTE = {
    "source_labels": ["__name__", ROUTE_LABELS[1]],
    "regex": "http_request.*;(.+)",
    "target_label": ROUTE_LABELS[0],
}
"""The label of a route, by whichever of its names an application serves it."""
HEAD = """# What Prometheus scrapes. A job is called as its service is.
# Made by `sutazai-ops config generate` from what the platform's files say under `metrics:`; changes are overwritten.
"""


def prometheus_file(platform: Platform) -> str:
    """Prometheus' configuration: https://prometheus.io/docs/prometheus/latest/configuration/configuration/."""
    content: dict[str, Any] = {
        "global": {
            "scrape_interval": f"{INTERVAL_SECONDS}s",
            "scrape_timeout": f"{TIMEOUT_SECONDS}s",
            "evaluation_interval": f"{INTERVAL_SECONDS}s",
        },
        "rule_files": [RULES],
    }
    if alertmanager := alertmanager_of(platform):
        target = f"{alertmanager.name}:{port_of(alertmanager)}"
        content["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [target]}]}]}
    content["scrape_configs"] = list(_jobs(platform))
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=120)


def out_of_reach(platform: Platform) -> list[str]:
    """What keeps Prometheus from scraping a service though its file says where, one sentence each."""
    prometheus = prometheus_of(platform)
    if prometheus is None:
        return []
    held = {str(one.get("source") if isinstance(one, dict) else one) for one in prometheus.compose.get("secrets") or ()}
    found = []
    for service in _scraped(platform):
        if service is not prometheus and not networks_of(service) & networks_of(prometheus):
            found.append(f"{prometheus.name} is on no network with {service.name}, and cannot scrape it")
        if service.metrics and service.metrics.secret and service.metrics.secret not in held:
            found.append(
                f"{prometheus.name} is not given the secret {service.metrics.secret}, which {service.name} asks for"
            )
    return found


def _scraped(platform: Platform) -> Iterator[Service]:
    return (service for service in platform if service.metrics and service.external is None)


def _jobs(platform: Platform) -> Iterator[dict[str, Any]]:
    keep_the_contract = {service.name for service in applications(platform)}
    for service in _scraped(platform):
        metrics = service.metrics
        if metrics is None:
            continue
        job: dict[str, Any] = {"job_name": service.name}
        if metrics.path != "/metrics":
            job["metrics_path"] = metrics.path
        if metrics.honor_labels:
            job["honor_labels"] = True
        if metrics.secret:
            job["authorization"] = {"credentials_file": f"{SECRETS}/{metrics.secret}"}
        if service.name in keep_the_contract:
            job["metric_relabel_configs"] = [ROUTE]
        target = f"{service.name}:{metrics.port}"
        yield {**job, "static_configs": [{"targets": [target], "labels": {"service": service.name}}]}
