"""A real outage burns a budget, and the exporter of the embedded engine tells it without a Prometheus."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator

import pytest

from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import Loaded, MonitoringSettings, ObjectiveSettings, Settings

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

STEP = 300
"""Seconds of what is recorded of each objective: an outage is seen at the next whole one."""
PLATFORM = """
services:
  cache:
    image: valkey/valkey:9
    x-sutazai:
      criticality: critical
      probes: [{kind: redis, timeout_seconds: 1}]
      embedded: {server: valkey}
  exporter:
    image: sutazai/ops:0.1.0
    x-sutazai:
      probes: [{kind: http, port: 9177, path: /-/ready}]
      embedded: {server: exporter}
"""


@pytest.fixture
def here(tmp_path) -> Iterator[Installation]:
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform/core.yaml").write_text(PLATFORM)
    objectives = tmp_path / "objectives.yaml"
    objectives.write_text("cache-is-up: {every: 2s}\n")
    settings = Settings(
        home=tmp_path / "home", platform=tmp_path / "platform", engine="embedded",
        monitoring=MonitoringSettings(interval_seconds=2), slo=ObjectiveSettings(objectives=objectives),
    )  # fmt: skip
    one = Installation(Loaded(settings=settings, origins={}))
    try:
        one.engine.apply(one.engine.plan(list(one.platform)), Silent())
        yield one
    finally:
        for service in ("exporter", "cache"):
            one.engine.stop(service)


def fetch(here: Installation, path: str) -> str:
    with urllib.request.urlopen(f"http://{here.engine.endpoint('exporter')}{path}", timeout=5) as answer:
        return answer.read().decode()


def burning(here: Installation) -> list[dict[str, str]]:
    """The labels of what is told of budgets."""
    alerts = json.loads(fetch(here, "/api/v1/alerts"))["data"]["alerts"]
    return [one["labels"] for one in alerts if one["labels"].get("signal") == "budget_burn"]


def until(holds, seconds: float) -> None:
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds
        time.sleep(1)


def test_an_outage_burns_the_budget_in_the_pair_that_is_evaluated_and_the_others_are_named(here):
    assert "not evaluated: budget_burns_6x" in fetch(here, "/")
    until(lambda: '"cache-is-up"' in fetch(here, "/api/v1/query?query=objective:allowed"), 60)
    assert burning(here) == []
    here.engine.stop("cache")
    until(lambda: burning(here), STEP + 60)
    assert burning(here) == [
        {
            "alertname": "budget_burns_14_4x", "severity": "page", "signal": "budget_burn",
            "objective": "cache-is-up", "service": "cache",
        }
    ]  # fmt: skip
    here.engine.start("cache")
    # As soon as the five minutes are well again, though the hour is not.
    until(lambda: not burning(here), STEP + 60)
