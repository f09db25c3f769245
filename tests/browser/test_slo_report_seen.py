"""The report in a browser: read at a desk and on a phone, in the light and in the dark, on paper, by keyboard."""

from __future__ import annotations

import re
import subprocess

import pytest
from axe_playwright_python.sync_playwright import Axe
from screens import DESK, PHONE, SCREENS

from sutazai_ops.reports.look import DARK, LIGHT
from sutazai_ops.slo.report_html import to_html
from sutazai_ops.slo.sample import sample_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report():
    return sample_report()


@pytest.fixture(scope="module")
def file(report, tmp_path_factory):
    file = tmp_path_factory.mktemp("reports") / "2026-10.html"
    file.write_text(to_html(report), encoding="utf-8")
    return file


def lies_in(page, selector: str, screen: dict[str, int]) -> bool:
    box = page.locator(selector).first.bounding_box()
    return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= screen["height"]


@pytest.mark.parametrize(("screen", "scheme"), SCREENS)
def test_it_opens_without_a_complaint_asks_nobody_and_is_no_wider_than_the_screen(visit, file, screen, scheme):
    seen = visit(file, screen=screen, scheme=scheme)
    assert seen.complaints == []
    assert seen.requests == [file.as_uri()]
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= screen["width"]


@pytest.mark.parametrize(("screen", "scheme"), SCREENS)
def test_axe_finds_nothing(visit, file, screen, scheme):
    seen = visit(file, screen=screen, scheme=scheme)
    seen.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(seen.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_the_first_screen_says_whether_the_month_was_good_and_why(visit, file, screen):
    page = visit(file, screen=screen).page
    for selector in (".verdict", ".why", ".few div", ".sample"):
        assert lies_in(page, selector, screen), selector
    if screen is DESK:
        assert lies_in(page, ".objectives tbody tr:nth-child(5)", screen)


def test_the_same_is_read_without_script(visit, file):
    with_script, without = visit(file).page, visit(file, script=False).page
    assert without.locator("body").inner_text() == with_script.locator("body").inner_text()


@pytest.mark.parametrize(("scheme", "colours"), [("light", LIGHT), ("dark", DARK)], ids=["light", "dark"])
def test_the_colours_are_those_of_the_reader_s_taste(visit, file, scheme, colours):
    page = visit(file, scheme=scheme).page
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", ground)) == colours.paper


def test_every_link_on_the_page_leads_to_what_is_then_seen(visit, file):
    page = visit(file).page
    inner = page.locator("a[href^='#']:not(.skip)")
    targets = sorted({link.get_attribute("href") for link in inner.all()})
    assert len(targets) > 30
    for target in targets:
        page.evaluate("window.scrollTo(0, 0)")
        page.evaluate("target => location.hash = target", target)
        box = page.locator(f"[id='{target[1:]}']").bounding_box()
        assert box is not None, target
        assert -1 <= box["y"] < DESK["height"], target


def test_a_number_above_a_curve_leads_to_what_spent_the_budget(visit, file, report):
    page = visit(file).page
    page.locator("#budget ~ .over-time .dip").first.click()
    assert page.url.endswith("#dip-1")
    row = page.locator("#dip-1").inner_text()
    assert report.objectives[0].dips[0].sentence[1:] in row.replace("\N{NO-BREAK SPACE}", " ")


def test_a_link_to_a_folded_objective_unfolds_it(visit, file):
    page = visit(file).page
    folded = page.locator("details#o-front-page")
    assert folded.get_attribute("open") is None
    page.evaluate("location.hash = '#o-front-page'")
    page.locator("details#o-front-page > summary").press("Enter")
    assert page.locator("details#o-front-page pre").first.is_visible()


def test_the_keyboard_reaches_the_skip_link_first_and_every_table_that_scrolls(visit, file):
    page = visit(file, screen=PHONE).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    wide = page.evaluate(
        """() => [...document.querySelectorAll('.scroll')]
            .filter(one => one.scrollWidth > one.clientWidth && one.tabIndex < 0).length"""
    )
    assert wide == 0


def test_what_is_hatched_is_where_no_curve_is(visit, file):
    """A curve stops at the beginning of a gap and goes on after it."""
    page = visit(file).page
    curve = page.locator("#budget ~ .over-time .curve").first.get_attribute("d")
    gap = page.locator("#budget ~ .over-time .panel .gap").first.evaluate("one => parseFloat(one.style.left) * 10")
    first, second = (re.findall(r"[ML]([\d.]+)", part) for part in curve[1:].split("M"))
    assert float(first[-1] if first else 0) <= gap < float(curve.split("M")[2].split()[0])
    assert second


def test_lines_of_prose_are_of_a_length_that_is_read(visit, file):
    page = visit(file).page
    lines = page.evaluate(
        """() => [...document.querySelectorAll('main p:not(.verdict)')].filter(p => p.offsetHeight > 0).flatMap(p => {
            const rows = Math.round(p.offsetHeight / parseFloat(getComputedStyle(p).lineHeight));
            return rows > 1 ? [p.innerText.length / rows] : [];
        })"""
    )
    assert lines
    assert max(lines) < 76


def test_on_paper_everything_is_unfolded_and_nothing_is_cut(visit, file, report, tmp_path):
    page = visit(file).page
    page.emulate_media(media="print")
    paper = tmp_path / "report.pdf"
    page.pdf(path=paper, format="A4", print_background=True)
    told = subprocess.run(["pdftotext", "-layout", str(paper), "-"], capture_output=True, text=True, check=True).stdout
    words = " ".join(told.replace("\N{NO-BREAK SPACE}", " ").split())
    for one in report.objectives:
        assert one.title[1:] in words
    # In sections that are folded on a screen.
    assert 'avg_over_time(sutazai_probe_state{service="postgres"' in words
    assert words.count("Nightly backup") == 31
    assert "Nearest event" in words


def test_in_the_dark_paper_stays_white(visit, file):
    page = visit(file, scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
