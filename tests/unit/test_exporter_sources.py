"""An exporter begins anew once what says what it watches is another, and never for what cannot be read."""

from __future__ import annotations

import os

import pytest

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.exporter.sources import Sources
from sutazai_ops.settings import MonitoringSettings, Settings


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform/core.yaml").write_text("services: {}")
    monitoring = MonitoringSettings(thresholds=tmp_path / "thresholds.yaml")
    return Settings(home=tmp_path / "home", platform=tmp_path / "platform", monitoring=monitoring)


def touch(path) -> None:
    path.write_text(f"{path.read_text() if path.exists() else ''}\n")


def test_nothing_is_newer_while_nothing_changes(settings):
    assert not Sources(settings, lambda: None).are_newer()


@pytest.mark.parametrize("name", ["platform/core.yaml", "platform/more.yml", "thresholds.yaml", "sutazai.toml"])
def test_each_file_that_says_what_is_watched_counts(settings, tmp_path, name):
    sources = Sources(settings, lambda: None)
    touch(tmp_path / name)
    assert sources.are_newer()


def test_a_file_that_goes_counts_too(settings, tmp_path):
    sources = Sources(settings, lambda: None)
    (tmp_path / "platform/core.yaml").unlink()
    assert sources.are_newer()


def test_what_cannot_be_read_is_told_once_and_counts_once_it_can(settings, tmp_path, caplog):
    wrong = [True]

    def read() -> None:
        if wrong:
            raise BadInput("core.yaml is not YAML")

    sources = Sources(settings, read)
    touch(tmp_path / "platform/core.yaml")
    assert not sources.are_newer()
    assert not sources.are_newer()
    assert caplog.text.count("core.yaml is not YAML") == 1
    wrong.clear()
    touch(tmp_path / "platform/core.yaml")
    assert sources.are_newer()


def test_what_was_put_back_is_not_newer(settings, tmp_path):
    file = tmp_path / "platform/core.yaml"
    sources = Sources(settings, lambda: None)
    facts = file.stat()
    file.write_text("services:\n")
    file.write_text("services: {}")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert not sources.are_newer()
