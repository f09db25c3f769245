"""What the status page is made of, and how it is written again and again: unknown is never *works*."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import words_of
from slo_days import measured
from status_sample import MINUTE, NOW

from sutazai_ops.errors import Corrupt
from sutazai_ops.ledger import open_ledger
from sutazai_ops.settings import Settings
from sutazai_ops.slo import shelf
from sutazai_ops.slo.day import make_fact
from sutazai_ops.slo.sample import OBJECTIVES, _facts
from sutazai_ops.status_page import basis, notices
from sutazai_ops.status_page.model import DayState, State
from sutazai_ops.status_page.page import PAGE, render
from sutazai_ops.status_page.writer import Writer, state_of

UP, UNKNOWN = 'probe{state="ok"}', 'probe{state="unknown"}'
JOURNEY = basis.Journey(title="Asking in the chat", days=(), up=UP, unknown=UNKNOWN)
JOURNEYS = [one for one in OBJECTIVES if one.journey]


@pytest.fixture(scope="module")
def gathered():
    facts = {one.name: _facts(one) for one in JOURNEYS}
    return basis.gather(JOURNEYS, facts, (), datetime.fromisoformat("2026-11-01T09:00:00Z"))


def asking(up=(), unknown=()):
    return {UP: up, UNKNOWN: unknown}.__getitem__


@pytest.mark.parametrize(
    ("up", "unknown", "state"),
    [
        ([1, 1], [0, 0], State.WORKS),
        ([1, 0], [0, 0], State.DISTURBED),
        ([0, 0], [0, 0], State.FAILS),
        ([0, 1], [1, 0], State.UNKNOWN),
        ([0, 0], [1, 1], State.UNKNOWN),
        ([0, 0], [1, 0], State.FAILS),
        ([], [], State.UNKNOWN),
        ([float("nan")], [], State.UNKNOWN),
    ],
)
def test_a_journey_is_as_the_probes_that_speak_for_it(up, unknown, state):
    assert state_of(JOURNEY, asking(up, unknown)) is state


@given(st.lists(st.sampled_from([0.0, 1.0]), max_size=5), st.integers(0, 5))
def test_it_works_only_where_every_probe_was_answered(up, untold):
    works = state_of(JOURNEY, asking(up, [1.0] * untold)) is State.WORKS
    assert works == (bool(up) and all(up) and not untold)


def test_what_does_not_run_does_not_work_though_nobody_could_ask_it():
    journey = JOURNEY.model_copy(update={"stopped": "stopped"})
    assert state_of(journey, {UP: [0], UNKNOWN: [1], "stopped": [0, 1]}.__getitem__) is State.FAILS
    assert state_of(journey, {UP: [0], UNKNOWN: [1], "stopped": [0, 0]}.__getitem__) is State.UNKNOWN


def test_a_journey_that_no_probe_speaks_for_is_not_known():
    assert state_of(JOURNEY.model_copy(update={"up": None}), asking()) is State.UNKNOWN


def test_ninety_days_end_today_and_what_was_before_the_first_measurement_was_not_there(gathered):
    opening = gathered.journeys[0]
    assert len(opening.days) == 90
    assert (opening.days[0].day, opening.days[-1].day) == (date(2026, 8, 4), date(2026, 11, 1))
    states = {day.day: day.state for day in opening.days}
    assert states[date(2026, 9, 30)] is DayState.BEFORE
    assert states[date(2026, 10, 1)] is DayState.GOOD
    assert states[date(2026, 10, 6)] is DayState.DISTURBED
    assert states[date(2026, 11, 1)] is DayState.UNKNOWN


def test_the_share_is_what_the_report_says_and_coverage_counts_the_days_that_have_no_fact(gathered):
    opening = gathered.journeys[0]
    assert opening.share == pytest.approx(0.99966, abs=1e-5)
    assert opening.coverage == pytest.approx(0.99736, abs=1e-4)
    lacking = {JOURNEYS[0].name: {day: fact for day, fact in _facts(JOURNEYS[0]).items() if day.day != 20}}
    found = basis.gather(JOURNEYS[:1], lacking, (), datetime.fromisoformat("2026-11-01T09:00:00Z"))
    assert found.journeys[0].coverage == pytest.approx(opening.coverage * 30 / 31, abs=1e-3)


def test_a_journey_without_any_fact_was_never_there():
    (found,) = basis.gather(JOURNEYS[:1], {}, (), NOW).journeys
    assert {day.state for day in found.days} == {DayState.BEFORE}
    assert (found.share, found.coverage) == (None, 0)


def test_nothing_of_the_inside_gets_from_the_ledger_to_the_page(tmp_path):
    settings = Settings(home=tmp_path)
    ledger = open_ledger(settings)
    for one in JOURNEYS:
        shelf.keep(ledger, list(_facts(one).values()))
    now = datetime.fromisoformat("2026-11-01T09:00:00Z")
    notices.post(ledger, notices.Announcement("Slow", "Please wait.", now), now=now, by="anna")
    basis.refresh(ledger, JOURNEYS, settings.status_page_basis, now)
    writer = Writer(settings, lambda _: [1.0], now.timestamp, clock=lambda: now)
    writer.write()
    inside = [one.name for one in JOURNEYS] + [str(one.service) for one in JOURNEYS]
    inside += ["anna", "sutazai_probe", "http_requests", "127.0.0.1", "localhost", str(tmp_path)]
    for name, content in writer.files.items():
        text = content.decode()
        assert [word for word in inside if word in text] == [], name
        assert (settings.status_page_folder / name).read_text() == text
    assert "Opening the site" in writer.files[PAGE].decode()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def test_before_anybody_gathered_how_the_last_days_were_the_state_of_now_is_told(tmp_path):
    known = basis.journeys_of(OBJECTIVES)
    page = Writer(Settings(home=tmp_path), lambda _: [0.0], NOW.timestamp, known, clock=Clock()).page(None)
    assert [(one.title, one.state) for one in page.journeys] == [(one.title, State.FAILS) for one in known]
    assert len(known) == 3


def test_before_any_facts_ninety_empty_bars_say_that_nothing_was_measured(tmp_path):
    known = basis.journeys_of(OBJECTIVES)
    writer = Writer(Settings(home=tmp_path), lambda _: [1.0], NOW.timestamp, known, clock=Clock())
    gathered = basis.gather(JOURNEYS, {}, (), NOW)
    for found in (None, gathered):
        page = writer.page(found)
        assert {len(one.days) for one in page.journeys} == {90}
        assert {day.state for one in page.journeys for day in one.days} == {DayState.BEFORE}
        words = words_of(render(page)[PAGE].decode())
        assert words.count("not measured yet") == len(page.journeys)
        assert "100 %" not in words


def test_from_the_first_hours_on_it_is_said_since_when_it_was_measured(tmp_path):
    [one] = [one for one in JOURNEYS if one.name == "front-page"]
    began = measured(NOW.date(), elapsed=840)
    began = replace(began, probed=[0.0] * 780 + [1.0] * 60, ok=[0.0] * 780 + [1.0] * 60)
    fact = make_fact(one, "q", began, [], NOW)
    found = basis.gather([one], {one.name: {NOW.date(): fact}}, (), NOW)
    journey = found.journeys[0]
    assert [day.state for day in journey.days] == [DayState.BEFORE] * 89 + [DayState.GOOD]
    # What was before the first measured minute is not held against the measuring.
    assert journey.coverage == 1
    page = Writer(Settings(home=tmp_path), lambda _: [1.0], NOW.timestamp, clock=Clock()).page(found)
    words = words_of(render(page)[PAGE].decode())
    assert "100 % today, measured since 26 Nov" in words
    assert "before it was measured" in words


def test_what_is_announced_is_told_before_the_last_days_are_gathered_and_leaves_them_alone(tmp_path, gathered):
    settings = Settings(home=tmp_path)
    ledger, file = open_ledger(settings), settings.status_page_basis
    notices.post(ledger, notices.Announcement("Slow", "Please wait.", NOW), now=NOW, by="anna")
    writer = Writer(settings, lambda _: [1.0], NOW.timestamp, basis.journeys_of(OBJECTIVES), clock=Clock())
    page = writer.page(basis.tell(ledger, file, NOW))
    assert (len(page.journeys), page.notices[0].title) == (3, "Slow")
    file.write_text(gathered.model_dump_json())
    assert basis.tell(ledger, file, NOW).journeys == gathered.journeys


def test_since_when_it_is_so_is_told_once_it_has_been_seen_to_change(tmp_path):
    clock, up = Clock(), [1.0]
    writer = Writer(Settings(home=tmp_path), lambda text: up if text == UP else [0.0], clock.now.timestamp, clock=clock)
    found = basis.Basis(gathered_at=NOW, journeys=(JOURNEY,))
    assert writer.page(found).journeys[0].since is None
    clock.now += 10 * MINUTE
    up[:] = [0.0]
    first = writer.page(found).journeys[0]
    clock.now += 10 * MINUTE
    again = writer.page(found).journeys[0]
    assert first.state is again.state is State.FAILS
    assert first.since == again.since == NOW + 10 * MINUTE


def test_a_page_is_not_overwritten_before_anything_was_measured(tmp_path):
    settings = Settings(home=tmp_path)
    Writer(settings, lambda _: [], lambda: None).write()
    assert not settings.status_page_folder.exists()


def test_what_was_measured_long_ago_is_said_to_be_old(tmp_path):
    clock = Clock()
    writer = Writer(Settings(home=tmp_path), lambda _: [1.0], (NOW - timedelta(hours=2)).timestamp, clock=clock)
    assert writer.page(basis.Basis(gathered_at=NOW, journeys=(JOURNEY,))).is_stale


def test_a_disk_that_takes_nothing_is_said_once_and_ends_nothing(tmp_path, caplog):
    (tmp_path / "status-page").write_text("a file")
    writer = Writer(Settings(home=tmp_path), lambda _: [1.0], NOW.timestamp, clock=Clock())
    with caplog.at_level(logging.ERROR):
        writer.write()
        writer.write()
    assert len(caplog.records) == 1
    assert "the status page is not written" in caplog.text


def test_a_basis_that_cannot_be_read_is_one_sentence(tmp_path):
    file = tmp_path / "basis.json"
    assert basis.read(file) is None
    file.write_text('{"version": 7}')
    with pytest.raises(Corrupt, match="cannot be read"):
        basis.read(file)
