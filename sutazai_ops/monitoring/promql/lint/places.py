"""Where a selector stands in an expression: what the operations around it make of its values, from the inside out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import promql_parser as promql

from sutazai_ops.monitoring.promql.parse import bare, children
from sutazai_ops.monitoring.promql.vectors import COMPARISONS, SET_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

GROWTH = frozenset({"rate", "increase", "irate"})
"""The functions that know that a counter begins again at zero."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node, and the nodes around it, the nearest first."""

    node: Any
    around: tuple[Any, ...] = ()

    def outwards(self) -> Iterator[tuple[Any, Any]]:
        """Each node around with the one of its operands that this place is in; parentheses are passed over."""
        inside = self.node
        for node in self.around:
            if not isinstance(node, promql.ParenExpr):
                yield node, inside
            inside = node


def places(tree: Any, around: tuple[Any, ...] = ()) -> Iterator[Place]:  # noqa: ANN401
    """Every node of a tree, the outer before the inner."""
    yield Place(tree, around)
    for child in children(tree):
        yield from places(child, (tree, *around))


def selectors(tree: Any) -> Iterator[Place]:  # noqa: ANN401
    """Every selector, in the order in which they are written."""
    return (place for place in places(tree) if isinstance(place.node, promql.VectorSelector))


def is_only_looked_for(around: Any, inside: Any) -> bool:  # noqa: ANN401
    """Whether `around` asks of its operand `inside` only that there is something, and not how much."""
    match around:
        case promql.BinaryExpr() if str(around.op) in {"and", "unless"}:
            return bare(around.rhs) is bare(inside)
        case promql.BinaryExpr() if str(around.op) == "*":
            # `or 0 * total` is how one says 0 where nothing failed yet.
            return any(_is_number(side, 0) for side in (around.lhs, around.rhs))
        case promql.AggregateExpr():
            return str(around.op) in {"count", "group", "count_values"}
        case promql.Call():
            return around.func.name in {
                "absent", "absent_over_time", "present_over_time", "count_over_time", "timestamp",
            }  # fmt: skip
        case _:
            return False


def is_comparison(node: Any) -> bool:  # noqa: ANN401
    """Whether a node filters by a comparison; with `bool` it computes instead."""
    return isinstance(node, promql.BinaryExpr) and str(node.op) in COMPARISONS and not _returns_bool(node)


def is_set_operation(node: Any) -> bool:  # noqa: ANN401
    """Whether a node is `and`, `or` or `unless`."""
    return isinstance(node, promql.BinaryExpr) and str(node.op) in SET_OPERATIONS


def _returns_bool(node: promql.BinaryExpr) -> bool:
    return bool(node.modifier and node.modifier.return_bool)


def _is_number(node: Any, value: float) -> bool:  # noqa: ANN401
    node = bare(node)
    return isinstance(node, promql.NumberLiteral) and node.val == value
