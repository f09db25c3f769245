"""What an expression is taken for: a ratio that has to be one, and an `up` that is not availability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import promql_parser as promql

from sutazai_ops.monitoring.promql.lint.finding import Finding, short
from sutazai_ops.monitoring.promql.lint.places import (
    GROWTH,
    is_comparison,
    is_only_looked_for,
    is_set_operation,
    places,
    selectors,
)
from sutazai_ops.monitoring.promql.parse import is_scalar, metric_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sutazai_ops.monitoring.promql.lint.known import Known
    from sutazai_ops.monitoring.promql.lint.places import Place

ZERO_WITHOUT = {
    "redis_memory_max_bytes": "without maxmemory",
    "redis_config_maxmemory": "without maxmemory",
    "node_memory_SwapTotal_bytes": "without swap",
    "prometheus_tsdb_retention_limit_bytes": "without a cap",
    "container_spec_memory_limit_bytes": "without a limit",
    "container_spec_memory_swap_limit_bytes": "without a limit",
    "container_spec_cpu_quota": "without a limit",
}
"""Gauges that say 0 where there is none."""


def ratios_are_guarded(tree: Any, known: Known) -> Iterator[Finding]:  # noqa: ANN401, ARG001
    """What is divided by may be zero, and the ratio then neither true nor false."""
    for place in places(tree):
        node = place.node
        if not (isinstance(node, promql.BinaryExpr) and str(node.op) == "/") or is_scalar(node.rhs):
            continue
        why = _why_zero(node.rhs)
        if why and not _guards(node.rhs) and not _is_guarded_from_outside(place):
            yield Finding(
                "ratio-without-guard",
                f"{why}, and then the ratio is NaN or infinite: NaN is above no threshold and spoils every average, "
                "and infinity is above all",
                f"divide by what there is: … / ({short(node.rhs)} > 0)",
            )


def up_is_not_availability(tree: Any, known: Known) -> Iterator[Finding]:  # noqa: ANN401, ARG001
    """`up` is about the scrape: https://prometheus.io/docs/concepts/jobs_instances/."""
    for place in selectors(tree):
        if metric_name(place.node) == "up" and not _asks_for_scrapes(place):
            yield Finding(
                "up-as-availability",
                "up says that Prometheus could scrape a target, not that users were served: a service that answers "
                "every request with an error is up, one without metrics never is, and one that vanished is not counted",
                'ask the probe, which goes the way of a user: sutazai_probe_state{state="ok"}, and over a time '
                'avg_over_time(sutazai_probe_state{state="ok"}[1d])',
            )


def _why_zero(denominator: Any) -> str:  # noqa: ANN401
    """Why a denominator can be zero; empty where it hardly can."""
    for place in places(denominator):
        if isinstance(place.node, promql.Call) and place.node.func.name in {*GROWTH, "delta", "sum_over_time"}:
            return "the denominator is 0 while nothing happens"
        name = metric_name(place.node) if isinstance(place.node, promql.VectorSelector) else None
        if name in ZERO_WITHOUT:
            return f"{name} is 0 {ZERO_WITHOUT[name]}"
    return ""


def _guards(denominator: Any) -> bool:  # noqa: ANN401
    """Whether what is zero is taken out, or replaced."""
    return any(
        is_comparison(place.node) or (isinstance(place.node, promql.Call) and place.node.func.name == "clamp_min")
        for place in places(denominator)
    )


def _is_guarded_from_outside(ratio: Place) -> bool:
    """Whether an `and` further out demands that the denominator is above something."""
    divided_by = {metric_name(place.node) for place in selectors(ratio.node.rhs)}
    for around, _ in ratio.outwards():
        if is_set_operation(around) and str(around.op) == "and":
            for side in (around.lhs, around.rhs):
                # A comparison of the ratio itself says nothing about what it is divided by.
                if any(place.node is ratio.node for place in places(side)):
                    continue
                compared = [place for place in selectors(side) if any(map(is_comparison, place.around))]
                if divided_by & {metric_name(place.node) for place in compared}:
                    return True
    return False


def _asks_for_scrapes(up: Place) -> bool:
    """Whether it is compared, counted or looked for, as one does to find targets that cannot be scraped."""
    for around, inside in up.outwards():
        if is_only_looked_for(around, inside) or is_comparison(around):
            return True
        if isinstance(around, promql.BinaryExpr) and not is_set_operation(around):
            return bool(around.modifier and around.modifier.return_bool)
        # A sum of none, as in `sum by (job) (up) == 0`, says that all of them fail; an average is a share of time.
        if isinstance(around, promql.AggregateExpr) and str(around.op) != "sum":
            return str(around.op) in {"min", "max"}
        if isinstance(around, promql.Call) and around.func.name not in {"min_over_time", "max_over_time"}:
            return around.func.name in {"changes", "resets"}
    return False
