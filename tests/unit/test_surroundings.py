"""What the guard is told of the platform around an incident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sutazai_ops.installation import Installation
from sutazai_ops.ledger import ModeEntry, WindowEntry
from sutazai_ops.lock import exclusive
from sutazai_ops.platform import read_platform
from sutazai_ops.remediation.playbook import Check
from sutazai_ops.remediation.seeing import Seen
from sutazai_ops.remediation.surroundings import (
    closures_of,
    failed_checks,
    grace_of,
    holds_state,
    measures,
    mode_of,
    topology_of,
)
from sutazai_ops.remediation.verdict import Mode
from sutazai_ops.settings import PACKAGED_PLATFORM, Loaded, Settings

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PLATFORM = """
services:
  db:
    image: postgres:18
    healthcheck: {test: [CMD, "true"], start_period: 1m, interval: 10s, retries: 5}
    x-sutazai: {embedded: {server: postgres}}
  cache:
    image: valkey/valkey:9
    x-sutazai: {embedded: {server: valkey}, needs: [db]}
"""


@pytest.fixture
def here(tmp_path):
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform/core.yaml").write_text(PLATFORM)
    settings = Settings(home=tmp_path / "home", platform=tmp_path / "platform", engine="embedded")
    return Installation(Loaded(settings=settings, origins={}))


def test_a_fresh_installation_observes(here):
    assert mode_of(here.ledger.incidents) is Mode.OBSERVE
    here.ledger.incidents.record_mode(ModeEntry(NOW, "off", "ann", ""))
    assert mode_of(here.ledger.incidents) is Mode.OFF


def test_what_stands_on_what_and_holds_state(here):
    found = topology_of(here)
    assert found.depends_on == {"db": (), "cache": ("db",)}
    assert found.holds_state == {"db", "cache"}
    assert found.grace == {"db": timedelta(seconds=110)}


@pytest.mark.parametrize(
    ("check", "seconds"),
    [
        ({"test": "x"}, 90),
        ({"test": "x", "start_period": "2m", "interval": "1m30s", "retries": 2}, 300),
        ({"disable": True}, None),
        (None, None),
    ],
)
def test_the_grace_after_a_start_is_what_its_health_check_gives_it(check, seconds):
    found = grace_of({"healthcheck": check} if check else {})
    assert found == (None if seconds is None else timedelta(seconds=seconds))


def test_a_deployment_under_way_covers_everything(here):
    assert closures_of(here, NOW) == []
    with exclusive(here.settings.releases, "deploy"):
        (closure,) = closures_of(here, NOW)
        assert closure.covers("db", "service-down", NOW)
        assert closure.reason.startswith("deploy (process ")


def test_a_window_covers_the_services_that_it_names_until_its_end(here):
    end = NOW + timedelta(hours=1)
    here.ledger.record_window(WindowEntry(0, "silence", ["db"], "new disk", NOW, end, "eve"))
    (closure,) = closures_of(here, NOW)
    assert (closure.kind, closure.reason) == ("silence", "new disk")
    assert [closure.covers(name, "service-down", NOW) for name in ("db", "cache")] == [True, False]
    assert closures_of(here, end) == []


def test_what_is_not_known_is_not_so(here):
    what_it_is = {Check.POSTGRES}
    assert failed_checks(here, "db", Seen(), NOW) == set(Check) - what_it_is
    assert failed_checks(here, "db", Seen(running=frozenset({"db"})), NOW) == set(Check) - what_it_is - {Check.RUNS}
    assert failed_checks(here, "host", Seen(running=frozenset({"host"})), NOW) == set(Check)


def test_of_the_packaged_platform_those_that_measure_are_known_by_what_they_are():
    platform = read_platform(PACKAGED_PLATFORM)
    found = {service.name for service in platform if measures(service)}
    assert {"prometheus", "alertmanager", "exporter", "node-exporter"} <= found
    assert not found & {"postgres", "redis", "backend", "ollama", "edge"}


def test_what_measures_and_is_not_backed_up_holds_no_state_and_all_else_that_says_so_does():
    platform = read_platform(PACKAGED_PLATFORM)
    found = {service.name for service in platform if holds_state(service)}
    assert {"postgres", "redis", "ollama"} <= found
    assert not found & {"prometheus", "alertmanager", "backend"}
    prometheus = platform.service("prometheus")
    assert holds_state(prometheus.model_copy(update={"backup": platform.service("redis").backup}))
