"""How an incident's signals went: what is kept of them, and how they are drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import html5lib
import pytest
from guard_situations import INCIDENT, MINUTE, NOW
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.installation import Installation
from sutazai_ops.monitoring.prometheus import Answer, Value
from sutazai_ops.monitoring.signals import Unit
from sutazai_ops.monitoring.thresholds import Side
from sutazai_ops.remediation import curves
from sutazai_ops.remediation.curves import Curve, keep, merged
from sutazai_ops.remediation.page import HEIGHT, Facts, panel, to_html
from sutazai_ops.reports.chart import TimeAxis
from sutazai_ops.settings import Loaded, Settings

AXIS = TimeAxis(NOW, NOW + timedelta(minutes=10))


def curve(values, **changes) -> Curve:
    known = {
        "threshold": "http_slow", "labels": {"service": "backend"}, "unit": Unit.SECONDS, "side": Side.ABOVE,
        "level": 1.0, "start": NOW, "step": 60.0, "values": values,
    }  # fmt: skip
    return Curve.model_validate({**known, **changes})


class Remembers:
    """A Prometheus that remembers one signal from a moment on."""

    def __init__(self, since) -> None:
        self.since, self.asked = since, []

    def query(self, expression: str, at: float) -> Answer:
        self.asked.append(expression)
        return Answer((Value({}, 1.0),) if at >= self.since.timestamp() else ())


def test_a_gap_is_a_gap_and_the_level_stands_between_what_is_broken_and_what_is_not():
    drawn = panel(curve([0.5, 2.0, None, 2.0, 0.5]), AXIS)
    assert drawn.path.count("M") == 2
    places = [float(y) for y in re.findall(r"[ML]\S+ ([\d.]+)", drawn.path)]
    assert places[1] < drawn.level < places[0]
    assert drawn.beyond == (0.0, drawn.level)
    assert "2s at the highest" in drawn.words


def test_what_is_broken_below_its_level_is_tinted_there():
    drawn = panel(curve([5.0, 1.0], side=Side.BELOW, level=2.0), AXIS)
    assert drawn.beyond == (drawn.level, HEIGHT)
    assert "at the lowest" in drawn.words


@given(
    st.lists(st.none() | st.floats(-1e12, 1e12), min_size=1).filter(any), st.floats(-1e9, 1e9), st.sampled_from(Side)
)
def test_all_of_a_curve_lies_within_its_picture(values, level, side):
    drawn = panel(curve(values, level=level, side=side), AXIS)
    places = [float(y) for y in re.findall(r"[ML]\S+ (-?[\d.]+)", drawn.path)]
    assert all(0 <= place <= HEIGHT for place in [*places, drawn.level])


def test_what_is_not_remembered_any_more_is_taken_from_what_was_kept():
    old = curve([1.0, 2.0, 3.0, None])
    new = curve([None, None, 9.0, None, 5.0], start=NOW + MINUTE)
    assert merged(new, old).values == [2.0, 3.0, 9.0, None, 5.0]
    assert merged(new, None) == new


def test_it_is_kept_beside_the_diagnostics_and_needs_nobody_later(tmp_path, monkeypatch):
    here = Installation(Loaded(settings=Settings(home=tmp_path / "home"), origins={}))
    prometheus = Remembers(since=NOW)
    monkeypatch.setattr(curves, "open_prometheus", lambda _: prometheus)
    (first,) = keep(here, INCIDENT, tmp_path / "kept", NOW + 2 * MINUTE)
    assert set(prometheus.asked) == {'last_over_time(signal:service_down{service="backend"}[1m])'}
    assert first.values[0] is None
    assert first.values[-1] == 1.0
    prometheus.since = NOW + 10 * MINUTE
    # Nobody remembers anything of it now.
    assert keep(here, INCIDENT, tmp_path / "kept", NOW + 2 * MINUTE) == [first]


def test_the_page_shows_it_and_stays_a_page(tmp_path):
    strange = curve([0.0, 3.0], labels={"service": '"><script>alert(1)</script>'})
    known = {"incident": replace(INCIDENT, closed_at=NOW + MINUTE), "events": [], "repairs": [], "environment": "x"}
    page = to_html(Facts(**known, runbooks_url="", curves=[strange]))
    html5lib.HTMLParser(strict=True).parse(page)
    assert page.count('class="curve"') == 1
    assert "<script>alert" not in page


@pytest.mark.parametrize("text", ["", "{", '[{"threshold": 1}]'])
def test_what_was_kept_and_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / curves.FILE).write_text(text)
    here = Installation(Loaded(settings=Settings(home=tmp_path / "home", engine="embedded"), origins={}))
    assert keep(here, INCIDENT, tmp_path, NOW) == []
