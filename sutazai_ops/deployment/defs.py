"""All that Dagster sees of deployments: a service is an asset, a phase one step that can be subset, a gate an asset.

    platform/postgres ─┐
    platform/redis ────┴─> gate/core ──> platform/prometheus ── ... ──> gate/monitoring

A phase rolls the selected services out as one release. Its gate asks every probe of the phase; what comes after needs
it. A phase asks anew whether what it stands on is well, because a check gates one run only.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from sutazai_ops.orchestration import LoggedProgress, Operations, PermanentFailure, production_schedule, telling_dagster
from sutazai_ops.platform import Phase, Platform, Service
from sutazai_ops.settings import Settings

if TYPE_CHECKING:
    from sutazai_ops.deployment.deploy import PhaseReport, Report
    from sutazai_ops.deployment.deployments import Deployments
    from sutazai_ops.engines import Observed

AREA = "deployment"
PLATFORM_JOB = "deploy_platform"
POOL = "deployment"
"""One deployment at a time on one host; the lock of the releases says the same to a hand-run command."""
TAGS = {"ops/area": AREA}
OWNER = "team:operations"
MAX_RUNTIME = {"dagster/max_runtime": str(2 * 3600)}
CHECKS = {
    "healthy": "It runs, and its own health check says that it is well.",
    "as_planned": "It runs as the current release means it.",
    "as_limited": "Its limits of memory, processors and processes are those of the release.",
    "no_restarts": "It has not come back by itself since it was started.",
}


class DeployConfig(dg.Config):
    """How a phase is rolled out."""

    dry_run: bool = Field(default=False, description="Only log the plan; change nothing and materialize nothing.")
    override: str = Field(
        default="", description="Why to go on though the gate of the objectives is closed; kept with who started it."
    )


class ServicesConfig(DeployConfig):
    """Which services are deployed."""

    services: list[str] = Field(description="Names or aliases; what they cannot run without is taken along.")


class RollBackConfig(DeployConfig):
    """Where to go back to."""

    release: int = Field(description="Its number; sutazai-ops releases lists them.")
    phases: list[str] = Field(default_factory=list, description="Only these; all phases of that release if empty.")


def defs(settings: Settings, platform: Platform, *, configured: bool) -> dg.Definitions:
    """The assets, checks, jobs and schedule of this platform's roll-out; asks no server.

    Args:
        settings: the folders, the images, the schedule.
        platform: what should run.
        configured: whether what is generated for services could be generated; no service has a code version otherwise,
            and the deployment that is begun says what is wrong.
    """
    from sutazai_ops.deployment.inputs import code_versions

    phases = [phase for phase in platform.phases if phase.services]
    overlays = [phase for phase in platform.phases if any(one.phase == phase.name for one in platform.overlays)]
    versions = code_versions(settings, platform) if configured else {}
    return dg.Definitions(
        assets=[
            *(asset for phase in phases for asset in (_roll_out(phase, platform, versions), _gate(phase, platform))),
            *(_overlay(phase, platform, before) for before, phase in zip([None, *overlays], overlays, strict=False)),
        ],
        asset_checks=[_checks(phase) for phase in phases],
        jobs=[
            _platform_job(phases, overlays),
            *map(_phase_job, dict.fromkeys(phase.name for phase in (*phases, *overlays))),
            deploy_services,
            roll_back,
            detect_drift,
        ],
        schedules=[production_schedule("detect_drift", settings.deploy.drift_schedule, settings, "every hour")],
    )


def _key(service: str) -> dg.AssetKey:
    return dg.AssetKey(["platform", service])


def _gate_key(phase: str) -> dg.AssetKey:
    return dg.AssetKey(["gate", phase])


def _overlay_key(phase: str) -> dg.AssetKey:
    return dg.AssetKey(["overlay", phase])


def _group(phase: str) -> str:
    # A group's name takes letters, digits and underscores alone.
    return "".join(letter if letter.isalnum() else "_" for letter in phase)


def _spec(service: Service, platform: Platform, versions: dict[str, str]) -> dg.AssetSpec:
    # A phase is not begun before the one before it is well, whether or not it needs anything of it.
    names = [phase.name for phase in platform.phases if phase.services]
    before = names[: names.index(service.phase)][-1:]
    return dg.AssetSpec(
        key=_key(service.name),
        deps=[*map(_key, service.depends_on), *map(_gate_key, before)],
        group_name=_group(service.phase),
        description=service.description or service.image or service.name,
        code_version=versions.get(service.name),
        kinds={"docker"},
        owners=[OWNER],
        tags=TAGS | {"ops/service": service.name, "ops/criticality": service.criticality.value},
        skippable=True,
    )


def _roll_out(phase: Phase, platform: Platform, versions: dict[str, str]) -> dg.AssetsDefinition:
    services = [platform.services[name] for name in phase.services]

    @dg.multi_asset(
        name=f"roll_out_{_group(phase.name)}",
        description=f"Rolls the phase {phase.name} out: backs up what holds state, brings services up, asks their"
        " probes, and puts the last good release back where one fails.",
        specs=[_spec(service, platform, versions) for service in services],
        can_subset=True,
        pool=POOL,
    )
    def roll_out(
        context: dg.AssetExecutionContext, operations: Operations, config: DeployConfig
    ) -> Iterator[dg.MaterializeResult[None]]:
        selected = {key.path[-1] for key in context.selected_asset_keys}
        # In the platform's order, in which each service comes after what it depends on, as Dagster wants them.
        chosen = [service.name for service in services if service.name in selected]
        whole = len(chosen) == len(services)
        selection: dict[str, Any] = {"phases": [phase.name]} if whole else {"services": chosen}
        if config.dry_run and context.run.job_name == PLATFORM_JOB:
            # Nothing comes after a step that materializes nothing, so the first one tells of all.
            selection = {}
        from sutazai_ops.deployment.deploy import DeploymentFailed

        because = f"run {context.run.run_id[:8]}"
        with telling_dagster():
            try:
                report = _deploy(context.log, _open(operations), config, because, **selection)
            except DeploymentFailed as failed:
                # What the failure did not touch is as it was meant, and is not shown as failed.
                yield from _materialize(_open(operations), _untouched(platform, chosen, failed.report), failed.report)
                raise
        if report is not None:
            yield from _materialize(_open(operations), chosen, report)

    return roll_out


def _untouched(platform: Platform, chosen: Sequence[str], report: "Report") -> list[str]:
    """The services that a failed deployment had nothing to do with, nor with anything that they depend on.

    Dagster takes no asset of a step whose dependency in that step has not come before it.
    """
    touched = {step.service for phase in report.phases for step in phase.steps}
    well: list[str] = []
    for name in chosen:
        needs = set(platform.services[name].depends_on) & set(chosen)
        if name not in touched and needs <= set(well):
            well.append(name)
    return well


def _deploy(
    log: dg.DagsterLogManager,
    deployments: "Deployments",
    config: DeployConfig,
    because: str,
    **selection: Any,  # noqa: ANN401
) -> "Report | None":
    """Carry a deployment out, or log its plan alone; raises `OpsError`."""
    if config.dry_run:
        prepared = deployments.prepare(**selection)
        plan = prepared.plan
        for step in plan.changes:
            log.info("%s %s: %s", step.act, step.service, step.why)
        for note in prepared.notes:
            log.info("note: %s", note)
        log.info("dry run of release %s: %s of %s would change", plan.release, len(plan.changes), len(plan.steps))
        return None
    report = deployments.deploy(LoggedProgress(log), because=because, override=config.override or None, **selection)
    if report.gate:
        log.info(report.gate)
    return report


def _materialize(
    deployments: "Deployments", chosen: Sequence[str], report: "Report"
) -> Iterator[dg.MaterializeResult[None]]:
    observed = {one.service: one for one in deployments.engine.observe()}
    by_phase = {phase.phase: phase for phase in report.phases}
    left_out = {service for service, _ in report.plan.left_out}
    uses = deployments.engine.usages([observed[name] for name in chosen])
    for name in chosen:
        if name not in left_out:
            service = deployments.platform.services[name]
            metadata = _metadata(deployments, report, by_phase.get(service.phase), observed[name])
            if name in uses:
                metadata["memory_bytes"] = uses[name].memory
            yield dg.MaterializeResult(asset_key=_key(name), metadata=metadata)


def _metadata(
    deployments: "Deployments", report: "Report", phase: "PhaseReport | None", observed: "Observed"
) -> dict[str, Any]:
    release = deployments.releases.current()
    step = next((step for step in report.plan.steps if step.service == observed.service), None)
    container = observed.containers[-1] if observed.containers else None
    service = release.services.get(observed.service) if release else None
    metadata: dict[str, Any] = {
        "act": str(step.act) if step else "unchanged",
        "because": step.why if step else "",
        "restarts": observed.restarts or 0,
        "health": str(observed.health),
    }
    if not metadata["because"]:
        del metadata["because"]
    if service and release:
        metadata |= {
            "release": service.release,
            "file": dg.MetadataValue.path(str(deployments.releases.file(release.number, service.phase))),
        }
    if container:
        image, _, digest = container.image.partition("@")
        metadata |= {"image": image, "digest": digest or "unresolved", "image_id": container.image_id}
    if container and container.memory:
        metadata["memory_limit_bytes"] = container.memory
    if phase and observed.service in phase.healthy_seconds:
        metadata["seconds_to_healthy"] = round(phase.healthy_seconds[observed.service], 2)
    return metadata


def _gate(phase: Phase, platform: Platform) -> dg.AssetsDefinition:
    services = [platform.services[name] for name in phase.services]

    @dg.asset(
        key=_gate_key(phase.name),
        group_name=_group(phase.name),
        description=f"Every probe of {phase.name} answered as it should, through the path that its users take.",
        kinds={"probe"},
        owners=[OWNER],
        tags=TAGS,
        deps=[_key(service.name) for service in services],
        check_specs=[
            dg.AssetCheckSpec(
                name="passed", asset=_gate_key(phase.name), description="No probe failed, and none could not be asked."
            )
        ],
    )
    def gate(operations: Operations) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        from sutazai_ops.deployment.deploy import PATIENCE_SECONDS
        from sutazai_ops.deployment.gate import ask

        with telling_dagster():
            deployments = _open(operations)
            release = deployments.releases.current()
            meant = release.of_phase(phase.name) if release else []
            lasting = [
                platform.services[one.name] for one in meant if not one.one_shot and one.name in platform.services
            ]
            verdicts = ask(deployments.engine, lasting, PATIENCE_SECONDS)
        failed = [verdict for verdict in verdicts if not verdict.passed]
        table = dg.MetadataValue.table(
            [
                dg.TableRecord({"service": v.service, "asked": v.asked, "passed": v.passed, "because": v.because})
                for v in sorted(verdicts, key=lambda verdict: verdict.passed)
            ]
            or [
                dg.TableRecord(
                    {"service": "none", "asked": "", "passed": False, "because": "nothing of it was deployed"}
                )
            ]
        )
        passed = bool(verdicts) and not failed
        yield dg.AssetCheckResult(check_name="passed", passed=passed, metadata={"services": table})
        if not passed:
            first = f"{failed[0].service}: {failed[0].because}" if failed else "nothing of it was deployed"
            raise PermanentFailure(f"the gate of {phase.name} is closed: {first}")
        yield dg.MaterializeResult(metadata={"services": table, "asked": len(verdicts)})

    return gate


def _overlay(phase: Phase, platform: Platform, before: Phase | None) -> dg.AssetsDefinition:
    """A phase that changes services of earlier ones: rolled out once those are well, as a change of theirs.

    Two such phases may change the same service, so that each waits for the one before it.
    """
    changed = [overlay for overlay in platform.overlays if overlay.phase == phase.name]
    words = "; ".join(f"{one.service}: {one.description or 'changed'}" for one in changed)

    @dg.asset(
        key=_overlay_key(phase.name),
        group_name=_group(phase.name),
        description=f"What {phase.name} changes of earlier phases. {words}",
        kinds={"docker"},
        owners=[OWNER],
        tags=TAGS,
        deps=[
            *[_gate_key(one.name) for one in platform.phases if one.services][-1:],
            *([_overlay_key(before.name)] if before else []),
        ],
        pool=POOL,
        output_required=False,
    )
    def overlay(
        context: dg.AssetExecutionContext, operations: Operations, config: DeployConfig
    ) -> Iterator[dg.MaterializeResult[None]]:
        because = f"run {context.run.run_id[:8]}"
        deployments = _open(operations)
        with telling_dagster():
            report = _deploy(context.log, deployments, config, because, phases=[phase.name])
        if report is not None:
            # The services are assets of earlier phases: what is known of them is told there.
            touched = [step.service for step in report.plan.changes if step.service in platform.services]
            for result in _materialize(deployments, touched, report):
                context.log_event(dg.AssetMaterialization(asset_key=result.asset_key or "", metadata=result.metadata))
            changes = "; ".join(f"{step.act} {step.service}: {step.why}" for step in report.plan.changes)
            yield dg.MaterializeResult(metadata={"release": report.plan.release, "changed": changes or "nothing"})

    return overlay


def _checks(phase: Phase) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"checks_of_{_group(phase.name)}",
        description=f"What the engine sees of each service of {phase.name}, held against the current release.",
        specs=[
            dg.AssetCheckSpec(name=name, asset=_key(service), description=description)
            for service in phase.services
            for name, description in CHECKS.items()
        ],
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext, operations: Operations) -> Iterator[dg.AssetCheckResult]:
        with telling_dagster():
            deployments = _open(operations)
            found = deployments.look_for_drift()[1]
            observed = {one.service: one for one in deployments.engine.observe()}
            release = deployments.releases.current()
        done = {one.name for one in release.services.values() if one.one_shot} if release else set()
        for key in sorted(context.selected_asset_check_keys):
            service = key.asset_key.path[-1]
            drifts = [str(drift) for drift in found if drift.service == service]
            yield _judge(key, observed[service], drifts, service in done)

    return checks


def _judge(
    key: dg.AssetCheckKey,
    seen: "Observed",
    drifts: Sequence[str],
    is_one_shot: bool,  # noqa: FBT001
) -> dg.AssetCheckResult:
    from sutazai_ops.engines import Health, State

    limits = [drift for drift in drifts if "limit" in drift]
    passed = {
        # A one-shot is well once it has ended well, which drift would say if it had not.
        "healthy": not drifts if is_one_shot else seen.state is State.RUNNING and seen.health is not Health.FAILED,
        "as_planned": not drifts,
        "as_limited": not limits,
        "no_restarts": not seen.restarts,
    }[key.name]
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if key.name == "healthy" else dg.AssetCheckSeverity.WARN,
        metadata={
            "state": str(seen.state),
            "health": str(seen.health),
            "restarts": seen.restarts or 0,
            "drift": "; ".join(drifts) or "none",
        },
    )


def _platform_job(phases: Sequence[Phase], overlays: Sequence[Phase]) -> Any:  # noqa: ANN401
    steps = [f"roll_out_{_group(phase.name)}" for phase in phases]
    steps += [f"overlay__{_group(phase.name)}" for phase in overlays]

    @dg.config_mapping
    def in_every_step(config: DeployConfig) -> dict[str, Any]:
        return {"ops": {step: {"config": {"dry_run": config.dry_run, "override": config.override}} for step in steps}}

    return dg.define_asset_job(
        PLATFORM_JOB,
        config=in_every_step,
        selection=dg.AssetSelection.groups(*(_group(phase.name) for phase in (*phases, *overlays))),
        description="Rolls every phase out in order, each behind the gate of those before it.",
        tags=TAGS | MAX_RUNTIME,
        executor_def=dg.in_process_executor,
    )


def _phase_job(phase: str) -> Any:  # noqa: ANN401
    return dg.define_asset_job(
        f"deploy_{_group(phase)}",
        selection=dg.AssetSelection.groups(_group(phase)),
        description=f"Rolls the phase {phase} out.",
        tags=TAGS | MAX_RUNTIME | {"ops/phase": phase},
        executor_def=dg.in_process_executor,
    )


@dg.op(pool=POOL, description="Deploys the named services and what they cannot run without; nothing else.")
def deploy_named_services(context: dg.OpExecutionContext, operations: Operations, config: ServicesConfig) -> None:
    """Deploy them, and write a materialization for each."""
    deployments = _open(operations)
    because = f"run {context.run.run_id[:8]}"
    with telling_dagster():
        report = _deploy(context.log, deployments, config, because, services=config.services)
    if report:
        touched = [step.service for step in report.plan.changes if step.service in deployments.platform.services]
        for result in _materialize(deployments, touched, report):
            context.log_event(dg.AssetMaterialization(asset_key=result.asset_key or "", metadata=result.metadata))


@dg.job(tags=TAGS | MAX_RUNTIME, executor_def=dg.in_process_executor)
def deploy_services() -> None:
    """Deploys the services that the launchpad's config lists, and what they cannot run without."""
    deploy_named_services()


