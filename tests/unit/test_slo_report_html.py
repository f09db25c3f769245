"""The report as a page: the same bytes for the same facts, every text escaped, nothing fetched, nothing invented."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pages import XHTML, tree_of, words_of
from slo_sample import sample_report

from sutazai_ops.reports.figures import TO
from sutazai_ops.reports.page import clean
from sutazai_ops.slo import report_model as m
from sutazai_ops.slo.report_html import MANY, to_html
from sutazai_ops.slo.verdict import Verdict

MEGABYTE = 1_000_000

# Anything that a name or a message could hold, and what would do harm if it were taken for markup.
ODD = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "'-->]]></svg></style></title>",
            "{{ 7 * 7 }}{% raw %}",
            "&lt;b&gt; &amp;",
            "a\x00b\x1b[31mred",
            "\u202egnissim",
            "$\\alpha$ \\u0000 %s {0}",
            "javascript:alert(1)",
            "   ",
            "",
        ]
    ),
)


@pytest.fixture(scope="module")
def report() -> m.Report:
    return sample_report()


@pytest.fixture(scope="module")
def html(report) -> str:
    return to_html(report)


def test_the_page_is_html_without_a_mistake(html):
    tree_of(html)


def test_the_same_report_gives_the_same_bytes_whatever_the_machine(report, html):
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1])\n"
        "from slo_sample import sample_report\n"
        "from sutazai_ops.slo.report_html import to_html\n"
        "print(hashlib.sha256(to_html(sample_report()).encode()).hexdigest())"
    )
    here = hashlib.sha256(html.encode()).hexdigest()
    for seed, zone in (("1", "UTC"), ("2", "Pacific/Auckland")):
        there = subprocess.run(
            [sys.executable, "-c", program, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LANG": "de_DE.UTF-8", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here
    assert to_html(m.from_json(m.to_json(report))) == html


def test_a_page_of_no_environment_of_ours_names_none(report):
    assert "<li></li>" not in to_html(report.model_copy(update={"environment": ""}))


def test_nothing_is_fetched_and_no_script_is_needed(html):
    tree = tree_of(html)
    assert tree.findall(f".//{XHTML}script") == []
    assert tree.findall(f".//{XHTML}link") == []
    assert "default-src 'none'" in html
    fetched = [
        value for node in tree.iter() for name, value in node.attrib.items() if name in {"src", "srcset", "data"}
    ]
    assert fetched == []
    assert re.findall(r"url\(|@import", html) == []


def test_every_link_leads_to_a_place_that_is_there_or_to_an_address(html):
    tree = tree_of(html)
    ids = [node.attrib["id"] for node in tree.iter() if "id" in node.attrib]
    assert len(ids) == len(set(ids))
    links = [value for node in tree.iter() for name, value in node.attrib.items() if name == "href"]
    inner = {link[1:] for link in links if link.startswith("#")}
    assert inner - set(ids) == set()
    assert {link for link in links if not link.startswith("#")} == {
        "https://example.org/runbooks/errors.md",
        "http://127.0.0.1:3000/runs/8f2c",
    }


def test_every_objective_says_its_verdict_figure_coverage_budget_and_why(report, html):
    tree = tree_of(html)
    rows = [row for row in tree.iter(f"{XHTML}tr") if row.find(f"{XHTML}th[@class='what']") is not None]
    assert len(rows) == len(report.objectives)
    for one, row in zip(report.objectives, rows, strict=True):
        words = " ".join("".join(row.itertext()).split())
        assert one.verdict.capitalize() in words
        assert one.sentence in words
        assert (one.figure is None) == ("not known" in words.partition("promised")[0].partition(one.sentence)[2])
        assert " promised" in words


def test_it_says_on_the_first_screen_that_it_is_a_sample(report, html):
    assert "Sample. Everything on this page is made up" in html
    assert "Sample." not in to_html(report.model_copy(update={"sample": False}))


def test_headings_come_in_order(html):
    levels = [int(node.tag[-1]) for node in tree_of(html).iter() if re.fullmatch(rf"{re.escape(XHTML)}h\d", node.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_curve_is_not_drawn_across_what_was_not_measured(report):
    chat = report.objective("chat-answers")
    curve = chat.curve.model_copy(update={"left_share": (1.0, 0.9, None, None, 0.8, None, 0.7)})
    page = to_html(report.model_copy(update={"objectives": (chat.model_copy(update={"curve": curve}),)}))
    assert {path.count("M") for path in re.findall(r'class="curve" d="([^"]+)"', page)} == {3}


def test_a_report_without_any_objective_says_so(report):
    page = to_html(report.model_copy(update={"objectives": (), "journeys": (), "platform": None, "methods": ()}))
    tree_of(page)
    assert "No objective is defined" in page


def test_a_report_without_any_data_says_so_and_shows_no_figure(report):
    search = report.objective("qdrant-is-up")
    summary = report.summary.model_copy(update={"verdict": Verdict.INSUFFICIENT, "headlines": (), "counted": {}})
    empty = report.model_copy(
        update={
            "objectives": (search,),
            "summary": summary,
            "journeys": (),
            "platform": None,
            "facts_as_of": None,
            "lanes": tuple(lane.model_copy(update={"events": ()}) for lane in report.lanes),
        }
    )
    page = to_html(empty)
    words = words_of(page)
    assert "Insufficient data" in words
    assert "no facts yet" in words
    assert "No budget can be drawn" in words
    assert "not known" in words


def test_a_month_that_is_not_over_says_so_far(report):
    period = report.period.model_copy(update={"ended": False})
    page = to_html(report.model_copy(update={"period": period, "facts_as_of": datetime(2026, 10, 20, 6, tzinfo=UTC)}))
    assert "Missed, so far" in page
    assert "not over yet" in page
    assert 'class="now"' in page


def test_days_that_are_alike_and_unknown_are_one_line(html):
    assert f"1 Oct {TO} 31 Oct" in words_of(html)


def test_nobody_can_take_a_folded_report_for_a_short_one(report):
    many = copies(report, MANY + 5)
    page = to_html(many)
    met = sum(one.verdict is Verdict.MET for one in many.objectives)
    assert f"{met} more were met" in page
    assert page.count('class="what"') == len(many.objectives)


def copies(report: m.Report, number: int) -> m.Report:
    """The report with so many objectives."""
    found = []
    for n in range(number):
        one = report.objectives[n % len(report.objectives)]
        found.append(one.model_copy(update={"name": f"{one.name}-{n}", "title": f"service-{n}: {one.title}"}))
    found.sort(key=lambda one: -list(Verdict).index(one.verdict))
    return report.model_copy(update={"objectives": tuple(found), "journeys": ()})


def test_thirty_services_of_three_objectives_stay_below_a_megabyte(report):
    page = to_html(copies(report, 90))
    assert len(page.encode()) < MEGABYTE


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_text_is_ever_taken_for_markup(data):
    report = sample_report()
    words = [data.draw(ODD) for _ in range(8)]
    objective = report.objective("chat-answers").model_copy(
        update={
            "name": words[0],
            "title": words[1],
            "sentence": words[2],
            "indicator": words[3],
            "owner": words[4],
            "runbook": words[5],
            "questions": (
                m.Question(purpose=words[6], text=words[7], first_day=date(2026, 10, 1), last_day=date(2026, 10, 3)),
            ),
            "unknown": (words[2],),
        }
    )
    event = m.Event(id=words[0], start=datetime(2026, 10, 5, tzinfo=UTC), title=words[1], link=words[5], actor=words[4])
    odd = report.model_copy(
        update={
            "title": words[1],
            "environment": words[4],
            "source": words[2],
            "objectives": (objective,),
            "lanes": (m.Lane(kind=m.LaneKind.INCIDENT, title=words[3], recorded=True, events=(event,)),),
        }
    )
    page = to_html(odd)
    tree = tree_of(page)
    assert {node.tag for node in tree.iter() if "script" in node.tag or node.tag.endswith(("}img", "}iframe"))} == set()
    assert [name for node in tree.iter() for name in node.attrib if name.startswith("on")] == []
    hrefs = [value for node in tree.iter() for name, value in node.attrib.items() if name == "href"]
    assert [link for link in hrefs if not link.startswith(("#", "http://", "https://"))] == []
    # What was written is what is read, but for white space and what no page can hold.
    codes = ["".join(node.itertext()) for node in tree.iter(f"{XHTML}code")]
    assert clean(words[7]).replace("\r\n", "\n").replace("\r", "\n") in codes


def test_no_number_on_the_page_is_none(html):
    words = words_of(html) + " ".join(re.findall(r' (?:d|style|x|y|height)="([^"]*)"', html))
    assert re.findall(r"\b(nan|NaN|None|inf|Infinity|undefined)\b", words) == []


def test_a_week_and_a_period_of_ninety_days_have_their_axis(report):
    for days in (7, 90):
        start = date(2026, 8, 3)
        period = report.period.model_copy(update={"start": start, "end": start + timedelta(days=days)})
        page = to_html(report.model_copy(update={"period": period}))
        tree_of(page)
        assert "3 Aug" in page
