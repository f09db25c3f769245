"""Whoever repairs, seen from outside: a file that grows old is of one that died."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from sutazai_ops.ledger import ModeEntry, open_ledger
from sutazai_ops.monitoring.exporter.collectors.remediation import RemediationCollector, round_file
from sutazai_ops.monitoring.exporter.families import check
from sutazai_ops.remediation.heartbeat import beat, leave
from sutazai_ops.settings import Settings

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path)


def ages(settings: Settings) -> list[float]:
    found = RemediationCollector(settings, interval=30, now=NOW.timestamp).collect()
    check(found.measured)
    return [one.value for one in found.measured]


def looked(settings: Settings, seconds_ago: float) -> None:
    beat(settings)
    then = NOW.timestamp() - seconds_ago
    os.utime(round_file(settings), (then, then))


def test_where_nobody_ever_watched_there_is_nothing_to_tell(settings):
    assert ages(settings) == []


def test_it_is_as_old_as_the_last_round(settings):
    looked(settings, 45)
    assert ages(settings) == [45]


def test_a_clock_that_was_set_back_makes_no_age_of_less_than_nothing(settings):
    looked(settings, -45)
    assert ages(settings) == [0]


def test_one_that_was_ended_in_order_or_switched_off_is_no_dead_one(settings):
    looked(settings, 45)
    log = open_ledger(settings).incidents
    log.record_mode(ModeEntry(NOW, "act", "ann", ""))
    assert ages(settings) == [45]
    log.record_mode(ModeEntry(NOW, "off", "ann", "a new disk"))
    assert ages(settings) == []
    log.record_mode(ModeEntry(NOW, "observe", "ann", ""))
    leave(settings)
    assert ages(settings) == []


def test_a_ledger_that_cannot_be_asked_hides_no_dead_one(settings):
    looked(settings, 200)
    settings.home.joinpath("ledger.db").write_text("no ledger at all, and long enough to be looked at as one " * 20)
    found = RemediationCollector(settings, interval=30, now=NOW.timestamp).collect()
    assert [one.value for one in found.measured] == [200]
    (said,) = found.missing
    assert said.startswith("the mode of the remediation is not known: ")
