"""What is worked on is told once the window ends, and somebody always hears that the monitoring lives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import requests

from sutazai_ops.settings import Settings
from watched.platform import Watched, await_all
from watched.together import Together

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]

windows = Together()


@windows
def test_nobody_is_told_of_what_is_worked_on_until_the_window_is_closed_and_the_cause_remains(watched: Watched):
    hears_of_it_once_it_ends(watched, "qa-validator", window_by_hand)


@windows
def test_nobody_is_told_of_what_is_worked_on_until_the_window_leaves_the_file_and_the_cause_remains(watched: Watched):
    hears_of_it_once_it_ends(watched, "ollama-integration-specialist", window_of_every_day)


def hears_of_it_once_it_ends(
    watched: Watched, name: str, window: Callable[[Watched, str], AbstractContextManager[None]]
) -> None:
    """Somebody does, and not before."""
    sink = watched.sink.from_now()
    with window(watched, name):
        await_all({"maintenance": lambda: (name,) in watched.prometheus("max by (service) (sutazai_maintenance)")})
        watched.fault(name, "hang")
        await_all({"service_down is held back": lambda: held_back(watched, name)})
        assert not sink.fired("service_down", service=name)
    try:
        await_all({"service_down": lambda: sink.fired("service_down", service=name)})
    finally:
        watched.fault(name, None)
    await_all({"service_down": lambda: sink.resolved("service_down", service=name)})


@contextmanager
def window_by_hand(watched: Watched, service: str) -> Iterator[None]:
    """One that is opened and closed from the command line."""
    opened = watched.ops("maintenance", "open", service, "--reason", "a test", "--for", "30m", "--json")
    assert opened.returncode == 0, opened.stderr
    yield
    assert watched.ops("maintenance", "close", str(json.loads(opened.stdout)["number"])).returncode == 0


@contextmanager
def window_of_every_day(watched: Watched, service: str) -> Iterator[None]:
    """One that a file says, until it is taken out of it."""
    began = datetime.now(ZoneInfo(Settings().timezone)) - timedelta(minutes=1)
    says = {"every": "day", "start": f"{began:%H:%M}", "for": "2h", "services": [service], "reason": "a test"}
    file = watched.home / "windows.yaml"
    file.write_text(json.dumps({"upkeep": says}))
    yield
    file.write_text("# none\n")


def held_back(watched: Watched, service: str) -> bool:
    """Whether Alertmanager knows that it is down, and tells nobody."""
    url = f"http://{watched.address('alertmanager')}:9093/api/v2/alerts"
    alerts = requests.get(url, params={"filter": f'service="{service}"'}, timeout=5).json()
    found = {one["labels"]["alertname"]: one["status"]["inhibitedBy"] for one in alerts}
    return "maintenance" in found and bool(found.get("service_down"))


@windows
def test_the_address_outside_hears_that_the_monitoring_lives(watched: Watched):
    outside = [path for path in watched.sink.paths if path.endswith("/outside")]
    await_all({"watchdog": lambda: watched.sink.fired("watchdog")})
    await_all({"again": lambda: len([one for one in watched.sink.paths if one.endswith("/outside")]) > len(outside)})


def test_a_test_alert_arrives_and_the_address_of_the_webhook_stands_nowhere(watched: Watched):
    done = watched.ops("alerts", "test", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["receiver"]: row["arrival"] for row in json.loads(done.stdout)} == {"hook": "told", "post": "told"}
    shown = [json.dumps(one.attrs) for one in watched.containers().values()]
    texts = [file.read_text(errors="replace") for file in (watched.home / "generated").rglob("*") if file.is_file()]
    assert [text[:80] for text in (*shown, *texts, done.stdout) if "secret-path-of-the-webhook" in text] == []
