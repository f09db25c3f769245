"""PromQL's functions as an expression calls them: their arguments prepared once, their results put together.

What they do with numbers stands in `functions`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import promql_parser as promql

from sutazai_ops.monitoring.promql import aggregate, functions, selectors, vectors
from sutazai_ops.monitoring.promql.parse import NotSupported, bare, in_words
from sutazai_ops.monitoring.promql.samples import NAME
from sutazai_ops.monitoring.promql.vectors import without_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sutazai_ops.monitoring.promql.functions import Range
    from sutazai_ops.monitoring.promql.samples import Labels
    from sutazai_ops.monitoring.promql.selectors import Instant, Matrix, Moment, Scalar
    from sutazai_ops.monitoring.promql.vectors import Vector


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a function is called with, each to be prepared as what the function takes it for."""

    nodes: Sequence[Any]
    as_scalar: Callable[[Any], Scalar]
    as_vector: Callable[[Any], Instant]
    as_matrix: Callable[[Any], Matrix]

    def scalar(self, i: int) -> Scalar:
        """A number."""
        return self.as_scalar(self.nodes[i])

    def vector(self, i: int) -> Instant:
        """An instant vector."""
        return self.as_vector(self.nodes[i])

    def matrix(self, i: int) -> Matrix:
        """A range of each series."""
        return self.as_matrix(self.nodes[i])

    def string(self, i: int) -> str:
        """A string, which can only stand there literally."""
        return literal(self.nodes[i])


def prepare(node: promql.Call, arguments: Arguments) -> Instant:
    """The call as a function of a moment; raises `NotSupported` for a function that is not known here."""
    name = node.func.name
    if name in functions.RANGE_FUNCTIONS:
        return _over_range(functions.RANGE_FUNCTIONS[name], arguments, keeps_name=name == "last_over_time")
    if name in functions.INSTANT_FUNCTIONS:
        return _each(functions.INSTANT_FUNCTIONS[name], arguments.vector(0))
    if name in functions.DATE_FUNCTIONS:
        inner: Instant = arguments.vector(0) if arguments.nodes else lambda moment: [({}, moment.at / 1000)]
        return _each(functions.DATE_FUNCTIONS[name], inner)
    if name in FUNCTIONS:
        return FUNCTIONS[name](arguments)
    raise NotSupported(in_words(node))


def literal(node: Any) -> str:  # noqa: ANN401  (the parser's nodes have no useful common type)
    """The text of a string."""
    node = bare(node)
    if not isinstance(node, promql.StringLiteral):
        raise NotSupported(in_words(node))
    return str(node.val)


def _each(function: Callable[[float], float], inner: Instant) -> Instant:
    return lambda moment: without_name([(labels, function(value)) for labels, value in inner(moment)])


def _over_range(function: Callable[[Range], float | None], args: Arguments, *, keeps_name: bool) -> Instant:
    matrix = args.matrix(0)

    def over(moment: Moment) -> Vector:
        computed = ((labels, function(window)) for labels, window in matrix(moment))
        result: Vector = [(labels, value) for labels, value in computed if value is not None]
        return result if keeps_name else without_name(result)

    return over


def _predict_linear(args: Arguments) -> Instant:
    matrix, seconds = args.matrix(0), args.scalar(1)

    def predict(moment: Moment) -> Vector:
        ahead = seconds(moment)
        computed = ((labels, functions.predict_linear(window, ahead)) for labels, window in matrix(moment))
        return without_name([(labels, value) for labels, value in computed if value is not None])

    return predict


def _quantile_over_time(args: Arguments) -> Instant:
    q, matrix = args.scalar(0), args.matrix(1)
    return lambda moment: without_name(
        [(labels, functions.quantile(q(moment), window.values)) for labels, window in matrix(moment)]
    )


def _absent_over_time(args: Arguments) -> Instant:
    matrix, labels = args.matrix(0), _labels_of_the_absent(args.nodes[0])
    return lambda moment: [] if matrix(moment) else [(labels, 1.0)]


def _absent(args: Arguments) -> Instant:
    vector, labels = args.vector(0), _labels_of_the_absent(args.nodes[0])
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


def _vector_of_scalar(args: Arguments) -> Instant:
    scalar = args.scalar(0)
    return lambda moment: [({}, scalar(moment))]


def _timestamp(args: Arguments) -> Instant:
    node = bare(args.nodes[0])
    if isinstance(node, promql.VectorSelector):
        times = selectors.timestamps(node)
        return lambda moment: without_name(times(moment))
    inner = args.vector(0)
    return lambda moment: without_name([(labels, moment.at / 1000) for labels, _ in inner(moment)])


def _histogram_quantile(args: Arguments) -> Instant:
    q, vector = args.scalar(0), args.vector(1)
    return lambda moment: aggregate.histogram_quantile(q(moment), vector(moment))


def _clamp(args: Arguments, low: Scalar | None, high: Scalar | None) -> Instant:
    vector = args.vector(0)

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


def _round(args: Arguments) -> Instant:
    vector, step = args.vector(0), args.scalar(1) if len(args.nodes) > 1 else lambda _: 1.0

    def rounded(moment: Moment) -> Vector:
        to = step(moment)
        return without_name([(labels, functions.nearest_multiple(value, to)) for labels, value in vector(moment)])

    return rounded


def _sort(args: Arguments, sign: float) -> Instant:
    vector = args.vector(0)
    return lambda moment: sorted(vector(moment), key=lambda element: (math.isnan(element[1]), sign * element[1]))


def _label_replace(args: Arguments) -> Instant:
    vector = args.vector(0)
    target, template, source = (args.string(i) for i in (1, 2, 3))
    pattern = selectors.pattern(args.string(4))

    def replace(moment: Moment) -> Vector:
        result: Vector = []
        for labels, value in vector(moment):
            found = pattern.fullmatch(labels.get(source, ""))
            result.append((labels if found is None else _with(labels, target, _expand(template, found)), value))
        return vectors.unique(result)

    return replace


def _label_join(args: Arguments) -> Instant:
    vector = args.vector(0)
    target, separator, *sources = (args.string(i) for i in range(1, len(args.nodes)))

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


FUNCTIONS: dict[str, Callable[[Arguments], Instant]] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "clamp": lambda args: _clamp(args, args.scalar(1), args.scalar(2)),
    "clamp_min": lambda args: _clamp(args, args.scalar(1), None),
    "clamp_max": lambda args: _clamp(args, None, args.scalar(1)),
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
"""Functions that are not simply one of numbers in `functions`, each from its arguments."""
