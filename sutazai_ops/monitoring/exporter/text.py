"""Figures as text for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format.

A platform of three hundred services has eleven thousand lines. Whoever measures has its own lines written when it has
measured, once, and a scrape puts together what stands.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter.families import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sutazai_ops.monitoring.exporter.measured import Measured

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ESCAPED_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
ESCAPED = ESCAPED_IN_HELP | str.maketrans({'"': r"\""})

Lines = tuple[str, str]
"""Of which metric, as in `metrics.yaml`, and its lines, each with its end."""


def page(lines: Iterable[Lines]) -> str:
    """All lines, those of a metric together below what it is, as the format wants them."""
    by_metric: dict[str, list[str]] = {}
    for metric, text in lines:
        by_metric.setdefault(metric, []).append(text)
    return "".join(text for metric, texts in by_metric.items() for text in (_head(metric), *texts))


def lines_of(measured: Iterable[Measured]) -> tuple[Lines, ...]:
    """Single figures, written."""
    by_metric: dict[str, list[str]] = {}
    for one in measured:
        by_metric.setdefault(one.name, []).append(line(start(one.name, one.labels), one.value))
    return tuple((metric, "".join(texts)) for metric, texts in by_metric.items())


def start(name: str, labels: Mapping[str, str]) -> str:
    """What stands before the value."""
    if not labels:
        return f"{name} "
    shown = ",".join(f'{label}="{text.translate(ESCAPED)}"' for label, text in sorted(labels.items()))
    return f"{name}{{{shown}}} "


def line(start: str, value: float) -> str:
    """One figure."""
    return f"{start}{_number(value)}\n"


def _head(metric: str) -> str:
    found = known(metric)
    return f"# HELP {metric} {found.help.translate(ESCAPED_IN_HELP)}\n# TYPE {metric} {found.kind}\n"


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
