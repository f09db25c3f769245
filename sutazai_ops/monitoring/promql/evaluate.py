"""PromQL evaluated over samples in memory, with the meaning that Prometheus 3 gives it.

For the thresholds and questions of this program where no Prometheus runs, and to test the rules that are generated for
one that does. An expression is turned once into functions of a moment, which are kept; what this evaluator does not
know is refused by name when that is done, before anything is evaluated. Native histograms are not known to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import promql_parser as promql

from sutazai_ops.monitoring.promql import functions, vectors
from sutazai_ops.monitoring.promql.functions import Range
from sutazai_ops.monitoring.promql.parse import (
    SUBQUERY_STEP_MS,
    NotSupported,
    bare,
    metric_name,
    milliseconds_of,
    parse,
)
from sutazai_ops.monitoring.promql.samples import NAME, Labels, milliseconds
from sutazai_ops.monitoring.promql.vectors import Grouping, Matching, Operation, Vector, without_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sutazai_ops.monitoring.promql.samples import Samples, Series


@dataclass(frozen=True, slots=True)
class Value:
    """One element of a result. The metric's name is among the labels where Prometheus leaves it."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Moment:
    """What an expression is evaluated over, and when."""

    samples: Samples
    at: int
    """Milliseconds since the epoch."""
    asked_at: int
    """When the question was asked, which a subquery does not move: the meaning of `@ start()` and `@ end()`."""


Scalar: TypeAlias = Callable[[Moment], float]
Instant: TypeAlias = Callable[[Moment], Vector]
Matrix: TypeAlias = Callable[[Moment], list[tuple[Labels, Range]]]
Test: TypeAlias = Callable[[Labels], bool]


def evaluate(expression: str, samples: Samples, at: float) -> list[Value]:
    """What `expression` is at `at`, in seconds since the epoch. A number is one value without labels.

    Raises:
        BadInput: where it is not PromQL; `NotSupported` where it is, and not evaluated here.
        CannotMatch: where series do not pair as the expression demands.
    """
    moment = milliseconds(at)
    return [Value(labels, value) for labels, value in _prepared(expression)(Moment(samples, moment, moment))]


@lru_cache(maxsize=2048)
def _prepared(expression: str) -> Instant:
    tree = parse(expression)
    if _is_scalar(tree):
        scalar = _scalar(tree)
        return lambda moment: [({}, scalar(moment))]
    return _vector(tree)


def _is_scalar(node: Any) -> bool:  # noqa: ANN401  (the parser's nodes have no useful common type)
    match node:
        case promql.NumberLiteral():
            return True
        case promql.ParenExpr() | promql.UnaryExpr():
            return _is_scalar(node.expr)
        case promql.BinaryExpr():
            return _is_scalar(node.lhs) and _is_scalar(node.rhs)
        case promql.Call():
            return bool(node.func.return_type == promql.ValueType.Scalar)
        case _:
            return False


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
            raise NotSupported(_words(node))


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
            raise NotSupported(_words(node))


def _only(vector: Vector) -> float:
    return vector[0][1] if len(vector) == 1 else math.nan


def _vector(node: Any) -> Instant:  # noqa: ANN401
    match node:
        case promql.ParenExpr():
            return _vector(node.expr)
        case promql.VectorSelector():
            return _select(node)
        case promql.UnaryExpr():
            inner = _vector(node.expr)
            return lambda moment: without_name([(labels, -value) for labels, value in inner(moment)])
        case promql.BinaryExpr():
            return _binary(node)
        case promql.AggregateExpr():
            return _aggregation(node)
        case promql.Call():
            return _call(node)
        case _:
            raise NotSupported(_words(node))


def _words(node: Any) -> str:  # noqa: ANN401
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


# Selectors


def _select(node: promql.VectorSelector) -> Instant:
    find, shift = _finder(node), _shift(node.offset, node.at)

    def select(moment: Moment) -> Vector:
        at = shift(moment)
        found: Vector = []
        for series in find(moment.samples):
            latest = series.latest(at)
            if latest is not None:
                found.append((series.labels, latest[1]))
        return found

    return select


