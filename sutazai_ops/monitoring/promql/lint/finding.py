"""What the lint says of an expression, and how it writes of parts of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutazai_ops.monitoring.promql.lint.known import label_matchers
from sutazai_ops.monitoring.promql.parse import bare, metric_name

if TYPE_CHECKING:
    import promql_parser as promql

MOST_LETTERS = 100
"""Of an expression that is quoted in a sentence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one expression."""

    rule: str
    what: str
    remedy: str


def written(node: promql.VectorSelector) -> str:
    """A selector without its offset, as one writes it."""
    matchers = ", ".join(map(str, label_matchers(node)))
    return (
        f"{metric_name(node) or ''}{{{matchers}}}" if matchers or metric_name(node) is None else str(metric_name(node))
    )


def short(node: Any) -> str:  # noqa: ANN401
    """An expression in one line, its middle left out where it is long."""
    text = " ".join(bare(node).prettify().split())
    half = MOST_LETTERS // 2
    return text if len(text) <= MOST_LETTERS else f"{text[:half]} … {text[-half:]}"
