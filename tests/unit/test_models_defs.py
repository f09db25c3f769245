"""What Dagster is told of models, and what it does with them against the stand-in for Ollama."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest
from ollama import Ollama as StandIn
from ollama_house import MANIFEST, House, serving_ollama

from sutazai_ops.errors import OpsError
from sutazai_ops.installation import Installation
from sutazai_ops.ledger.entries import DeploymentEntry
from sutazai_ops.models.defs import JOB, defs
from sutazai_ops.models.pins import Lock, write_lock
from sutazai_ops.orchestration import Operations
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM, Settings

CHAT, VECTORS = "llama3.2:3b", "nomic-embed-text:latest"
CHAT_KEY, VECTORS_KEY = dg.AssetKey(["models", "llama3.2_3b"]), dg.AssetKey(["models", "nomic-embed-text_latest"])
OPENED: list[Installation] = []


class Opened(Operations):
    """Opens what the test has made."""

    def open(self) -> Installation:
        return OPENED[0]


@pytest.fixture
def stand_in(tmp_path):
    return StandIn(tmp_path / "ollama.json", loaded=2, memory=8 * 2**30)


@pytest.fixture
def house(tmp_path, stand_in):
    with serving_ollama(stand_in) as port:
        yield House(tmp_path, stand_in, port)


def run(house, **options) -> dg.ExecuteInProcessResult:
    here = house.here()
    OPENED[:] = [here]
    found = dg.Definitions.merge(
        defs(here.settings, here.platform),
        dg.Definitions(
            assets=[dg.AssetSpec(["platform", "ollama"])],
            resources={"operations": Opened()},
            executor=dg.in_process_executor,
        ),
    )
    return found.resolve_job_def(JOB).execute_in_process(raise_on_error=False, **options)


def made(result) -> dict[str, dict[str, object]]:
    return {
        event.asset_key.path[-1]: {k: v.value for k, v in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
    }


def checked(result) -> dict[tuple[str, str], tuple[bool, str | None]]:
    return {
        (one.asset_key.path[-1], one.check_name): (one.passed, one.description)
        for one in result.get_asset_check_evaluations()
    }


def test_each_model_of_the_packaged_platform_is_an_asset_that_stands_on_its_server(tmp_path):
    platform = read_platform(PACKAGED_PLATFORM, {"SECRETS_FOLDER": str(tmp_path)})
    resources = dg.Definitions(resources={"operations": Opened()})
    found = dg.Definitions.merge(defs(Settings(home=tmp_path), platform), resources)
    specs = {spec.key: spec for spec in found.resolve_all_asset_specs()}
    for key in (CHAT_KEY, VECTORS_KEY):
        spec = specs[key]
        assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey(["platform", "ollama"])]
        assert spec.description
        assert spec.owners
        assert spec.group_name == "models"


def test_the_job_pulls_warms_and_measures_and_its_checks_judge_what_is_there(house, stand_in):
    result = run(house)
    assert result.success
    chat, vectors = made(result)["llama3.2_3b"], made(result)["nomic-embed-text_latest"]
    assert set(stand_in.running) == {CHAT, VECTORS}
    assert chat["bytes"] == 2_019_000_000
    assert chat["tokens_per_second"] > 0
    assert chat["memory_bytes"] == stand_in.running[CHAT].size
    assert {"seconds_to_pull", "seconds_to_warm", "seconds_to_first_token", "digest"} <= set(chat)
    assert vectors["dimension"] == 768
    found = checked(result)
    assert found["llama3.2_3b", "as_pinned"] == (False, "nobody has pinned it: sutazai-ops models lock")
    rest = {key: passed for key, (passed, _) in found.items() if key[1] != "as_pinned"}
    assert all(rest.values())
    assert ("llama3.2_3b", "dimension") not in found
    assert found["llama3.2_3b", "there_for_its_users"][1] == "it is there for backend, agent"


def test_a_second_run_pulls_nothing_and_leaves_those_in_memory_as_they_were(house, stand_in):
    run(house)
    before = stand_in.pulled_bytes
    again = run(house)
    assert again.success
    assert stand_in.pulled_bytes == before
    assert "seconds_to_pull" not in made(again)["llama3.2_3b"]
    assert stand_in.running[CHAT].stays.days > 365


def test_a_pull_that_breaks_off_is_resumed_within_the_run(house, stand_in, monkeypatch):
    monkeypatch.setattr("sutazai_ops.models.apply.PAUSES", (0.0,))
    stand_in.faults.break_pull_at = 0.5
    assert run(house).success
    assert stand_in.pulled_bytes == 2_019_000_000 + 274_000_000


def test_a_tag_that_moved_fails_its_model_and_no_other(house, stand_in):
    run(house)
    fleet = house.fleet()
    write_lock(Lock(models={CHAT: f"sha256:{'0' * 64}"}), fleet.lock_file)
    result = run(house)
    assert not result.success
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert "pinned is sha256:000000000000" in failure.error.message
    # Both are told as they are: the one that moved was left as it was, and goes on answering.
    assert set(made(result)) == {"llama3.2_3b", "nomic-embed-text_latest"}


def test_a_disk_that_is_full_fails_with_the_figures_and_warms_the_rest(house, stand_in):
    house.engine.free = 10**9
    result = run(house)
    assert not result.success
    assert set(made(result)) == {"nomic-embed-text_latest"}
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert "it needs 2.1 GB and 500.0 MB to spare" in failure.error.message


def test_what_does_not_fit_beside_the_others_is_a_check_that_has_not_passed(house, stand_in):
    house.write(loaded=1)
    result = run(house, asset_selection=None)
    assert not result.success
    passed, because = check(house, VECTORS_KEY, "fits")
    assert not passed
    assert "OLLAMA_MAX_LOADED_MODELS" in because
    assert check(house, CHAT_KEY, "fits")[0]
    passed, because = check(house, VECTORS_KEY, "answers_in_time")
    assert not passed
    assert because.startswith("unknown")


def test_vectors_of_another_length_than_the_collections_expect_are_told(house, stand_in):
    house.write(MANIFEST.replace("768", "384"))
    run(house)
    assert check(house, VECTORS_KEY, "dimension") == (False, "its vectors have 768 numbers, and 384 are expected")


def test_an_answer_that_takes_too_long_is_told(house, stand_in):
    house.write(MANIFEST.replace("used_by", "answers_within: 50ms\n  used_by"))
    run(house)
    stand_in.faults.seconds_a_word = 0.05
    passed, because = check(house, CHAT_KEY, "answers_in_time")
    assert not passed
    assert "may take 0.1 s" in because or "may take 0.0 s" in because


def test_a_model_that_is_gone_while_services_name_it_is_told(house, stand_in):
    run(house)
    stand_in._change(lambda kept: kept["models"].pop(CHAT))
    assert check(house, CHAT_KEY, "there_for_its_users") == (
        False,
        "it is not there, and is asked for by backend, agent",
    )
    assert check(house, CHAT_KEY, "as_pinned") == (False, "it is not there")


def check(house, key: dg.AssetKey, name: str) -> tuple[bool, str]:
    here = house.here()
    OPENED[:] = [here]
    made = dg.Definitions.merge(
        defs(here.settings, here.platform),
        dg.Definitions(
            jobs=[dg.define_asset_job("look", selection=dg.AssetSelection.checks(dg.AssetCheckKey(key, name)))],
            resources={"operations": Opened()},
            executor=dg.in_process_executor,
        ),
    )
    result = made.resolve_job_def("look").execute_in_process()
    return checked(result)[key.path[-1], name]


def test_the_schedule_and_the_sensor_run_by_themselves_in_production_alone(house):
    for environment, status in (("development", "STOPPED"), ("production", "RUNNING")):
        settings = house.here(environment=environment).settings
        found = defs(settings, house.here().platform)
        (schedule,), (sensor,) = found.schedules, found.sensors
        assert schedule.default_status.value == sensor.default_status.value == status


def rolled_out(number: int, act: str, service: str = "ollama") -> DeploymentEntry:
    steps = [{"service": service, "act": act, "because": ""}]
    return DeploymentEntry(number, "core", datetime.now(UTC), 1, "done", steps=steps)


def test_a_roll_out_that_changed_the_server_is_followed_by_one_preload_and_one_that_did_not_by_none(house):
    here = house.here()
    OPENED[:] = [here]
    (sensor,) = defs(here.settings, here.platform).sensors
    cursor = None

    def look() -> list[str]:
        nonlocal cursor
        context = dg.build_sensor_context(cursor=cursor, resources={"operations": Opened()})
        told = sensor.evaluate_tick(context)
        cursor = told.cursor or cursor
        return [one.run_key for one in told.run_requests]

    # Before Dagster ran, by a command of a terminal.
    here.ledger.record_deployment(rolled_out(1, "create"))
    (first,) = look()
    assert look() == []
    here.ledger.record_deployment(rolled_out(2, "unchanged"))
    here.ledger.record_deployment(rolled_out(3, "recreate", "backend"))
    here.ledger.record_deployment(rolled_out(3, "remove"))
    assert look() == []
    here.ledger.record_deployment(rolled_out(4, "recreate"))
    (second,) = look()
    assert first != second
    assert look() == []


def test_a_ledger_that_cannot_be_read_has_nothing_passed_over(house, monkeypatch):
    here = house.here()
    OPENED[:] = [here]
    (sensor,) = defs(here.settings, here.platform).sensors

    def gone(*_: object) -> None:
        raise OpsError("the ledger is locked")

    monkeypatch.setattr(type(here.ledger), "deployments_between", gone)
    context = dg.build_sensor_context(cursor="2026-11-01T00:00:00+00:00", resources={"operations": Opened()})
    told = sensor.evaluate_tick(context)
    assert (told.run_requests, told.cursor) == ([], "2026-11-01T00:00:00+00:00")
    assert told.skip_message == "it is not known what was rolled out: the ledger is locked"


def test_a_manifest_that_is_wrong_keeps_nothing_else_from_loading_and_the_job_says_where(house):
    house.write("llama3.2:3b: {purpose: talk}")
    here = house.here()
    found = defs(here.settings, here.platform)
    assert not found.assets
    OPENED[:] = [here]
    merged = dg.Definitions.merge(found, dg.Definitions(resources={"operations": Opened()}))
    result = merged.resolve_job_def(JOB).execute_in_process(raise_on_error=False)
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert "purpose of the model llama3.2:3b is wrong" in failure.error.message


def test_a_platform_without_an_ollama_has_no_models(tmp_path):
    (tmp_path / "core.yaml").write_text("services: {web: {image: web}}\n")
    assert not defs(Settings(home=tmp_path), read_platform(tmp_path)).assets
