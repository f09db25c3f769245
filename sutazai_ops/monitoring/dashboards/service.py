"""One service: how it is asked and answers, what it uses of what it may, what it serves, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.dashboards.levels import level
from sutazai_ops.monitoring.dashboards.panels import HEALTH, UP_AND_DOWN, Dashboard, Kind, Panel, Query, Row, Source

if TYPE_CHECKING:
    from sutazai_ops.monitoring.thresholds import Rulebook

NO_APPLICATION = "the service does not keep the metric contract, or nobody asked it"
CHOSEN = 'service="$service"'


def service(rulebook: Rulebook) -> Dashboard:
    """A service of one's choice."""
    return Dashboard(
        uid="sutazai-service",
        title="Service",
        description="How it is asked and answers, what it uses of what it may, what it serves, and what it says.",
        variable="service",
        rows=(
            Row("Health", (_health(), _latency(), _lived())),
            Row("What it uses", (_memory(), _cpu(), _ended(rulebook))),
            Row("What it serves", (_requests(), _answers(rulebook), _codes())),
            Row("What it says", (_logs(),)),
        ),
    )


def _health() -> Panel:
    expression = HEALTH.replace("by (service)", "by (probe)").replace("{state", f"{{{CHOSEN}, state")
    return Panel(
        title="Probes",
        description="What each of its probes found.",
        queries=(Query(expression, "{{probe}}"),),
        kind=Kind.STATES,
        words=UP_AND_DOWN,
        empty_when="the service has no probe",
    )


def _latency() -> Panel:
    expression = (
        f"histogram_quantile(0.95, sum by (probe, le) (rate(sutazai_probe_duration_seconds_bucket{{{CHOSEN}}}[10m])))"
    )
    return Panel(
        title="Time to answer a probe",
        description="Within which it answers 95 of 100 probes.",
        queries=(Query(expression, "{{probe}}"),),
        unit="s",
        low=0,
        empty_when="the service has no probe",
    )


def _lived() -> Panel:
    return Panel(
        title="Ages",
        description="Since it was started, and since its image was made.",
        queries=(
            Query(f"time() - max(sutazai_service_started_timestamp_seconds{{{CHOSEN}}})", "runs for"),
            Query(f"time() - max(sutazai_service_image_created_timestamp_seconds{{{CHOSEN}}})", "image"),
        ),
        kind=Kind.NUMBER,
        unit="s",
        empty_when="the engine has never started it",
    )


def _memory() -> Panel:
    return Panel(
        title="Memory",
        description="What cannot be taken back from it, and what it may use.",
        queries=(
            Query(f"max(sutazai_service_memory_working_set_bytes{{{CHOSEN}}})", "used"),
            Query(f"max(sutazai_service_memory_limit_bytes{{{CHOSEN}}})", "limit"),
        ),
        unit="bytes",
        low=0,
        empty_when="it does not run on this engine",
    )


def _cpu() -> Panel:
    return Panel(
        title="Processors",
        description="How many it keeps busy, and how many it may use.",
        queries=(
            Query(f"sum(rate(sutazai_service_cpu_seconds_total{{{CHOSEN}}}[5m]))", "used"),
            Query(f"max(sutazai_service_cpu_limit_cores{{{CHOSEN}}})", "limit"),
        ),
        low=0,
        empty_when="it does not run on this engine",
    )


def _ended(rulebook: Rulebook) -> Panel:
    return Panel(
        title="Restarts and ends for want of memory",
        description="In a quarter of an hour and in half an hour.",
        queries=(
            Query(f"signal:service_restarts{{{CHOSEN}}}", "restarts"),
            Query(f"signal:service_oom_kills{{{CHOSEN}}}", "ended by the kernel"),
        ),
        low=0,
        empty_when="the engine does not count them",
        level=level(rulebook, "service_restarting"),
    )


def _requests() -> Panel:
    expression = f"sum by (endpoint) (rate(http_requests_total{{{CHOSEN}}}[5m]))"
    return Panel(
        title="Requests",
        description="How many a second, by route.",
        queries=(Query(expression, "{{endpoint}}"),),
        unit="reqps",
        low=0,
        empty_when=NO_APPLICATION,
    )


def _answers(rulebook: Rulebook) -> Panel:
    expression = (
        f"histogram_quantile(0.95, sum by (endpoint, le) (rate(http_request_duration_seconds_bucket{{{CHOSEN}}}[5m])))"
    )
    return Panel(
        title="Time to answer by route",
        description="Within which 95 of 100 requests to each route are answered.",
        queries=(Query(expression, "{{endpoint}}"),),
        unit="s",
        low=0,
        empty_when=NO_APPLICATION,
        level=level(rulebook, "http_slow"),
    )


def _codes() -> Panel:
    expression = f"sum by (status) (rate(http_requests_total{{{CHOSEN}}}[5m]))"
    return Panel(
        title="Answers by status",
        description="How many a second.",
        queries=(Query(expression, "{{status}}"),),
        unit="reqps",
        low=0,
        empty_when=NO_APPLICATION,
    )


def _logs() -> Panel:
    return Panel(
        title="Log",
        description="What its containers wrote, as Docker keeps it.",
        queries=(Query(f"{{{CHOSEN}}}"),),
        kind=Kind.LOGS,
        source=Source.LOKI,
        width=24,
        height=14,
        empty_when="it wrote nothing",
    )
