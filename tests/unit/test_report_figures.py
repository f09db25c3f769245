"""How a report writes figures: nothing is rounded to the other side of the line that it is held against."""

from __future__ import annotations

import doctest
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.reports import chart, figures, lanes, look, markdown, page
from sutazai_ops.reports.look import DARK, LIGHT

SHARES = st.floats(0, 1)
TARGETS = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999])


@pytest.mark.parametrize("module", [figures, page, markdown], ids=lambda module: module.__name__)
def test_the_examples_in_the_code_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@given(SHARES, TARGETS)
def test_a_share_is_shown_on_its_own_side_of_the_target(share, target):
    text = figures.percent(share, target)
    if text.startswith("just"):
        assert abs(share - round(share, 3)) < 1e-6
        return
    shown = float(text.removesuffix(" %")) / 100
    if abs(share - target) > 1e-9:
        assert (shown >= target - 1e-12) == (share >= target)
    assert abs(shown - share) < 0.0001


@given(SHARES)
def test_only_what_is_whole_is_a_hundred_per_cent_and_only_what_is_nothing_is_none(share):
    text = figures.percent(share)
    assert (text == "100 %") == (share > 1 - 1e-10)
    assert (text == "0 %") == (share < 1e-10)


@given(st.floats(-1000, 1))
def test_a_budget_that_is_overspent_by_anything_does_not_read_as_nothing_left(share):
    text = figures.left(share)
    assert (text == "0 %") == (share == 0)
    assert ("below" in text or figures.MINUS in text) == (share < 0)


@given(st.floats(0, 1e7))
def test_every_stretch_of_time_has_a_number_and_a_unit(minutes):
    assert re.fullmatch(r"less than 1 s|[\d.]+ (s|min|h|d)( \d+ (min|h))?", figures.minutes(minutes))


def test_what_is_not_known_is_said():
    assert figures.percent(None) == figures.left(None) == "not known"


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 88)), min_size=1, max_size=60),
    st.sampled_from([0.1, 0.4, 2.0]),
)
def test_no_point_that_was_left_out_lies_far_from_what_is_drawn(points, tolerance):
    points.sort(key=lambda point: point[0])
    kept = chart.simplify(points, tolerance)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    for x, y in points:
        assert min(_distance((x, y), a, b) for a, b in zip(kept, kept[1:] or kept, strict=False)) <= tolerance + 1e-6


def _distance(point, start, end):
    (x, y), (x1, y1), (x2, y2) = point, start, end
    length = (x2 - x1) ** 2 + (y2 - y1) ** 2
    along = max(0, min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length)) if length else 0
    return ((x - x1 - along * (x2 - x1)) ** 2 + (y - y1 - along * (y2 - y1)) ** 2) ** 0.5


@given(st.lists(st.one_of(st.none(), st.floats(0, 88)), max_size=40))
def test_a_line_is_broken_at_each_gap_and_nowhere_else(values):
    points = [None if value is None else (float(n), value) for n, value in enumerate(values)]
    stretches = len(re.findall(r"[^-]+", "".join("-" if value is None else "x" for value in values)))
    assert chart.line(points).count("M") == stretches


def test_a_point_that_stands_alone_is_drawn():
    assert chart.line([None, (3, 4), None]) == "M3 4h0"


@given(st.integers(1, 400), st.integers(0, 86_400))
def test_the_marks_of_an_axis_are_few_in_order_and_within_it(days, second):
    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=second)
    ticks = chart.TimeAxis(start, start + timedelta(days=days)).ticks()
    assert 1 <= len(ticks) <= 8
    assert [tick.at for tick in ticks] == sorted({tick.at for tick in ticks})
    assert all(0 <= tick.at <= chart.WIDTH for tick in ticks)


def test_an_event_that_goes_on_reaches_the_end_and_one_outside_has_no_mark():
    start = datetime(2026, 10, 1, tzinfo=UTC)
    axis = chart.TimeAxis(start, start + timedelta(days=10))
    day = timedelta(days=1)
    lane = lanes.Lane(
        "Incidents",
        [
            lanes.Happening("a", start - 2 * day, start - day, "before"),
            lanes.Happening("b", start + 5 * day, None, "still there", ongoing=True),
            lanes.Happening("c", start - day, start + day, "from before"),
            lanes.Happening("d", start + 20 * day, None, "after"),
        ],
    )
    (row,) = lanes.lay_out([lane], axis)
    assert [(mark.id, mark.left, mark.right) for mark in row.marks] == [("b", 500, 1000), ("c", 0, 100)]
    assert "since 6 Oct" in row.marks[0].words


def test_an_empty_lane_says_whether_anybody_writes_such_things_down():
    start = datetime(2026, 10, 1, tzinfo=UTC)
    axis = chart.TimeAxis(start, start + timedelta(days=10))
    rows = lanes.lay_out([lanes.Lane("Drills", [], recorded=False), lanes.Lane("Overrides", [])], axis)
    assert [row.empty for row in rows] == ["not written down here", "none"]


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_can_be_read_on_its_ground(scheme):
    grounds = [(word, scheme.paper) for word in (scheme.ink, scheme.soft, scheme.link, scheme.good, scheme.bad)]
    grounds += [(scheme.on_bad, scheme.bad_fill), (scheme.ink, scheme.unknown_fill), (scheme.soft, scheme.raised)]
    assert [(a, b) for a, b in grounds if _contrast(a, b) < 4.5] == []


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_good_and_bad_are_told_apart_in_grey(scheme):
    assert _contrast(scheme.good_fill, scheme.bad_fill) > 3


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_every_tone_has_a_style():
    css = page.render("reports/look.css.jinja")
    assert [tone for tone in look.Tone if f".cell-{tone}" not in css or f".tone-{tone}" not in css] == []
