"""Series as hypothesis makes them: counters that are reset, gauges that jump, gaps, ends, and histograms."""

from __future__ import annotations

from hypothesis import strategies as st
from promtool_notation import Point

LENGTH = 40
"""Samples in a series: twenty minutes."""

EXPRESSIONS = (
    "rate(counter_total[5m])",
    "increase(counter_total[3m])",
    "increase(counter_total[15m])",
    "irate(counter_total[5m])",
    "resets(counter_total[10m])",
    "changes(counter_total[10m])",
    "sum by (a) (rate(counter_total[5m]))",
    "sum(increase(counter_total[10m])) / (sum(counter_total) > 0)",
    "gauge",
    "delta(gauge[5m])",
    "deriv(gauge[5m])",
    "predict_linear(gauge[10m], 600)",
    "avg_over_time(gauge[5m])",
    "sum_over_time(gauge[5m])",
    "min_over_time(gauge[5m])",
    "max_over_time(gauge[5m])",
    "quantile_over_time(0.3, gauge[5m])",
    "stddev_over_time(gauge[5m])",
    "count_over_time(gauge[5m])",
    "last_over_time(gauge[5m])",
    "avg(gauge)",
    "stddev by (b) (gauge)",
    "quantile(0.7, gauge)",
    "max by (a) (gauge)",
    "count(gauge > 0)",
    "gauge / counter_total",
    "gauge > counter_total",
    "gauge and counter_total",
    "gauge or counter_total",
    "gauge unless counter_total",
    "gauge / on(a) group_left sum by (a) (gauge)",
    "absent(gauge)",
    "timestamp(gauge)",
    "avg_over_time((gauge offset 7s > 0)[5m:30s])",
    "max_over_time(sum(gauge offset 7s)[5m:1m])",
    "histogram_quantile(0.95, sum by (le) (rate(seconds_bucket[5m])))",
    "histogram_quantile(0.5, rate(seconds_bucket[10m]))",
    "histogram_quantile(0.2, seconds_bucket)",
)
TIMES = (127, 397, 607, 907, 1187)

_gap = st.sampled_from(["gap"] * 3 + ["stale"])
_growth = st.one_of(st.just(0.0), st.floats(0, 1000).map(lambda x: round(x, 3)), st.just("reset"), _gap)
_level = st.one_of(
    st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), st.sampled_from([0.0, 1.0, 1e12, 1e-9]), _gap, st.just("same")
)


@st.composite
def counter(draw: st.DrawFn) -> list[Point]:
    """A counter that begins anywhere, late or early."""
    value = draw(st.sampled_from([0.0, 0.0, 3.0, 1e6]))
    line: list[Point] = [None] * draw(st.sampled_from([0, 0, 0, 7, 19]))
    line.append(value)
    for step in draw(st.lists(_growth, min_size=0, max_size=LENGTH - len(line))):
        if step == "gap":
            line.append(None)
        elif step == "stale":
            line.append("stale")
        else:
            value = 0.0 if step == "reset" else round(value + step, 3)
            line.append(value)
    return line


@st.composite
def gauge(draw: st.DrawFn) -> list[Point]:
    """A gauge, which may do anything."""
    line: list[Point] = [None] * draw(st.sampled_from([0, 0, 0, 7, 19]))
    value = 0.0
    for step in draw(st.lists(_level, min_size=1, max_size=LENGTH - len(line))):
        if step == "gap":
            line.append(None)
        elif step == "stale":
            line.append("stale")
        else:
            value = value if step == "same" else step
            line.append(value)
    return line


@st.composite
def histogram(draw: st.DrawFn) -> dict[str, list[Point]]:
    """The buckets of one histogram, cumulated as they should be."""
    bounds = draw(st.lists(st.sampled_from(["-1", "0", "0.1", "0.2", "1", "5"]), unique=True, min_size=1))
    bounds = [*sorted(bounds, key=float), "+Inf"]
    lines: dict[str, list[Point]] = {bound: [] for bound in bounds}
    counts = dict.fromkeys(bounds, 0.0)
    for _ in range(draw(st.integers(2, LENGTH))):
        added = 0.0
        for bound in bounds:
            added += draw(st.integers(0, 3))
            counts[bound] += added
            lines[bound].append(counts[bound])
    return {f'seconds_bucket{{le="{bound}"}}': line for bound, line in lines.items()}


@st.composite
def series(draw: st.DrawFn) -> dict[str, list[Point]]:
    """A few of each."""
    own = st.sampled_from(['a="1"', 'a="2"', 'a="1", b="x"', 'a="2", b="x"'])
    made = {f"counter_total{{{one}}}": draw(counter()) for one in draw(st.lists(own, unique=True))}
    made |= {f"gauge{{{one}}}": draw(gauge()) for one in draw(st.lists(own, unique=True, min_size=1))}
    return made | draw(histogram())
