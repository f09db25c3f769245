"""The report on capacity in a browser: read at a desk and on a phone, in the light and in the dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from screens import DESK, PHONE, SCREENS

from sutazai_ops.capacity.report_html import to_html
from sutazai_ops.capacity.sample import sample_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("reports") / "2026-10.html"
    file.write_text(to_html(sample_report()), encoding="utf-8")
    return file


@pytest.mark.parametrize(("screen", "scheme"), SCREENS)
def test_it_opens_without_a_complaint_asks_nobody_and_is_no_wider_than_the_screen(visit, file, screen, scheme):
    seen = visit(file, screen=screen, scheme=scheme)
    assert seen.complaints == []
    assert seen.requests == [file.as_uri()]
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= screen["width"]


@pytest.mark.parametrize(("screen", "scheme"), SCREENS)
def test_axe_finds_nothing(visit, file, screen, scheme):
    found = Axe().run(visit(file, screen=screen, scheme=scheme).page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_the_first_screen_says_how_it_is_and_why(visit, file, screen):
    page = visit(file, screen=screen).page
    for selector in (".verdict", ".why", ".few div", ".sample"):
        box = page.locator(selector).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= screen["height"], selector


def test_every_link_on_the_page_leads_somewhere(visit, file):
    page = visit(file).page
    targets = {link.get_attribute("href") for link in page.locator("a[href^='#']").all()}
    assert len(targets) > 15
    assert [one for one in targets if page.locator(f"[id='{one[1:]}']").count() != 1] == []


def test_a_picture_is_as_wide_as_its_figure_and_has_words(visit, file):
    page = visit(file, screen=PHONE).page
    pictures = page.locator(".multiples svg")
    assert pictures.count() > 25
    for picture in pictures.all():
        assert picture.get_attribute("aria-label")
        box = picture.bounding_box()
        assert box is not None
        assert box["width"] > 250
