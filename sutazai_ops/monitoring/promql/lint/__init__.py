"""What is wrong with an expression though Prometheus takes it: it answers, and the answer is not what was meant.

Each rule looks at the parsed expression and at what is known of the metrics in it, and says in one sentence why, and in
another what is right. `docs/lint-rules.md` explains each with an example. None knows what a metric is for; an
expression without findings can still be useless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.promql.lint.finding import Finding
from sutazai_ops.monitoring.promql.lint.growth import (
    buckets_have_a_rate,
    counters_are_not_read_raw,
    gauges_have_no_rate,
    quantiles_are_of_sums_by_le,
)
from sutazai_ops.monitoring.promql.lint.known import Known
from sutazai_ops.monitoring.promql.lint.meaning import ratios_are_guarded, up_is_not_availability
from sutazai_ops.monitoring.promql.lint.names import labels_exist, metrics_are_exported
from sutazai_ops.monitoring.promql.parse import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["NAMES", "Finding", "Known", "lint"]

RULES: tuple[Callable[[Any, Known], Iterator[Finding]], ...] = (
    metrics_are_exported,
    buckets_have_a_rate,
    quantiles_are_of_sums_by_le,
    counters_are_not_read_raw,
    gauges_have_no_rate,
    ratios_are_guarded,
    labels_exist,
    up_is_not_availability,
)


NAMES = (
    "nobody-exports",
    "bucket-without-rate",
    "quantile-without-le",
    "raw-counter",
    "rate-of-gauge",
    "ratio-without-guard",
    "no-such-label",
    "up-as-availability",
    "unreadable",
)
"""What findings are called, in the order in which they are told."""


def lint(expression: str, known: Known) -> list[Finding]:
    """Everything that is wrong with an expression, each once, in the order of the rules."""
    try:
        tree = parse(expression)
    except BadInput as error:
        return [Finding("unreadable", error.what, "`promtool check rules` says whether Prometheus can read it")]
    return list(dict.fromkeys(finding for rule in RULES for finding in rule(tree, known)))
