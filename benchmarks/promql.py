"""Sixty expressions over six hours of samples, and what these weigh: `.venv/bin/python benchmarks/promql.py`.

Services have about twenty series each, measured every 30 s. Kept is what the expressions ask for, by metric, and beside
it what it would cost to keep all for as long as the longest of them. Fails when sixty expressions over 30 services take
more than 100 ms, or 300 services weigh more than 60 MB, of the 100 that the exporter may have.
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.promql import Sample, Samples, asked_ranges, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

START, EVERY, HOURS = 1_764_000_000.0, 30, 6
LIMIT_MS, LIMIT_MB = 100.0, 60.0
BOUNDS = ("0.05", "0.1", "0.2", "0.5", "1", "5", "+Inf")
GAUGES = (
    "sutazai_probe_age_seconds",
    "sutazai_service_memory_working_set_bytes",
    "sutazai_service_memory_limit_bytes",
    "sutazai_queue_depth",
    "sutazai_queue_oldest_age_seconds",
)
COUNTERS = ("sutazai_service_cpu_seconds_total", "sutazai_service_restarts_total", "sutazai_service_oom_kills_total")
ONE_EACH = (
    "sum by (service) (rate(sutazai_service_cpu_seconds_total[5m]))",
    "sutazai_service_memory_working_set_bytes / on(service) (sutazai_service_memory_limit_bytes > 0)",
    "histogram_quantile(0.95, sum by (le, service) (rate(sutazai_probe_duration_seconds_bucket[5m])))",
    'sutazai_probe_state{state="ok"} and on(service) sutazai_probe_age_seconds < 120',
    'avg_over_time(sutazai_probe_state{state="failed"}[10m]) > 0.5',
    "increase(sutazai_service_restarts_total[15m]) and sutazai_service_restarts_total",
    "max by (service) (sutazai_queue_oldest_age_seconds) > 60",
    "predict_linear(node_filesystem_avail_bytes[6h], 86400) < 0 and node_filesystem_avail_bytes",
    'count(sutazai_probe_state{state="ok"} == 1) or vector(0)',
    (
        'sum(rate(sutazai_probe_duration_seconds_bucket{le="0.2"}[5m])) '
        "/ (sum(rate(sutazai_probe_duration_seconds_count[5m])) > 0)"
    ),
)
EXPRESSIONS = [f"({one}) > -{i}" for one in ONE_EACH for i in range(6)]
"""Sixty different ones, so that none profits from another."""


def snapshot(services: int, round_: int) -> Iterator[Sample]:
    """All that is measured at one time."""
    for number in range(services):
        own = {"service": f"service-{number}", "job": "sutazai", "instance": "exporter:9600"}
        for state in ("ok", "failed", "unknown"):
            yield Sample("sutazai_probe_state", {**own, "probe": "http", "state": state}, float(state == "ok"))
        for i, bound in enumerate(BOUNDS):
            yield Sample("sutazai_probe_duration_seconds_bucket", {**own, "le": bound}, float(round_ * (i + 1)))
        yield Sample("sutazai_probe_duration_seconds_count", own, float(round_ * len(BOUNDS)))
        yield Sample("sutazai_probe_duration_seconds_sum", own, round_ * 0.7)
        for name in GAUGES:
            yield Sample(name, own, float(round_ % 97))
        for name in COUNTERS:
            yield Sample(name, own, float(round_ // 7))
    for disk in range(6):
        yield Sample("node_filesystem_avail_bytes", {"mountpoint": f"/disk-{disk}"}, 1e12 - round_ * 1e6)


def fill(samples: Samples, services: int) -> float:
    """Six hours of snapshots; the median seconds that one took to be added."""
    taken = []
    for round_ in range(HOURS * 3600 // EVERY):
        measured = list(snapshot(services, round_))
        started = time.perf_counter()
        samples.add(START + round_ * EVERY, measured)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def weigh(services: int, by_name: dict[str, float], keep: float) -> float:
    """Megabytes of samples after six hours."""
    tracemalloc.start()
    samples = Samples(keep, by_name)
    fill(samples, services)
    megabytes = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    return megabytes


def main() -> int:
    """Measure and print."""
    ranges = asked_ranges(EXPRESSIONS)
    weights = {}
    for services in (30, 300):
        samples = Samples(300, ranges)
        add_ms = fill(samples, services) * 1000
        at = START + HOURS * 3600 - EVERY + 7
        rounds = []
        for _ in range(6):
            started = time.perf_counter()
            for expression in EXPRESSIONS:
                evaluate(expression, samples, at)
            rounds.append((time.perf_counter() - started) * 1000)
        weights[services] = weigh(services, ranges, 300)
        everything = weigh(services, {}, HOURS * 3600)
        print(f"{services} services, {len(samples):,} series")
        print(f"  {len(EXPRESSIONS)} expressions       {statistics.median(rounds):7.1f} ms")
        print(f"  a snapshot added     {add_ms:7.1f} ms")
        print(f"  memory               {weights[services]:7.1f} MB, were all kept for {HOURS} h {everything:.1f} MB")
        if services == 30 and statistics.median(rounds) > LIMIT_MS:
            return 1
    return 1 if weights[300] > LIMIT_MB else 0


if __name__ == "__main__":
    sys.exit(main())
