"""Durations in Prometheus' words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.monitoring.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("5m", 300),
        ("1h30m", 5400),
        ("10d", 864_000),
        ("2w", 1_209_600),
        ("1y", 31_536_000),
        ("250ms", 0.25),
        ("1m500ms", 60.5),
    ],
)
def test_what_prometheus_reads_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "1.5h", "30m1h", "-5m", "5 m", "5M", "1h1h"])
def test_what_prometheus_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a time as"):
        parse_duration(text)


def test_more_than_a_hundred_years_is_refused() -> None:
    with pytest.raises(ValueError, match="a hundred years at most"):
        parse_duration("101y")


@given(st.integers(0, 10**11))
def test_what_is_written_is_read_as_the_same(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)
