"""The whole platform by the Dagster job, phase by phase, and then by hand: every service of the plan in a container."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping

import dagster as dg
import docker
import pytest
import requests
from build import ImageRegistry
from packaged import Platform

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[Platform]:
    """The platform, rolled out once by the Dagster job."""
    one = Platform(tmp_path_factory.mktemp("whole"), registry, engine_client)
    try:
        yield one
    finally:
        one.remove()


@pytest.fixture
def run_job(platform: Platform, monkeypatch: pytest.MonkeyPatch):
    """Runs a job of the code location as Dagster does, in this process."""
    for name, value in platform.environment.items():
        monkeypatch.setenv(name, value)

    def run(job: str, *, config: Mapping[str, object] | None = None, **variables: str) -> dg.ExecuteInProcessResult:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        from sutazai_ops.definitions import defs

        with dg.DagsterInstance.ephemeral() as instance:
            loaded = defs() if not isinstance(defs, dg.Definitions) else defs
            return loaded.resolve_job_def(job).execute_in_process(
                run_config=config or {}, instance=instance, raise_on_error=False
            )

    return run


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    return [
        str(event.step_failure_data.user_failure_data.description if event.step_failure_data.user_failure_data else "")
        for event in result.all_events
        if event.is_step_failure
    ]


def test_the_job_rolls_every_phase_out_and_every_check_passes(platform: Platform, run_job):
    result = run_job("deploy_platform")
    assert result.success, failures(result)
    containers = platform.containers()
    assert len(containers) >= 30
    checks = result.get_asset_check_evaluations()
    assert [check.check_name for check in checks if not check.passed] == []
    assert requests.get(f"http://127.0.0.1:{platform.port}/api/health", timeout=10).status_code == 200


def test_users_read_on_the_edge_what_works(platform: Platform):
    """Written by the exporter's container, which is the home folder's owner, and served by another as nobody's root."""
    # What users do stands in the facts of past days, which are gathered once an hour: here, now.
    done = platform.ops("status-page", "refresh")
    assert done.returncode == 0, done.stderr
    address, page = f"http://127.0.0.1:{platform.port}/status/", ""
    for _ in range(60):
        answer = requests.get(address, timeout=10)
        page = answer.text if answer.ok else ""
        if "All works" in page:
            break
        time.sleep(2)
    assert "Opening the site" in page
    assert "All works" in page
    feed = requests.get(f"{address}feed.xml", timeout=10)
    assert feed.headers["Content-Type"] == "application/atom+xml"


def test_a_second_run_changes_nothing(platform: Platform, run_job):
    before = {name: one.id for name, one in platform.containers().items()}
    assert run_job("deploy_platform").success
    assert {name: one.id for name, one in platform.containers().items()} == before


def test_a_dry_run_materializes_nothing(platform: Platform, run_job):
    config = {"ops": {"deploy_named_services": {"config": {"services": ["backend"], "dry_run": True}}}}
    replaced = json.dumps({"backend": platform.registry.push("sutazai/backend:1.0.1")})
    before = platform.containers()["backend"].id
    assert run_job("deploy_services", config=config, SUTAZAI_IMAGES__REPLACE=replaced).success
    assert platform.containers()["backend"].id == before


def test_a_broken_image_fails_the_run_with_what_to_do_and_the_old_one_serves(platform: Platform, run_job):
    broken = platform.registry.push("sutazai/backend:6.6.6", environment={"FAULT": "fail"})
    config = {"ops": {"deploy_named_services": {"config": {"services": ["backend"]}}}}
    result = run_job("deploy_services", config=config, SUTAZAI_IMAGES__REPLACE=json.dumps({"backend": broken}))
    assert not result.success
    assert failures(result)[0].startswith("phase core did not pass, and runs as release")
    answer = requests.get(f"http://127.0.0.1:{platform.port}/api/health", timeout=10)
    assert (answer.status_code, answer.headers["X-Version"]) == (200, "1.0.0")


def test_drift_is_found_by_its_job_and_mended_by_the_next_deployment(platform: Platform, run_job):
    platform.containers()["qdrant"].update(mem_limit="300m", memswap_limit="300m")
    assert platform.settled()
    result = run_job("detect_drift")
    observed = [event for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    assert [event.asset_key.path[-1] for event in observed if event.asset_key] == ["qdrant"]
    assert platform.ops("drift").returncode == 2
    assert platform.ops("deploy", "--yes", "--services", "qdrant").returncode == 0
    assert platform.settled()
    assert platform.ops("drift").returncode == 0


def test_the_terminal_tells_the_same(platform: Platform):
    assert platform.settled()
    assert platform.ops("plan").returncode == 0
    status = platform.ops("status")
    assert "nothing drifted" in status.stdout
    known = {service["service"]: service for service in json.loads(platform.ops("status", "--json").stdout)["services"]}
    assert known["backend"]["health"] == "ok"
    assert "promtail" not in known
    done = platform.ops("deploy", "--yes", "--services", "promtail", "--json")
    assert (done.returncode, json.loads(done.stdout)["phases"]) == (0, [])
    assert platform.ops("probe", "postgres", "redis", "backend", "prometheus").returncode == 0
    assert len(json.loads(platform.ops("releases", "--json").stdout)) > 1


def test_no_secret_stands_in_what_inspect_shows_and_only_the_edge_listens(platform: Platform):
    secrets = [file.read_text() for file in (platform.home / "secrets").iterdir() if file.name[0] != "."]
    assert len(secrets) > 10
    shown = {name: json.dumps(one.attrs) for name, one in platform.containers().items()}
    assert [name for name, text in shown.items() for secret in secrets if secret in text] == []
    containers = platform.containers().items()
    published = {name for name, one in containers if any((one.attrs["NetworkSettings"]["Ports"] or {}).values())}
    assert published == {"edge"}


def test_the_frontend_cannot_reach_the_database(platform: Platform):
    addresses = platform.containers()["postgres"].attrs["NetworkSettings"]["Networks"].values()
    for address in [network["IPAddress"] for network in addresses]:
        script = f"import socket; socket.create_connection(('{address}', 5432), timeout=2)"
        assert platform.containers()["frontend"].exec_run(["python3", "-c", script]).exit_code != 0


def test_down_takes_the_platform_down_and_keeps_every_volume(platform: Platform):
    volumes = platform.volumes()
    assert platform.ops("down").returncode == 0
    assert platform.containers() == {}
    assert platform.volumes() == volumes
