"""What Dagster is told of the roll-out, from files alone."""

from __future__ import annotations

import dagster as dg
import pytest

from sutazai_ops.deployment.defs import defs
from sutazai_ops.deployment.deploy import DeploymentFailed, Report
from sutazai_ops.deployment.plan import Plan
from sutazai_ops.orchestration import Operations, PermanentFailure, telling_dagster
from sutazai_ops.platform import Platform, read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM, Settings


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> dg.Definitions:
    # Neither an engine nor a secret is there to be asked.
    home = tmp_path_factory.mktemp("home")
    given = {"SECRETS_FOLDER": str(home / "secrets")}
    return with_operations(Settings(home=home, engine="compose"), read_platform(PACKAGED_PLATFORM, given))


def with_operations(settings: Settings, platform: Platform) -> dg.Definitions:
    return dg.Definitions.merge(defs(settings, platform), dg.Definitions(resources={"operations": Operations()}))


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
        (schedule,) = defs(settings, read_platform(PACKAGED_PLATFORM)).schedules or ()
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
