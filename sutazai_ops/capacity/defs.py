"""All that Dagster sees of capacity: the facts of each day, and the report of each month.

    capacity/daily_facts ──> capacity/monthly_report

Facts are partitioned by the day, so that any day can be made again as far back as Prometheus reaches; once an hour the
days that can still change are. A report asks nobody but the ledger: made again, it is the same.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import dagster as dg

from sutazai_ops.errors import OpsError
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
    from sutazai_ops.capacity.autoscaler import Judged
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
AUTOSCALE_EVERY_SECONDS = 10
UNFINISHED = [
    status
    for status in dg.DagsterRunStatus
    if status not in {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
]
MAX_RUNTIME = {"dagster/max_runtime": str(3600)}
Meant = Callable[["Installation"], Sequence[Service]]
"""Finds the services that are meant to run; given by whoever knows of releases."""
Metadata = dict[str, int | float | str | dg.TableMetadataValue | dg.MarkdownMetadataValue | dg.PathMetadataValue]


def defs(settings: Settings, meant: Meant) -> dg.Definitions:
    """The assets, the jobs and the schedules of capacity; asks no server."""
    return dg.Definitions(
        assets=[_facts(meant), _report(meant)],
        jobs=[
            scale_service,
            _compute_job(meant),
            dg.define_asset_job(
                REPORT_JOB,
                selection=dg.AssetSelection.assets(REPORT),
                description="Makes the report on capacity and cost of a month out of the facts.",
                tags=TAGS | MAX_RUNTIME,
            ),
        ],
        sensors=[follow_queues],
        schedules=[
            production_schedule("compute_capacity_facts", settings.capacity.facts_schedule, settings, "every hour"),
            production_schedule(
                REPORT_JOB, settings.capacity.monthly_schedule, settings, "the report of the last month", _last_month
            ),
        ],
    )


class ScaleConfig(dg.Config):
    """What a rule decided."""

    rule: str
    decided: str
    """What the rule remembers, so that the run decides by the same. JSON: no map of Dagster's takes a null."""


@dg.op(pool="repair", description="Looks again, and scales the service if that is still decided.")
def scale_if_still_decided(context: dg.OpExecutionContext, operations: Operations, config: ScaleConfig) -> None:
    """One rule, decided anew and carried out."""
    from sutazai_ops.capacity.autoscaler import Memory, carry_out, judge_all
    from sutazai_ops.capacity.rules import read_rules

    with telling_dagster():
        here = operations.open()
        rules = read_rules(here.platform, here.settings.capacity.autoscaling_rules)
        due = {name: rule for name, rule in rules.items() if name == config.rule}
        memories = {config.rule: Memory.of_json(json.loads(config.decided))}
        for one in judge_all(here, due, memories, datetime.now(UTC)):
            entry, _ = carry_out(here, one, LoggedProgress(context.log))
            context.log.info("%s: %s, %s", one.rule.service, one.decision.because, entry.outcome if entry else "stays")


@dg.job(
    description="Scales one service as its rule decided; `sutazai-ops capacity autoscale log` says what came of it.",
    tags=TAGS | MAX_RUNTIME | {"dagster/max_retries": "0"},
    executor_def=dg.in_process_executor,
)
def scale_service() -> None:
    """One service."""
    scale_if_still_decided()


@dg.sensor(
    job=scale_service,
    minimum_interval_seconds=AUTOSCALE_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Looks at the queues that rules are on, and launches a run where more or fewer containers are due."
    " Switch it on instead of `sutazai-ops capacity autoscale watch`; it needs capacity.autoscaling to be on.",
    tags=TAGS,
)
def follow_queues(context: dg.SensorEvaluationContext, operations: Operations) -> dg.SensorResult:
    """One round; an error of what it asks is told, and changes nothing."""
    from sutazai_ops.capacity.autoscaler import Memory, judge_all
    from sutazai_ops.capacity.rules import read_rules

    kept = {name: Memory.of_json(one) for name, one in json.loads(context.cursor or "{}").items()}
    try:
        here = operations.open()
        if here.settings.capacity.autoscaling == "off":
            return dg.SensorResult(skip_reason="capacity.autoscaling is off")
        rules = read_rules(here.platform, here.settings.capacity.autoscaling_rules)
        judged = judge_all(here, rules, kept, datetime.now(UTC))
    except OpsError as error:
        return dg.SensorResult(skip_reason=f"nothing was decided: {error.what}", cursor=context.cursor)
    # A run may wait longer in its queue than until the next look; a second one would only find nothing left to do.
    under_way = context.instance.get_runs(dg.RunsFilter(job_name=scale_service.name, statuses=UNFINISHED))
    served = {run.tags.get("ops/service") for run in under_way}
    due = [one for one in judged if one.decision.before != one.decision.after and one.rule.service not in served]
    return dg.SensorResult(
        run_requests=[_scale_request(one) for one in due],
        skip_reason=None if due else "; ".join(f"{one.rule.service}: {one.decision.because}" for one in judged),
        cursor=json.dumps({one.rule.name: one.memory.as_json() for one in judged}),
    )


def _scale_request(one: "Judged") -> dg.RunRequest:
    decision, memory = one.decision, one.memory
    # The same from tick to tick, and another once the queue was well meanwhile or the number is another.
    since = memory.since.old or memory.since.young or one.seen.at
    again = int((one.seen.at - since).total_seconds() // max(one.rule.cool_down, 60.0))
    return dg.RunRequest(
        run_key=f"{one.rule.name}:{decision.before}:{decision.after}:{since:%Y%m%dT%H%M%S}:{again}",
        run_config=dg.RunConfig(
            ops={"scale_if_still_decided": ScaleConfig(rule=one.rule.name, decided=json.dumps(memory.as_json()))}
        ),
        tags={"ops/service": one.rule.service},
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
