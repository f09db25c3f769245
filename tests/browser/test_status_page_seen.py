"""The status page in a browser: read by anybody, and seen to be old when it is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from screens import PHONE, SCREENS
from status_sample import NOW, sample_page

from sutazai_ops.status_page.files import write
from sutazai_ops.status_page.page import PAGE, render

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

OLD = "This page is old"


@pytest.fixture
def file(tmp_path) -> Path:
    write(render(sample_page()), tmp_path)
    return tmp_path / PAGE


@pytest.mark.parametrize(("screen", "scheme"), SCREENS)
def test_it_opens_without_a_complaint_and_axe_finds_nothing(visit, file, screen, scheme):
    seen = visit(file, screen=screen, scheme=scheme, at=NOW)
    seen.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(seen.page)
    assert found.violations_count == 0, found.generate_report()
    assert seen.complaints == []
    assert seen.requests == [file.as_uri()]
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= screen["width"]


def test_a_page_of_now_shows_the_state_of_now(visit, file):
    page = visit(file, at=NOW + timedelta(minutes=1)).page
    assert page.locator(".headline").is_visible()
    assert not page.get_by_text(OLD).is_visible()


def test_a_page_that_nobody_wrote_anew_says_so_and_shows_no_state(visit, file):
    page = visit(file, at=NOW + timedelta(minutes=6)).page
    assert page.get_by_text(OLD).is_visible()
    assert not page.locator(".headline").is_visible()
    assert [one.is_visible() for one in page.locator(".state").all()] == [False] * 3
    # What was is still told.
    assert page.get_by_text("A new version was faulty").is_visible()


def test_a_page_that_stays_open_becomes_old(visit, file):
    page = visit(file, at=NOW).page
    assert not page.get_by_text(OLD).is_visible()
    page.clock.install(time=NOW)
    page.reload()
    page.clock.fast_forward(60 * 6 * 1000)
    assert page.get_by_text(OLD).is_visible()


def test_without_script_the_time_of_the_page_is_plain_to_see(visit, file):
    page = visit(file, script=False, screen=PHONE).page
    time = page.locator("time")
    assert time.inner_text() == "26 Nov 2026 14:03 UTC"
    box = time.bounding_box()
    assert box["y"] + box["height"] < PHONE["height"]
    assert "if that was more than" in page.locator("main").inner_text()


def test_the_words_behind_the_bars_are_there_for_those_who_do_not_see_them(visit, file):
    page = visit(file, at=NOW).page
    bars = page.get_by_role("img", name="The last 90 days").all()
    assert len(bars) == 3
    page.locator("summary").first.click()
    assert page.get_by_text("only 20 % of the day was measured").first.is_visible()
