"""PromQL evaluated over samples in memory, with the meaning that Prometheus 3 gives it.

For the thresholds and questions of this program where no Prometheus runs, and to test the rules that are generated for
one that does. An expression is turned once into functions of a moment, which are kept; what this evaluator does not
know is refused by name when that is done, before anything is evaluated. Native histograms are not known to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import promql_parser as promql

from sutazai_ops.monitoring.promql import aggregate, calls, selectors, vectors
from sutazai_ops.monitoring.promql.aggregate import Grouping
from sutazai_ops.monitoring.promql.calls import Arguments
from sutazai_ops.monitoring.promql.functions import Range
from sutazai_ops.monitoring.promql.parse import (
    SUBQUERY_STEP_MS,
    NotSupported,
    in_words,
    is_scalar,
    milliseconds_of,
    parse,
)
from sutazai_ops.monitoring.promql.samples import milliseconds
from sutazai_ops.monitoring.promql.selectors import Moment
from sutazai_ops.monitoring.promql.vectors import Matching, Operation, without_name

if TYPE_CHECKING:
    from sutazai_ops.monitoring.promql.samples import Labels, Samples
    from sutazai_ops.monitoring.promql.selectors import Instant, Matrix, Scalar
    from sutazai_ops.monitoring.promql.vectors import Vector

MOST_STEPS = 11_000
"""Nobody's question may hold up all the others; as many as Prometheus answers in one range query."""


@dataclass(frozen=True, slots=True)
class Value:
    """One element of a result. The metric's name is among the labels where Prometheus leaves it."""

    labels: Labels
    value: float


def evaluate(expression: str, samples: Samples, at: float) -> list[Value]:
    """What `expression` is at `at`, in seconds since the epoch. A number is one value without labels.

    Raises:
        BadInput: where it is not PromQL; `NotSupported` where it is, and not evaluated here.
        CannotMatch: where series do not pair as the expression demands.
    """
    moment = milliseconds(at)
    return [Value(labels, value) for labels, value in _prepared(expression)(Moment(samples, moment, moment))]


def require_evaluable(expression: str) -> None:
    """Raise `BadInput` where `expression` is not PromQL, or could not be evaluated here."""
    _prepared(expression)


@lru_cache(maxsize=2048)
def _prepared(expression: str) -> Instant:
    tree = parse(expression)
    if is_scalar(tree):
        scalar = _scalar(tree)
        return lambda moment: [({}, scalar(moment))]
    return _vector(tree)


def _scalar(node: Any) -> Scalar:  # noqa: ANN401
    match node:
        case promql.NumberLiteral():
            number = float(node.val)
            return lambda _: number
        case promql.ParenExpr():
            return _scalar(node.expr)
        case promql.UnaryExpr():
            inner = _scalar(node.expr)
            return lambda moment: -inner(moment)
        case promql.BinaryExpr():
            left, right, symbol = _scalar(node.lhs), _scalar(node.rhs), str(node.op)
            return lambda moment: vectors.compute_scalars(symbol, left(moment), right(moment))
        case promql.Call():
            return _scalar_call(node)
        case _:
            raise NotSupported(in_words(node))


def _scalar_call(node: promql.Call) -> Scalar:
    match node.func.name:
        case "time":
            return lambda moment: moment.at / 1000
        case "pi":
            return lambda _: math.pi
        case "scalar":
            vector = _vector(node.args[0])
            return lambda moment: _only(vector(moment))
        case _:
            raise NotSupported(in_words(node))


def _only(vector: Vector) -> float:
    return vector[0][1] if len(vector) == 1 else math.nan


def _vector(node: Any) -> Instant:  # noqa: ANN401
    match node:
        case promql.ParenExpr():
            return _vector(node.expr)
        case promql.VectorSelector():
            return selectors.instant(node)
        case promql.UnaryExpr():
            inner = _vector(node.expr)
            return lambda moment: without_name([(labels, -value) for labels, value in inner(moment)])
        case promql.BinaryExpr():
            return _binary(node)
        case promql.AggregateExpr():
            return _aggregation(node)
        case promql.Call():
            return calls.prepare(node, Arguments(node.args, _scalar, _vector, _matrix))
        case _:
            raise NotSupported(in_words(node))


