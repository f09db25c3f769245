"""All that Dagster sees of capacity: the facts of each day, and the report of each month.

    capacity/daily_facts ──> capacity/monthly_report

Facts are partitioned by the day, so that any day can be made again as far back as Prometheus reaches; once an hour the
days that can still change are. A report asks nobody but the ledger: made again, it is the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import dagster as dg

from sutazai_ops.orchestration import (
    ONE_MORE_ATTEMPT,
    LoggedProgress,
    Operations,
    production_schedule,
    telling_dagster,
)
from sutazai_ops.platform import Service
from sutazai_ops.settings import Settings

if TYPE_CHECKING:
    from sutazai_ops.capacity.facts import ServiceDay
    from sutazai_ops.capacity.report_model import Report
    from sutazai_ops.capacity.room import Room
    from sutazai_ops.installation import Installation

AREA = "capacity"
TAGS = {"ops/area": AREA}
OWNER = "team:operations"
FACTS = dg.AssetKey([AREA, "daily_facts"])
REPORT = dg.AssetKey([AREA, "monthly_report"])
REPORT_JOB = "monthly_capacity_report"
POOL = "capacity"
"""One run at a time: two would ask Prometheus the same."""
FIRST_DAY = "2026-01-01"
MAX_RUNTIME = {"dagster/max_runtime": str(3600)}
Meant = Callable[["Installation"], Sequence[Service]]
"""Finds the services that are meant to run; given by whoever knows of releases."""
Metadata = dict[str, int | float | str | dg.TableMetadataValue | dg.MarkdownMetadataValue | dg.PathMetadataValue]


def defs(settings: Settings, meant: Meant) -> dg.Definitions:
    """The assets, the jobs and the schedules of capacity; asks no server."""
    return dg.Definitions(
        assets=[_facts(meant), _report(meant)],
        jobs=[
            _compute_job(meant),
            dg.define_asset_job(
                REPORT_JOB,
                selection=dg.AssetSelection.assets(REPORT),
                description="Makes the report on capacity and cost of a month out of the facts.",
                tags=TAGS | MAX_RUNTIME,
            ),
        ],
        schedules=[
            production_schedule("compute_capacity_facts", settings.capacity.facts_schedule, settings, "every hour"),
            production_schedule(
                REPORT_JOB, settings.capacity.monthly_schedule, settings, "the report of the last month", _last_month
            ),
        ],
    )


def _facts(meant: Meant) -> dg.AssetsDefinition:
    @dg.asset(
        key=FACTS,
        group_name=AREA,
        description="What every service used on each UTC day, what it was allowed, and what the host had. Kept for"
        " ever.",
        kinds={"prometheus"},
        owners=[OWNER],
        tags=TAGS,
        pool=POOL,
        partitions_def=dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1),
        retry_policy=ONE_MORE_ATTEMPT,
    )
    def daily_facts(context: dg.AssetExecutionContext, operations: Operations) -> dg.MaterializeResult[None]:
        days = [date.fromisoformat(key) for key in context.partition_keys]
        with telling_dagster():
            made = _open(operations, meant).update(days, datetime.now(UTC), LoggedProgress(context.log))
        return dg.MaterializeResult(metadata=_metadata_of_facts([fact for facts in made.values() for fact in facts]))

    return daily_facts


def _compute_job(meant: Meant) -> dg.JobDefinition:
    @dg.op(
        pool=POOL, retry_policy=ONE_MORE_ATTEMPT, description="Computes the facts of the days that can still change."
    )
    def compute_due_capacity_facts(context: dg.OpExecutionContext, operations: Operations) -> None:
        now = datetime.now(UTC)
        with telling_dagster():
            room = _open(operations, meant)
            made = room.update(room.due(now), now, LoggedProgress(context.log))
        for day, facts in sorted(made.items()):
            context.log_event(
                dg.AssetMaterialization(FACTS, partition=day.isoformat(), metadata=_metadata_of_facts(facts))
            )

    @dg.job(
        name="compute_capacity_facts",
        description="Computes what services used on the days that can still change.",
        tags=TAGS | MAX_RUNTIME,
        executor_def=dg.in_process_executor,
    )
    def compute_capacity_facts() -> None:
        compute_due_capacity_facts()

    return compute_capacity_facts


def _report(meant: Meant) -> dg.AssetsDefinition:
    @dg.asset(
        key=REPORT,
        group_name=AREA,
        description="What services used in a month, what they should be allowed, what is coming and what it cost.",
        kinds={"html"},
        owners=[OWNER],
        tags=TAGS,
        deps=[FACTS],
        partitions_def=dg.MonthlyPartitionsDefinition(start_date=FIRST_DAY),
    )
    def monthly_report(context: dg.AssetExecutionContext, operations: Operations) -> dg.MaterializeResult[None]:
        from sutazai_ops.capacity.writing import write
        from sutazai_ops.reports.files import Format
        from sutazai_ops.slo import period

        with telling_dagster():
            room = _open(operations, meant)
            span = period.month_of(date.fromisoformat(context.partition_key))
            report = room.report(span, datetime.now(UTC))
            files = write(report, room.installation.settings.reports / "capacity", span.file_name, list(Format))
        return dg.MaterializeResult(metadata=metadata_of(report) | {"page": dg.MetadataValue.path(files[Format.HTML])})

    return monthly_report


def _last_month(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    from sutazai_ops.slo import period

    span = period.month_before(context.scheduled_execution_time.date())
    return dg.RunRequest(run_key=f"{REPORT_JOB}-{span.first}", partition_key=span.first.isoformat())


def metadata_of(report: "Report") -> Metadata:
    """A report as numbers that plot, tables and a small picture; each number keeps its name and unit for ever."""
    from sutazai_ops.capacity.report_picture import as_markdown

    verdicts = [str(one.verdict) for one in report.metrics]
    metadata: Metadata = {
        "verdict": str(report.summary.verdict),
        "because": report.summary.sentence,
        **{f"metrics_{verdict}": verdicts.count(verdict) for verdict in ("met", "missed", "insufficient", "unknown")},
        "services_to_resize": sum(one.changes for one in report.services),
        "oom_kills": sum(one.oom_kills for one in report.services),
    }
    if report.fit.more is not None:
        metadata["more_services_fit"] = report.fit.more
    if report.cost is not None:
        metadata["cost"] = report.cost.total
        metadata["currency"] = report.cost.currency
        if report.cost.request is not None:
            metadata["cost_per_request"] = report.cost.request.amount
    # Names of Dagster's metadata may hold no hyphen where they are to be plotted by an expression.
    metadata |= {f"kpi_{one.name.replace('-', '_')}": one.value for one in report.metrics if one.value is not None}
    metadata["success_metrics"] = _table(
        {
            "metric": one.title,
            "verdict": str(one.verdict),
            "measured": one.measured,
            "target": one.target,
            "because": one.sentence,
        }
        for one in report.metrics
    )
    if report.next:
        metadata["next"] = _table({"change": one.what, "effect": one.effect} for one in report.next)
    metadata["picture"] = dg.MetadataValue.md(as_markdown(report))
    return metadata


def _table(rows: Iterable[Mapping[str, str]]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows])


def _metadata_of_facts(facts: "Sequence[ServiceDay]") -> Metadata:
    measured = [fact for fact in facts if fact.memory.measured]
    metadata: Metadata = {
        "services_measured": len(measured),
        "services_unmeasured": len(facts) - len(measured),
        "oom_kills": sum(fact.kills for fact in facts),
    }
    if measured:
        metadata["memory_peak_bytes"] = sum(fact.memory.spread.peak for fact in measured)
        metadata["cpu_p95_cores"] = sum(fact.cpu.spread.quantile(0.95) or 0.0 for fact in measured)
        metadata["coverage"] = sum(fact.coverage for fact in measured) / len(measured)
    return metadata


def _open(operations: Operations, meant: Meant) -> "Room":
    from sutazai_ops.capacity import room_of

    here = operations.open()
    return room_of(here, meant(here))