@dg.op(pool=POOL, description="Runs again what an earlier release meant, as a new release.")
def run_earlier_release(context: dg.OpExecutionContext, operations: Operations, config: RollBackConfig) -> None:
    """Go back to a release, phase by phase."""
    with telling_dagster():
        deployments = _open(operations)
        phases = config.phases or None
        if config.dry_run:
            changes = deployments.prepare_roll_back(config.release, phases).plan.changes
            context.log.info("; ".join(f"{step.act} {step.service}" for step in changes) or "nothing to do")
            return
        report = deployments.roll_back(LoggedProgress(context.log), config.release, phases)
    context.log.info("release %s runs what release %s meant", report.plan.release, config.release)


@dg.job(tags=TAGS | MAX_RUNTIME, executor_def=dg.in_process_executor)
def roll_back() -> None:
    """Runs again what the release that the launchpad's config names meant; volumes stay as they are."""
    run_earlier_release()


@dg.op(description="Compares what runs with what is meant, and writes down what differs.")
def compare_with_release(context: dg.OpExecutionContext, operations: Operations) -> None:
    """Look for drift; an observation for each service that has drifted."""
    with telling_dagster():
        deployments = _open(operations)
        if deployments.releases.current() is None:
            context.log.info("nothing was ever deployed here, so nothing can have drifted")
            return
        release, found = deployments.look_for_drift()
    for drift in found:
        context.log.warning("%s", drift)
        context.log_event(dg.AssetObservation(asset_key=_key(drift.service), metadata={"drift": str(drift)}))
    context.log.info("%s differences from release %s", len(found), release)


@dg.job(tags=TAGS, executor_def=dg.in_process_executor)
def detect_drift() -> None:
    """Compares what runs with the current release, and reports what differs; mends nothing."""
    compare_with_release()


def _open(operations: Operations) -> "Deployments":
    from sutazai_ops.deployment.deployments import Deployments

    return Deployments.of(operations.open())
