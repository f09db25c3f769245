"""The status page: never *works* where that is not known, old when it is old, a feed that readers can read."""

from __future__ import annotations

import doctest
import json
import os
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import feedparser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from pages import XHTML, tree_of, words_of
from status_sample import DAY, MINUTE, NOW, sample_page

from sutazai_ops.errors import OpsError
from sutazai_ops.reports.page import clean
from sutazai_ops.status_page import model as m
from sutazai_ops.status_page.files import make_folder, write
from sutazai_ops.status_page.page import FEED, JSON, PAGE, headline, render

RULES = etree.RelaxNG(etree.parse(str(Path(__file__).with_name("atom.rng"))))
ODD = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40),
    st.sampled_from(
        ["<script>alert(1)</script>", "]]>", "&nbsp;", '"><b onclick=x>', "a\x00\x1f", "\u202eabc", "{{ 1 }}"]
    ),
)


def page_of(page: m.StatusPage) -> str:
    return render(page)[PAGE].decode()


def journeys(*states: m.State) -> tuple[m.Journey, ...]:
    return tuple(m.Journey(title=f"Journey {n}", state=state) for n, state in enumerate(states))


def test_the_examples_in_the_code_are_true():
    assert doctest.testmod(m).attempted > 0
    assert doctest.testmod(m).failed == 0


def test_the_page_is_html_without_a_mistake_and_fetches_nothing():
    text = page_of(sample_page())
    tree = tree_of(text)
    assert {name for node in tree.iter() for name in node.attrib} & {"src", "srcset", "poster"} == set()
    links = {node.attrib["href"] for node in tree.iter(f"{XHTML}a")} | {
        n.attrib["href"] for n in tree.iter(f"{XHTML}link")
    }
    assert links == {"#main", "feed.xml", "status.json"}


def test_the_same_value_gives_the_same_files():
    assert render(sample_page()) == render(m.StatusPage.model_validate_json(render(sample_page())[JSON]))


def test_all_works_only_where_all_is_known_to_work():
    works, unknown = m.State.WORKS, m.State.UNKNOWN
    said = {
        (works, works): "All works",
        (works, unknown): "All works, but for 1 of 2 that we do not know of",
        (unknown, unknown): "We do not know whether it works",
        (works, m.State.FAILS): "Journey 1: does not work",
        (works, m.State.FAILS, m.State.FAILS): "2 of 3 do not work",
        (m.State.FAILS, m.State.FAILS): "Nothing works",
        (works, m.State.DISTURBED, unknown): "Journey 1: works in part",
    }
    assert {states: headline(sample_page(journeys=journeys(*states))).words for states in said} == said
    assert headline(sample_page(journeys=())).words == "We do not know: nothing is measured yet"


@given(st.lists(st.sampled_from(m.State), max_size=6), st.one_of(st.none(), st.integers(0, 1000)))
def test_a_green_page_means_that_every_journey_was_measured_lately_and_works(states, age):
    measured = None if age is None else NOW - timedelta(seconds=age)
    page = sample_page(journeys=journeys(*states), measured_at=measured)
    green = headline(page).words == "All works"
    fresh = age is not None and age <= page.stale_after_seconds
    assert green == (fresh and bool(states) and set(states) == {m.State.WORKS})


def test_what_was_old_when_it_was_written_shows_no_state_of_now():
    old = sample_page(measured_at=NOW - timedelta(minutes=20))
    words = words_of(page_of(old))
    assert "We do not know: nothing has been measured since 26 Nov 2026 13:43 UTC" in words
    for journey in old.journeys:
        assert journey.state is m.State.UNKNOWN or journey.state.capitalize() not in words
    assert "nothing has been measured" in words_of(page_of(sample_page(measured_at=None)))


def test_the_page_says_plainly_of_when_it_is():
    text = page_of(sample_page())
    assert "As of 26 Nov 2026 14:03 UTC" in words_of(text)
    assert 'datetime="2026-11-26T14:03:20Z"' in text
    assert "more than 5 min ago" in words_of(text)


def test_days_are_told_in_words_too():
    words = words_of(page_of(sample_page()))
    assert "13 Oct: did not work for long, 93.60 %" in words
    assert "12 Oct: only 20 % of the day was measured" in words
    assert "7 Nov: did not work for long, 71 %; 60 % of the day was measured" in words


@pytest.mark.parametrize(("share", "coverage"), [(None, 1), (None, 0), (1, 0.5), (0.9999, 0)])
def test_a_day_that_was_hardly_measured_is_never_good(share, coverage):
    assert m.day_state(share, coverage, 0.999) is m.DayState.UNKNOWN


def test_an_incident_that_is_not_over_stands_first_and_one_that_is_stands_among_the_last():
    words = words_of(page_of(sample_page()))
    now, planned, past = (words.index(head) for head in ("At the moment", "Planned", "The last 90 days"))
    assert now < words.index("Answers in the chat come late") < planned
    assert planned < words.index("The site is away for a quarter of an hour") < past
    assert past < words.index("Nothing answered")


