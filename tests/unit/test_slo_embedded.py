"""Facts out of samples in memory: what was measured stays though memory forgets it, and an end is no end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sutazai_ops.installation import Installation
from sutazai_ops.monitoring.promql import Sample, Samples
from sutazai_ops.settings import Loaded, Settings
from sutazai_ops.slo import maths, period
from sutazai_ops.slo.embedded import Keeper
from sutazai_ops.slo.promises import Promises
from sutazai_ops.slo.verdict import Verdict

START = datetime(2026, 10, 14, 9, 0, tzinfo=UTC)
TICK = timedelta(seconds=10)


class Embedded:
    name = "embedded"


class House:
    """A platform of one service, whose probe somebody else is."""

    def __init__(self, folder: Path) -> None:
        platform = folder / "platform"
        platform.mkdir()
        (platform / "core.yaml").write_text("services: {web: {image: 'shop/web:1'}}\n")
        self.here = Installation(Loaded(settings=Settings(home=folder / "home", platform=platform), origins={}))
        self.here.__dict__["engine"] = Embedded()
        self.promises = Promises(self.here, list(self.here.platform))
        self.start()

    def start(self) -> None:
        """Begin with an empty memory, as an exporter that was started again."""
        self.samples = Samples(300)
        self.keeper = Keeper(lambda: self.promises, self.samples)

    def live(self, start: datetime, minutes: float, state: str = "ok") -> datetime:
        """Measure for some time, and write facts down every two minutes."""
        now, end, kept = start, start + timedelta(minutes=minutes), start
        while now < end:
            self.samples.add(
                now.timestamp(),
                [
                    Sample(
                        "sutazai_probe_state", {"service": "web", "probe": "http", "state": one}, float(one == state)
                    )
                    for one in ("ok", "failed", "unknown")
                ],
            )
            now += TICK
            if now - kept >= timedelta(minutes=2):
                self.keeper.keep(now)
                kept = now
        self.keeper.keep(now)
        return now

    def totals(self, day: datetime = START) -> maths.Totals:
        return self.promises.facts(day.date(), day.date())["web-is-up"][day.date()].totals


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_what_the_probe_said_is_counted_by_the_minute(house: House) -> None:
    now = house.live(START, 20)
    now = house.live(now, 5, "failed")
    house.live(now, 10, "unknown")
    t = house.totals()
    assert t.ok == pytest.approx(20, abs=1)
    assert t.down == pytest.approx(5, abs=1)
    assert t.measured == pytest.approx(25, abs=1)


def test_hours_that_memory_has_forgotten_stay_as_they_were(house: House) -> None:
    house.live(START, 200)
    assert house.totals().ok == pytest.approx(200, abs=2)


def test_an_exporter_that_is_started_again_goes_on_where_it_was(house: House) -> None:
    now = house.live(START, 30)
    house.start()
    house.live(now + timedelta(minutes=10), 20)
    t = house.totals()
    assert t.ok == pytest.approx(50, abs=2)
    assert t.expected - t.measured == pytest.approx(9 * 60 + 10, abs=2)


def test_the_last_minutes_of_a_day_are_in_its_facts(house: House) -> None:
    midnight = datetime(2026, 10, 15, tzinfo=UTC)
    house.live(midnight - timedelta(minutes=30), 60)
    assert house.totals(midnight - timedelta(minutes=1)).ok == pytest.approx(30, abs=1)
    assert house.totals(midnight).ok == pytest.approx(30, abs=1)


def test_a_short_life_is_honestly_insufficient(house: House) -> None:
    house.live(START, 3)
    one = house.promises.report(period.month("2026-10")).objective("web-is-up")
    assert one.verdict is Verdict.INSUFFICIENT
    assert one.counts.ok_minutes == pytest.approx(3, abs=1)
    assert "Only" in one.sentence or "only" in one.sentence


def test_what_keeps_facts_from_being_written_ends_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.here.settings.home.joinpath("ledger.db").parent.mkdir(parents=True, exist_ok=True)
    house.here.settings.home.joinpath("ledger.db").write_text("no database, but long enough to be looked at" * 20)
    house.keeper.keep(START)
    house.keeper.keep(START)
    assert len([one for one in caplog.records if "facts:" in one.message]) == 1
