"""PromQL without a Prometheus: samples kept in memory, expressions evaluated over them, and rules read critically."""

from sutazai_ops.monitoring.promql.evaluate import Value, evaluate, require_evaluable
from sutazai_ops.monitoring.promql.parse import CannotMatch, NotSupported, asked_ranges, parse
from sutazai_ops.monitoring.promql.samples import Sample, Samples

__all__ = [
    "CannotMatch",
    "NotSupported",
    "Sample",
    "Samples",
    "Value",
    "asked_ranges",
    "evaluate",
    "parse",
    "require_evaluable",
]
