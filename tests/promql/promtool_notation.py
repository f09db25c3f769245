"""How promtool's unit tests write series: `0+10x3 _ stale 5` and `up{job="x"}`.

https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import promql_parser as promql

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.promql import parse

Point = float | Literal["stale"] | None
"""A value, the end of the series, or no sample at all."""

_NUMBER = r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf|[nN]a[nN])"
_ITEM = re.compile(rf"(?P<start>{_NUMBER})(?:(?P<step>[+-]{_NUMBER.removeprefix('[+-]?')})?x(?P<times>\d+))?")
_GAP = re.compile(r"_(?:x(?P<times>\d+))?")
DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")


def points(text: str) -> list[Point]:
    """What a line of values stands for, one entry for each interval."""
    return [point for word in text.split() for point in _points(word)]


def _points(word: str) -> Iterator[Point]:
    if word == "stale":
        yield "stale"
    elif gap := _GAP.fullmatch(word):
        yield from [None] * int(gap["times"] or 1)
    elif item := _ITEM.fullmatch(word):
        start, step = float(item["start"]), float(item["step"] or 0)
        value = start
        yield value
        # Added up one by one, as promtool does it.
        for _ in range(int(item["times"] or 0)):
            value += step
            yield value
    else:
        raise BadInput(f"not a value of a series: {word}", remedy="such as 5, 0+10x100, _, _x3 or stale")


def labels(series: str) -> dict[str, str]:
    """The labels, name included, that `up{job="x"}` stands for; a number or `{}` has none."""
    if series.strip() in {"", "{}"}:
        return {}
    tree = parse(series)
    if not isinstance(tree, promql.VectorSelector):
        raise BadInput(f"not a series: {series}")
    name = {"__name__": tree.name} if tree.name else {}
    return name | {matcher.name: matcher.value for matcher in tree.matchers.matchers}


def written(labels: Mapping[str, str]) -> str:
    """The other way round."""
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in labels.items()}
    inner = ", ".join(f'{name}="{value}"' for name, value in escaped.items() if name != "__name__")
    return f"{labels.get('__name__', '')}{{{inner}}}"


def written_points(series: Sequence[Point]) -> str:
    """Values one by one, as exactly as they are."""
    return " ".join(
        "_" if point is None else str(point).replace("nan", "NaN").replace("inf", "Inf") for point in series
    )


def seconds(duration: object) -> float:
    """`1h30m`, `30s`, or a number, in seconds."""
    text = str(duration)
    if text.isdigit():
        return float(text)
    if not DURATION.fullmatch(text):
        raise BadInput(f"not a duration: {text}")
    return float(promql.parse_duration(text).total_seconds())
