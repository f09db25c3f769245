"""Windows in which nobody is told: who is silenced, for how long, and that it ends by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rulebooks import PACKAGED

from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.ledger import WindowEntry, open_ledger
from sutazai_ops.maintenance import (
    FollowedWindows,
    RecurringWindow,
    close,
    coming,
    deploying,
    holding,
    in_force,
    open_window,
    read_windows,
    recurring,
)
from sutazai_ops.monitoring.alertmanager import alertmanager_file
from sutazai_ops.monitoring.exporter.alerting import Alerting, watched_here
from sutazai_ops.monitoring.exporter.collectors.maintenance import MaintenanceCollector
from sutazai_ops.monitoring.exporter.kept import KeptAlerts
from sutazai_ops.monitoring.exporter.telling import is_inhibited
from sutazai_ops.monitoring.presence import ON_THE_EMBEDDED_ENGINE
from sutazai_ops.monitoring.promql import Sample
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM, AlertSettings, Settings

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KNOWN = ("postgres", "redis")


def window(**changes) -> WindowEntry:
    return replace(WindowEntry(0, "maintenance", ["redis"], "new disk", NOW, NOW + HOUR, "eve"), **changes)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def ledger(settings):
    return open_ledger(settings)


def figures(settings, now) -> set[str]:
    platform = [one for one in read_platform(PACKAGED_PLATFORM) if one.name in KNOWN]
    collector = MaintenanceCollector(settings, lambda: platform, interval=30, now=now.timestamp)
    return {one.labels["service"] for one in collector.collect().measured}


class TestWindows:
    def test_one_holds_from_its_beginning_until_its_end(self, ledger):
        opened = open_window(ledger, window(starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR), known=KNOWN, now=NOW)
        assert opened.number == 1
        assert [in_force(ledger, NOW + n * HOUR / 2) == [opened] for n in range(5)] == [False, False, True, True, False]

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"services": ["redsi"]}, "no service 'redsi'"),
            ({"reason": " "}, "needs a reason"),
            ({"ends_at": NOW}, "has to end after"),
            ({"starts_at": NOW - 2 * HOUR, "ends_at": NOW - HOUR}, "has to end after"),
            ({"ends_at": NOW + timedelta(days=15)}, "hides what is broken"),
        ],
    )
    def test_one_that_says_nothing_or_never_ends_is_refused(self, ledger, changes, words):
        with pytest.raises(BadInput, match=words):
            open_window(ledger, window(**changes), known=KNOWN, now=NOW)
        assert ledger.windows_since(NOW - 30 * HOUR) == []

    def test_a_closed_one_is_over_and_is_closed_once(self, ledger):
        number = open_window(ledger, window(), known=KNOWN, now=NOW).number
        close(ledger, number, NOW + HOUR / 2)
        assert in_force(ledger, NOW + HOUR / 2) == []
        with pytest.raises(Refused, match="is over since"):
            close(ledger, number, NOW + HOUR)
        with pytest.raises(BadInput, match="no window 7"):
            close(ledger, 7, NOW)

    def test_a_deployment_opens_its_own_and_closes_it_however_it_ends(self, ledger):
        def fail():
            with deploying(lambda: ledger, ["redis"], "deploy", HOUR):
                (found,) = in_force(ledger, datetime.now(UTC))
                assert (found.kind, found.services, found.reason) == ("deployment", ["redis"], "deploy")
                raise OpsError("it does not come up")

        with pytest.raises(OpsError, match="come up"):
            fail()
        assert in_force(ledger, datetime.now(UTC)) == []

    def test_what_a_killed_deployment_left_open_ends_with_the_next_and_with_its_own_end(self, ledger):
        now = datetime.now(UTC)
        left = ledger.record_window(window(kind="deployment", starts_at=now - HOUR, ends_at=now + HOUR))
        kept = ledger.record_window(window(starts_at=now - HOUR, ends_at=now + HOUR))
        with deploying(lambda: ledger, ["postgres"], "deploy", HOUR):
            assert left not in {one.number for one in in_force(ledger, datetime.now(UTC))}
        assert [one.number for one in in_force(ledger, datetime.now(UTC))] == [kept]
        assert in_force(ledger, now + HOUR) == []

    def test_a_ledger_that_cannot_be_opened_holds_no_deployment_up(self, caplog):
        def closed():
            raise OpsError("the ledger does not answer")

        went_on = False
        with deploying(closed, ["redis"], "deploy", HOUR):
            went_on = True
        assert went_on
        assert "the ledger does not answer" in caplog.text


class TestExporter:
    def test_it_shows_the_services_of_the_windows_that_hold(self, settings, ledger):
        ledger.record_window(window())
        ledger.record_window(window(services=["postgres"], starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR))
        assert figures(settings, NOW) == {"redis"}
        assert figures(settings, NOW + HOUR) == {"postgres"}
        assert figures(settings, NOW + 2 * HOUR) == set()

    def test_one_that_names_no_service_is_of_all(self, settings, ledger):
        ledger.record_window(window(services=[]))
        assert figures(settings, NOW) == set(KNOWN)

    def test_without_a_ledger_nobody_is_silenced(self, settings):
        assert figures(settings, NOW) == set()


class TestTelling:
    def test_the_embedded_engine_tells_nothing_of_it_and_all_of_the_rest(self, tmp_path):
        down = [
            Sample("sutazai_service_state", {"service": name, "phase": "core", "state": "stopped"}, 1) for name in KNOWN
        ]
        samples = [*down, Sample("sutazai_maintenance", {"service": "redis"}, 1)]
        book = watched_here(PACKAGED, ON_THE_EMBEDDED_ENGINE, engine="embedded")
        clock = iter(range(1_795_651_740, 1_795_652_000, 60))
        alerting = Alerting(book, lambda: samples, KeptAlerts(tmp_path), "https://runbooks", now=lambda: next(clock))
        alerting.evaluate()
        alerting.evaluate()
        notices = alerting.notices()
        told = {
            (one.threshold, one.service)
            for one in notices
            if one.threshold == "service_down" and not is_inhibited(one, notices, book)
        }
        assert told == {("service_down", "postgres")}
        assert {one.service for one in notices if one.threshold == "service_down"} == set(KNOWN)

    def test_an_alert_of_no_service_is_told_during_maintenance_of_one(self, tmp_path):
        book = watched_here(PACKAGED, ON_THE_EMBEDDED_ENGINE, engine="embedded")
        samples = [
            Sample("sutazai_maintenance", {"service": "redis"}, 1),
            Sample("sutazai_clock_step_seconds", {}, 9),
        ]
        alerting = Alerting(book, lambda: samples, KeptAlerts(tmp_path), "https://runbooks")
        alerting.evaluate()
        notices = alerting.notices()
        jumped = next(one for one in notices if one.threshold == "clock_jumped")
        assert any(one.threshold == "maintenance" for one in notices)
        assert not is_inhibited(jumped, notices, book)

    def test_alertmanager_holds_back_every_other_alert_of_the_service_and_tells_nobody_of_the_window(self):
        told = yaml.safe_load(alertmanager_file(read_platform(PACKAGED_PLATFORM), AlertSettings(), PACKAGED))
        assert {
            "source_matchers": ['alertname="maintenance"'],
            "target_matchers": ['alertname!="maintenance"'],
            "equal": ["service"],
        } in told["inhibit_rules"]
        routes = told["route"]["routes"]
        assert {"receiver": "(nobody)", "matchers": ['severity="none"']} in routes
        assert "maintenance" in watched_here(PACKAGED, frozenset({"sutazai"}), engine="compose").thresholds


WEEKLY = """
upkeep:
  every: sunday
  start: 03:30
  for: 45m
  services: [redis]
  reason: vacuum
