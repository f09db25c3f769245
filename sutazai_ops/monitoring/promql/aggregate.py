"""PromQL's aggregations: many elements of a vector become one a group, or the few of a group that stand out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.promql import functions
from sutazai_ops.monitoring.promql.samples import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sutazai_ops.monitoring.promql.samples import Labels
    from sutazai_ops.monitoring.promql.vectors import Signature, Vector


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which labels an aggregation keeps."""

    labels: tuple[str, ...] = ()
    without: bool = False
    """Whether `labels` are those that go, or those that stay."""

    def of(self, labels: Labels) -> Labels:
        """The labels of the group that an element belongs to."""
        if self.without:
            return {name: value for name, value in labels.items() if name not in self.labels and name != NAME}
        return {name: labels[name] for name in self.labels if name in labels}


AGGREGATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": functions.total,
    "avg": functions.mean,
    "min": functions.smallest,
    "max": functions.largest,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stddev": lambda values: math.sqrt(functions.variance(values)),
    "stdvar": functions.variance,
}
"""Aggregations that need no parameter."""


def grouped(vector: Vector, grouping: Grouping) -> list[tuple[Labels, Vector]]:
    """The elements by group, groups in the order in which they are first met."""
    groups: dict[Signature, tuple[Labels, Vector]] = {}
    for element in vector:
        labels = grouping.of(element[0])
        key = tuple(sorted(labels.items()))
        groups.setdefault(key, (labels, []))[1].append(element)
    return list(groups.values())


def aggregate(name: str, vector: Vector, grouping: Grouping) -> Vector:
    """One element a group."""
    function = AGGREGATIONS[name]
    return [(labels, function([value for _, value in group])) for labels, group in grouped(vector, grouping)]


def aggregate_quantile(q: float, vector: Vector, grouping: Grouping) -> Vector:
    """The φ-quantile of each group."""
    return [
        (labels, functions.quantile(q, [value for _, value in group])) for labels, group in grouped(vector, grouping)
    ]


def ranked(name: str, k: float, vector: Vector, grouping: Grouping) -> Vector:
    """`topk` and `bottomk`: the k largest or smallest elements of each group, all their labels kept; NaN comes last."""
    count = int(k) if math.isfinite(k) else 0
    sign = -1.0 if name == "topk" else 1.0
    result: Vector = []
    for _, group in grouped(vector, grouping) if count > 0 else ():
        result += sorted(group, key=lambda element: (math.isnan(element[1]), sign * element[1]))[:count]
    return result


def count_values(label: str, vector: Vector, grouping: Grouping) -> Vector:
    """How often each value occurs in a group; the value stands under `label`."""
    counts: dict[Signature, tuple[Labels, float]] = {}
    for labels, value in vector:
        outcome = {**grouping.of(labels), label: format_value(value)}
        key = tuple(sorted(outcome.items()))
        counts[key] = (outcome, counts[key][1] + 1 if key in counts else 1.0)
    return list(counts.values())


def format_value(value: float) -> str:
    """A number as Prometheus writes it into a label."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


def histogram_quantile(q: float, vector: Vector) -> Vector:
    """The φ-quantile of each histogram whose buckets are among the elements."""
    result: Vector = []
    buckets = [(labels, value, bound) for labels, value in vector if (bound := _bound(labels)) is not None]
    groups: dict[Signature, tuple[Labels, list[tuple[float, float]]]] = {}
    for labels, value, bound in buckets:
        rest: Labels = {name: content for name, content in labels.items() if name not in {"le", NAME}}
        groups.setdefault(tuple(sorted(rest.items())), (rest, []))[1].append((bound, value))
    for rest, counts in groups.values():
        result.append((rest, functions.bucket_quantile(q, counts)))
    return result


def _bound(labels: Labels) -> float | None:
    try:
        return float(labels["le"])
    except (KeyError, ValueError):
        return None
