"""All that Dagster sees of backups: an asset a service, the proof, retention, and the jobs and schedule around them.

    backups/postgres ─┐
    backups/redis ────┴─> backups/restore_verification ──> backups/retention

One run takes one set, restores it, and only then prunes. A step that fails stops what comes after it. Retention asks
for itself whether tonight's set was verified, because a check gates one run only and a person can select one asset.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from sutazai_ops.backups import figures
from sutazai_ops.backups.manifest import Manifest, Outcome, Rung, RungResult, Verification
from sutazai_ops.orchestration import (
    ONE_MORE_ATTEMPT,
    LoggedProgress,
    Operations,
    PermanentFailure,
    production_schedule,
    telling_dagster,
)
from sutazai_ops.platform import Platform, Service
from sutazai_ops.settings import Settings

if TYPE_CHECKING:
    from sutazai_ops.backups.night import Backups
    from sutazai_ops.backups.retention import RetentionPlan
    from sutazai_ops.backups.store import BackupSet

GROUP = "backups"
NIGHT = "nightly_backup"
Metadata = dict[str, int | float | str | dg.TableMetadataValue | dg.MarkdownMetadataValue]
POOL = "backups"
"""One run at a time in dagster.yaml: two nights at once would fight for the lock of the store."""

OWNER = "team:operations"
TAGS = {"ops/area": GROUP}
VERIFICATION = dg.AssetKey([GROUP, "restore_verification"])
RETENTION = dg.AssetKey([GROUP, "retention"])
MAX_RUNTIME = {"dagster/max_runtime": str(4 * 3600)}
"""Seconds. A run that hangs is failed before the next night, instead of holding its pool for ever."""

RUNGS = {
    Rung.HASHES: "Every artifact has the size and the hash that the manifest names.",
    Rung.ARCHIVES: "Every archive is read through to its end by the tool that would restore it.",
    Rung.RESTORE: "Everything is restored into scratch servers.",
    Rung.CONTENT: "Rows, keys, constraints, indexes, extensions and roles are those of the manifest.",
    Rung.SELF_TEST: "The verifier was shown a flipped and a truncated copy, and refused both.",
}


def defs(settings: Settings, platform: Platform) -> dg.Definitions:
    """The assets, checks, jobs and schedule of this platform's backups; reads no server and no secret."""
    services = [service for service in platform if service.is_backed_up]
    if not services:
        return dg.Definitions()
    night = dg.define_asset_job(
        NIGHT,
        selection=dg.AssetSelection.groups(GROUP),
        description="Takes one backup set of every service, proves it by restoring it, then lets old sets go.",
        tags=TAGS | MAX_RUNTIME,
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(
        assets=[_take(settings, services), _verification(services), _retention()],
        jobs=[night, verify_backup, restore_drill, prune_backups],
        schedules=[production_schedule(NIGHT, settings.backup.schedule, settings, "every night")],
    )


def _take(settings: Settings, services: list[Service]) -> dg.AssetsDefinition:
    deadline = dg.FreshnessPolicy.cron(
        deadline_cron=settings.backup.deadline, lower_bound_delta=timedelta(hours=24), timezone=settings.timezone
    )

    @dg.multi_asset(
        name="take_backup_set",
        description="Takes one backup set: every service, whole or not at all.",
        specs=[_spec(service, deadline) for service in services],
        can_subset=True,
        pool=POOL,
        retry_policy=ONE_MORE_ATTEMPT,
    )
    def take_backup_set(
        context: dg.AssetExecutionContext, operations: Operations
    ) -> Iterator[dg.MaterializeResult[None]]:
        from sutazai_ops.backups.night import take_set

        chosen = sorted(key.path[-1] for key in context.selected_asset_keys)
        with telling_dagster():
            backups = _open(operations)
            backup_set = take_set(
                backups, backups.services(chosen), LoggedProgress(context.log), run=context.run.run_id
            )
            manifest = backup_set.manifest()
        for name in chosen:
            yield dg.MaterializeResult(asset_key=_key(name), metadata=_service_metadata(manifest, name))

    return take_backup_set


def _spec(service: Service, deadline: dg.FreshnessPolicy) -> dg.AssetSpec:
    kind = service.backup.kind if service.backup else "none"
    return dg.AssetSpec(
        key=_key(service.name),
        group_name=GROUP,
        description=f"The newest backup of {service.name}: {service.description or service.image or kind}",
        kinds={kind},
        owners=[OWNER],
        tags=TAGS | {"ops/service": service.name, "ops/criticality": service.criticality.value},
        freshness_policy=deadline,
    )


def _key(service: str) -> dg.AssetKey:
    # A Compose name may hold dots and dashes, of which an asset key takes any but the slash.
    return dg.AssetKey([GROUP, service])


def _verification(services: list[Service]) -> dg.AssetsDefinition:
    @dg.asset(
        key=VERIFICATION,
        group_name=GROUP,
        description="The proof of tonight's set: restored into scratch servers and compared row by row, key by key.",
        kinds={"restore"},
        owners=[OWNER],
        tags=TAGS,
        deps=[_key(service.name) for service in services],
        check_specs=[
            dg.AssetCheckSpec(name=_check_name(rung), asset=VERIFICATION, description=description)
            for rung, description in RUNGS.items()
        ],
        pool=POOL,
    )
    def restore_verification(
        context: dg.AssetExecutionContext, operations: Operations
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        from sutazai_ops.backups.night import prove_set, rungs_due

        with telling_dagster():
            backups = _open(operations)
            backup_set = _tonights(backups, context.run.run_id)
            rungs = rungs_due(backups.store.listing(), backups.settings.backup.restore_every)
            verification = prove_set(backups, backup_set, LoggedProgress(context.log), rungs)
        yield from (_check_result(rung, verification) for rung in RUNGS)
        _refuse_unless_good(verification)
        yield dg.MaterializeResult(metadata=_proof_metadata(backups, backup_set.manifest(), verification))

    return restore_verification


def _retention() -> dg.AssetsDefinition:
    @dg.asset(
        key=RETENTION,
        group_name=GROUP,
        description="Which sets are kept and why. Deletes only for a newer set that was verified.",
        kinds={"retention"},
        owners=[OWNER],
        tags=TAGS,
        deps=[VERIFICATION],
        check_specs=[
            dg.AssetCheckSpec(
                name="nothing_in_doubt",
                asset=RETENTION,
                description="The plan could be followed: the new set is verified, the listing whole, the clock right.",
            )
        ],
        pool=POOL,
    )
    def retention(
        context: dg.AssetExecutionContext, operations: Operations
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        from sutazai_ops.backups.night import prune

        with telling_dagster():
            backups = _open(operations)
            plan, gone = prune(backups, new_set=_tonights(backups, context.run.run_id))
        yield dg.AssetCheckResult(
            check_name="nothing_in_doubt",
            passed=not plan.refused,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"refused": plan.refused} if plan.refused else {},
        )
        yield dg.MaterializeResult(metadata=_retention_metadata(plan, gone))

    return retention


class WhichSet(dg.Config):
    """Which backup set a job works on."""

    backup_set: str = Field(default="newest", description='An id, the beginning of one, "newest" or "latest-verified".')


class HowToPrune(dg.Config):
    """Whether a prune is only shown."""

    dry_run: bool = Field(default=True, description="Only show what would be deleted. Set to false to delete it.")


@dg.op(pool=POOL, description="Reads every byte of a set through, without restoring it.")
def read_set_through(context: dg.OpExecutionContext, config: WhichSet, operations: Operations) -> None:
    """Climb the two lower rungs for one set."""
    from sutazai_ops.backups.night import READ_THROUGH

    _prove(context, operations, config.backup_set, READ_THROUGH)


@dg.op(
    pool=POOL, description="Restores a set into scratch servers, compares everything, and measures how long it took."
)
def restore_set(context: dg.OpExecutionContext, config: WhichSet, operations: Operations) -> None:
    """Climb the whole ladder for one set."""
    _prove(context, operations, config.backup_set, tuple(Rung))


@dg.op(pool=POOL, description="Deletes sets that no rule needs.")
def prune_sets(context: dg.OpExecutionContext, config: HowToPrune, operations: Operations) -> None:
    """Prune, or show what a prune would do."""
    from sutazai_ops.backups.night import plan_prune, prune

    with telling_dagster():
        backups = _open(operations)
        plan, gone = (plan_prune(backups), []) if config.dry_run else prune(backups)
    context.add_output_metadata(_retention_metadata(plan, gone))
    if plan.refused:
        raise PermanentFailure(f"nothing was pruned: {plan.refused}")


@dg.job(tags=TAGS | MAX_RUNTIME, executor_def=dg.in_process_executor)
def verify_backup() -> None:
    """Reads every byte of one set through. Choose the set in the launchpad."""
    read_set_through()


@dg.job(tags=TAGS | MAX_RUNTIME, executor_def=dg.in_process_executor)
def restore_drill() -> None:
    """Restores one set into scratch servers and measures the recovery. Choose the set in the launchpad."""
    restore_set()


@dg.job(tags=TAGS | MAX_RUNTIME, executor_def=dg.in_process_executor)
def prune_backups() -> None:
    """Shows which sets no rule needs; deletes them only with `dry_run: false`."""
    prune_sets()


def _prove(context: dg.OpExecutionContext, operations: Operations, ref: str, rungs: tuple[Rung, ...]) -> None:
    from sutazai_ops.backups.night import prove_set

    with telling_dagster():
        backups = _open(operations)
        backup_set = backups.store.find(ref)
        verification = prove_set(backups, backup_set, LoggedProgress(context.log), rungs)
    context.add_output_metadata(_proof_metadata(backups, backup_set.manifest(), verification))
    _refuse_unless_good(verification)


def _open(operations: Operations) -> "Backups":
    from sutazai_ops.backups.night import Backups

    return Backups.of(operations.open())


def _tonights(backups: "Backups", run: str) -> "BackupSet":
    """The set that this run took; the newest where a person runs a later step by itself."""
    for backup_set in backups.store.listing().sets[:5]:
        if not backup_set.problem and backup_set.manifest().run == run:
            return backup_set
    return backups.store.find("newest")


def _check_name(rung: Rung) -> str:
    return rung.value.replace("-", "_")


def _check_result(rung: Rung, verification: Verification) -> dg.AssetCheckResult:
    result = next((result for result in verification.rungs if result.rung is rung), None)
    passed = result is not None and result.outcome == "passed"
    return dg.AssetCheckResult(
        asset_key=VERIFICATION,
        check_name=_check_name(rung),
        passed=passed,
        description=_in_words(result),
        metadata={"set": verification.set} | ({"seconds": result.seconds} if result else {}),
    )


def _in_words(result: RungResult | None) -> str:
    if result is None:
        return "not climbed: a rung below did not pass, or this night restores no set"
    return f"{result.outcome}{': ' + result.detail if result.detail else ''}"


def _refuse_unless_good(verification: Verification) -> None:
    if verification.outcome in {Outcome.VERIFIED, Outcome.READ}:
        return
    words = verification.rungs[-1].detail
    raise PermanentFailure(f"the set {verification.set} is {verification.outcome.value}: {words}")


def _service_metadata(manifest: Manifest, service: str) -> Metadata:
    return {**figures.of_service(manifest, service), "artifacts": _table(figures.of_artifacts(manifest, service))}


def _proof_metadata(backups: "Backups", manifest: Manifest, verification: Verification) -> Metadata:
    from sutazai_ops.backups.picture import as_markdown

    metadata: Metadata = {**figures.of_verification(verification, manifest)}
    if verification.restore_seconds:
        metadata["phases"] = _table(figures.of_phases(verification))
    metadata["artifacts"] = _table(figures.of_artifacts(manifest))
    bars = figures.bars(backups.store.listing().sets)
    metadata["last_sets"] = dg.MetadataValue.md(as_markdown(bars))
    return metadata


def _retention_metadata(plan: "RetentionPlan", gone: list[str]) -> Metadata:
    rows: list[figures.Figures] = [
        {"set": decision.set, "fate": "kept" if decision.keep else "deleted", "because": decision.because}
        for decision in plan.decisions
    ]
    metadata: Metadata = {"kept_sets": len(rows) - len(gone), "deleted_sets": len(gone)}
    if rows:
        metadata["decisions"] = _table(rows)
    if plan.refused:
        metadata["refused"] = plan.refused
    return metadata


def _table(rows: list[figures.Figures]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows])
