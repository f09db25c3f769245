"""The page of an incident: what it says, and what it can never be made to say."""

from __future__ import annotations

import re
from dataclasses import replace

import html5lib
import pytest
from guard_situations import INCIDENT, MINUTE, NOW, repair

from sutazai_ops.installation import Installation
from sutazai_ops.ledger import IncidentEventEntry
from sutazai_ops.remediation.incidents import broken_stretches
from sutazai_ops.remediation.page import Facts, to_html, to_markdown
from sutazai_ops.remediation.reporting import write_report
from sutazai_ops.settings import Loaded, Settings

BOOKS = "https://books.example/"


def event(minutes: float, kind: str, text: str = "", actor: str = "") -> IncidentEventEntry:
    return IncidentEventEntry(7, NOW + minutes * MINUTE, kind, text or kind, actor=actor)


EVENTS = [
    event(0, "opened", "backend does not do its work"),
    event(1, "verdict", "act restart: it is due"),
    event(2, "whole", "whole again"),
    event(5, "broken", "broken again"),
    event(9, "escalated", "given to a person"),
]
REPAIRS = [repair(id=3, incident=7, started_at=NOW + MINUTE, ended_at=NOW + 3 * MINUTE, outcome="did not help")]


def facts(**changes) -> Facts:
    known = {"incident": INCIDENT, "events": EVENTS, "repairs": REPAIRS, "environment": "production"}
    return Facts(**{**known, "runbooks_url": BOOKS, **changes})


def test_it_was_broken_from_each_beginning_to_its_end():
    assert broken_stretches(facts().events) == [(NOW, NOW + 2 * MINUTE), (NOW + 5 * MINUTE, None)]
    assert broken_stretches([]) == []


def test_it_was_broken_before_its_alert_fired():
    """A page began to count when its incident was opened, half a minute or five after its users noticed."""
    noticed = replace(EVENTS[0], detail={"since": (NOW - 3 * MINUTE).isoformat()})
    known = facts(events=[noticed, *EVENTS[1:]], budget=40 * MINUTE)
    assert broken_stretches(known.events)[0] == (NOW - 3 * MINUTE, NOW + 2 * MINUTE)
    page = to_html(known)
    assert re.search(r"Of its budget</dt>.{0,9}<div class=\"value\">22.50 %", page)
    assert 'href="#event-0"' in page


def test_the_page_says_what_broke_what_was_tried_and_what_to_do_next():
    page = to_html(facts(diagnostics="== log\npanic"))
    html5lib.HTMLParser(strict=True).parse(page)
    for words in (
        "Incident 7: backend does not do its work",
        "Tried: restart did not help.",
        "sutazai-ops incidents ack 7",
        f'href="{BOOKS}service_down.md"',
        "act restart: it is due",
        "given to a person",
        "panic",
    ):
        assert words in page


def test_it_says_what_of_the_budget_it_spent_and_what_of_that_during_its_repair():
    ended = [*EVENTS[:4], event(7, "whole")]
    page = to_html(facts(events=ended, budget=40 * MINUTE))
    # Four minutes of forty, and one of them while a restart was under way.
    assert re.search(r"Of its budget</dt>.{0,9}<div class=\"value\">10 %", page)
    assert re.search(r"Of it during repairs</dt>.{0,9}<div class=\"value\">2.50 %", page)
    assert "Of its budget" not in to_html(facts())


def test_a_repair_that_found_nothing_to_do_is_no_failure():
    page = to_html(facts(repairs=[repair(outcome="nothing to do")]))
    assert '<span class="tone-quiet">nothing to do</span>' in page
    assert "mark-bad" not in page.partition('aria-label="repairs"')[2].partition("</svg>")[0]


@pytest.mark.parametrize("outcome", ["did not help", "helped", "nothing to do", ""])
def test_every_link_within_the_page_leads_somewhere(outcome):
    page = to_html(facts(repairs=[repair(outcome=outcome)]))
    places = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= places


def test_the_same_facts_give_the_same_bytes():
    assert to_html(facts()) == to_html(facts())


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a\x00b", "\u202egnp"])
def test_a_log_can_put_nothing_into_the_page(text):
    page = to_html(facts(diagnostics=text, events=[event(0, "opened", text)]))
    html5lib.HTMLParser(strict=True).parse(page)
    assert text not in page


def test_the_draft_leaves_room_for_what_only_people_know_and_breaks_no_table():
    draft = to_markdown(facts(repairs=[repair(id=3, incident=7, note="a|b\nc")]))
    assert "## Why it happened\n\n(to be written)" in draft
    assert "a\\|b c" in draft


def test_both_are_written_for_their_owner_alone(tmp_path):
    here = Installation(Loaded(settings=Settings(home=tmp_path), origins={}))
    opened = here.ledger.incidents.open_incident(INCIDENT, EVENTS[:1])
    page, draft = write_report(here, opened)
    assert page == tmp_path / "reports" / "incidents" / "1.html"
    assert page.stat().st_mode & 0o077 == draft.stat().st_mode & 0o077 == 0
    assert "Incident 1" in page.read_text()


def test_what_is_promised_of_a_service_is_its_budget(tmp_path):
    here = Installation(Loaded(settings=Settings(home=tmp_path, engine="embedded"), origins={}))
    database = {"target": "postgres", "alerts": [{"threshold": "service_down", "labels": {"service": "postgres"}}]}
    opened = here.ledger.incidents.open_incident(replace(INCIDENT, **database), EVENTS[:1])
    assert "Of its budget" in write_report(here, opened)[0].read_text()
