"""What people write on the status page: each step once, in words that users know, and nothing lost."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sutazai_ops.errors import BadInput, ExitCode, Refused
from sutazai_ops.ledger import open_ledger
from sutazai_ops.settings import Settings
from sutazai_ops.status_page import notices
from sutazai_ops.status_page.model import NoticeKind, NoticeState
from sutazai_ops.status_page.notices import Announcement

NOW = datetime(2026, 11, 26, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
SLOW = Announcement("Answers come late", "Please ask again.", NOW - HOUR, journeys=["Asking in the chat"])


@pytest.fixture
def ledger(tmp_path):
    return open_ledger(Settings(home=tmp_path))


def states(known: notices.Known) -> list[NoticeState]:
    return [update.state for update in known.notice.updates]


def test_the_examples_in_the_code_are_true():
    assert doctest.testmod(notices).attempted > 0
    assert doctest.testmod(notices).failed == 0


def test_an_incident_is_told_watched_and_resolved(ledger):
    known = notices.post(ledger, SLOW, now=NOW, by="anna")
    notices.say(ledger, known.number, "It is mended.", state=NoticeState.WATCHING, now=NOW + HOUR, by="anna")
    notices.say(ledger, known.number, "Still good.", state=None, now=NOW + 2 * HOUR, by="ben")
    ended = notices.end(ledger, known.number, "All is well.", now=NOW + 3 * HOUR, by="ben")
    assert states(ended) == [NoticeState.OPEN, NoticeState.WATCHING, NoticeState.WATCHING, NoticeState.RESOLVED]
    assert ended.notice.end == NOW + 3 * HOUR
    assert ended.notice.start == NOW - HOUR
    assert ended.notice.journeys == ("Asking in the chat",)
    assert ended.notice.uid == known.notice.uid


def test_what_is_over_stays_as_it_was(ledger):
    known = notices.post(ledger, SLOW, now=NOW, by="anna")
    ended = notices.end(ledger, known.number, "All is well.", now=NOW + HOUR, by="anna")
    with pytest.raises(Refused, match="is over: resolved"):
        notices.say(ledger, known.number, "Or is it?", state=None, now=NOW + 2 * HOUR, by="ben")
    assert notices.find(ledger, known.number, NOW + 2 * HOUR) == ended


def test_maintenance_is_done_when_somebody_says_so_and_not_when_it_was_to_end(ledger):
    told = Announcement("A newer version", "Save your work.", NOW + HOUR, NOW + 2 * HOUR)
    known = notices.announce(ledger, told, now=NOW, by="anna")
    assert notices.find(ledger, known.number, NOW + 5 * HOUR).notice.state is NoticeState.PLANNED
    done = notices.end(ledger, known.number, "Done.", now=NOW + 5 * HOUR, by="anna")
    assert (done.notice.state, done.notice.end) == (NoticeState.DONE, NOW + 5 * HOUR)


def test_cancelled_maintenance_keeps_the_time_that_it_was_planned_for(ledger):
    told = Announcement("A newer version", "Save your work.", NOW + HOUR, NOW + 2 * HOUR)
    known = notices.announce(ledger, told, now=NOW, by="anna")
    gone = notices.say(ledger, known.number, "Not this week.", state=NoticeState.CANCELLED, now=NOW, by="anna")
    assert (gone.notice.state, gone.notice.end) == (NoticeState.CANCELLED, NOW + 2 * HOUR)


def test_an_incident_is_not_cancelled(ledger):
    known = notices.post(ledger, SLOW, now=NOW, by="anna")
    with pytest.raises(BadInput, match="is an incident, which cannot be cancelled"):
        notices.say(ledger, known.number, "Never mind.", state=NoticeState.CANCELLED, now=NOW, by="anna")


@pytest.mark.parametrize(
    ("start", "end"), [(NOW + HOUR, NOW), (NOW - 2 * HOUR, NOW - HOUR), (NOW, NOW), (NOW + HOUR, None)]
)
def test_maintenance_that_ends_before_it_begins_or_has_ended_is_refused(ledger, start, end):
    with pytest.raises(BadInput, match="has to end after"):
        notices.announce(ledger, Announcement("A", "B.", start, end), now=NOW, by="anna")
    assert notices.for_page(ledger, NOW) == ()


@pytest.mark.parametrize(("title", "text"), [("", "B."), ("A", "  "), ("A" * 121, "B."), ("A", "B" * 2001)])
def test_nothing_is_told_without_a_word_or_with_too_many(ledger, title, text):
    with pytest.raises(BadInput, match=r"is empty|letters"):
        notices.post(ledger, Announcement(title, text, NOW), now=NOW, by="anna")
    assert notices.for_page(ledger, NOW) == ()


def test_an_incident_cannot_begin_in_the_future(ledger):
    with pytest.raises(BadInput, match="cannot begin in the future"):
        notices.post(ledger, Announcement("A", "B.", NOW + HOUR), now=NOW, by="anna")


def test_a_number_that_no_notice_has_is_refused_with_those_that_there_are(ledger):
    known = notices.post(ledger, SLOW, now=NOW, by="anna")
    with pytest.raises(BadInput, match="there is no notice 7") as told:
        notices.end(ledger, 7, "Well.", now=NOW, by="anna")
    assert str(known.number) in told.value.remedy


def test_what_ended_more_than_ninety_days_ago_is_gone_and_what_never_ended_is_not(ledger):
    old = notices.post(ledger, Announcement("Old", "Gone.", NOW), now=NOW, by="anna")
    open_one = notices.post(ledger, Announcement("Open", "Still there.", NOW), now=NOW, by="anna")
    notices.end(ledger, old.number, "Well.", now=NOW + HOUR, by="anna")
    found = [one.title for one in notices.for_page(ledger, NOW + timedelta(days=91))]
    assert found == [open_one.notice.title]


def test_the_newest_stands_first(ledger):
    for hours in (3, 1, 2):
        notices.post(ledger, Announcement(f"{hours}", "A.", NOW - hours * HOUR), now=NOW, by="anna")
    assert [one.title for one in notices.for_page(ledger, NOW)] == ["1", "2", "3"]


def test_two_notices_are_never_the_same_to_a_reader_of_the_feed(ledger):
    found = [notices.post(ledger, SLOW, now=NOW, by="anna").notice.uid for _ in range(3)]
    assert len(set(found)) == 3
    assert all(uid.startswith("urn:uuid:") for uid in found)


@pytest.mark.parametrize(
    "text",
    [
        "Postgres is full",
        "the redis, too",
        "ask 10.0.0.7",
        "see http://prometheus:9090/graph",
        "backend:8000 is slow",
        "node1.internal is away",
    ],
)
def test_what_only_the_house_knows_is_refused(text):
    with pytest.raises(Refused, match="users of the platform do not know"):
        notices.refuse_inside_words([text], ["postgres", "redis", "backend"])


@pytest.mark.parametrize(
    "text",
    [
        "Answers come late, about 1.5 s.",
        "The site was away from 10:15 to 10:45.",
        "Rediscover it",
        "See https://example.org/help.",
    ],
)
def test_plain_words_are_not(text):
    notices.refuse_inside_words([text], ["postgres", "redis", "backend"])


def test_a_journey_is_found_by_name_or_title_and_a_slip_is_refused_with_the_nearest():
    journeys = {"chat-answers": "Asking in the chat", "front-page": "Opening the site"}
    assert notices.titles_of(["chat-answers", "Opening the site"], journeys) == [
        "Asking in the chat",
        "Opening the site",
    ]
    with pytest.raises(BadInput, match="no journey 'chat-answer'") as told:
        notices.titles_of(["chat-answer"], journeys)
    assert told.value.remedy == "did you mean 'chat-answers'?"


def test_a_moment_is_of_the_zone_that_is_set_unless_it_names_one():
    berlin = ZoneInfo("Europe/Berlin")
    assert notices.read_moment("2026-12-01 20:00", berlin) == datetime(2026, 12, 1, 19, tzinfo=UTC)
    assert notices.read_moment("2026-12-01T20:00+00:00", berlin) == datetime(2026, 12, 1, 20, tzinfo=UTC)
    with pytest.raises(BadInput, match="is no moment"):
        notices.read_moment("tomorrow", berlin)


@pytest.fixture
def run(tmp_path):
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SUTAZAI_")}
        environment = clean | {"SUTAZAI_HOME": str(tmp_path / "home"), "SUTAZAI_ENGINE": "embedded"}
        command = [sys.executable, "-m", "sutazai_ops.cli", "status-page", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)

    return run


def test_an_incident_by_command_from_its_first_word_to_its_last(run):
    told = run("post", "Answers come late", "--text", "Please ask again.", "--journey", "chat-answers", "--json")
    assert told.returncode == 0, told.stderr
    number = str(json.loads(told.stdout)["number"])
    assert run("update", number, "It is mended.", "--watching").returncode == 0
    assert "sutazai-ops" not in run("resolve", number, "All is well.").stdout
    (listed,) = json.loads(run("list", "--json").stdout)
    assert listed["notice"]["journeys"] == ["Asking in the chat"]
    assert [one["state"] for one in listed["notice"]["updates"]] == ["open", "watching", "resolved"]
    assert listed["notice"]["kind"] == NoticeKind.INCIDENT


def test_a_service_named_to_users_is_refused_until_somebody_insists(run):
    refused = run("post", "Slow", "--text", "The backend is slow.")
    assert refused.returncode == ExitCode.REFUSED
    assert "users of the platform do not know backend" in refused.stderr
    assert json.loads(run("list", "--json").stdout) == []
    assert run("post", "Slow", "--text", "The backend is slow.", "--anyway").returncode == 0


def test_maintenance_by_command(run):
    done = run(
        "maintenance",
        "A newer version",
        "--text",
        "Save your work.",
        "--from",
        "2099-12-01 20:00",
        "--to",
        "2099-12-01 20:15",
    )
    assert done.returncode == 0, done.stderr
    assert run("cancel", "1", "Not this week.").returncode == 0
    assert "cancelled" in run("list").stdout
