"""All that Dagster sees of models: one asset a model, what is checked of each, and the job that has them ready.

    platform/ollama ──> models/llama3.2_3b
                   └──> models/nomic-embed-text_latest

`preload_models` pulls what is missing, holds it against its digest, warms what should be warm and measures what is in
memory. It runs from its schedule, and after each roll-out that has changed the service that holds the models. What a
person has to decide, such as a tag that moved, fails the model that it is about and no other.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from sutazai_ops.engines import Act
from sutazai_ops.errors import OpsError
from sutazai_ops.models.manifest import Purpose, Wanted, read_manifest, server_of
from sutazai_ops.monitoring.servers import is_ollama
from sutazai_ops.orchestration import (
    ONE_MORE_ATTEMPT,
    LoggedProgress,
    Operations,
    production_schedule,
    telling_dagster,
)
from sutazai_ops.platform import Platform, Service
from sutazai_ops.settings import Settings

if TYPE_CHECKING:
    from sutazai_ops.models.apply import Done
    from sutazai_ops.models.bench import Measured
    from sutazai_ops.models.fleet import Fleet

AREA = "models"
JOB = "preload_models"
POOL = "models"
"""One run at a time: two would pull the same, and warm against each other."""
TAGS = {"ops/area": AREA}
OWNER = "team:operations"
MAX_RUNTIME = {"dagster/max_runtime": str(4 * 3600)}
"""Seconds. Tens of gigabytes over a slow line."""
PINNED, ANSWERS, DIMENSION, FITS, NEEDED = "as_pinned", "answers_in_time", "dimension", "fits", "there_for_its_users"
CHECKS = {
    PINNED: "It is there, with the digest that it was pinned to.",
    ANSWERS: "In memory, it answers a small question within its limit.",
    DIMENSION: "Its vectors have as many numbers as the collections of the vector stores expect.",
    FITS: "It fits in memory beside those that are warmed before it, with every context that may be open at once.",
    NEEDED: "No service names it in vain.",
}
NOT_STARTED = frozenset({Act.UNCHANGED, Act.REMOVE})
"""What a roll-out may do to a service that leaves its memory as it was, or nobody to ask."""
LOOKED_BACK = timedelta(days=1)
"""By a sensor that has never looked: whoever rolls the platform out first often does so before Dagster runs."""


def defs(settings: Settings, platform: Platform) -> dg.Definitions:
    """The assets, checks, job, schedule and sensors of the models of this platform; asks no server."""
    try:
        manifest = read_manifest(platform, settings.models.manifest)
    except OpsError as error:
        # What is wrong with the models must not keep the nights from their backups; the job says what it is.
        logging.getLogger(__name__).warning("no model is an asset: %s", error)
        return dg.Definitions(jobs=[preload_models])
    servers = [service for service in platform if is_ollama(service)]
    held = [model for model in manifest if server_of(model, servers)]
    if not held:
        return dg.Definitions()
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.groups(AREA),
        description="Pulls the models that are missing, holds them against their digests, warms and measures them.",
        tags=TAGS | MAX_RUNTIME,
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(
        assets=[_preload(held, servers)],
        asset_checks=[_checks(held)],
        jobs=[job],
        schedules=[production_schedule(JOB, settings.models.schedule, settings, "every night")],
        sensors=[_after_roll_out(service, settings) for service in servers if service.external is None],
    )


@dg.op(description="Reads the manifest of models, which is wrong, and says where.")
def read_models(operations: Operations) -> None:
    """Raise what keeps the models from being assets."""
    with telling_dagster():
        _open(operations).manifest  # noqa: B018


@dg.job(name=JOB, tags=TAGS)
def preload_models() -> None:
    """Says what is wrong with the manifest of models."""
    read_models()


def _name(model: str) -> str:
    # A name of a model may hold colons and slashes, of which an asset key takes the first and no slash.
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in model)


def _key(model: str) -> dg.AssetKey:
    return dg.AssetKey([AREA, _name(model)])


def _spec(model: Wanted, servers: Sequence[Service]) -> dg.AssetSpec:
    server = server_of(model, list(servers))
    return dg.AssetSpec(
        key=_key(model.name),
        group_name=AREA,
        deps=[dg.AssetKey(["platform", server.name])] if server else [],
        description=model.description or f"{model.name}, for {model.purpose}",
        kinds={"ollama", model.purpose.value},
        owners=[OWNER],
        tags=TAGS | ({"ops/service": server.name} if server else {}),
        skippable=True,
    )


def _preload(held: Sequence[Wanted], servers: Sequence[Service]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="preload",
        description="Has models there, as pinned, and those that should be warm in memory; measures what is.",
        specs=[_spec(model, servers) for model in held],
        can_subset=True,
        pool=POOL,
        retry_policy=ONE_MORE_ATTEMPT,
    )
    def preload(context: dg.AssetExecutionContext, operations: Operations) -> Iterator[dg.MaterializeResult[None]]:
        names = [model.name for model in held if _key(model.name) in context.selected_asset_keys]
        with telling_dagster():
            made, failed = _have_ready(_open(operations), names, LoggedProgress(context.log))
        # In the order of the manifest, whichever server holds them.
        for name in names:
            if name in made:
                yield dg.MaterializeResult(asset_key=_key(name), metadata=made[name])
        for one in failed:
            context.log.error("%s: %s: %s", one.step.model, one.step.act, one.error)
        if failed:
            first = failed[0]
            raise dg.Failure(
                f"{len(failed)} could not be done: {first.step.model}: {first.error} — sutazai-ops models plan",
                allow_retries=any(one.retryable for one in failed),
            )

    return preload


def _have_ready(
    fleet: "Fleet", names: Sequence[str], progress: LoggedProgress
) -> tuple[dict[str, dict[str, Any]], list["Done"]]:
    """Carry the plan of each server out; the metadata of each model that is there, and what could not be done."""
    from sutazai_ops.models.apply import Done, carry_out
    from sutazai_ops.models.bench import measure
    from sutazai_ops.models.plan import Act, Step

    made: dict[str, dict[str, Any]] = {}
    failed: list[Done] = []
    for house, _, plan in fleet.plans(names):
        done = carry_out(fleet, house, plan, progress)
        failed += [one for one in done if one.error]
        there = {one.name: one for one in house.ollama.present()}
        loaded = {one.name for one in house.ollama.in_memory()}
        for model in house.wanted:
            if model.name in there:
                # Only what is in memory: to load another one for the asking would put somebody's model out.
                measured = None
                if model.name in loaded:
                    try:
                        measured = measure(house.ollama, there[model.name])
                    except OpsError as error:
                        failed.append(Done(Step(model.name, house.server.name, Act.WARM, ""), error=error.what))
                took = {
                    str(one.step.act): one.seconds for one in done if one.step.model == model.name and not one.error
                }
                made[model.name] = {
                    "digest": there[model.name].digest,
                    "pinned": fleet.pins.get(model.name, "not pinned"),
                    "bytes": there[model.name].size,
                    "quantization": there[model.name].quantization or "unknown",
                    **_figures(measured, took),
                }
    return made, failed


def _figures(measured: "Measured | None", took: Mapping[str, float]) -> dict[str, Any]:
    """What is plotted; a figure that was not measured this time is left out."""
    found: dict[str, Any] = {"in_memory": measured is not None}
    found |= {f"seconds_to_{act}": round(took[act], 3) for act in ("pull", "warm") if act in took}
    if measured is not None:
        figures = {
            "memory_bytes": measured.memory,
            "seconds_to_first_token": measured.first_token_seconds,
            "tokens_per_second": measured.tokens_per_second,
            "dimension": measured.dimension,
        }
        found |= {name: value for name, value in figures.items() if value is not None}
    return found


def _applies(check: str, model: Wanted) -> bool:
    if check in {ANSWERS, FITS}:
        return model.warm
    return check != DIMENSION or model.purpose is Purpose.EMBEDDING


def _checks(held: Sequence[Wanted]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name="checks_of_models",
        description="What each Ollama has, held against the manifest, the pins, and those who use it.",
        specs=[
            dg.AssetCheckSpec(name=name, asset=_key(model.name), description=description)
            for model in held
            for name, description in CHECKS.items()
            if _applies(name, model)
        ],
        can_subset=True,
        pool=POOL,
    )
    def checks(context: dg.AssetCheckExecutionContext, operations: Operations) -> Iterator[dg.AssetCheckResult]:
        selected = context.selected_asset_check_keys
        with telling_dagster():
            judged = list(_judge(_open(operations), selected))
        yield from judged

    return checks


def _judge(fleet: "Fleet", selected: Collection[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckResult]:
    from sutazai_ops.models.judge import JUDGES, Case, Outcome

    for house, seen, plan in fleet.plans():
        for model in house.wanted:
            users = fleet.users.get(model.name, [])
            case = Case(fleet.here, model, house, seen, plan, fleet.pins.get(model.name), users)
            for name, judge in JUDGES.items():
                if dg.AssetCheckKey(_key(model.name), name) in selected:
                    verdict = judge(case)
                    is_bad = verdict.outcome is Outcome.BAD
                    yield dg.AssetCheckResult(
                        asset_key=_key(model.name),
                        check_name=name,
                        passed=verdict.outcome is Outcome.GOOD,
                        severity=dg.AssetCheckSeverity.ERROR if is_bad else dg.AssetCheckSeverity.WARN,
                        description=verdict.because,
                        metadata=dict(verdict.figures),
                    )


def _after_roll_out(service: Service, settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        job_name=JOB,
        name=f"preload_after_{_name(service.name).replace('.', '_').replace('-', '_')}",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.runs_by_itself else dg.DefaultSensorStatus.STOPPED,
        description=f"Has the models ready after each roll-out that has changed {service.name}, whoever made it; on by"
        " itself only where SUTAZAI_ENVIRONMENT is production.",
        tags=TAGS,
    )
    def after_roll_out(context: dg.SensorEvaluationContext, operations: Operations) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(UTC)
        since = datetime.fromisoformat(context.cursor) if context.cursor else now - LOOKED_BACK
        try:
            # The ledger has those of a terminal, too, which Dagster knows nothing of.
            rolled_out = operations.open().ledger.deployments_between(since, now)
        except OpsError as error:
            return dg.SkipReason(f"it is not known what was rolled out: {error.what}")
        newest = next((one for one in reversed(rolled_out) if _has_changed(service.name, one.steps)), None)
        asked = (
            []
            if newest is None
            else [
                dg.RunRequest(
                    run_key=f"{service.name}:{newest.release}:{newest.finished_at:%Y%m%dT%H%M%S.%f}",
                    tags=TAGS | {"ops/service": service.name},
                )
            ]
        )
        return dg.SensorResult(
            run_requests=asked,
            skip_reason=None if asked else f"{service.name} was not changed by a roll-out since {since:%Y-%m-%d %H:%M}",
            cursor=now.isoformat(),
        )

    return after_roll_out


def _has_changed(service: str, steps: Sequence[Mapping[str, Any]]) -> bool:
    return any(step["service"] == service and step["act"] not in NOT_STARTED for step in steps)


def _open(operations: Operations) -> "Fleet":
    from sutazai_ops.models.fleet import Fleet

    return Fleet(operations.open())
