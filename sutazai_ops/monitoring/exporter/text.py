"""Figures as text for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format.

The client library writes the same, at thirty microseconds a line; a platform of three hundred services has eleven
thousand. What stands before a value is the same from one scrape to the next, so that it is made once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter.families import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric as Family

    from sutazai_ops.monitoring.exporter.measured import Measured

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ESCAPED_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
ESCAPED = ESCAPED_IN_HELP | str.maketrans({'"': r"\""})

Key = tuple[str, tuple[tuple[str, str], ...]]


class Writer:
    """Writes figures down, and remembers how the names of the last ones are written."""

    def __init__(self) -> None:
        self._starts: Mapping[Key, str] = {}

    def write(self, measured: Iterable[Measured], families: Iterable[Family]) -> str:
        """All figures, the single ones and those that the client library counts."""
        starts: dict[Key, str] = {}
        lines = [*self._of_measured(measured, starts), *self._of_families(families, starts), ""]
        # Names of what is no longer measured are forgotten.
        self._starts = starts
        return "\n".join(lines)

    def _of_measured(self, measured: Iterable[Measured], starts: dict[Key, str]) -> Iterator[str]:
        by_name: dict[str, list[Measured]] = {}
        for one in measured:
            by_name.setdefault(one.name, []).append(one)
        for name, ones in by_name.items():
            metric = known(name)
            yield _head(name, metric.help, str(metric.kind))
            for one in ones:
                yield self._start(name, one.labels, starts) + _number(one.value)

    def _of_families(self, families: Iterable[Family], starts: dict[Key, str]) -> Iterator[str]:
        for family in families:
            yield _head(
                f"{family.name}_total" if family.type == "counter" else family.name, family.documentation, family.type
            )
            for sample in family.samples:
                yield self._start(sample.name, sample.labels, starts) + _number(sample.value)

    def _start(self, name: str, labels: Mapping[str, str], starts: dict[Key, str]) -> str:
        key = (name, tuple(labels.items()))
        start = self._starts.get(key) or _start_of(name, labels)
        starts[key] = start
        return start


def _head(name: str, description: str, kind: str) -> str:
    return f"# HELP {name} {description.translate(ESCAPED_IN_HELP)}\n# TYPE {name} {kind}"


def _start_of(name: str, labels: Mapping[str, str]) -> str:
    if not labels:
        return f"{name} "
    shown = ",".join(f'{label}="{text.translate(ESCAPED)}"' for label, text in sorted(labels.items()))
    return f"{name}{{{shown}}} "


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
