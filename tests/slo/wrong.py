"""The usual ways to compute the availability of a month, each in the PromQL that people use; each wrong somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from months import Month

    from sutazai_ops.slo.source import PrometheusSource


def methods(month: Month) -> dict[str, str]:
    """PromQL by what it is called, to be asked at the end of the month."""
    window, step = f"{month.days}d", f"{month.scrape * 2}s"
    one = f'service="{month.service}"'
    total = f"http_requests_total{{{one}}}"
    bad = f'http_requests_total{{{one},status=~"5.."}}'
    ok = f'sutazai_probe_state{{{one},state="ok"}}'
    five = f"(sum(increase({bad}[5m])) or 0 * sum(increase({total}[5m])))"
    all_five = f"sum(increase({total}[5m]))"
    slice_ = (
        f"((sum(rate({bad}[{step}])) or vector(0)) / (sum(rate({total}[{step}])) > 0) <= bool 0.001)"
        f" * on () group_left () min({ok})"
    )
    return {
        "errors over requests of the whole month": (
            f"1 - sum(increase({bad}[{window}])) / sum(increase({total}[{window}]))"
        ),
        "sums of increases of 5 minutes": (
            f"1 - sum_over_time({five}[{window}:5m]) / sum_over_time({all_five}[{window}:5m])"
        ),
        "mean of the ratios of 5 minutes": f"1 - avg_over_time(({five} / ({all_five} > 0))[{window}:5m])",
        "mean of the probe": f"avg_over_time({ok}[{window}])",
        "mean of up": f'avg_over_time(up{{job="{month.service}"}}[{window}])',
        "probe, missing is bad": f"sum_over_time({ok}[{window}]) / {month.days * 86_400 // month.scrape}",
        "slices of a minute": f"avg_over_time(({slice_})[{window}:1m])",
    }


def answers(month: Month, source: PrometheusSource, at: int) -> dict[str, float]:
    """What each of them says of a month."""
    found = {}
    for name, query in methods(month).items():
        lines = source.at(query, at).lines
        if lines and lines[0].points:
            found[name] = lines[0].points[0][1]
    return found
