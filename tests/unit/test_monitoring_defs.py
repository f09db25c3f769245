"""What Dagster is told of monitoring, from files alone."""

from __future__ import annotations

import dagster as dg
import pytest

from sutazai_ops.errors import Unreachable
from sutazai_ops.generated import generated_here
from sutazai_ops.monitoring import defs as monitoring
from sutazai_ops.monitoring.self_check import ill, well
from sutazai_ops.orchestration import Operations
from sutazai_ops.platform import Platform, read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM, Settings


def packaged(settings: Settings) -> Platform:
    given = {"SECRETS_FOLDER": str(settings.secrets), "GENERATED_FOLDER": str(settings.generated)}
    return read_platform(PACKAGED_PLATFORM, given)


def with_operations(settings: Settings, platform: Platform) -> dg.Definitions:
    own = monitoring.defs(settings, monitoring.configured(settings, platform, generated_here), generated_here)
    return dg.Definitions.merge(own, dg.Definitions(resources={"operations": Operations()}))


def versions(settings: Settings) -> dict[str, str | None]:
    loaded = with_operations(settings, packaged(settings))
    return {spec.key.path[-1]: spec.code_version for spec in loaded.resolve_all_asset_specs()}


def test_each_part_of_the_configuration_is_an_asset_that_changes_with_what_it_is_made_of(tmp_path):
    settings = Settings(home=tmp_path)
    (tmp_path / "mine.yaml").write_text("host_cpu_high: null\n")
    own = Settings(home=tmp_path, monitoring={"thresholds": tmp_path / "mine.yaml"})
    before, after = versions(settings), versions(own)
    assert before == versions(settings)
    assert {"prometheus", "rule-tests", "alertmanager", "exporter"} <= set(before)
    assert before["prometheus"] != after["prometheus"]


def test_a_wrong_file_of_thresholds_does_not_keep_the_definitions_from_loading(tmp_path):
    (tmp_path / "mine.yaml").write_text("host_cpu_high: {signal: nothing_of_the_kind}\n")
    settings = Settings(home=tmp_path, monitoring={"thresholds": tmp_path / "mine.yaml"})
    assert set(versions(settings)) == {"signals"}


def test_a_platform_without_a_monitoring_phase_has_the_signals_and_no_configuration(tmp_path):
    (tmp_path / "core.yaml").write_text("services: {web: {image: shop/web:1.0}}\n")
    loaded = with_operations(Settings(home=tmp_path), read_platform(tmp_path))
    assert [spec.key.to_user_string() for spec in loaded.resolve_all_asset_specs()] == ["monitoring/signals"]


def test_no_schedule_of_monitoring_launches_runs_more_often_than_once_an_hour(tmp_path):
    settings = Settings(home=tmp_path, environment="production")
    schedules = {one.name: one for one in monitoring.defs(settings, {}, generated_here).schedules or ()}
    assert set(schedules) == {"observe_signals", "check_monitoring"}
    for schedule in schedules.values():
        assert str(schedule.cron_schedule).split()[0].isdigit()
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize(
    ("answer", "passed"),
    [
        (well("all is well"), True),
        (ill("two are not", [{"service": "shop"}]), False),
        (Unreachable("it is away"), False),
    ],
    ids=["well", "ill", "cannot be asked"],
)
def test_a_check_passes_only_where_it_was_asked_and_is_well(answer, passed):
    def ask(_: object):
        if isinstance(answer, Exception):
            raise answer
        return answer

    check = monitoring._check("asked", "Whether it is.", ask)
    (result,) = dg.materialize(
        [monitoring.signals, check],
        selection=dg.AssetSelection.checks(*check.check_keys),
        resources={"operations": Operations()},
    ).get_asset_check_evaluations()
    assert (result.passed, result.description) == (passed, getattr(answer, "because", None) or answer.what)
