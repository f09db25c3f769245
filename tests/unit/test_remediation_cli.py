"""`sutazai-ops remediation …` as a person meets it."""

from __future__ import annotations

import getpass
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from guard_situations import INCIDENT
from typer.testing import CliRunner

from sutazai_ops.cli import app
from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.ledger import IncidentEventEntry, VerdictEntry, open_ledger
from sutazai_ops.monitoring.exporter.collectors.remediation import round_file
from sutazai_ops.remediation.verdict import Reason
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
        if len(rounds) == 3:
            raise KeyboardInterrupt

    # Not of the module itself: threads of other tests of this process sleep too.
    clock = SimpleNamespace(sleep=broken_off, monotonic=time.monotonic)
    monkeypatch.setattr("sutazai_ops.commands.remediation.time", clock)
    result = CliRunner().invoke(app, ["remediation", "watch"])
    assert rounds == [True, False, False]
    assert result.stderr.count("nothing was decided: ") == 1


def test_a_look_that_could_decide_nothing_does_not_end_as_if_it_had(tmp_path, run):
    """`watch --once` ended with 0 beside a damaged ledger, so that whoever calls it by a timer saw nothing wrong."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ledger.db").write_text("no ledger at all, and long enough to be looked at as one " * 20)
    with pytest.raises(OpsError, match="damaged"):
        CliRunner().invoke(app, ["remediation", "watch", "--once"], catch_exceptions=False)


@pytest.mark.parametrize("words", ["remediation watch --once", "config check"])
def test_a_misspelt_service_that_may_be_disrupted_is_refused(run, monkeypatch, words):
    """It had no effect, and nobody said so until its repair was proposed at night, and not made."""
    monkeypatch.setenv("SUTAZAI_REMEDIATION__MAY_DISRUPT", '["reddis"]')
    with pytest.raises(BadInput, match="no service 'reddis'") as caught:
        run(*words.split())
    assert "may_disrupt" in caught.value.where


def test_a_reason_without_a_mode_is_refused_and_not_forgotten(run):
    with pytest.raises(BadInput, match="no mode is given"):
        run("remediation", "mode", "--because", "a long night")


def test_a_service_that_there_is_not_is_told_with_the_nearest(run):
    with pytest.raises(BadInput, match="no service 'reddis'") as caught:
        run("remediation", "run", "service-down", "reddis")
    assert "'redis'" in caught.value.remedy


@pytest.mark.parametrize("words", ["incidents show", "incidents ack", "maintenance close"])
def test_a_number_that_no_ledger_can_hold_is_one_that_there_is_not(run, words):
    """It was too large for the database, and called a defect of this program."""
    with pytest.raises(BadInput, match=f"there is no .* {10**30}"):
        run(*words.split(), str(10**30))


def test_a_window_that_is_to_come_says_when_it_begins(run):
    said = run("maintenance", "open", "redis", "--reason", "r", "--for", "1h", "--from", "2099-01-01 10:00+00:00")
    assert "from 2099-01-01 10:00 UTC until 2099-01-01 11:00 UTC" in said


def test_who_has_no_name_is_their_number(monkeypatch, run):
    """In a container that runs as a number of which no file knows a name, `mode` and `ack` were called a defect."""

    def nobody_knows() -> str:
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr(getpass, "getuser", nobody_knows)
    assert f"by uid {os.getuid()}" in run("remediation", "mode", "propose")


@pytest.fixture
def lasting(tmp_path):
    """The number of an incident that lasts, and the log that keeps it."""
    log = open_ledger(Settings(home=tmp_path / "home")).incidents
    now = datetime.now(UTC)
    entry = replace(
        INCIDENT, target="redis", alerts=[ALERT], opened_at=now, broken_since=None, whole_since=now, changes=[now]
    )
    return log, log.open_incident(entry, [IncidentEventEntry(0, now, "opened", "")]).number


def test_an_incident_is_taken_over_once_and_not_offered_to_who_has_it(run, lasting):
    """Each `ack` wrote a line of its own into the timeline, and `show` went on to offer it."""
    log, number = lasting
    assert "incidents ack" in run("incidents", "show", str(number))
    assert "is yours\n" in run("incidents", "ack", str(number))
    assert "is yours already" in run("incidents", "ack", str(number))
    assert [one.kind for one in log.events_of(number)].count("acknowledged") == 1
    assert "incidents ack" not in run("incidents", "show", str(number))


def test_nothing_of_an_incident_that_is_over_can_be_agreed_to(run, lasting):
    """It said that the rung is done in the next round."""
    log, number = lasting
    log.record_verdicts(
        [VerdictEntry(number, datetime.now(UTC), "propose", "wait", Reason.APPROVAL, "restart", None, {})]
    )
    with pytest.raises(BadInput, match="says nothing"):
        run("incidents", "resolve", str(number), "--note", " ")
    run("incidents", "resolve", str(number), "--note", "it was the cable")
    with pytest.raises(Refused, match="is over"):
        run("incidents", "approve", str(number))
