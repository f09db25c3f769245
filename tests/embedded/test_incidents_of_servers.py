"""Incidents of real servers: a database that is killed opens one, and what it comes to is decided and written down."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from small_platform import judged, reason, watched_platform
from typer.testing import CliRunner

from sutazai_ops.cli import app
from sutazai_ops.remediation import seeing
from sutazai_ops.remediation.observe import Watched, observe
from sutazai_ops.remediation.verdict import Kind, Reason
from sutazai_ops.settings import as_environment

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with watched_platform(tmp_path_factory.mktemp("a home")) as installation:
        yield installation


@pytest.fixture
def run(here, monkeypatch):
    for name in [name for name in os.environ if name.startswith("SUTAZAI_")]:
        monkeypatch.delenv(name)
    for name, value in as_environment(here.settings).items():
        monkeypatch.setenv(name, value)

    def call(*words: str, code: int = 0):
        result = CliRunner().invoke(app, [*words])
        assert result.exit_code == code, result.output
        return result.stdout

    return call


def test_what_is_down_becomes_an_incident_and_the_cause_alone_would_be_repaired(here, run):
    watched = Watched.of(here)
    judged(watched, lambda found: not found)

    here.engine.stop("cache")
    found = judged(watched, lambda found: reason(found, "cache") is Reason.OBSERVING)
    assert found["cache"].verdict.rung == "restart"

    here.engine.stop("db")
    found = judged(
        watched,
        lambda found: reason(found, "db") is Reason.NO_BACKUP and reason(found, "cache") is Reason.DEPENDENCY,
    )
    assert found["cache"].verdict.facts["dependency"] == "db"
    assert found["db"].verdict.kind is Kind.ESCALATE

    listed = {one["target"]: one for one in json.loads(run("incidents", "list", "--json"))}
    assert {one["state"] for one in listed.values()} == {"broken"}
    number = str(listed["cache"]["number"])
    assert "does not do its work" in run("incidents", "list")
    shown = json.loads(run("incidents", "show", number, "--json"))
    assert [one["kind"] for one in shown["events"]][:2] == ["opened", "verdict"]
    assert Reason.OBSERVING in {one["reason"] for one in shown["verdicts"]}
    assert "runbook" in run("incidents", "show", number)
    run("incidents", "resolve", number, "--note", "x", code=1)

    run("incidents", "ack", number)
    found = judged(watched, lambda found: reason(found, "cache") is Reason.WITH_A_PERSON)

    here.engine.start("db")
    here.engine.start("cache")
    found = judged(
        watched, lambda found: all(one.incident.whole_since for one in found.values()) and reason(found, "db")
    )
    assert reason(found, "db") is Reason.RECOVERING
    run("incidents", "resolve", number, "--note", "somebody stopped it")
    assert [one.outcome for one in here.ledger.incidents.recent(9) if str(one.number) == number] == ["by a person"]


def test_where_nothing_answers_nothing_is_decided_but_about_what_does_not_answer(here, monkeypatch):
    watched = Watched.of(here)
    judged(watched, lambda found: True)
    here.engine.stop("exporter")
    try:
        before = {one.number: one for one in here.ledger.incidents.open_ones()}
        found = observe(watched, datetime.now(UTC))
        assert found.blind
        assert {one.incident.number: one.incident for one in found.judged} == before
        monkeypatch.setattr(seeing, "BLIND_FOR", timedelta())
        found = observe(watched, datetime.now(UTC))
        mine = next(one for one in found.judged if one.incident.target == "exporter")
        assert (mine.incident.symptom, mine.verdict.reason) == ("monitoring", Reason.PERSISTENCE)
        others = [one for one in found.judged if one is not mine]
        assert {one.verdict.reason for one in others} <= {Reason.BLIND, Reason.WITH_A_PERSON}
        assert {one.incident.number: one.incident for one in others} == before
    finally:
        here.engine.start("exporter")
    judged(watched, lambda found: reason(found, "exporter") is Reason.RECOVERING)


def test_the_mode_is_shown_and_changed_for_everybody(run):
    assert json.loads(run("remediation", "mode", "--json"))["mode"] == "observe"
    run("remediation", "mode", "off", "--because", "a new disk")
    facts = json.loads(run("remediation", "mode", "--json"))
    assert (facts["mode"], facts["because"]) == ("off", "a new disk")
    run("remediation", "mode", "observe")


def test_watch_looks_once_and_says_what_is_new(run):
    lines = run("remediation", "watch", "--once", "--json").splitlines()
    assert all({"at", "incident", "target"} <= set(json.loads(line)) for line in lines)
