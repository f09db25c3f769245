"""The monitoring itself: whether targets answer, the exporter keeps up, rules are evaluated and people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.dashboards.levels import level
from sutazai_ops.monitoring.dashboards.panels import UP_AND_DOWN, Dashboard, Kind, Level, Panel, Query, Row

if TYPE_CHECKING:
    from sutazai_ops.monitoring.thresholds import Rulebook

FIRED = 'count by (alertname) (ALERTS{alertstate="firing", severity!="none"})'
SENT = "sum by (integration) (rate(alertmanager_notifications_total[15m]))"
UNDELIVERED = "sum by (integration) (rate(alertmanager_notifications_failed_total[15m]))"
ROUND = "histogram_quantile(0.95, sum by (collector, le) (rate(sutazai_exporter_cycle_duration_seconds_bucket[10m])))"


def watching(rulebook: Rulebook) -> Dashboard:
    """The monitoring."""
    return Dashboard(
        uid="sutazai-monitoring",
        title="Monitoring",
        description="Whether targets answer, the exporter keeps up, rules are evaluated and people are told.",
        rows=(
            Row(
                "Measuring",
                (
                    Panel(
                        title="Scrapes",
                        description="Whether each target's metrics could be read. That says nothing of its users.",
                        queries=(Query("signal:target_scraped", "{{service}}"),),
                        kind=Kind.STATES, words=UP_AND_DOWN, width=12, height=10,
                    ),
                    Panel(
                        title="Rounds of the exporter",
                        description="Within which 95 of 100 rounds of each collector end.",
                        queries=(Query(ROUND, "{{collector}}"),),
                        unit="s", low=0, width=12, height=10,
                    ),
                ),
            ),
            Row(
                "Judging",
                (
                    Panel(
                        title="Evaluation of rules",
                        description="How long each group of rules took last.",
                        queries=(Query("prometheus_rule_group_last_duration_seconds", "{{rule_group}}"),),
                        unit="s", low=0, level=Level(0.05),
                    ),
                    Panel(
                        title="Unknown",
                        description="Values that are expected and are not there, by signal.",
                        queries=(Query("sum by (signal) (signal:unknown)", "{{signal}}"),),
                        low=0, level=Level(1), empty_when="everything that is expected is there",
                    ),
                    Panel(
                        title="Kept",
                        description="How long a time Prometheus can keep before its size cap cuts it.",
                        queries=(Query("signal:prometheus_keeps", "kept"),),
                        kind=Kind.NUMBER, unit="s", empty_when="it runs for less than a day, or has no cap",
                        level=level(rulebook, "prometheus_keeps_too_little"),
                    ),
                ),
            ),
            Row(
                "Telling",
                (
                    Panel(
                        title="Messages",
                        description="What Alertmanager sent, by kind of receiver, and what it could not deliver.",
                        queries=(
                            Query(SENT, "{{integration}}"),
                            Query(UNDELIVERED, "{{integration}} failed"),
                        ),
                        low=0, width=12,
                    ),
                    Panel(
                        title="Alerts over time",
                        description="What fired, without the watchdog, which always does.",
                        queries=(
                            Query(FIRED, "{{alertname}}"),
                        ),
                        low=0, width=12, empty_when="nothing fired",
                    ),
                ),
            ),
        ),
    )  # fmt: skip