def _timestamps(node: promql.VectorSelector) -> Instant:
    """When each sample was taken, which only the function `timestamp` asks."""
    find, shift = _finder(node), _shift(node.offset, node.at)

    def select(moment: Moment) -> Vector:
        at = shift(moment)
        found = ((series.labels, series.latest(at)) for series in find(moment.samples))
        return [(labels, latest[0] / 1000) for labels, latest in found if latest is not None]

    return select


def _matrix(node: Any) -> Matrix:  # noqa: ANN401
    match node:
        case promql.ParenExpr():
            return _matrix(node.expr)
        case promql.MatrixSelector():
            return _select_range(node)
        case promql.SubqueryExpr():
            return _subquery(node)
        case _:
            raise NotSupported(_words(node))


def _select_range(node: promql.MatrixSelector) -> Matrix:
    selector, length = node.vector_selector, milliseconds_of(node.range)
    find, shift = _finder(selector), _shift(selector.offset, selector.at)

    def select(moment: Moment) -> list[tuple[Labels, Range]]:
        end = shift(moment)
        found: list[tuple[Labels, Range]] = []
        for series in find(moment.samples):
            times, values = series.between(end - length, end)
            if times:
                found.append((series.labels, Range(times, values, end - length, end, moment.at)))
        return found

    return select


def _subquery(node: promql.SubqueryExpr) -> Matrix:
    """An expression evaluated at every multiple of the step within the range."""
    length, step = milliseconds_of(node.range), milliseconds_of(node.step) or SUBQUERY_STEP_MS
    shift = _shift(node.offset, node.at)
    scalar = _scalar(node.expr) if _is_scalar(node.expr) else None
    inner: Instant = _vector(node.expr) if scalar is None else lambda moment: [({}, scalar(moment))]

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


def _shift(offset: Any, at: Any) -> Callable[[Moment], int]:  # noqa: ANN401
    """The moment that `@` and `offset` lead to."""
    back = milliseconds_of(offset)
    if at is None:
        return lambda moment: moment.at - back
    if at.type == promql.AtModifierType.At:
        fixed = milliseconds(at.at.timestamp()) - back
        return lambda _: fixed
    return lambda moment: moment.asked_at - back


def _finder(selector: promql.VectorSelector) -> Callable[[Samples], Iterator[Series]]:
    """Which series a selector asks for."""
    if selector.matchers.or_matchers:
        raise NotSupported("`or` between matchers")
    name = metric_name(selector)
    tests = [
        (matcher.name, _test(matcher))
        for matcher in selector.matchers.matchers
        if not (matcher.name == NAME and matcher.op == promql.MatchOp.Equal)
    ]

    def find(samples: Samples) -> Iterator[Series]:
        for one in samples.names() if name is None else (name,):
            for series in samples.named(one):
                if all(test(series.labels.get(label, "")) for label, test in tests):
                    yield series

    return find


def _test(matcher: promql.Matcher) -> Callable[[str], bool]:
    wanted = matcher.value
    if matcher.op == promql.MatchOp.Equal:
        return lambda value: value == wanted
    if matcher.op == promql.MatchOp.NotEqual:
        return lambda value: value != wanted
    pattern = _pattern(wanted)
    if matcher.op == promql.MatchOp.Re:
        return lambda value: pattern.fullmatch(value) is not None
    return lambda value: pattern.fullmatch(value) is None


def _pattern(text: str) -> re.Pattern[str]:
    """A regular expression of RE2. The few forms that Python reads otherwise, or not at all, are refused."""
    if re.search(r"\[\[:|\\[pPQEzC]", text):
        raise NotSupported(f"the regular expression {text!r}")
    try:
        # Prometheus 3 lets a dot match a line break too.
        return re.compile(text, re.ASCII | re.DOTALL)
    except re.error as error:
        raise NotSupported(f"the regular expression {text!r}") from error


# Operations and aggregations


