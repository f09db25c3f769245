"""Counters and histograms: what they say is in how they grow, and growth has to be taken before anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import promql_parser as promql

from sutazai_ops.monitoring.metrics import Kind
from sutazai_ops.monitoring.promql.lint.finding import Finding, written
from sutazai_ops.monitoring.promql.lint.places import GROWTH, is_only_looked_for, places, selectors
from sutazai_ops.monitoring.promql.parse import bare, metric_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sutazai_ops.monitoring.promql.lint.known import Known
    from sutazai_ops.monitoring.promql.lint.places import Place


def buckets_have_a_rate(tree: Any, known: Known) -> Iterator[Finding]:  # noqa: ANN401  (nodes have no common type)
    """A quantile of buckets is one of all time, unless it is taken of their growth."""
    for quantile in _quantiles(tree):
        for place in selectors(quantile.args[1]):
            if known.is_bucket(metric_name(place.node) or "") and not _grows(place) and not _is_looked_for(place):
                yield Finding(
                    "bucket-without-rate",
                    f"the buckets of {written(place.node)} count since their process began, so today's slowness drowns "
                    "in all requests ever answered, and a restart makes the quantile jump",
                    f"write {_as_it_should_be(quantile, place.node)}",
                )


def quantiles_are_of_sums_by_le(tree: Any, known: Known) -> Iterator[Finding]:  # noqa: ANN401
    """A quantile needs all buckets of whatever it is to be a quantile of, added up by their edge."""
    for quantile in _quantiles(tree):
        buckets = [one.node for one in selectors(quantile.args[1]) if known.is_bucket(metric_name(one.node) or "")]
        why = _why_not_a_sum_by_le(bare(quantile.args[1]), known, of_buckets=bool(buckets))
        if why:
            yield Finding(
                "quantile-without-le",
                why,
                f"write {_as_it_should_be(quantile, buckets[0] if buckets else None)}",
            )


def counters_are_not_read_raw(tree: Any, known: Known) -> Iterator[Finding]:  # noqa: ANN401
    """The value of a counter says how long its process runs."""
    for place in selectors(tree):
        name = metric_name(place.node)
        if name is None or not known.is_counter(name) or _grows(place) or _is_in_a_quantile(place):
            continue
        if _is_looked_for(place):
            continue
        yield Finding(
            "raw-counter",
            f"{name} counts up since its process began{_misused(place)}: its value says how long that runs, and falls "
            "with a restart",
            f"ask for its growth, before anything is added up: rate({written(place.node)}[5m]) a second, or increase()",
        )


def gauges_have_no_rate(tree: Any, known: Known) -> Iterator[Finding]:  # noqa: ANN401
    """A gauge may fall, and `rate` takes every fall for a restart of a counter."""
    for place in selectors(tree):
        series = known.series(metric_name(place.node) or "")
        # Some exporters say of a counter that it is a gauge, and only its name tells.
        if series is None or series.kind is not Kind.GAUGE or series.name.endswith(("_total", "_count", "_sum")):
            continue
        function = next((around.func.name for around in place.around if isinstance(around, promql.Call)), "")
        if function in GROWTH and _grows(place):
            yield Finding(
                "rate-of-gauge",
                f"{series.name} is a gauge, and {function} takes each of its falls for a restart and adds it up",
                f"deriv({written(place.node)}[5m]) is how fast it changes, and delta() by how much",
            )


def _quantiles(tree: Any) -> Iterator[promql.Call]:  # noqa: ANN401
    for place in places(tree):
        if isinstance(place.node, promql.Call) and place.node.func.name == "histogram_quantile":
            yield place.node


def _why_not_a_sum_by_le(node: Any, known: Known, *, of_buckets: bool) -> str:  # noqa: ANN401
    labels = known.labels(node)
    if labels is not None and "le" not in labels:
        return "no label le is left of what the quantile is taken of, so there are no buckets in it and no answer"
    if of_buckets and not isinstance(node, promql.AggregateExpr):
        return "it gives a quantile for every single series, and quantiles cannot be put together afterwards"
    if of_buckets and str(node.op) != "sum":
        return f"buckets are counts, which are added: of their {node.op} there is no quantile"
    return ""


def _as_it_should_be(quantile: promql.Call, selector: promql.VectorSelector | None) -> str:
    """The quantile as it should be written, by whatever it is grouped by already and over the same range."""
    inside = [place.node for place in places(quantile)]
    by = ["le"]
    for node in inside:
        modifier = node.modifier if isinstance(node, promql.AggregateExpr) else None
        if modifier is not None and modifier.type == promql.AggModifierType.By:
            by += [label for label in modifier.labels if label not in by]
    ranges = [node.range for node in inside if isinstance(node, promql.MatrixSelector)]
    span = promql.display_duration(ranges[0]) if ranges else "5m"
    of = "…_bucket" if selector is None else written(selector)
    return f"histogram_quantile({quantile.args[0].prettify()}, sum by ({', '.join(by)}) (rate({of}[{span}])))"


def _grows(place: Place) -> bool:
    """Whether growth is taken of a selector itself, and not of a sum in which restarts cannot be seen any more."""
    for around, _ in place.outwards():
        if isinstance(around, promql.Call):
            return around.func.name in {*GROWTH, "resets", "changes"}
        if not isinstance(around, promql.MatrixSelector | promql.SubqueryExpr):
            return False
    return False


def _is_looked_for(place: Place) -> bool:
    return any(is_only_looked_for(around, inside) for around, inside in place.outwards())


def _is_in_a_quantile(place: Place) -> bool:
    return any(isinstance(one, promql.Call) and one.func.name == "histogram_quantile" for one in place.around)


def _misused(place: Place) -> str:
    """The nearest function, where it takes a restart for a fall."""
    function = next((around.func.name for around in place.around if isinstance(around, promql.Call)), "")
    return (
        f", and {function}() knows of no restarts" if function in {"delta", "idelta", "deriv", "predict_linear"} else ""
    )