"""
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def weekly(tmp_path):
    """Reads windows out of a text."""

    def read(text: str, known=KNOWN):
        file = tmp_path / "windows.yaml"
        file.write_text(text)
        return read_windows(file, known)

    return read


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


class TestEveryWeek:
    @pytest.mark.parametrize(
        ("at", "holds"),
        [
            ("2026-11-29 03:29:59", False),
            ("2026-11-29 03:30", True),
            ("2026-11-29 04:14:59", True),
            ("2026-11-29 04:15", False),
            ("2026-11-30 03:30", False),
            ("2026-12-06 03:45", True),
        ],
    )
    def test_one_holds_on_its_day_from_its_beginning_until_its_end(self, weekly, at, holds):
        assert bool(holding(weekly(WEEKLY), berlin(at), BERLIN)) is holds

    def test_one_that_began_yesterday_holds_after_midnight(self, weekly):
        windows = weekly(WEEKLY.replace("03:30", "23:30").replace("45m", "24h"))
        assert [bool(holding(windows, berlin(f"2026-11-{day} 23:29"), BERLIN)) for day in (29, 30)] == [False, True]

    def test_it_is_as_long_as_it_says_where_the_clocks_change_meanwhile(self, weekly):
        # On 25 October 2026 the hour from two to three comes twice in Berlin.
        (one,) = coming(
            weekly(WEEKLY.replace("03:30", "01:30").replace("45m", "4h")), berlin("2026-10-25 00:00"), BERLIN
        )
        assert one.ends_at - one.starts_at == 4 * HOUR
        assert one.ends_at.astimezone(BERLIN).hour == 4

    def test_in_the_hour_that_the_clocks_leave_out_it_begins_an_hour_later(self, weekly):
        # On 29 March 2026 two o'clock is three.
        (one,) = coming(weekly(WEEKLY.replace("03:30", "02:30")), berlin("2026-03-29 00:00"), BERLIN)
        assert one.starts_at.astimezone(BERLIN).strftime("%H:%M") == "03:30"

    def test_what_comes_next_is_shown_with_the_name_of_the_window(self, weekly):
        days = WEEKLY.replace("sunday", "[monday, thursday]")
        (one,) = coming(weekly(days), berlin("2026-11-24 12:00"), BERLIN)
        assert (one.number, one.kind, one.actor, one.services) == (0, "maintenance", "upkeep", ["redis"])
        assert one.starts_at == berlin("2026-11-26 03:30")

    @given(after=st.timedeltas(timedelta(0), timedelta(days=5000)), minutes=st.integers(1, 24 * 60))
    def test_whatever_holds_is_what_comes_next(self, after, minutes):
        now = NOW + after
        window = RecurringWindow.model_validate(
            {"name": "x", "every": "day", "start": "02:30", "for": f"{minutes}m", "reason": "y"}
        )
        held, (next_one,) = holding([window], now, BERLIN), coming([window], now, BERLIN)
        assert next_one.ends_at > now
        assert held == [] or next_one == held[0]

    @pytest.mark.parametrize(
        ("text", "what", "line"),
        [
            (WEEKLY.replace("[redis]", "[redsi]"), "no service 'redsi'", 6),
            (WEEKLY.replace("sunday", "sonntag"), "every", 3),
            (WEEKLY.replace("sunday", "[]"), "every", 3),
            (WEEKLY.replace("03:30", "25:00"), "write a time of day", 4),
            (WEEKLY.replace("45m", "25h"), "a day at most", 5),
            (WEEKLY.replace("45m", "0s"), "a day at most", 5),
            (WEEKLY.replace("vacuum", '" "'), "say why", 7),
            (WEEKLY.replace("reason: vacuum", "reson: vacuum"), "reson is no key of a window", 7),
            (WEEKLY.replace("  reason: vacuum\n", ""), "has no reason", 2),
        ],
    )
    def test_one_that_is_wrong_is_refused_with_its_line(self, weekly, text, what, line):
        with pytest.raises(BadInput, match=what) as error:
            weekly(text)
        assert f"windows.yaml:{line}" in error.value.where

    def test_the_example_is_one(self):
        read = read_windows(Path(recurring.__file__).with_name("windows.yaml"), KNOWN)
        assert [one.name for one in read] == ["database-upkeep", "network-of-the-house"]

    def test_no_file_is_no_window(self):
        assert read_windows(None, KNOWN) == ()

    @pytest.mark.parametrize("text", ["", "# none, for now\n", "{}\n"])
    def test_a_file_that_was_emptied_holds_none(self, weekly, text):
        assert weekly(text) == ()

    def test_whoever_lives_for_months_reads_them_anew_and_goes_on_with_those_that_were_where_it_cannot(
        self, tmp_path, caplog
    ):
        file = tmp_path / "windows.yaml"
        file.write_text(WEEKLY)
        followed = FollowedWindows(file, KNOWN)
        (one,) = followed.read()
        file.write_text(WEEKLY.replace("[redis]", "[redsi]"))
        assert [followed.read(), followed.read()] == [(one,), (one,)]
        assert caplog.text.count("no service 'redsi'") == 1
        file.unlink()
        assert followed.read() == (one,)
        file.write_text("")
        assert followed.read() == ()

    def test_the_exporter_tells_of_those_beside_the_ledgers(self, settings, ledger):
        open_window(ledger, window(services=["postgres"]), known=KNOWN, now=NOW)
        platform = [one for one in read_platform(PACKAGED_PLATFORM) if one.name in KNOWN]

        def told(*weekly: list[str]) -> set[str]:
            collector = MaintenanceCollector(
                settings, lambda: platform, lambda _: weekly, interval=30, now=NOW.timestamp
            )
            return {one.labels["service"] for one in collector.collect().measured}

        assert told() == {"postgres"}
        assert told(["redis"]) == {"postgres", "redis"}
        assert told([]) == {one.name for one in platform}
