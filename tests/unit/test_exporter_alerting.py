"""Thresholds where there is no Prometheus: what begins and ends, who is told once, and what outlives the exporter."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulebooks import PACKAGED, rulebook, signal, threshold

from sutazai_ops.errors import Unreachable
from sutazai_ops.monitoring.evaluation import State
from sutazai_ops.monitoring.exporter.alerting import Alerting, Notice, watched_here
from sutazai_ops.monitoring.exporter.kept import FILE, KeptAlerts
from sutazai_ops.monitoring.exporter.tallies import Tallies
from sutazai_ops.monitoring.exporter.telling import TRIED_AGAIN_SECONDS, Teller, is_inhibited
from sutazai_ops.monitoring.presence import ON_THE_EMBEDDED_ENGINE, OURS
from sutazai_ops.monitoring.promql import Sample

BOOK = rulebook(
    [signal(labels=["service"], query="max by (service) (load)", expected=None)],
    [
        threshold(summary="{service} carries {value}", **{"for": "30s"}, inhibits=["worse"]),
        threshold("worse", above=99),
    ],
)
HOUR = 3600.0


class World:
    """What is measured, by a clock that only moves when told to."""

    def __init__(self, folder, book=BOOK) -> None:
        self.folder, self.book, self.now = folder, book, 1_795_651_740.0
        self.load: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """As an exporter that is started again."""
        self.kept = KeptAlerts(self.folder)
        self.alerting = Alerting(self.book, self.snapshot, self.kept, "https://runbooks", now=lambda: self.now)

    def snapshot(self):
        return [Sample("load", {"service": name}, value) for name, value in self.load.items()]

    def evaluate(self, after: float = 10, **load: float) -> None:
        self.now += after
        self.load |= load
        self.alerting.evaluate()

    def states(self) -> list[tuple[str, str]]:
        return [(one.labels.get("service", ""), str(one.state)) for one in self.alerting.alerts]


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


class TestAlerting:
    def test_what_is_broken_long_enough_fires_and_ends_when_it_is_whole(self, world):
        world.evaluate(shop=50)
        assert world.states() == [("shop", "pending")]
        assert world.alerting.notices() == []
        world.evaluate(after=30)
        assert world.states() == [("shop", "firing")]
        world.evaluate(shop=1)
        assert world.states() == [("shop", "resolved")]
        [notice] = world.alerting.notices()
        assert (notice.begun_at, notice.ended_at) == (world.now - 40, world.now)

    def test_a_notice_says_what_a_person_needs(self, world):
        world.evaluate(shop=50)
        world.evaluate(after=30)
        [notice] = world.alerting.notices()
        assert notice.key == "too_much{service='shop'}"
        assert notice.labels == {"alertname": "too_much", "service": "shop", "severity": "ticket", "signal": "load"}
        assert notice.annotations["summary"] == "shop carries 50"
        assert (notice.severity, notice.service, notice.value) == ("ticket", "shop", 50)

    def test_signals_are_recorded_as_prometheus_would(self, world):
        from sutazai_ops.monitoring.promql import evaluate

        world.evaluate(shop=50)
        [value] = evaluate("signal:load", world.alerting.samples, world.now)
        assert (value.value, value.labels["service"]) == (50, "shop")

    def test_a_figure_that_vanished_is_not_used_any_more(self, world):
        world.evaluate(shop=50)
        world.evaluate(after=30)
        world.load = {}
        world.evaluate()
        assert world.states() == [("shop", "resolved")]

    def test_an_alert_goes_on_over_a_restart_and_its_waiting_is_not_begun_anew(self, world):
        world.evaluate(shop=50)
        world.start()
        world.evaluate(after=30)
        assert world.states() == [("shop", "firing")]
        begun = world.alerting.alerts[0].active_since
        world.start()
        world.evaluate(after=600)
        assert world.alerting.alerts[0].active_since == begun

    def test_an_infinite_value_outlives_a_restart(self, world):
        world.evaluate(shop=math.inf)
        world.start()
        assert world.alerting.alerts[0].value == math.inf

    def test_alerts_of_thresholds_that_are_gone_are_forgotten(self, world):
        world.evaluate(shop=50)
        world.book = rulebook(list(BOOK.signals.values()), [BOOK.thresholds["worse"]])
        world.start()
        assert world.alerting.alerts == []

    def test_a_file_that_somebody_damaged_begins_anew_and_says_so(self, world, caplog):
        world.evaluate(shop=50)
        (world.folder / FILE).write_text('{"alerts": [{"threshold": 3')
        world.start()
        assert world.alerting.alerts == []
        assert "begin anew" in caplog.text

    def test_where_nothing_can_be_kept_it_is_said_once_and_goes_on(self, tmp_path, caplog):
        (tmp_path / "a file").write_text("")
        world = World(tmp_path / "a file" / "below")
        for _ in range(3):
            world.evaluate(after=30, shop=50)
        assert world.states() == [("shop", "firing")]
        assert caplog.text.count("kept in memory alone") == 1

    def test_nothing_is_written_while_nothing_begins_or_ends(self, world):
        world.evaluate(shop=50)
        world.evaluate(after=30)
        before = (world.folder / FILE).stat().st_mtime_ns
        for load in range(50, 60):
            world.evaluate(shop=load)
        assert (world.folder / FILE).stat().st_mtime_ns == before

    def test_a_signal_that_cannot_be_computed_is_logged_once(self, tmp_path, caplog):
        book = rulebook([signal("both", "load * on () group_left () load", expected=None)], [])
        world = World(tmp_path, book)
        for _ in range(3):
            world.evaluate(shop=1, cache=2)
        assert caplog.text.count("the signal both cannot be computed") == 1


class TestWhatIsWatchedHere:
    def test_where_there_is_no_prometheus_everything_that_can_be_measured_is(self):
        book = watched_here(PACKAGED, ON_THE_EMBEDDED_ENGINE, engine="embedded")
        assert {"host_disk_full", "service_down", "queue_old", "signal_unknown", "watchdog"} <= book.thresholds.keys()
        assert not {"rules_failing", "http_slow", "target_down"} & book.thresholds.keys()

    def test_elsewhere_only_what_prometheus_cannot_see_is(self):
        book = watched_here(PACKAGED, frozenset({OURS}), engine="compose")
        assert book.thresholds.keys() == {"prometheus_blind", "alertmanager_blind", "maintenance"}
        assert book.signals.keys() == {"prometheus_age", "alertmanager_age", "maintenance"}


@pytest.mark.parametrize(("scheduled", "told"), [(1, {"backup_stale", "backup_unverified"}), (0, set())])
def test_a_missing_backup_is_told_only_where_one_is_meant_to_be_made_by_itself(tmp_path, scheduled, told):
    """In a development environment `backup_stale` fired for ever."""
    figures = {"scheduled": scheduled, "age_seconds": math.inf, "verified_age_seconds": math.inf}
    samples = [Sample(f"sutazai_backup_{name}", {}, value) for name, value in figures.items()]
    book = watched_here(PACKAGED, ON_THE_EMBEDDED_ENGINE, engine="embedded")
    alerting = Alerting(
        book, lambda: samples, KeptAlerts(tmp_path), "https://runbooks", now=iter(range(0, 900, 400)).__next__
    )
    alerting.evaluate()
    alerting.evaluate()
    assert {one.threshold for one in alerting.notices() if one.threshold.startswith("backup_")} == told


class Chat:
    """Remembers what it was told, and can be down."""

    def __init__(self, severities=("page", "ticket"), *, forgets: bool = False) -> None:
        self.name, self.forgets, self.is_down = "chat", forgets, False
        self.severities, self.messages = severities, []
        self.heard: dict[str, list[bool]] = {}
        """Of each alert, what it was told: whether it had ended."""

    def wants(self, notice: Notice) -> bool:
        return notice.severity in self.severities

    def tell(self, news, firing) -> None:
        if self.is_down:
            raise Unreachable("chat.example refuses the connection")
        for one in news:
            self.heard.setdefault(one.key, []).append(one.ended_at is not None)
        self.messages.append(([(one.service, one.ended_at is not None) for one in news], len(firing)))


class Told(World):
    """A world in which a chat is told."""

    def __init__(self, folder, chat=None, book=BOOK) -> None:
        self.chat, self.tallies = chat or Chat(), Tallies()
        super().__init__(folder, book)

    def start(self) -> None:
        super().start()
        self.teller = Teller(self.chat, self.book, self.kept, self.tallies, 4 * HOUR, now=lambda: self.now)

    def evaluate(self, after: float = 10, **load: float) -> None:
        super().evaluate(after, **load)
        self.teller.tell(self.alerting.notices(), self.alerting.pending())

    def news(self) -> list[list[tuple[str, bool]]]:
        return [news for news, _ in self.chat.messages]

    def counted(self) -> tuple[float, float]:
        found = {s.name: s.value for family in self.tallies.families() for s in family.samples}
        return found["sutazai_notifications_total"], found["sutazai_notifications_failed_total"]


@pytest.fixture
def told(tmp_path) -> Told:
    return Told(tmp_path)


class TestTelling:
    def test_a_person_is_told_once_that_it_begins_and_once_that_it_ends(self, told):
        told.evaluate(shop=50)
        for _ in range(5):
            told.evaluate(after=30)
        for _ in range(5):
            told.evaluate(after=30, shop=1)
        assert told.news() == [[("shop", False)], [("shop", True)]]
        assert told.counted() == (2, 0)

    def test_a_restart_tells_nobody_again(self, told):
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.start()
        told.evaluate()
        told.evaluate(shop=1)
        told.start()
        told.evaluate()
        assert told.news() == [[("shop", False)], [("shop", True)]]

    def test_what_still_fires_after_the_time_that_is_set_is_told_again(self, told):
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.evaluate(after=4 * HOUR - 1)
        told.evaluate(after=1)
        told.evaluate(after=1)
        assert told.news() == [[("shop", False)], [("shop", False)]]

    def test_whoever_is_down_is_tried_again_and_each_try_is_counted(self, told):
        told.chat.is_down = True
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.evaluate(after=TRIED_AGAIN_SECONDS - 1)
        told.evaluate(after=1)
        assert told.counted() == (0, 2)
        told.chat.is_down = False
        told.evaluate(after=TRIED_AGAIN_SECONDS)
        assert told.news() == [[("shop", False)]]
        assert told.counted() == (1, 2)

    def test_what_ended_before_anybody_could_be_told_is_not_told(self, told):
        told.chat.is_down = True
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.evaluate(shop=1)
        told.chat.is_down = False
        told.evaluate(after=TRIED_AGAIN_SECONDS)
        assert told.news() == []

    def test_a_restart_while_nobody_could_be_told_loses_nothing(self, told):
        told.chat.is_down = True
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.chat.is_down = False
        told.start()
        told.evaluate()
        assert told.news() == [[("shop", False)]]

    def test_an_end_that_could_not_be_told_is_told_though_the_alert_is_no_longer_there(self, told):
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.chat.is_down = True
        told.evaluate(shop=1)
        told.evaluate(after=16 * 60)
        assert told.alerting.notices() == []
        told.chat.is_down = False
        told.evaluate(after=TRIED_AGAIN_SECONDS)
        assert told.news() == [[("shop", False)], [("shop", True)]]

    def test_what_fires_again_before_its_end_could_be_told_went_on_for_whoever_is_told(self, told):
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.chat.is_down = True
        told.evaluate(shop=1)
        told.chat.is_down = False
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.evaluate(shop=1)
        assert told.news() == [[("shop", False)], [("shop", True)]]

    def test_a_threshold_that_is_taken_away_ends_what_fired(self, told):
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.book = rulebook(list(BOOK.signals.values()), [BOOK.thresholds["worse"]])
        told.start()
        told.evaluate()
        assert told.news() == [[("shop", False)], [("shop", True)]]

    def test_alerts_of_one_moment_come_as_one(self, told):
        told.evaluate(shop=50, cache=60)
        told.evaluate(after=30)
        [news] = told.news()
        assert set(news) == {("shop", False), ("cache", False)}

    def test_each_receiver_is_told_of_its_severities_alone(self, tmp_path):
        told = Told(tmp_path, Chat(severities=("page",)))
        told.evaluate(shop=50)
        told.evaluate(after=30)
        assert told.news() == []

    def test_what_says_nothing_new_is_told_only_when_it_stands_alone(self, tmp_path):
        book = rulebook(
            list(BOOK.signals.values()), [threshold(inhibits=["worse"]), threshold("worse", above=99)]
        )  # fmt: skip
        told = Told(tmp_path, book=book)
        told.evaluate(shop=100)
        assert [
            (one.threshold, is_inhibited(one, told.alerting.notices(), book)) for one in told.alerting.notices()
        ] == [
            ("too_much", False),
            ("worse", True),
        ]
        assert told.news() == [[("shop", False)]]

    def test_whoever_forgets_hears_of_all_that_fires_each_time(self, tmp_path):
        told = Told(tmp_path, Chat(forgets=True))
        told.evaluate(shop=50)
        told.evaluate(after=30)
        told.evaluate()
        told.evaluate()
        assert told.chat.messages == [([("shop", False)], 1), ([], 1), ([], 1)]
        assert told.counted() == (1, 0)

    @settings(deadline=None, max_examples=60)
    @given(steps=st.lists(st.tuples(st.floats(0, 100), st.booleans(), st.booleans(), st.integers(5, 90)), max_size=30))
    def test_beginnings_and_ends_alternate_whatever_happens(self, tmp_path_factory, steps):
        """With loads, a chat that comes and goes, and restarts."""
        told = Told(tmp_path_factory.mktemp("home"))
        for load, is_down, restarts, after in steps:
            told.chat.is_down = is_down
            if restarts:
                told.start()
            told.evaluate(after=after, shop=load)
        for heard in told.chat.heard.values():
            assert heard == [index % 2 == 1 for index in range(len(heard))]


def test_state_words_are_prometheus_own():
    assert [str(one) for one in State] == ["pending", "firing", "resolved"]
