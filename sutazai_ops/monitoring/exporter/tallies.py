"""What is summed up over the exporter's life: histograms and counters, under the names of `metrics.yaml` alone."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram

from sutazai_ops.monitoring.exporter import text
from sutazai_ops.monitoring.exporter.families import OURS
from sutazai_ops.monitoring.metrics import Kind, exporters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric as Family

    from sutazai_ops.monitoring.exporter.text import Lines

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds. With an edge at 0.2 and one at 5, which the objectives are stated in; whatever is beyond half a minute was
given up."""
SUMMED = {
    "sutazai_service_cpu_seconds_total",
    "sutazai_service_cpu_throttled_seconds_total",
    "sutazai_service_restarts_total",
}
"""Counters that somebody else counts, and that a collector only reads."""


class Tallies:
    """The histograms and counters that this process keeps itself."""

    def __init__(self) -> None:
        # The moment at which a series began would double what is served, and nobody asks for it.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._lock = Lock()
        self._lines: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
        """Each series as it is written, by its name and its labels."""
        own = exporters()[OURS].metrics
        self._histograms = {
            name: Histogram(name, one.help, one.labels, buckets=BUCKETS, registry=self._registry)
            for name, one in own.items()
            if one.kind is Kind.HISTOGRAM
        }
        self._counters = {
            name: Counter(name, one.help, one.labels, registry=self._registry)
            for name, one in own.items()
            if one.kind is Kind.COUNTER and name not in SUMMED
        }

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Count one value in a histogram."""
        with self._lock:
            one = self._histograms[name].labels(**labels)
            one.observe(value)
            self._write(name, labels, one)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter; an amount of 0 makes it known."""
        with self._lock:
            one = self._counters[name].labels(**labels)
            one.inc(amount)
            self._write(name, labels, one)

    def forget(self, **labels: str) -> None:
        """Leave out from now on whatever has all these labels."""
        own = exporters()[OURS].metrics
        with self._lock:
            for name, metric in {**self._histograms, **self._counters}.items():
                if labels.keys() <= set(own[name].labels):
                    metric.remove_by_labels(labels)
            self._lines = {key: lines for key, lines in self._lines.items() if not labels.items() <= set(key[1])}

    def families(self) -> Iterator[Family]:
        """As the library writes them down; without those that were never used."""
        return (family for family in self._registry.collect() if family.samples)

    def lines(self) -> list[Lines]:
        """The same as Prometheus reads it."""
        with self._lock:
            return [(name, lines) for (name, _), lines in self._lines.items()]

    def _write(self, name: str, labels: Mapping[str, str], one: Counter | Histogram) -> None:
        """Write one series down, now that it has changed: most stay as they are from one scrape to the next."""
        [family] = one.collect()
        self._lines[name, tuple(sorted(labels.items()))] = "".join(
            text.line(text.start(sample.name, {**labels, **sample.labels}), sample.value) for sample in family.samples
        )
