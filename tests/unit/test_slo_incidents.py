"""What fired, copied from Prometheus: once each, whole, and open while it goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sutazai_ops.ledger import EventEntry, open_ledger
from sutazai_ops.settings import Settings
from sutazai_ops.slo.incidents import fired
from sutazai_ops.slo.source import Answer, Line

MIDNIGHT = datetime(2026, 10, 14, tzinfo=UTC)
NOW = MIDNIGHT + timedelta(hours=20)
LABELS = {"alertname": "service_down", "alertstate": "firing", "severity": "page", "service": "backend"}


class Fired:
    """A Prometheus in which one alert fired, from hour to hour of the day."""

    where = "a test"

    def __init__(self, *hours: tuple[float, float]) -> None:
        self.hours = hours

    def over(self, query: str, start: int, end: int, step: int) -> Answer:
        moments = range(start, end + 1, step)
        midnight = MIDNIGHT.timestamp()
        points = [(m, 1.0) for m in moments if any(a * 3600 <= m - midnight <= b * 3600 for a, b in self.hours)]
        return Answer((Line(LABELS, points),) if points else ())

    def at(self, query: str, moment: int) -> Answer:
        return Answer(())


def found(*hours: tuple[float, float], now: datetime = NOW) -> list[EventEntry]:
    return fired(Fired(*hours), MIDNIGHT, MIDNIGHT + timedelta(days=1), now)


def test_an_alert_is_an_incident_from_its_first_minute_to_its_last() -> None:
    (one,) = found((10, 10.75))
    assert (one.lane, one.title, one.services) == ("incident", "service down of backend", ["backend"])
    assert one.started_at == MIDNIGHT + timedelta(hours=10)
    assert one.ended_at == MIDNIGHT + timedelta(hours=10.75)


def test_one_that_fires_again_later_is_another_and_one_that_flickers_is_one() -> None:
    assert len(found((10, 10.5), (12, 12.5))) == 2
    assert len(found((10, 10.5), (10.55, 11))) == 1


def test_one_that_goes_on_has_no_end() -> None:
    (one,) = found((19, 21))
    assert one.ended_at is None


def test_one_that_began_the_day_before_is_told_whole_and_known_again(tmp_path: Path) -> None:
    (one,) = found((-2, 1))
    assert one.started_at == MIDNIGHT - timedelta(hours=2)
    ledger = open_ledger(Settings(home=tmp_path))
    for now in (MIDNIGHT + timedelta(minutes=30), NOW):
        ledger.record_events(found((-2, 1), now=now))
    (kept,) = ledger.events_between(MIDNIGHT - timedelta(days=1), NOW)
    assert kept.ended_at == MIDNIGHT + timedelta(hours=1)


def test_one_whose_beginning_nobody_saw_is_left_out() -> None:
    assert found((-30, 1)) == []
