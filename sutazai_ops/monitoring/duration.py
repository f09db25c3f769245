"""Durations as Prometheus writes them: `45s`, `1h30m`, `10d`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

_YEAR = 31_536_000.0
_UNITS = {"y": _YEAR, "w": 604_800.0, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_GRAMMAR = re.compile("".join(rf"(?:(?P<{unit}>\d+){unit}(?!s))?" if unit == "m" else rf"(?:(?P<{unit}>\d+){unit})?"
                              for unit in _UNITS))  # fmt: skip

LONGEST = 100 * _YEAR
"""What is written as longer is a slip, and more than a date can be moved by."""


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `1h30m`.

    The grammar is that of https://prometheus.io/docs/prometheus/latest/configuration/configuration/: whole numbers with
    units, from the longest to the shortest. Raises `ValueError` for anything else, and for more than a hundred years.
    """
    found = _GRAMMAR.fullmatch(text)
    if not text or found is None:
        msg = f"write a time as 45s, 1h30m or 10d, not {text!r}"
        raise ValueError(msg)
    seconds = sum(float(number) * _UNITS[unit] for unit, number in found.groupdict().items() if number)
    if seconds > LONGEST:
        msg = f"a time is a hundred years at most, not {text!r}"
        raise ValueError(msg)
    return seconds


def format_duration(seconds: float) -> str:
    """A duration as Prometheus writes it; exact to the millisecond.

    >>> format_duration(5400)
    '1h30m'
    """
    left = round(seconds * 1000)
    if left == 0:
        return "0s"
    parts = []
    # Years and weeks are left out: 10d is what a person wrote and reads.
    for unit in ("d", "h", "m", "s", "ms"):
        whole, left = divmod(left, round(_UNITS[unit] * 1000))
        if whole:
            parts.append(f"{whole}{unit}")
    return "".join(parts)


def _read(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    # A number alone would leave open what it counts; 0 counts nothing.
    if isinstance(value, bool) or value != 0:
        msg = f"write a time with its unit, such as 45s or 5m, not {value}"
        raise ValueError(msg)
    return value


Duration = Annotated[float, BeforeValidator(_read)]
"""Seconds, written as Prometheus writes them."""
