"""Which samples an expression asks for: selectors, `offset` and `@`, turned into functions of a moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import promql_parser as promql

from sutazai_ops.monitoring.promql.functions import Range
from sutazai_ops.monitoring.promql.parse import NotSupported, metric_name, milliseconds_of
from sutazai_ops.monitoring.promql.samples import NAME, Labels, milliseconds
from sutazai_ops.monitoring.promql.vectors import Vector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sutazai_ops.monitoring.promql.samples import Samples, Series


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


def instant(node: promql.VectorSelector) -> Instant:
    """The value that each series has at the moment."""
    find, shift = _finder(node), shifted(node.offset, node.at)

    def select(moment: Moment) -> Vector:
        at = shift(moment)
        found: Vector = []
        for series in find(moment.samples):
            latest = series.latest(at)
            if latest is not None:
                found.append((series.labels, latest[1]))
        return found

    return select


def timestamps(node: promql.VectorSelector) -> Instant:
    """When each sample was taken, which only the function `timestamp` asks."""
    find, shift = _finder(node), shifted(node.offset, node.at)

    def select(moment: Moment) -> Vector:
        at = shift(moment)
        found = ((series.labels, series.latest(at)) for series in find(moment.samples))
        return [(labels, latest[0] / 1000) for labels, latest in found if latest is not None]

    return select


def select_range(node: promql.MatrixSelector) -> Matrix:
    """The samples that each series has in the range before the moment; a series without any is left out."""
    selector, length = node.vector_selector, milliseconds_of(node.range)
    find, shift = _finder(selector), shifted(selector.offset, selector.at)

    def select(moment: Moment) -> list[tuple[Labels, Range]]:
        end = shift(moment)
        found: list[tuple[Labels, Range]] = []
        for series in find(moment.samples):
            times, values = series.between(end - length, end)
            if times:
                found.append((series.labels, Range(times, values, end - length, end, moment.at)))
        return found

    return select


def shifted(offset: Any, at: Any) -> Callable[[Moment], int]:  # noqa: ANN401
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
    compiled = pattern(wanted)
    if matcher.op == promql.MatchOp.Re:
        return lambda value: compiled.fullmatch(value) is not None
    return lambda value: compiled.fullmatch(value) is None


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression of RE2. The few forms that Python reads otherwise, or not at all, are refused."""
    if re.search(r"\[\[:|\\[pPQEzC]", text):
        raise NotSupported(f"the regular expression {text!r}")
    try:
        # Prometheus 3 lets a dot match a line break too.
        return re.compile(text, re.ASCII | re.DOTALL)
    except re.error as error:
        raise NotSupported(f"the regular expression {text!r}") from error
