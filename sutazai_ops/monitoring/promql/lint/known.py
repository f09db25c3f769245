"""What is known of the series that an expression asks for, and which labels its parts therefore have."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import promql_parser as promql

from sutazai_ops.monitoring.metrics import Kind
from sutazai_ops.monitoring.promql.parse import is_scalar, metric_name
from sutazai_ops.monitoring.promql.samples import NAME
from sutazai_ops.monitoring.promql.vectors import SET_OPERATIONS

if TYPE_CHECKING:
    from sutazai_ops.monitoring.metrics import Catalogue, Series

Names = frozenset[str]
"""The names of labels; None where they are not known."""

_COUNTER_NAMES = ("_total", "_bucket")
"""How counters are named, for those that the catalogue does not know."""
_OF_PROMETHEUS = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
"""Series that Prometheus makes of alerting rules, with whatever labels these have."""


@dataclass(frozen=True)
class Known:
    """The metrics that are exported, and the series that are recorded beside."""

    catalogue: Catalogue
    recorded: Mapping[str, Names | None] = field(default_factory=dict)
    """Their labels, where they are known, by the name of the series."""
    target_labels: Names = frozenset()
    """What the scrape configuration adds to every series, beside what the catalogue counts to each."""

    def exists(self, name: str) -> bool:
        """Whether somebody exports or records it."""
        return name in self.recorded or name in _OF_PROMETHEUS or self.series(name) is not None

    def series(self, name: str) -> Series | None:
        """The exported series of that name, unless a recorded one takes its place."""
        return None if name in self.recorded else self.catalogue.find(name)

    def is_counter(self, name: str) -> bool:
        """Whether only its growth says something."""
        series = self.series(name)
        if series is None:
            return name not in self.recorded and name.endswith(_COUNTER_NAMES)
        return series.kind is Kind.COUNTER

    def is_bucket(self, name: str) -> bool:
        """Whether it is one of a histogram's buckets."""
        series = self.series(name)
        if series is None:
            return name not in self.recorded and name.endswith("_bucket")
        return series.is_bucket

    def labels(self, node: Any) -> Names | None:  # noqa: ANN401  (the parser's nodes have no useful common type)
        """The labels that the elements of a node may have, the name not counted."""
        match node:
            case promql.VectorSelector():
                found = self._of_selector(node)
            case promql.MatrixSelector():
                found = self._of_selector(node.vector_selector)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                found = self.labels(node.expr)
            case promql.AggregateExpr():
                found = self._of_aggregation(node)
            case promql.Call():
                found = self._of_call(node)
            case promql.BinaryExpr():
                found = self._of_operation(node)
            case _:
                found = frozenset()
        return found

    def _of_selector(self, node: promql.VectorSelector) -> Names | None:
        name = metric_name(node)
        if name is None or name in _OF_PROMETHEUS:
            return None
        if name in self.recorded:
            return self.recorded[name]
        series = self.catalogue.find(name)
        return None if series is None else series.labels | self.target_labels

    def _of_aggregation(self, node: promql.AggregateExpr) -> Names | None:
        inner = self.labels(node.expr)
        if str(node.op) in {"topk", "bottomk", "limitk", "limit_ratio"}:
            return inner
        own = frozenset({node.param.val}) if str(node.op) == "count_values" and node.param else frozenset()
        if node.modifier is None:
            return own
        named = frozenset(node.modifier.labels)
        if node.modifier.type == promql.AggModifierType.By:
            return (named if inner is None else named & inner) | own
        return None if inner is None else (inner - named) | own

    def _of_call(self, node: promql.Call) -> Names | None:
        name = node.func.name
        if name in {"absent", "absent_over_time", "vector", "scalar", "time", "pi"}:
            return None if name.startswith("absent") else frozenset()
        vectors = [arg for arg, kind in zip(node.args, _kinds(node), strict=False) if kind in {"vector", "matrix"}]
        inner = self.labels(vectors[0]) if vectors else frozenset()
        if inner is None:
            return None
        if name == "histogram_quantile":
            return inner - {"le"}
        if name in {"label_replace", "label_join"}:
            target = node.args[1]
            return inner | {target.val} if isinstance(target, promql.StringLiteral) else None
        return inner

    def _of_operation(self, node: promql.BinaryExpr) -> Names | None:
        left, right = self.labels(node.lhs), self.labels(node.rhs)
        if is_scalar(node.lhs) or is_scalar(node.rhs):
            return right if is_scalar(node.lhs) else left
        symbol = str(node.op)
        if symbol == "or":
            return None if left is None or right is None else left | right
        return left if symbol in SET_OPERATIONS else _of_pairs(node.modifier, left, right)


def _of_pairs(modifier: promql.BinModifier | None, left: Names | None, right: Names | None) -> Names | None:
    """The labels of what two vectors have in common."""
    if modifier is None:
        return left
    included = frozenset(modifier.group_labels or ())
    if modifier.card == promql.VectorMatchCardinality.ManyToOne:
        return None if left is None else left | included
    if modifier.card == promql.VectorMatchCardinality.OneToMany:
        return None if right is None else right | included
    named = frozenset(modifier.matching.labels if modifier.matching else ())
    if modifier.matching is not None and modifier.matching.type == promql.LabelModifierType.Include:
        return named
    return None if left is None else left - named


def label_matchers(node: promql.VectorSelector) -> list[promql.Matcher]:
    """The matchers of a selector but the one for its name."""
    return [matcher for matcher in node.matchers.matchers if matcher.name != NAME]


def _kinds(node: promql.Call) -> list[str]:
    names = {"ValueType.Vector": "vector", "ValueType.Matrix": "matrix"}
    return [names.get(str(kind), "") for kind in node.func.arg_types]
