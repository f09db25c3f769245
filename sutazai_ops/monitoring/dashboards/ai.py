"""AI work: which models are loaded and how fast they are, which tasks agents do, and what waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.dashboards.levels import level
from sutazai_ops.monitoring.dashboards.panels import Dashboard, Kind, Panel, Query, Row

if TYPE_CHECKING:
    from sutazai_ops.monitoring.thresholds import Rulebook

NO_MODEL = "no model is loaded"
NO_TASK = "no agent has done a task"
P95 = "histogram_quantile(0.95, sum by (service, model, le) (rate(sutazai_inference_duration_seconds_bucket[1h])))"
UNANSWERED = "sum by (model) (increase(sutazai_inference_failures_total[1h]))"
DONE = (
    'sum by (service) (rate(agent_tasks_total{status="done"}[5m]))'
    " / (sum by (service) (rate(agent_tasks_total[5m])) > 0)"
)


def ai(rulebook: Rulebook) -> Dashboard:
    """Models, tasks and queues."""
    return Dashboard(
        uid="sutazai-ai",
        title="AI work",
        description="Models and how fast they are, the tasks of agents, and what waits for them.",
        rows=(
            Row(
                "Models",
                (
                    Panel(
                        title="Models loaded",
                        description="Those in memory now.",
                        queries=(Query("count by (service) (sutazai_model_loaded == 1)", "{{service}}"),),
                        kind=Kind.NUMBER, empty_when=NO_MODEL,
                    ),
                    Panel(
                        title="A small question",
                        description="How long a loaded model took for the last one.",
                        queries=(Query("signal:inference_seconds", "{{model}}"),),
                        unit="s", low=0, empty_when=NO_MODEL, level=level(rulebook, "inference_slow"),
                    ),
                    Panel(
                        title="Small questions over an hour",
                        description="Within which 95 of 100 were answered, and how many had no answer.",
                        queries=(
                            Query(P95, "{{model}}"),
                            Query(UNANSWERED, "{{model}} failed"),
                        ),
                        unit="s", low=0, empty_when=NO_MODEL,
                    ),
                ),
            ),
            Row(
                "Tasks",
                (
                    Panel(
                        title="Tasks ended",
                        description="How many a second, by how they ended.",
                        queries=(Query("sum by (status) (rate(agent_tasks_total[5m]))", "{{status}}"),),
                        low=0, empty_when=NO_TASK,
                    ),
                    Panel(
                        title="Time a task takes",
                        description="On average, by agent.",
                        queries=(Query("signal:task_seconds", "{{service}}"),),
                        unit="s", low=0, empty_when=NO_TASK, level=level(rulebook, "task_slow"),
                    ),
                    Panel(
                        title="Tasks completed",
                        description="The share that ended well.",
                        queries=(Query(DONE, "{{service}}"),),
                        unit="percentunit", low=0, high=1, empty_when=NO_TASK,
                    ),
                ),
            ),
            Row(
                "Queues",
                (
                    Panel(
                        title="Waiting",
                        description="Entries in each queue.",
                        queries=(Query("signal:queue_depth", "{{queue}}"),),
                        width=12, low=0, empty_when="the platform names no queue",
                    ),
                    Panel(
                        title="Waiting since",
                        description="How long the oldest entry has waited, which says more than how many wait.",
                        queries=(Query("signal:queue_age", "{{queue}}"),),
                        width=12, unit="s", low=0, empty_when="entries do not say when they were queued",
                        level=level(rulebook, "queue_old"),
                    ),
                ),
            ),
        ),
    )  # fmt: skip
