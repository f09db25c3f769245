"""Expressions as promql-parser reads them, with its complaints turned into sentences.

What it accepts is the language of Prometheus 2.45 and most of what came since; what it does not know, such as
arithmetic in durations, is refused as unreadable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import promql_parser as promql

from sutazai_ops.errors import BadInput, OpsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import timedelta

SUBQUERY_STEP_MS = 60_000
"""The step of a subquery that names none: Prometheus' default evaluation interval."""


class NotSupported(BadInput):
    """PromQL that Prometheus knows and this evaluator does not."""

    def __init__(self, construct: str) -> None:
        super().__init__(
            f"{construct} is not among the PromQL that is evaluated here",
            remedy="docs/lint-rules.md says what is",
        )


class CannotMatch(OpsError):
    """The series on two sides of an operation do not pair as it demands; Prometheus fails the query too."""


def parse(expression: str) -> promql.Expr:
    """The tree of an expression.

    Raises:
        BadInput: where it is not PromQL; says what the parser said.
    """
    try:
        tree: promql.Expr = promql.parse(expression)
    except ValueError as error:
        raise BadInput(f"not PromQL: {error}", where=expression) from error
    return tree


def bare(node: Any) -> Any:  # noqa: ANN401  (the parser's nodes have no useful common type)
    """The node inside any parentheses."""
    while isinstance(node, promql.ParenExpr):
        node = node.expr
    return node


def milliseconds_of(duration: timedelta | None) -> int:
    """A duration of the parser; nothing is zero."""
    return round(duration.total_seconds() * 1000) if duration is not None else 0


def in_words(node: Any) -> str:  # noqa: ANN401
    """What a node is, for a sentence about it."""
    match node:
        case promql.Call():
            return f"the function {node.func.name}"
        case promql.AggregateExpr():
            return f"the aggregation {node.op}"
        case promql.MatrixSelector() | promql.SubqueryExpr():
            return f"a range that no function is applied to ({node.prettify()})"
        case promql.StringLiteral():
            return f"a string as an expression ({node.val!r})"
        case _:
            return str(node.prettify())


def children(node: Any) -> list[Any]:  # noqa: ANN401
    """The expressions that a node stands on, in the order in which they are written."""
    match node:
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.Call():
            return list(node.args)
        case promql.AggregateExpr():
            return [node.expr] if node.param is None else [node.param, node.expr]
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [node.expr]
        case promql.MatrixSelector():
            return [node.vector_selector]
        case _:
            return []


def is_scalar(node: Any) -> bool:  # noqa: ANN401
    """Whether a node is one number and not a vector."""
    match node:
        case promql.NumberLiteral():
            return True
        case promql.ParenExpr() | promql.UnaryExpr():
            return is_scalar(node.expr)
        case promql.BinaryExpr():
            return is_scalar(node.lhs) and is_scalar(node.rhs)
        case promql.Call():
            return bool(node.func.return_type == promql.ValueType.Scalar)
        case _:
            return False


def metric_name(selector: promql.VectorSelector) -> str | None:
    """The name that a selector asks for; None where it asks for no single one."""
    if selector.name is not None:
        return selector.name
    exact = [m.value for m in selector.matchers.matchers if m.name == "__name__" and m.op == promql.MatchOp.Equal]
    return exact[0] if exact else None


def asked_ranges(expressions: Iterable[str]) -> dict[str, float]:
    """How many seconds back each metric is asked for, by name, for `Samples` to keep as much and no more.

    A selector without a name counts for no metric, and sees what is kept for the others' sake.

    Raises:
        BadInput: where an expression is not PromQL.
    """
    longest: dict[str, float] = {}
    for expression in expressions:
        for name, reach in _reaches(parse(expression), 0):
            longest[name] = max(longest.get(name, 0.0), reach / 1000)
    return longest


def _reaches(node: Any, outer: int) -> Iterator[tuple[str, int]]:  # noqa: ANN401
    from sutazai_ops.monitoring.promql.samples import LOOKBACK_MS

    match node:
        case promql.VectorSelector():
            name = metric_name(node)
            if name is not None:
                yield name, outer + milliseconds_of(node.offset) + LOOKBACK_MS
        case promql.MatrixSelector():
            selector = node.vector_selector
            name = metric_name(selector)
            if name is not None:
                yield name, outer + milliseconds_of(selector.offset) + milliseconds_of(node.range)
        case promql.SubqueryExpr():
            reach = milliseconds_of(node.range) + milliseconds_of(node.offset)
            yield from _reaches(node.expr, outer + reach)
        case _:
            for child in children(node):
                yield from _reaches(child, outer)