def _binary(node: promql.BinaryExpr) -> Instant:
    symbol = str(node.op)
    if symbol not in vectors.ARITHMETIC.keys() | vectors.COMPARISONS.keys() | vectors.SET_OPERATIONS:
        raise NotSupported(f"the operator {symbol}")
    matching = _matching(node.modifier)
    operation = Operation(symbol, matching, bool(node.modifier and node.modifier.return_bool))
    if _is_scalar(node.lhs) or _is_scalar(node.rhs):
        scalar_first = _is_scalar(node.lhs)
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
    if name in vectors.AGGREGATIONS:
        return lambda moment: vectors.aggregate(name, inner(moment), grouping)
    if name == "count_values":
        label = _string(node.param)
        return lambda moment: vectors.count_values(label, inner(moment), grouping)
    if name in {"topk", "bottomk"}:
        k = _scalar(node.param)
        return lambda moment: vectors.ranked(name, k(moment), inner(moment), grouping)
    if name == "quantile":
        q = _scalar(node.param)
        return lambda moment: vectors.aggregate_quantile(q(moment), inner(moment), grouping)
    raise NotSupported(_words(node))


# Functions


def _call(node: promql.Call) -> Instant:
    name, args = node.func.name, node.args
    if name in functions.RANGE_FUNCTIONS:
        return _over_range(functions.RANGE_FUNCTIONS[name], args[0], keeps_name=name == "last_over_time")
    if name in functions.INSTANT_FUNCTIONS:
        return _each(functions.INSTANT_FUNCTIONS[name], _vector(args[0]))
    if name in functions.DATE_FUNCTIONS:
        inner: Instant = _vector(args[0]) if args else lambda moment: [({}, moment.at / 1000)]
        return _each(functions.DATE_FUNCTIONS[name], inner)
    if name in _CALLS:
        return _CALLS[name](args)
    raise NotSupported(_words(node))


def _each(function: Callable[[float], float], inner: Instant) -> Instant:
    return lambda moment: without_name([(labels, function(value)) for labels, value in inner(moment)])


def _over_range(function: Callable[[Range], float | None], node: Any, *, keeps_name: bool = False) -> Instant:  # noqa: ANN401
    matrix = _matrix(node)

    def over(moment: Moment) -> Vector:
        computed = ((labels, function(window)) for labels, window in matrix(moment))
        result: Vector = [(labels, value) for labels, value in computed if value is not None]
        return result if keeps_name else without_name(result)

    return over


def _predict_linear(args: Sequence[Any]) -> Instant:
    matrix, seconds = _matrix(args[0]), _scalar(args[1])

    def predict(moment: Moment) -> Vector:
        ahead = seconds(moment)
        computed = ((labels, functions.predict_linear(window, ahead)) for labels, window in matrix(moment))
        return without_name([(labels, value) for labels, value in computed if value is not None])

    return predict


def _quantile_over_time(args: Sequence[Any]) -> Instant:
    q, matrix = _scalar(args[0]), _matrix(args[1])
    return lambda moment: without_name(
        [(labels, functions.quantile(q(moment), window.values)) for labels, window in matrix(moment)]
    )


def _absent_over_time(args: Sequence[Any]) -> Instant:
    matrix, labels = _matrix(args[0]), _labels_of_the_absent(args[0])
    return lambda moment: [] if matrix(moment) else [(labels, 1.0)]


def _absent(args: Sequence[Any]) -> Instant:
    vector, labels = _vector(args[0]), _labels_of_the_absent(args[0])
    return lambda moment: [] if vector(moment) else [(labels, 1.0)]


def _labels_of_the_absent(node: Any) -> Labels:  # noqa: ANN401
    """What a selector asks for by equality, and by nothing else, is what the absent series would have had."""
    selector = node.vector_selector if isinstance(node, promql.MatrixSelector) else node
    if not isinstance(selector, promql.VectorSelector):
        return {}
    matchers = [matcher for matcher in selector.matchers.matchers if matcher.name != NAME]
    names = [matcher.name for matcher in matchers]
    return {
        matcher.name: matcher.value
        for matcher in matchers
        if matcher.op == promql.MatchOp.Equal and names.count(matcher.name) == 1 and matcher.value
    }


def _vector_of_scalar(args: Sequence[Any]) -> Instant:
    scalar = _scalar(args[0])
    return lambda moment: [({}, scalar(moment))]


