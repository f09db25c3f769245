"""Generated configuration: what is made for whom, how it is written, and that the committed copies are the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from sutazai_ops.deployment.inputs import code_versions
from sutazai_ops.errors import BadInput
from sutazai_ops.generated import generated_files, generated_here, stale_copies, stale_files, write_configuration
from sutazai_ops.installation import Installation
from sutazai_ops.monitoring import configuration
from sutazai_ops.monitoring.additions import copy_secrets
from sutazai_ops.monitoring.exporter_settings import exporter_settings
from sutazai_ops.settings import AlertSettings, BackupSettings, Loaded, MonitoringSettings, Receiver, Settings


def installation(**settings: object) -> Installation:
    return Installation(Loaded(settings=Settings(**settings), origins={}))


def test_the_copies_beside_the_packaged_platform_are_those_that_default_settings_make():
    assert stale_copies() == [], "make them: sutazai-ops config generate --committed"


def test_what_is_written_is_no_longer_stale_and_is_not_written_again(tmp_path):
    here = installation(home=tmp_path)
    changed = write_configuration(here.settings, here.platform)
    assert "prometheus/prometheus.yml" in changed
    assert stale_files(here.settings, here.platform) == []
    written = tmp_path / "generated/prometheus/prometheus.yml"
    before = written.stat().st_mtime_ns
    assert write_configuration(here.settings, here.platform) == []
    assert written.stat().st_mtime_ns == before


def test_a_file_that_was_changed_and_one_that_is_made_no_more_are_stale_and_put_right(tmp_path):
    here = installation(home=tmp_path)
    write_configuration(here.settings, here.platform)
    (tmp_path / "generated/prometheus/prometheus.yml").write_text("# mine\n")
    old = tmp_path / "generated/prometheus/rules/old.yml"
    old.parent.mkdir(exist_ok=True)
    old.write_text("groups: []\n")
    stale = ["prometheus/prometheus.yml", "prometheus/rules/old.yml"]
    assert stale_files(here.settings, here.platform) == stale
    assert write_configuration(here.settings, here.platform) == stale
    assert not old.exists()


def test_a_platform_whose_services_mount_nothing_generated_gets_nothing(tmp_path):
    (tmp_path / "core.yaml").write_text("services: {watcher: {image: prom/prometheus:v3.14.0}}")
    here = installation(home=tmp_path / "home", platform=tmp_path)
    assert write_configuration(here.settings, here.platform) == []
    assert not (tmp_path / "home").exists()


def test_each_part_is_made_for_whoever_mounts_it(tmp_path):
    mount = "${GENERATED_FOLDER:-./config}/prometheus:/p:ro"
    (tmp_path / "core.yaml").write_text(f'services: {{watcher: {{image: prom/prometheus:v3, volumes: ["{mount}"]}}}}')
    here = installation(home=tmp_path / "home", platform=tmp_path)
    made = generated_files(here.settings, here.platform, here.settings.generated)
    assert {name.partition("/")[0] for name in made} == {"prometheus", "rule-tests"}


@pytest.fixture
def told(tmp_path: Path) -> Installation:
    """An installation with a receiver whose address only its owner may read."""
    address = tmp_path / "address"
    address.write_text("https://hooks.example/very-secret")
    address.chmod(0o600)
    alerts = AlertSettings(receivers={"team": Receiver(kind="webhook", url_file=address)})
    return installation(home=tmp_path / "home", alerts=alerts)


def test_alertmanager_is_given_a_receivers_secret_as_a_file_that_it_can_read_in_a_folder_that_others_cannot(told):
    copy_secrets(told.settings, told.platform)
    copy = told.settings.secrets / "alerts-to-team"
    assert copy.read_text() == "https://hooks.example/very-secret"
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o444, 0o700)
    service = told.platform.service("alertmanager")
    assert service.compose["secrets"] == ["alerts-to-team"]
    assert told.platform.phase("monitoring").top["secrets"]["alerts-to-team"] == {"file": str(copy)}
    made = generated_files(told.settings, told.platform, told.settings.generated)
    assert not [name for name, text in made.items() if "very-secret" in text]


def test_a_new_address_takes_the_place_of_the_old_one(told, tmp_path):
    copy_secrets(told.settings, told.platform)
    (tmp_path / "address").write_text("https://hooks.example/another")
    copy_secrets(told.settings, told.platform)
    assert (told.settings.secrets / "alerts-to-team").read_text() == "https://hooks.example/another"


def test_a_receivers_file_that_is_not_there_is_named_before_anything_is_deployed(told, tmp_path):
    (tmp_path / "address").unlink()
    with pytest.raises(BadInput, match="below alerts") as refused:
        copy_secrets(told.settings, told.platform)
    assert refused.value.where == str(tmp_path / "address")


def test_the_exporter_is_given_the_settings_that_were_set_and_no_others(tmp_path):
    settings = Settings(
        home=tmp_path,
        timezone="Europe/Berlin",
        backup=BackupSettings(keep_within_days=14, store=Path("/srv/backups")),
        external={"post.gres": {"address": "postgresql://db.example", "password_file": "/etc/x"}},
        alerts=AlertSettings(watchdog_url_file=Path("/etc/sutazai/outside")),
    )
    read = tomllib.loads(exporter_settings(settings))
    assert read["timezone"] == "Europe/Berlin"
    assert read["backup"] == {"keep_within_days": 14, "store": "/srv/backups"}
    assert read["external"]["post.gres"]["address"] == "postgresql://db.example"
    assert read["alerts"]["watchdog_url_file"] == "/etc/sutazai/outside"
    assert not {"home", "deploy", "engine"} & read.keys()


def test_what_the_exporter_reads_outside_of_the_home_folder_is_mounted_at_the_same_path_for_reading(tmp_path):
    here = installation(home=tmp_path, backup=BackupSettings(store=Path("/srv/backups")))
    volumes = here.platform.service("exporter").compose["volumes"]
    assert "/srv/backups:/srv/backups:ro" in volumes
    assert f"{tmp_path}:{tmp_path}:ro" in volumes
    assert [one for one in volumes if not one.endswith(":ro")] == [f"{tmp_path}/status-page/public:/status-page"]


def versions(folder: Path, thresholds: str) -> dict[str, str]:
    file = folder / "thresholds.yaml"
    file.write_text(thresholds)
    here = installation(home=folder / "home", monitoring=MonitoringSettings(thresholds=file))
    write_configuration(here.settings, here.platform)
    return code_versions(here.settings, here.platform)


@pytest.mark.parametrize(
    ("change", "anew"),
    [("host_cpu_high: {for: 7m}", ["prometheus"]), ("host_cpu_high: {above: 0.7}", ["prometheus", "grafana"])],
)
def test_a_changed_threshold_makes_prometheus_anew_and_grafana_where_it_draws_the_level(tmp_path, change, anew):
    before, after = versions(tmp_path, "host_cpu_high: {for: 5m}\n"), versions(tmp_path, change)
    assert [name for name in before if before[name] != after[name]] == anew


def test_monitoring_knows_nothing_of_the_areas_that_stand_on_it():
    files = Path(configuration.__file__).parent.rglob("*.py")
    assert [
        file.name
        for file in files
        if re.search(r"(from|import) sutazai_ops\.(slo|status_page|generated)\b", file.read_text())
    ] == []


def test_what_is_generated_is_kept_until_what_it_is_made_of_changes(tmp_path, monkeypatch):
    thresholds = tmp_path / "thresholds.yaml"
    thresholds.write_text("host_cpu_high: {above: 0.70}\n")
    here = installation(home=tmp_path / "home", monitoring=MonitoringSettings(thresholds=thresholds))
    made = generated_here(here.settings, here.platform)
    assert made == generated_files(here.settings, here.platform, here.settings.generated)
    with monkeypatch.context() as without_generating:
        without_generating.setattr(configuration, "PARTS", ())
        assert generated_here(here.settings, here.platform) == made
    thresholds.write_text("host_cpu_high: {above: 0.60}\n")
    assert generated_here(here.settings, here.platform) != made
    other = here.settings.model_copy(update={"alerts": AlertSettings(runbooks_url="https://example.org/runbooks/")})
    thresholds.write_text("host_cpu_high: {above: 0.70}\n")
    assert generated_here(other, here.platform) != made


@pytest.mark.parametrize("kept", ["", "[]", '{"made_of": 1}', '{"files": 5}'])
def test_a_cache_that_is_no_cache_is_made_anew(tmp_path, kept):
    here = installation(home=tmp_path)
    made = generated_here(here.settings, here.platform)
    (tmp_path / "cache/configuration.json").write_text(kept)
    assert generated_here(here.settings, here.platform) == made
    (tmp_path / "cache/configuration.json").unlink()
    (tmp_path / "cache").rmdir()
    (tmp_path / "cache").write_text("no folder")
    assert generated_here(here.settings, here.platform) == made
