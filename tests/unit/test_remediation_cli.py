"""`sutazai-ops remediation …` as a person meets it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sutazai_ops.cli import app

TRACE = """
lasts: 1h
services: {backend: {}}
broken: [{threshold: service_down, service: backend, from: 5m, mended_by: {restart: for good}}]
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SUTAZAI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SUTAZAI_ENGINE", "embedded")
    monkeypatch.chdir(tmp_path)

    def call(*words: str):
        result = CliRunner().invoke(app, [*words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_simulate_says_what_would_have_been_done(run, tmp_path):
    file = tmp_path / "trace.yaml"
    file.write_text(TRACE)
    shown = run("remediation", "simulate", "--trace", str(file))
    assert "in 1 h: 1 incident, 1 repair, a person told 0 times" in shown
    facts = json.loads(run("remediation", "simulate", "--trace", str(file), "--json"))
    assert [(one["target"], one["rung"], one["outcome"]) for one in facts["repairs"]] == [
        ("backend", "restart", "helped")
    ]
    assert facts["decisions"][0]["verdict"]["reason"] == "it is not broken for long enough"


def test_playbooks_are_shown_with_the_thresholds_that_name_them(run):
    facts = {one["name"]: one for one in json.loads(run("remediation", "playbooks", "--json"))}
    assert facts["host-disk"]["thresholds"] == ["host_disk_full", "host_disk_filling"]
    assert "restart (asks)" in run("remediation", "playbooks")
