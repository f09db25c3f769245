"""With Prometheus away the commands tell what is known, say of when it is, and why it is not of now."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from slo_days import UP, measured
from typer.testing import CliRunner

from sutazai_ops.cli import app
from sutazai_ops.ledger import open_ledger
from sutazai_ops.settings import Settings
from sutazai_ops.slo.day import Measured, make_fact
from sutazai_ops.slo.facts import DAY_MINUTES
from sutazai_ops.slo.shelf import keep

PLATFORM = "services: {web: {image: 'shop/web:1'}, prometheus: {image: 'prom/prometheus:v3.14.0'}}\n"
WEB = {"up": 'sutazai_probe_state{service="web",state="ok"}', "target": 0.999}
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command where a month of facts lies in the ledger and nobody answers as Docker, nor as Prometheus."""
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform/core.yaml").write_text(PLATFORM)
    (tmp_path / "objectives.yaml").write_text(yaml.safe_dump({"web-is-up": {**WEB, "kind": "probe", "gate": True}}))
    home = tmp_path / "home"
    for name, value in {
        "SUTAZAI_HOME": home, "SUTAZAI_PLATFORM": tmp_path / "platform", "SUTAZAI_ENGINE": "compose",
        "SUTAZAI_SLO__OBJECTIVES": tmp_path / "objectives.yaml", "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    one = UP.model_copy(update={"name": "web-is-up"})
    usual = measured()
    facts = []
    for number in range(40):
        day = YESTERDAY.date() - timedelta(days=number)
        said = {name: getattr(usual, name) for name in usual.__slots__} | {"day": day, "elapsed": DAY_MINUTES}
        facts.append(make_fact(one, "q", Measured(**said), [], YESTERDAY))
    keep(open_ledger(Settings(home=home)), facts)
    return lambda *words: CliRunner().invoke(app, ["slo", *words])


def test_the_status_is_of_the_facts_that_are_known_and_says_of_when(asked) -> None:
    done = asked("status", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["facts_as_of"].startswith(YESTERDAY.date().isoformat())
    assert told["stale"]
    assert "the facts are not of now" in done.stderr
    [one] = [one for one in told["objectives"] if one["objective"] == "web-is-up"]
    # Of the hours since then nothing is claimed.
    assert (one["figure"], one["coverage"]) == (1, 1)


def test_a_report_of_a_month_that_is_over_needs_no_prometheus(asked) -> None:
    month = (YESTERDAY.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    done = asked("report", "--month", month, "--format", "md")
    assert done.exit_code == 0, done.output
    assert "web is up" in done.stdout
    assert "facts as of" in done.stdout.lower() or "as of" in done.stdout.lower()


def test_the_gate_is_closed_by_what_it_cannot_know(asked) -> None:
    done = asked("gate", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["open"]) == (4, False)
    assert {reason["cause"] for reason in told["reasons"]} == {"coverage too low"}
