"""PromQL selectors, `name{label="value"}`, read and written: what an objective asks for, with no function around it.

An objective names series and not expressions, so that the same ones can be counted exactly for a report, recorded for
an alert and shown in a panel, and nobody has to guard a ratio by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import promql_parser as promql

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.promql import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

TARGET_LABELS = ("job", "instance", "service")
"""What tells apart the targets that Prometheus scrapes."""
_SYMBOLS = (
    (promql.MatchOp.Equal, "="),
    (promql.MatchOp.NotEqual, "!="),
    (promql.MatchOp.Re, "=~"),
    (promql.MatchOp.NotRe, "!~"),
)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label."""

    label: str
    symbol: str
    value: str

    def __str__(self) -> str:
        return f"{self.label}{self.symbol}{quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Selector:
    """Series of one name that fulfil some conditions."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        inner = ",".join(map(str, self.matchers))
        return f"{self.name}{{{inner}}}" if inner else self.name

    def and_(self, *more: Matcher) -> Selector:
        """The same, with further conditions."""
        return Selector(self.name, (*self.matchers, *more))

    def called(self, name: str) -> Selector:
        """The same conditions on series of another name."""
        return Selector(name, self.matchers)

    def labels(self) -> Iterable[str]:
        """The labels that it has conditions on."""
        return (matcher.label for matcher in self.matchers)

    def target(self) -> Selector | None:
        """`up` of the targets that these series come from, as far as the conditions tell; None where they do not."""
        kept = tuple(matcher for matcher in self.matchers if matcher.label in TARGET_LABELS)
        return Selector("up", kept) if kept else None


def read_selector(text: str) -> Selector:
    """Read a selector.

    Raises:
        BadInput: where it is not PromQL, or more than a selector of one name.
    """
    tree = parse(text)
    while isinstance(tree, promql.ParenExpr):
        tree = tree.expr
    return of_tree(tree, text)


def of_tree(tree: promql.Expr, text: str) -> Selector:
    """The selector that a parsed expression is; raises `BadInput` where it is none."""
    if not isinstance(tree, promql.VectorSelector) or not tree.name:
        raise BadInput(
            f"{text} is more than a selector",
            remedy='write the series alone, as http_requests_total{service="shop"}: rates and sums are added by us',
        )
    if tree.offset is not None or tree.at is not None or tree.matchers.or_matchers:
        raise BadInput(f"{text} looks at another time, or says `or`", remedy="write name and labels alone")
    matchers = (Matcher(one.name, _symbol(one.op), one.value) for one in tree.matchers.matchers)
    return Selector(tree.name, tuple(matchers))


def _symbol(op: promql.MatchOp) -> str:
    return next(symbol for known, symbol in _SYMBOLS if known == op)


def quoted(value: str) -> str:
    """A text as PromQL writes it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def edge_matcher(seconds: float) -> Matcher:
    """The condition on `le` that finds the bucket of an edge, however its exporter writes it.

    Go's client library writes the edge of one second as `1`, Python's as `1.0`, and Prometheus 3 turns both into `1.0`
    where it scrapes text: https://prometheus.io/docs/prometheus/latest/migration/#le-and-quantile-label-values.
    """
    short = f"{seconds:.12g}"
    if "." in short or "e" in short:
        return Matcher("le", "=", short)
    return Matcher("le", "=~", rf"{short}|{short}\.0")
