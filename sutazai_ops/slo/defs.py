"""All that Dagster sees of objectives: the facts of each day, the reports of weeks and months, and the gate.

    objectives/daily_facts ──> objectives/weekly_report
                          └──> objectives/monthly_report

Facts are partitioned by the day, so that any day can be made again as far back as Prometheus reaches; once an hour the
days that can still change are. A report asks nobody but the ledger: made again, it is the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
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
    from sutazai_ops.installation import Installation
    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.gate import Gate
    from sutazai_ops.slo.period import Span
    from sutazai_ops.slo.promises import Promises
    from sutazai_ops.slo.report_model import Report

AREA = "objectives"
TAGS = {"ops/area": AREA}
OWNER = "team:operations"
FACTS = dg.AssetKey([AREA, "daily_facts"])
POOL = "objectives"
"""One run at a time: two would ask Prometheus the same."""
FIRST_DAY = "2026-01-01"
MAX_RUNTIME = {"dagster/max_runtime": str(3600)}
Meant = Callable[["Installation"], Sequence[Service]]
"""Finds the services that are meant to run; given by whoever knows of releases."""
Metadata = dict[str, int | float | str | dg.TableMetadataValue | dg.MarkdownMetadataValue | dg.PathMetadataValue]


def defs(settings: Settings, meant: Meant) -> dg.Definitions:
    """The assets, the check, the jobs and the schedules of objectives; asks no server."""
    weekly = dg.WeeklyPartitionsDefinition(start_date="2026-01-05", day_offset=1)
    monthly = dg.MonthlyPartitionsDefinition(start_date=FIRST_DAY)
    facts = _facts(meant)
    reports = [_report("weekly", weekly, meant), _report("monthly", monthly, meant)]
    return dg.Definitions(
        assets=[facts, *reports],
        asset_checks=[_gate_check(meant)],
        jobs=[
            _compute_job(meant),
            *(
                dg.define_asset_job(
                    f"{name}_objectives_report",
                    selection=dg.AssetSelection.assets(dg.AssetKey([AREA, f"{name}_report"])),
                    description=f"Makes the {name} report out of the facts.",
                    tags=TAGS | MAX_RUNTIME,
                )
                for name in ("weekly", "monthly")
            ),
            dg.define_asset_job(
                "ask_deploy_gate",
                selection=dg.AssetSelection.checks(dg.AssetCheckKey(FACTS, "deploy_gate")),
                description="Whether a deployment may begin now.",
                tags=TAGS,
            ),
        ],
        schedules=[
            production_schedule("compute_facts", settings.slo.facts_schedule, settings, "every hour"),
            _report_schedule("weekly", settings.slo.weekly_schedule, settings),
            _report_schedule("monthly", settings.slo.monthly_schedule, settings),
        ],
    )


def _facts(meant: Meant) -> dg.AssetsDefinition:
    @dg.asset(
        key=FACTS,
        group_name=AREA,
        description="What every objective came to on each UTC day: counted, probed, lost, measured. Kept for ever.",
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
            promises = _open(operations, meant)
            made = promises.update(days, datetime.now(UTC), LoggedProgress(context.log))
        return dg.MaterializeResult(metadata=_metadata_of_facts([fact for facts in made.values() for fact in facts]))

    return daily_facts


def _compute_job(meant: Meant) -> dg.JobDefinition:
    @dg.op(
        pool=POOL, retry_policy=ONE_MORE_ATTEMPT, description="Computes the facts of the days that can still change."
    )
    def compute_due_facts(context: dg.OpExecutionContext, operations: Operations) -> None:
        now = datetime.now(UTC)
        with telling_dagster():
            promises = _open(operations, meant)
            made = promises.update(promises.due(now), now, LoggedProgress(context.log))
        for day, facts in sorted(made.items()):
            context.log_event(
                dg.AssetMaterialization(FACTS, partition=day.isoformat(), metadata=_metadata_of_facts(facts))
            )

    @dg.job(
        name="compute_facts",
        description="Computes the daily facts that can still change: today's, and those of days that lack something.",
        tags=TAGS | MAX_RUNTIME,
        executor_def=dg.in_process_executor,
    )
    def compute_facts() -> None:
        compute_due_facts()

    return compute_facts


def _report(
    name: str, partitions: dg.WeeklyPartitionsDefinition | dg.MonthlyPartitionsDefinition, meant: Meant
) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey([AREA, f"{name}_report"]),
        group_name=AREA,
        description=f"What users had in a {name.removesuffix('ly')}, held against what was promised, as a page.",
        kinds={"html"},
        owners=[OWNER],
        tags=TAGS,
        deps=[FACTS],
        partitions_def=partitions,
    )
    def made(context: dg.AssetExecutionContext, operations: Operations) -> dg.MaterializeResult[None]:
        from sutazai_ops.reports.files import Format
        from sutazai_ops.slo.writing import write

        with telling_dagster():
            promises = _open(operations, meant)
            span = _span(name, date.fromisoformat(context.partition_key))
            report = promises.report(span)
            folder = promises.installation.settings.reports / "slo"
            files = write(report, folder, span.file_name, list(Format))
        return dg.MaterializeResult(metadata=metadata_of(report) | {"page": dg.MetadataValue.path(files[Format.HTML])})

    return made


def _span(name: str, first: date) -> "Span":
    from sutazai_ops.slo import period

    return period.month_of(first) if name == "monthly" else period.week_before(first + timedelta(days=7))


def _report_schedule(name: str, cron: str, settings: Settings) -> dg.ScheduleDefinition:
    job = f"{name}_objectives_report"

    def last(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        from sutazai_ops.slo import period

        day = context.scheduled_execution_time.date()
        span = period.month_before(day) if name == "monthly" else period.week_before(day)
        return dg.RunRequest(run_key=f"{job}-{span.first}", partition_key=span.first.isoformat())

    return production_schedule(job, cron, settings, f"the report of the last {name.removesuffix('ly')}", last)


def _gate_check(meant: Meant) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=FACTS,
        name="deploy_gate",
        description="A deployment may begin: no budget is spent or burns fast, and enough is measured to tell.",
    )
    def deploy_gate(operations: Operations) -> dg.AssetCheckResult:
        from sutazai_ops.slo.gate import ask

        with telling_dagster():
            promises = _open(operations, meant)
            gate = ask(promises, datetime.now(UTC))
        is_enforced = promises.installation.settings.slo.gate == "enforce"
        return dg.AssetCheckResult(
            passed=gate.is_open,
            severity=dg.AssetCheckSeverity.ERROR if is_enforced else dg.AssetCheckSeverity.WARN,
            description=gate.sentence,
            metadata=_metadata_of_gate(gate),
        )

    return deploy_gate


def metadata_of(report: "Report") -> Metadata:
    """A report as numbers that plot, a table and a small picture; each number keeps its name and unit for ever."""
    from sutazai_ops.slo.report_picture import as_markdown

    told = [one for one in report.objectives if one.budget]
    metadata: Metadata = {
        "verdict": report.summary.verdict.value,
        "because": report.summary.sentence,
        "objectives_missed": sum(one.verdict.is_missed for one in report.objectives),
        "objectives_unknown": sum(not one.verdict.is_missed and not one.verdict.is_met for one in report.objectives),
    }
    expected = sum(one.counts.expected_minutes for one in report.objectives)
    if expected:
        metadata["coverage"] = sum(one.counts.measured_minutes for one in report.objectives) / expected
    if report.platform and report.platform.journeys is not None:
        metadata["availability"] = report.platform.journeys
    if told:
        metadata["budget_left_share"] = min(one.budget.left_share for one in told if one.budget)
        metadata["burn_rate"] = max(one.budget.burn_rate for one in told if one.budget)
    rows = list(_rows(report))
    if rows:
        metadata["objectives"] = dg.MetadataValue.table([dg.TableRecord(row) for row in rows])
    metadata["picture"] = dg.MetadataValue.md(as_markdown(report))
    return metadata


def _rows(report: "Report") -> Iterator[Mapping[str, str | int | float | bool]]:
    from sutazai_ops.reports.figures import left, percent, promised

    for one in report.objectives:
        yield {
            "objective": one.name,
            "verdict": one.verdict.value,
            "came to": percent(one.figure, one.target),
            "promised": promised(one.target),
            "budget left": left(one.budget.left_share) if one.budget else "",
            "measured": percent(one.figures.coverage),
        }


def _metadata_of_facts(facts: "Sequence[Fact]") -> Metadata:
    from sutazai_ops.slo import maths

    totals = maths.add_up(fact.totals for fact in facts)
    metadata: Metadata = {"facts": len(facts), "coverage": maths.coverage(totals), "imputed_requests": totals.imputed}
    probe = maths.probe(totals)
    if probe is not None:
        metadata["probe_share"] = probe
    warnings = list(dict.fromkeys(warning for fact in facts for warning in fact.warnings))
    if warnings:
        metadata["warnings"] = "; ".join(warnings)
    return metadata


def _metadata_of_gate(gate: "Gate") -> Metadata:
    metadata: Metadata = {"looked_at": len(gate.looked_at)}
    if gate.least_left is not None:
        metadata["budget_left_share"] = gate.least_left
    if gate.reasons:
        rows = [dg.TableRecord({"cause": str(one.cause), "why": one.sentence}) for one in gate.reasons]
        metadata["reasons"] = dg.MetadataValue.table(rows)
    return metadata


def _open(operations: Operations, meant: Meant) -> "Promises":
    from sutazai_ops.slo import promises_of

    here = operations.open()
    return promises_of(here, meant(here))
