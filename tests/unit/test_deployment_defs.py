"""What Dagster is told of the roll-out, from files alone."""

from __future__ import annotations

import dagster as dg
import pytest
from recorded_engine import RecordedEngine

from sutazai_ops.deployment.defs import defs
from sutazai_ops.deployment.deploy import DeploymentFailed, Report
from sutazai_ops.deployment.plan import Plan
from sutazai_ops.installation import Installation
from sutazai_ops.orchestration import Operations, PermanentFailure, telling_dagster
from sutazai_ops.platform import Platform, read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM, DeploySettings, Loaded, Settings


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> dg.Definitions:
    # Neither an engine nor a secret is there to be asked.
    home = tmp_path_factory.mktemp("home")
    given = {"SECRETS_FOLDER": str(home / "secrets")}
    return with_operations(Settings(home=home, engine="compose"), read_platform(PACKAGED_PLATFORM, given))


def with_operations(settings: Settings, platform: Platform) -> dg.Definitions:
    return dg.Definitions.merge(
        defs(settings, platform, configured=True), dg.Definitions(resources={"operations": Operations()})
    )


def test_every_service_is_an_asset_that_explains_itself(loaded):
    specs = {spec.key.to_user_string(): spec for spec in loaded.resolve_all_asset_specs()}
    services = {service.name for service in read_platform(PACKAGED_PLATFORM)}
    assert {f"platform/{name}" for name in services} <= set(specs)
    assert [key for key, spec in specs.items() if not (spec.description and spec.owners and spec.kinds)] == []


def test_a_service_stands_on_what_it_depends_on_and_on_the_gate_of_the_phase_before(loaded):
    specs = {spec.key.to_user_string(): spec for spec in loaded.resolve_all_asset_specs()}
    on = {dep.asset_key.to_user_string() for dep in specs["platform/postgres-exporter"].deps}
    assert on == {"platform/postgres", "gate/core"}
    assert {dep.asset_key.to_user_string() for dep in specs["platform/qdrant"].deps} == {"gate/monitoring"}


def test_phases_that_change_earlier_ones_come_one_after_the_other(loaded):
    specs = {spec.key.to_user_string(): spec for spec in loaded.resolve_all_asset_specs()}
    on = {
        phase: {dep.asset_key.to_user_string() for dep in specs[f"overlay/{phase}"].deps}
        for phase in ("performance-security", "high-availability")
    }
    assert on["performance-security"] == {"gate/ai-services"}
    assert on["high-availability"] == {"gate/ai-services", "overlay/performance-security"}


def test_the_code_version_of_a_service_changes_with_its_image(tmp_path):
    def version(image: str) -> str | None:
        (tmp_path / "core.yaml").write_text(f"services: {{web: {{image: {image}}}}}\n")
        loaded = with_operations(Settings(home=tmp_path, engine="compose"), read_platform(tmp_path))
        specs = loaded.resolve_all_asset_specs()
        return next(spec.code_version for spec in specs if spec.key.path == ["platform", "web"])

    assert version("shop/web:1.0") == version("shop/web:1.0")
    assert version("shop/web:1.0") != version("shop/web:1.1")


def test_there_is_a_job_for_the_platform_and_for_each_phase_and_one_for_each_act(loaded):
    names = {job.name for job in loaded.jobs or ()}
    assert names == {
        "deploy_platform",
        *(f"deploy_{phase}" for phase in ("core", "monitoring", "vector_databases", "ai_services")),
        *(f"deploy_{phase}" for phase in ("performance_security", "high_availability")),
        "deploy_services",
        "roll_back",
        "detect_drift",
    }


def test_each_service_has_its_four_checks(loaded):
    keys = {key for checks in loaded.asset_checks or () for key in checks.check_keys}
    of_one = {key.name for key in keys if key.asset_key.path == ["platform", "backend"]}
    assert of_one == {"healthy", "as_planned", "as_limited", "no_restarts"}


def test_drift_is_looked_for_by_itself_in_production_alone(tmp_path):
    def status(environment: str) -> dg.DefaultScheduleStatus:
        settings = Settings(home=tmp_path, engine="compose", environment=environment)
        (schedule,) = defs(settings, read_platform(PACKAGED_PLATFORM), configured=False).schedules or ()
        return schedule.default_status

    assert status("production") is dg.DefaultScheduleStatus.RUNNING
    assert status("development") is dg.DefaultScheduleStatus.STOPPED


