"""Which metrics a program exports, read from what it answers when it is scraped.

Only names, kinds, labels and bucket edges are read, of Prometheus' text format and of OpenMetrics
(https://prometheus.io/docs/instrumenting/exposition_formats/); values are for Prometheus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.metrics import Exporter, Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPE = re.compile(r"#\s*TYPE\s+(?P<name>\S+)\s+(?P<kind>\w+)")
_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})?\s+\S+")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_OF_HISTOGRAM = ("_bucket", "_sum", "_count")
_OF_ITSELF = {"le": Kind.HISTOGRAM, "quantile": Kind.SUMMARY}
"""Labels that follow from the kind."""


@dataclass(slots=True)
class _Family:
    kind: Kind
    labels: set[str] = field(default_factory=set)
    edges: set[float] = field(default_factory=set)


def read_exposition(text: str, source: str) -> Exporter:
    """What was exported; a metric of which there is no sample yet has no labels that could be known.

    Args:
        text: the answer to a scrape.
        source: where it came from, for messages.

    Raises:
        BadInput: where there is no metric in it, as in a page of HTML.
    """
    families: dict[str, _Family] = {}
    for line in text.splitlines():
        if typed := _TYPE.match(line):
            families.setdefault(typed["name"], _Family(_kind(typed["kind"])))
        elif not line.startswith("#") and (sample := _SAMPLE.match(line)):
            _note(families, sample["name"], dict(_LABEL.findall(sample["labels"] or "")))
    metrics = {
        name: Metric(kind=one.kind, labels=tuple(sorted(one.labels)), edges=tuple(sorted(one.edges)))
        for name, one in sorted(families.items())
        # When a series began, which some libraries add to each; nobody asks for it.
        if not name.endswith("_created")
    }
    if not metrics:
        raise BadInput("there are no metrics in Prometheus' text format", where=source)
    return Exporter(source=source, metrics=metrics)


def _kind(word: str) -> Kind:
    """OpenMetrics has further kinds (info, stateset), all of which are asked for as a gauge is."""
    if word == "unknown":
        return Kind.UNTYPED
    return Kind(word) if word in set(Kind) else Kind.GAUGE


def _note(families: dict[str, _Family], name: str, labels: Mapping[str, str]) -> None:
    family = families.get(name) or _by_suffix(families, name)
    if family is None:
        family = families[name] = _Family(Kind.UNTYPED)
    family.labels |= {label for label in labels if _OF_ITSELF.get(label) != family.kind}
    if family.kind is Kind.HISTOGRAM and "le" in labels and labels["le"] != "+Inf":
        family.edges.add(float(labels["le"]))


def _by_suffix(families: dict[str, _Family], name: str) -> _Family | None:
    for suffix in _OF_HISTOGRAM:
        base = families.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if base is not None and base.kind in {Kind.HISTOGRAM, Kind.SUMMARY}:
            return base
    # OpenMetrics names a counter without the suffix that its series have.
    base_name = name.removesuffix("_total")
    if base_name != name and base_name in families and families[base_name].kind is Kind.COUNTER:
        families[name] = families.pop(base_name)
        return families[name]
    return None
