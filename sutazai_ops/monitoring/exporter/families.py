"""From figures to what Prometheus' client library writes down, under the names and words of `metrics.yaml` alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.metrics import CATALOGUE, Kind, exporters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric as Family

    from sutazai_ops.monitoring.exporter.measured import Measured
    from sutazai_ops.monitoring.metrics import Metric

OURS = "sutazai"
HOST = "node"
"""Where there is no node exporter, ours serves what the host's collector measures under node exporter's names."""


@cache
def served() -> Mapping[str, Metric]:
    """Every metric that may be served here."""
    known = exporters()
    return {**(known[HOST].metrics if HOST in known else {}), **known[OURS].metrics}


def known(name: str) -> Metric:
    """The metric of that name; raises `BadInput` where the catalogue has none."""
    try:
        return served()[name]
    except KeyError:
        raise BadInput(f"the catalogue has no metric {name}", where=str(CATALOGUE), remedy="add it there") from None


def check(measured: Iterable[Measured]) -> None:
    """Raise `BadInput` for a figure that the catalogue does not have, or not with these labels."""
    for one in measured:
        if set(known(one.name).labels) != set(one.labels):
            raise BadInput(f"{one.name} is measured with the labels {', '.join(one.labels)}", where=str(CATALOGUE))


def families(measured: Iterable[Measured]) -> Iterator[Family]:
    """The figures by their names, as the library wants them."""
    by_name: dict[str, list[Measured]] = {}
    for one in measured:
        by_name.setdefault(one.name, []).append(one)
    for name, ones in by_name.items():
        metric = known(name)
        kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
        family = kind(name, metric.help, labels=metric.labels)
        for one in ones:
            family.add_metric([one.labels[label] for label in metric.labels], one.value)
        yield family
