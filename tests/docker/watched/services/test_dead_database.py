"""A dead database, on which half of the platform stands: the cause is told, and what stands on it is left alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import requests
from sinks import Webhook

from watched.platform import WITHIN_SECONDS, Watched, await_all

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def told(watched: Watched) -> Iterator[Webhook]:
    """What is told from when the database died."""
    watched.sink.forget()
    watched.containers()["postgres"].stop()
    try:
        yield watched.sink
    finally:
        watched.containers()["postgres"].start()


def incidents(watched: Watched) -> dict[tuple[str, str], list[str]]:
    """Look once; which services follow each incident that lasts, by target and symptom."""
    done = watched.ops("remediation", "watch", "--once")
    assert done.returncode == 0, done.stderr
    listed = watched.ops("incidents", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    return {(one["target"], one["symptom"]): one["followers"] for one in json.loads(listed.stdout)}


def test_a_dead_database_silences_what_stands_on_it(watched: Watched, told: Webhook):
    await_all({"service_down": lambda: told.fired("service_down", service="postgres")})
    url = f"http://{watched.address('alertmanager')}:9093/api/v2/alerts"

    def is_held_back() -> bool:
        wanted = {"alertname": "service_down", "service": "backend"}
        found = [one for one in requests.get(url, timeout=5).json() if wanted.items() <= one["labels"].items()]
        return bool(found) and all(one["status"]["inhibitedBy"] for one in found)

    await_all({"that of the backend is held back": is_held_back})
    # Alertmanager tells a group again once it has changed: time enough to tell of this or of the others twice.
    time.sleep(45)
    firing = [alert for alert in told.alerts("service_down") if alert["status"] == "firing"]
    assert [alert["labels"]["service"] for alert in firing] == ["postgres"]  # type: ignore[index]
    assert firing[0]["annotations"]["next"] == "sutazai-ops probe postgres"  # type: ignore[index]


def test_what_stands_on_a_dead_database_is_of_the_incident_of_the_database(watched: Watched, told: Webhook):
    until = time.monotonic() + WITHIN_SECONDS
    while "backend" not in (found := incidents(watched)).get(("postgres", "service-down"), []):
        assert time.monotonic() < until, found
        time.sleep(5)
    assert ("backend", "service-down") not in found


def test_its_end_is_told(watched: Watched, told: Webhook):
    await_all({"service_down": lambda: told.fired("service_down", service="postgres")})
    watched.containers()["postgres"].start()
    await_all({"service_down": lambda: told.resolved("service_down", service="postgres")})