def _matrix(node: Any) -> Matrix:  # noqa: ANN401
    match node:
        case promql.ParenExpr():
            return _matrix(node.expr)
        case promql.MatrixSelector():
            return selectors.select_range(node)
        case promql.SubqueryExpr():
            return _subquery(node)
        case _:
            raise NotSupported(in_words(node))


def _subquery(node: promql.SubqueryExpr) -> Matrix:
    """An expression evaluated at every multiple of the step within the range."""
    length, step = milliseconds_of(node.range), milliseconds_of(node.step) or SUBQUERY_STEP_MS
    if length / step > MOST_STEPS:
        raise NotSupported(f"a subquery of more than {MOST_STEPS:,} steps")
    shift, inner = selectors.shifted(node.offset, node.at), _vector(node.expr)

    def select(moment: Moment) -> list[tuple[Labels, Range]]:
        end = shift(moment)
        series: dict[frozenset[tuple[str, str]], tuple[Labels, list[int], list[float]]] = {}
        for at in range(((end - length) // step + 1) * step, end + 1, step):
            for labels, value in inner(Moment(moment.samples, at, moment.asked_at)):
                _, times, values = series.setdefault(frozenset(labels.items()), (labels, [], []))
                times.append(at)
                values.append(value)
        return [
            (labels, Range(times, values, end - length, end, moment.at)) for labels, times, values in series.values()
        ]

    return select


def _binary(node: promql.BinaryExpr) -> Instant:
    symbol = str(node.op)
    if symbol not in vectors.ARITHMETIC.keys() | vectors.COMPARISONS.keys() | vectors.SET_OPERATIONS:
        raise NotSupported(f"the operator {symbol}")
    matching = _matching(node.modifier)
    operation = Operation(symbol, matching, bool(node.modifier and node.modifier.return_bool))
    if is_scalar(node.lhs) or is_scalar(node.rhs):
        scalar_first = is_scalar(node.lhs)
        scalar = _scalar(node.lhs if scalar_first else node.rhs)
        vector = _vector(node.rhs if scalar_first else node.lhs)
        return lambda moment: vectors.combine_scalar(
            operation, vector(moment), scalar(moment), scalar_first=scalar_first
        )
    left, right = _vector(node.lhs), _vector(node.rhs)
    if symbol in vectors.SET_OPERATIONS:
        return lambda moment: vectors.combine_sets(symbol, matching, left(moment), right(moment))
    return lambda moment: vectors.combine(operation, left(moment), right(moment))


def _matching(modifier: promql.BinModifier | None) -> Matching:
    if modifier is None:
        return Matching()
    fill = modifier.fill_values
    if fill is not None and (fill.lhs is not None or fill.rhs is not None):
        raise NotSupported("fill()")
    labels, side = modifier.matching, ""
    if modifier.card == promql.VectorMatchCardinality.ManyToOne:
        side = "left"
    elif modifier.card == promql.VectorMatchCardinality.OneToMany:
        side = "right"
    return Matching(
        labels=tuple(labels.labels) if labels else (),
        on=labels is not None and labels.type == promql.LabelModifierType.Include,
        many=side,
        include=tuple(modifier.group_labels or ()),
    )


def _aggregation(node: promql.AggregateExpr) -> Instant:
    name = str(node.op)
    modifier = node.modifier
    grouping = (
        Grouping(tuple(modifier.labels), without=modifier.type == promql.AggModifierType.Without)
        if modifier
        else Grouping()
    )
    inner = _vector(node.expr)
    if name in aggregate.AGGREGATIONS:
        return lambda moment: aggregate.aggregate(name, inner(moment), grouping)
    if name == "count_values":
        label = calls.literal(node.param)
        return lambda moment: aggregate.count_values(label, inner(moment), grouping)
    if name in {"topk", "bottomk"}:
        k = _scalar(node.param)
        return lambda moment: aggregate.ranked(name, k(moment), inner(moment), grouping)
    if name == "quantile":
        q = _scalar(node.param)
        return lambda moment: aggregate.aggregate_quantile(q(moment), inner(moment), grouping)
    raise NotSupported(in_words(node))