def test_maintenance_that_nobody_has_ended_is_not_called_done():
    planned = sample_page().notices[1]
    begun = planned.model_copy(update={"start": NOW - 20 * MINUTE, "end": NOW - 5 * MINUTE})
    words = words_of(page_of(sample_page(notices=(begun,))))
    assert "was to end" in words
    assert words.index("At the moment") < words.index(planned.title)
    assert "Done" not in words


def feed_of(page: m.StatusPage) -> bytes:
    return render(page)[FEED]


def test_the_feed_is_atom():
    for page in (sample_page(), sample_page(notices=()), sample_page(address=""), sample_page(sample=True)):
        assert RULES.validate(etree.parse(BytesIO(feed_of(page)))), RULES.error_log


def test_the_rules_refuse_what_is_no_atom():
    broken = feed_of(sample_page()).replace(b"<updated>", b"<changed>").replace(b"</updated>", b"</changed>")
    assert not RULES.validate(etree.parse(BytesIO(broken)))


def test_a_reader_understands_the_feed():
    read = feedparser.parse(feed_of(sample_page()))
    assert not read.bozo
    assert read.version == "atom10"
    assert read.feed.title == "Status of Sutazai"
    assert [entry.id for entry in read.entries] == [
        "urn:uuid:00000000-0000-4000-8000-000000000003",
        "urn:uuid:00000000-0000-4000-8000-000000000004",
        "urn:uuid:00000000-0000-4000-8000-000000000002",
    ]
    assert "It is mended" in read.entries[0].content[0].value
    anchor = read.entries[0].link.partition("#")[2]
    assert f'id="{anchor}"' in page_of(sample_page())


def test_the_feed_is_new_only_when_something_was_said():
    later = sample_page(generated_at=NOW + MINUTE, measured_at=NOW + MINUTE)
    assert feed_of(later) == feed_of(sample_page())
    quiet = sample_page(notices=())
    assert feed_of(quiet) == feed_of(quiet.model_copy(update={"generated_at": NOW + MINUTE}))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(title=ODD, text=ODD, journey=ODD)
def test_no_text_is_ever_taken_for_markup(title, text, journey):
    notice = m.Notice(
        uid="urn:uuid:1",
        kind=m.NoticeKind.INCIDENT,
        title=title,
        journeys=(journey,),
        start=NOW - DAY,
        updates=(m.Update(at=NOW, state=m.NoticeState.OPEN, text=text),),
    )
    page = sample_page(
        title=title, notices=(notice,), journeys=(m.Journey(title=journey, state=m.State.WORKS, days=()),)
    )
    files = render(page)
    tree = tree_of(files[PAGE].decode())
    assert len(list(tree.iter(f"{XHTML}script"))) == 1
    assert [name for node in tree.iter() for name in node.attrib if name.startswith("on")] == []
    heads = ["".join(node.itertext()) for node in tree.iter(f"{XHTML}h3")]
    assert clean(title).replace("\r\n", "\n").replace("\r", "\n") in heads
    feed = ET.fromstring(files[FEED])  # our own bytes
    assert RULES.validate(etree.parse(BytesIO(files[FEED]))), RULES.error_log
    assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == 1
    assert json.loads(files[JSON])["notices"][0]["title"] == title


def test_files_are_replaced_whole_and_can_be_read_by_whoever_serves_them(tmp_path):
    folder = tmp_path / "generated" / "status-page"
    write(render(sample_page()), folder)
    before = folder.stat().st_ino
    write(render(sample_page(notices=())), folder)
    assert folder.stat().st_ino == before
    assert sorted(path.name for path in folder.iterdir()) == ["feed.xml", "index.html", "status.json"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    assert (folder / PAGE).read_bytes() == render(sample_page(notices=()))[PAGE]


def test_a_file_that_says_the_same_is_left_alone(tmp_path):
    write(render(sample_page()), tmp_path)
    feed, page = (tmp_path / FEED).stat(), (tmp_path / PAGE).stat()
    write(render(sample_page(generated_at=NOW + MINUTE)), tmp_path)
    assert (tmp_path / FEED).stat().st_mtime_ns == feed.st_mtime_ns
    assert (tmp_path / PAGE).stat().st_ino != page.st_ino


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder for somebody else")
def test_the_folder_is_made_for_the_owner_of_the_home_folder(tmp_path):
    os.chown(tmp_path, 1234, 1234)
    folder = tmp_path / "status-page" / "public"
    make_folder(folder, owner_of=tmp_path)
    make_folder(folder, owner_of=tmp_path)
    assert {(one.stat().st_uid, one.stat().st_mode & 0o777) for one in (folder, folder.parent)} == {(1234, 0o755)}


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OpsError, match="cannot write"):
        write(render(sample_page()), tmp_path / "file" / "below")