def _timestamp(args: Sequence[Any]) -> Instant:
    node = bare(args[0])
    if isinstance(node, promql.VectorSelector):
        times = _timestamps(node)
        return lambda moment: without_name(times(moment))
    inner = _vector(node)
    return lambda moment: without_name([(labels, moment.at / 1000) for labels, _ in inner(moment)])


def _histogram_quantile(args: Sequence[Any]) -> Instant:
    q, vector = _scalar(args[0]), _vector(args[1])
    return lambda moment: vectors.histogram_quantile(q(moment), vector(moment))


def _clamp(args: Sequence[Any], low: Scalar | None, high: Scalar | None) -> Instant:
    vector = _vector(args[0])

    def clamp(moment: Moment) -> Vector:
        lowest = low(moment) if low else -math.inf
        highest = high(moment) if high else math.inf
        if highest < lowest:
            return []
        return without_name([(labels, _clamped(value, lowest, highest)) for labels, value in vector(moment)])

    return clamp


def _clamped(value: float, lowest: float, highest: float) -> float:
    if any(map(math.isnan, (value, lowest, highest))):
        return math.nan
    return max(lowest, min(highest, value))


def _round(args: Sequence[Any]) -> Instant:
    vector, step = _vector(args[0]), _scalar(args[1]) if len(args) > 1 else lambda _: 1.0

    def rounded(moment: Moment) -> Vector:
        to = step(moment)
        return without_name([(labels, functions.nearest_multiple(value, to)) for labels, value in vector(moment)])

    return rounded


def _sort(args: Sequence[Any], sign: float) -> Instant:
    vector = _vector(args[0])
    return lambda moment: sorted(vector(moment), key=lambda element: (math.isnan(element[1]), sign * element[1]))


def _label_replace(args: Sequence[Any]) -> Instant:
    vector = _vector(args[0])
    target, template, source, text = map(_string, args[1:5])
    pattern = _pattern(text)

    def replace(moment: Moment) -> Vector:
        result: Vector = []
        for labels, value in vector(moment):
            found = pattern.fullmatch(labels.get(source, ""))
            result.append((labels if found is None else _with(labels, target, _expand(template, found)), value))
        return vectors.unique(result)

    return replace


def _label_join(args: Sequence[Any]) -> Instant:
    vector = _vector(args[0])
    target, separator, *sources = map(_string, args[1:])

    def join(moment: Moment) -> Vector:
        return vectors.unique(
            [
                (_with(labels, target, separator.join(labels.get(source, "") for source in sources)), value)
                for labels, value in vector(moment)
            ]
        )

    return join


def _with(labels: Labels, name: str, value: str) -> Labels:
    return {**labels, name: value} if value else {key: kept for key, kept in labels.items() if key != name}


def _expand(template: str, found: re.Match[str]) -> str:
    """`$1`, `${1}` and `$name` as Go's Regexp.Expand replaces them: an unknown one is empty, `$$` is a dollar."""

    def group(reference: re.Match[str]) -> str:
        name = reference["braced"] or reference["plain"]
        if name is None:
            return "$"
        try:
            return found[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return re.sub(r"\$(?:\$|\{(?P<braced>\w+)\}|(?P<plain>\w+))", group, template, flags=re.ASCII)


def _string(node: Any) -> str:  # noqa: ANN401
    node = bare(node)
    if not isinstance(node, promql.StringLiteral):
        raise NotSupported(_words(node))
    return str(node.val)


_CALLS: dict[str, Callable[[Sequence[Any]], Instant]] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "clamp": lambda args: _clamp(args, _scalar(args[1]), _scalar(args[2])),
    "clamp_min": lambda args: _clamp(args, _scalar(args[1]), None),
    "clamp_max": lambda args: _clamp(args, None, _scalar(args[1])),
    "histogram_quantile": _histogram_quantile,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "predict_linear": _predict_linear,
    "quantile_over_time": _quantile_over_time,
    "round": _round,
    "sort": lambda args: _sort(args, 1.0),
    "sort_desc": lambda args: _sort(args, -1.0),
    "timestamp": _timestamp,
    "vector": _vector_of_scalar,
}
