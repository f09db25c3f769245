"""The report as Markdown and as a picture."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from slo_sample import sample_report

from sutazai_ops.reports.markdown import code, escape, link
from sutazai_ops.slo import report_model as m
from sutazai_ops.slo.report_markdown import to_markdown
from sutazai_ops.slo.report_picture import as_markdown, draw

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_markdown_says_what_the_first_screen_says():
    report = sample_report()
    text = to_markdown(report)
    assert text.startswith("# Objectives in October 2026: missed\n")
    assert "Sample: everything in it is made up." in text
    assert [one.sentence for one in report.objectives if one.sentence not in text] == []
    assert [question.text for one in report.objectives for question in one.questions if question.text not in text] == []


def test_what_is_unknown_names_whose_it_is():
    report = sample_report()
    first, second, *_ = report.objectives
    both = (first.name, second.name)
    unknown = (m.Unknown(what="4 d of it were not measured.", objectives=both), m.Unknown(what="All else."))
    text = to_markdown(report.model_copy(update={"unknown": unknown}))
    assert (
        f"- 4 d of it were not measured. Concerns {escape(first.title)}, {escape(second.title)}.\n- All else.\n" in text
    )


def test_a_report_of_no_environment_of_ours_names_none():
    report = sample_report()
    assert "\nproduction, 1 to 31 October 2026, UTC" in to_markdown(report)
    assert "\n1 to 31 October 2026, UTC" in to_markdown(report.model_copy(update={"environment": ""}))


def test_the_same_report_gives_the_same_markdown():
    assert to_markdown(sample_report()) == to_markdown(m.from_json(m.to_json(sample_report())))


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    report = sample_report()
    odd = report.objectives[0].model_copy(update={"title": "a | b\n| c |", "sentence": "# no | heading"})
    text = to_markdown(report.model_copy(update={"objectives": (odd,), "journeys": ()}))
    widths = {}
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()]
        widths[block] = set(rows)
    assert widths
    assert all(len(found) == 1 for found in widths.values())
    assert not re.search(r"^# no", text, re.MULTILINE)


@given(st.text())
def test_an_escaped_text_is_one_line_without_a_mark_that_means_something(text):
    escaped = escape(text)
    assert "\n" not in escaped
    assert re.findall(r"(?<!\\)(?:\\\\)*[*_`\[\]<>|~#]", escaped) == []


@given(st.text(st.sampled_from("`a\n")))
def test_nothing_in_a_block_of_code_ends_it(text):
    lines = code(text).split("\n")
    assert lines[0] == lines[-1]
    assert lines[0] not in lines[1:-1]


def test_only_an_address_becomes_a_link():
    assert link("release [41]", "https://example.org/41") == r"[release \[41\]](<https://example.org/41>)"
    assert link("release 41", "javascript:alert(1)") == "release 41"
    assert link("release 41", "https://example.org/a b>") == "release 41"


def test_the_picture_is_the_same_bytes_for_the_same_report():
    first, again = draw(sample_report()), draw(sample_report())
    assert first.startswith(PNG)
    assert first == again


def test_a_picture_is_drawn_of_any_name_and_of_no_data():
    report = sample_report()
    odd = report.objective("qdrant-is-up").model_copy(update={"title": r"$\frac{1}$ \n {x} <b> " + "long " * 40})
    empty = tuple(lane.model_copy(update={"events": ()}) for lane in report.lanes)
    assert draw(report.model_copy(update={"objectives": (odd,), "lanes": empty})).startswith(PNG)
    assert draw(report.model_copy(update={"objectives": (), "title": "$"})).startswith(PNG)


def test_the_picture_stands_in_markdown_by_itself():
    assert as_markdown(sample_report()).startswith("![Objectives in October 2026: missed](data:image/png;base64,iVBOR")
