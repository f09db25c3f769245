"""The platform at a glance: whether users are served, how fast, with how many errors, and on what.

Its three first rows are those of the plan, asked so that they mean something: health is what probes found on the path
that users take and not whether a scrape worked; response times are a quantile of rates, summed over the routes before
it is taken; resource use is held against what each service may use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.dashboards.levels import level
from sutazai_ops.monitoring.dashboards.panels import HEALTH, UP_AND_DOWN, Dashboard, Kind, Level, Panel, Query, Row
from sutazai_ops.monitoring.thresholds import Side

if TYPE_CHECKING:
    from sutazai_ops.monitoring.thresholds import Rulebook

NO_REQUESTS = "no application was asked for anything"
FAST_SHARE = (
    'sum by (service) (rate(http_request_duration_seconds_bucket{le="0.2"}[5m]))'
    " / (sum by (service) (rate(http_request_duration_seconds_count[5m])) > 0)"
)
FIRING = 'ALERTS{alertstate="firing", severity!="none"}'


def overview(rulebook: Rulebook) -> Dashboard:
    """The platform."""
    return Dashboard(
        uid="sutazai-platform",
        title="Platform",
        description="Whether users are served, how fast, with how many errors, and on what.",
        rows=(
            Row("Now", (_count("ok"), _count("failed"), _count("unknown"), _firing())),
            Row("Service health", (_health(),)),
            Row("API response times", (_p95(rulebook), _fast(), _errors(rulebook))),
            Row("Resource usage", (_memory(rulebook), _cpu(rulebook), _restarts())),
        ),
    )


def _count(state: str) -> Panel:
    value = {"ok": 1, "failed": 0, "unknown": -1}[state]
    return Panel(
        title=f"Services {state}",
        description=f"How many services are {state} by their probes.",
        # None is a number only where anything is known: a dead exporter shows nothing, and not that nothing failed.
        queries=(Query(f"count(({HEALTH}) == {value}) or 0 * count({HEALTH})", state),),
        kind=Kind.NUMBER,
        width=6,
        height=4,
        level=None if state == "ok" else Level(1),
    )


def _firing() -> Panel:
    return Panel(
        title="Alerts firing",
        description="What fires now, without the watchdog, which always does. `sutazai-ops alerts` says what to do.",
        # As long as the watchdog fires, rules are evaluated; else nothing is shown.
        queries=(Query(f'count({FIRING}) or 0 * count(ALERTS{{alertname="watchdog"}})', "alerts"),),
        kind=Kind.NUMBER,
        width=6,
        height=4,
        level=Level(1),
    )


def _health() -> Panel:
    return Panel(
        title="Service health",
        description="What the probes found, on the path that users take. Unknown is not ok: nobody could ask.",
        queries=(Query(HEALTH, "{{service}}"),),
        kind=Kind.STATES,
        words=UP_AND_DOWN,
        width=24,
        height=14,
    )


def _p95(rulebook: Rulebook) -> Panel:
    return Panel(
        title="API response times",
        description="Within which 95 of 100 requests are answered, without those that wait for a language model.",
        queries=(Query("signal:http_p95", "{{service}}"),),
        unit="s",
        low=0,
        empty_when=NO_REQUESTS,
        level=level(rulebook, "http_slow"),
    )


def _fast() -> Panel:
    return Panel(
        title="Answered within 200 ms",
        description="The share itself, which is exact; a quantile is an estimate between two edges of the histogram.",
        queries=(Query(FAST_SHARE, "{{service}}"),),
        unit="percentunit",
        low=0,
        high=1,
        level=Level(0.95, Side.BELOW),
        empty_when=NO_REQUESTS,
    )


def _errors(rulebook: Rulebook) -> Panel:
    return Panel(
        title="Requests that failed",
        description="The share that was answered with a 5xx.",
        queries=(Query("signal:http_errors", "{{service}}"),),
        unit="percentunit",
        low=0,
        empty_when=NO_REQUESTS,
        level=level(rulebook, "http_errors"),
    )


def _memory(rulebook: Rulebook) -> Panel:
    return Panel(
        title="Memory of its limit",
        description="The ten that are nearest to the limit at which the kernel ends them.",
        queries=(Query("topk(10, signal:service_memory)", "{{service}}"),),
        kind=Kind.BARS,
        unit="percentunit",
        low=0,
        high=1,
        height=10,
        level=level(rulebook, "service_memory_high"),
    )


def _cpu(rulebook: Rulebook) -> Panel:
    return Panel(
        title="Processors of its limit",
        description="The ten that use the most of what they may.",
        queries=(Query("topk(10, signal:service_cpu)", "{{service}}"),),
        kind=Kind.BARS,
        unit="percentunit",
        low=0,
        high=1,
        height=10,
        level=level(rulebook, "service_cpu_high"),
    )


def _restarts() -> Panel:
    return Panel(
        title="Restarts in a day",
        description="Services that came back by themselves.",
        queries=(Query("topk(10, increase(sutazai_service_restarts_total[1d]) > 0.5)", "{{service}}"),),
        kind=Kind.BARS,
        height=10,
        level=Level(3),
        empty_when="nothing restarted",
    )
