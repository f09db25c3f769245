"""`sutazai-ops remediation …` as a person meets it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from guard_situations import INCIDENT
from typer.testing import CliRunner

from sutazai_ops.cli import app
from sutazai_ops.errors import BadInput
from sutazai_ops.ledger import IncidentEventEntry, VerdictEntry, open_ledger
from sutazai_ops.monitoring.exporter.collectors.remediation import round_file
from sutazai_ops.settings import Settings

ALERT = {"threshold": "service_down", "labels": {"service": "redis"}}

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


def test_simulate_refuses_a_threshold_of_ones_own_that_names_a_playbook_that_there_is_not(run, tmp_path, monkeypatch):
    """It looked for the threshold among the packaged ones alone, and called what it missed a defect."""
    file, own = tmp_path / "trace.yaml", tmp_path / "mine.yaml"
    file.write_text(TRACE)
    own.write_text("mine: {signal: host_cpu, above: 0.5, for: 1m, severity: page, summary: s, playbook: nowhere}\n")
    monkeypatch.setenv("SUTAZAI_MONITORING__THRESHOLDS", str(own))
    for words in (["simulate", "--trace", str(file)], ["what-if"]):
        with pytest.raises(BadInput, match="no playbook 'nowhere'"):
            CliRunner().invoke(app, ["remediation", *words], catch_exceptions=False)


def test_what_if_shows_the_ledgers_history_beside_what_would_be_and_writes_it_as_a_trace(run, tmp_path):
    assert "as it would be: 0 incidents, 0 repairs" in run("remediation", "what-if")
    log = open_ledger(Settings(home=tmp_path / "home")).incidents
    opened = datetime.now(UTC) - timedelta(hours=2)
    number = log.open_incident(
        replace(INCIDENT, target="redis", alerts=[ALERT], opened_at=opened, broken_since=opened, changes=[opened]),
        [IncidentEventEntry(0, opened, "opened", "")],
    ).number
    verdict = VerdictEntry(number, opened + timedelta(minutes=1), "observe", "skip", "it is only observed", "restart",
                           None, {})  # fmt: skip
    log.record_verdicts([verdict])
    shown = run("remediation", "what-if", "--since", "1d", "--trace", str(tmp_path / "past.yaml"))
    assert "skip restart: it is only observed" in shown
    assert "escalate: it holds state, and no verified backup is fresh enough" in shown
    facts = json.loads(run("remediation", "simulate", "--trace", str(tmp_path / "past.yaml"), "--json"))
    assert [one["target"] for one in facts["incidents"]] == ["redis"]


def test_playbooks_are_shown_with_the_thresholds_that_name_them(run):
    facts = {one["name"]: one for one in json.loads(run("remediation", "playbooks", "--json"))}
    assert facts["host-disk"]["thresholds"] == ["host_disk_full", "host_disk_filling"]
    assert "restart (asks)" in run("remediation", "playbooks")


def test_a_watch_that_cannot_ask_the_ledger_decides_nothing_and_does_not_say_that_it_lives(tmp_path, monkeypatch, run):
    settings = Settings(home=tmp_path / "home")
    rounds = []

    def broken_off(_seconds: float) -> None:
        rounds.append(round_file(settings).exists())
        settings.home.joinpath("ledger.db").unlink()
        settings.home.joinpath("ledger.db").write_text("no ledger at all, and long enough to be looked at as one " * 20)
        round_file(settings).unlink(missing_ok=True)
        if len(rounds) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", broken_off)
    result = CliRunner().invoke(app, ["remediation", "watch"])
    assert rounds == [True, False]
    assert "nothing was decided: " in result.stderr