def test_a_failed_deployment_fails_its_run_with_what_to_do_and_the_last_lines():
    failed = DeploymentFailed(
        "phase core did not pass, and runs as release 1 again: web: it ended",
        Report(Plan(2, 1, ())),
        where="the vault is shut",
        remedy="mend what failed, and deploy again",
    )
    with pytest.raises(PermanentFailure) as told, telling_dagster():
        raise failed
    assert told.value.description.splitlines()[0].startswith("phase core did not pass, and runs as release 1 again")
    assert told.value.description.endswith("mend what failed, and deploy again")
    assert "the vault is shut" in str(told.value.metadata["where"])


SHOP = """
name: shop
services:
  db: {image: "shop/db:1.0", x-sutazai: {description: The database}}
  api: {image: "shop/api:API", depends_on: [db]}
  page: {image: "shop/page:1.0", depends_on: [api]}
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A platform of one phase on a recorded engine, and its jobs; `run` runs one as Dagster does."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "core.yaml").write_text(SHOP.replace("API", "1.0"))
    deploy = DeploySettings(settle_seconds=0, probe_timeout_seconds=0)
    settings = Settings(home=tmp_path / "home", platform=folder, deploy=deploy)
    engine = RecordedEngine(read_platform(folder))

    def opened(_self=None):
        installation = Installation(Loaded(settings=settings, origins={}))
        engine.platform = installation.platform
        installation.__dict__["engine"] = engine
        return installation

    monkeypatch.setattr(Operations, "open", opened)

    def run(job: str, config: dict | None = None) -> dg.ExecuteInProcessResult:
        loaded = with_operations(settings, read_platform(folder))
        with dg.DagsterInstance.ephemeral() as instance:
            return loaded.resolve_job_def(job).execute_in_process(
                run_config=config or {}, instance=instance, raise_on_error=False
            )

    return folder, engine, run


def told_of(result: dg.ExecuteInProcessResult) -> dict[str, dict]:
    """What was told of each service, by name."""
    events = [event for event in result.all_events if event.is_step_materialization]
    found = {event.asset_key.path[-1]: event.materialization.metadata for event in events if event.asset_key}
    return {name: {key: value.value for key, value in metadata.items()} for name, metadata in found.items()}


def test_a_service_is_told_with_release_seconds_memory_and_the_reason(shop):
    _, _, run = shop
    told = told_of(run("deploy_core"))["api"]
    assert {"release", "image", "image_id", "file", "restarts", "memory_bytes", "seconds_to_healthy"} <= told.keys()
    assert told["digest"] == "unresolved"
    assert (told["act"], told["because"], told["memory_bytes"]) == ("create", "it is new", 2**20)


def test_what_a_failed_phase_did_not_touch_is_not_shown_as_failed(shop):
    folder, engine, run = shop
    assert run("deploy_core").success
    (folder / "core.yaml").write_text(SHOP.replace("API", "2.0"))
    engine.broken.add("shop/api:2.0")
    result = run("deploy_core")
    assert not result.success
    assert set(told_of(result)) == {"db"}
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    words = failure.step_failure_data.user_failure_data.description
    assert words.startswith("phase core did not pass, and runs as release 1 again: api did not come up")
    assert words.endswith("— mend what failed, and deploy again")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(shop):
    folder, engine, run = shop
    run("deploy_core")
    (folder / "core.yaml").write_text(SHOP.replace("API", "2.0"))
    engine.done.clear()
    result = run("deploy_core", {"ops": {"roll_out_core": {"config": {"dry_run": True}}}})
    assert result.success
    assert (told_of(result), engine.done) == ({}, [])


def test_one_switch_of_the_platforms_job_is_a_dry_run_of_every_phase(shop):
    folder, engine, run = shop
    run("deploy_platform")
    (folder / "core.yaml").write_text(SHOP.replace("API", "2.0"))
    (folder / "later.yaml").write_text("services: {eye: {image: 'shop/eye:1.0'}}\n")
    engine.done.clear()
    result = run("deploy_platform", {"dry_run": True})
    assert result.success
    assert (told_of(result), engine.done) == ({}, [])
    assert run("deploy_platform", {"dry_run": False}).success
    assert engine.done == ["bring api", "bring eye"]
