"""Delivery: which release each phase runs, what has drifted from it, what is new, and whether Dagster is awake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.dashboards.levels import level
from sutazai_ops.monitoring.dashboards.panels import Dashboard, Kind, Panel, Query, Row

if TYPE_CHECKING:
    from sutazai_ops.monitoring.thresholds import Rulebook

NO_DAGSTER = "Dagster was never started with this home folder"
NEVER_COMPARED = "what runs was never compared with a release: sutazai-ops drift"


def delivery(rulebook: Rulebook) -> Dashboard:
    """Releases, drift and Dagster."""
    return Dashboard(
        uid="sutazai-delivery",
        title="Delivery",
        description="Which release each phase runs, what has drifted from it, and whether Dagster is awake.",
        rows=(
            Row(
                "Releases",
                (
                    Panel(
                        title="Release by phase",
                        description="Its number; a step up is a deployment or a roll-back.",
                        queries=(Query("max by (phase) (sutazai_release_number)", "{{phase}}"),),
                        empty_when="nothing was deployed yet",
                    ),
                    Panel(
                        title="Drift",
                        description="Differences between the release and what runs, by service.",
                        queries=(Query("signal:drift", "{{service}}"),),
                        low=0, empty_when=NEVER_COMPARED, level=level(rulebook, "drifted"),
                    ),
                    Panel(
                        title="Compared last",
                        description="Since what runs was last compared with the release.",
                        queries=(Query("sutazai_drift_age_seconds", "age"),),
                        kind=Kind.NUMBER, unit="s", empty_when=NEVER_COMPARED,
                    ),
                ),
            ),
            Row(
                "Services",
                (
                    Panel(
                        title="Started last",
                        description="The ten services that were started last.",
                        queries=(
                            Query("bottomk(10, time() - sutazai_service_started_timestamp_seconds)", "{{service}}"),
                        ),
                        kind=Kind.BARS, unit="s", width=12, height=10,
                        empty_when="the engine does not say when",
                    ),
                    Panel(
                        title="Oldest images",
                        description="The ten that were made longest ago.",
                        queries=(
                            Query(
                                "topk(10, time() - sutazai_service_image_created_timestamp_seconds)", "{{service}}"
                            ),
                        ),
                        kind=Kind.BARS, unit="s", width=12, height=10,
                        empty_when="the engine knows no images",
                    ),
                ),
            ),
            Row(
                "Dagster",
                (
                    Panel(
                        title="Heartbeats",
                        description="Since each daemon last said that it lives.",
                        queries=(Query("signal:dagster_heartbeat_age", "{{daemon}}"),),
                        unit="s", low=0, empty_when=NO_DAGSTER, level=level(rulebook, "dagster_asleep"),
                    ),
                    Panel(
                        title="Schedules late",
                        description="Since a running schedule should have ticked and did not.",
                        queries=(Query("signal:dagster_schedule_late", "{{schedule}}"),),
                        unit="s", low=0, empty_when="no schedule is switched on",
                        level=level(rulebook, "dagster_schedule_missed"),
                    ),
                    Panel(
                        title="Runs stuck",
                        description="Runs that wait or start for longer than a quarter of an hour.",
                        queries=(Query("signal:dagster_runs_stuck", "runs"),),
                        low=0, empty_when=NO_DAGSTER, level=level(rulebook, "dagster_runs_stuck"),
                    ),
                ),
            ),
        ),
    )  # fmt: skip
