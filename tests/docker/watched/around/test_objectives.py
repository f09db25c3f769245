"""Objectives on a real platform: facts out of its Prometheus, the report made of them, and the gate seen both ways."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import requests
import yaml

from sutazai_ops.ledger import open_ledger
from sutazai_ops.settings import Settings
from sutazai_ops.slo.objectives import PACKAGED
from sutazai_ops.slo.report_model import LaneKind, Report
from sutazai_ops.slo.verdict import Verdict
from watched.platform import Watched, await_all
from watched.together import Together

from .test_alarms_beside import beside

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

STEP = 300
"""Seconds between two readings of a counter: facts are of whole steps."""
WITHIN = 3 * STEP
NAME = "backend-is-sane"
ASKED = 'http_requests_total{service="backend",endpoint="/health"}'
FAILED = ASKED.replace("}", ',status="500"}')
"""No other test lets the backend answer so: what stands on a dead database says 503."""
REFUSED = 4
Variables = Mapping[str, str]


burning = Together()
"""While the budget is spent, an exporter may die: what is promised here is counted by Prometheus alone."""


def promised(watched: Watched) -> Variables:
    """Settings with one objective in the place of all others, whose budget is whole though other tests ran before."""
    mine = {
        "kind": "ratio", "total": ASKED, "bad": FAILED, "target": 0.99, "least_events": 20, "gate": True,
        "since": datetime.now(UTC).date(),
    }  # fmt: skip
    file = watched.home / "objectives.yaml"
    file.write_text(yaml.safe_dump({**dict.fromkeys(yaml.safe_load(PACKAGED.read_text())), NAME: mine}))
    return {"SUTAZAI_SLO__OBJECTIVES": str(file)}


def asked(watched: Watched, *words: str, variables: Variables) -> subprocess.CompletedProcess[str]:
    """What `sutazai-ops slo …` says, all within one step."""
    if (left := STEP - time.time() % STEP) < 60:
        time.sleep(left + 1)
    return watched.ops("slo", *words, **variables)


def fact(watched: Watched, variables: Variables) -> Mapping[str, float]:
    """Of today, of the one objective."""
    today = datetime.now(UTC).date().isoformat()
    done = asked(watched, "facts", "--json", variables=variables)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return next((row for row in json.loads(done.stdout) if row["day"] == today), {"total": 0.0})


def counted(watched: Watched, expression: str) -> float:
    """By how much it has grown from where it was read first today to the end of the last step, as Prometheus says."""
    now = int(time.time())
    span = {"start": str(now // 86_400 * 86_400), "end": str(now // STEP * STEP), "step": str(STEP)}
    url = f"http://{watched.address('prometheus')}:9090/api/v1/query_range"
    answer = requests.get(url, params={"query": expression, **span}, timeout=30).json()
    values = [float(value) for _, value in answer["data"]["result"][0]["values"]]
    return values[-1] - values[0]


def report(watched: Watched, variables: Variables) -> Report:
    """Of this month, as its JSON says it."""
    done = asked(watched, "report", "--format", "json", variables=variables)
    assert done.returncode == 0, done.stderr
    return Report.model_validate_json(done.stdout)


def gate(watched: Watched, variables: Variables) -> tuple[int, set[str]]:
    """The exit code, and what closes it."""
    done = asked(watched, "gate", "--json", variables=variables)
    assert done.stdout, done.stderr
    return done.returncode, {reason["cause"] for reason in json.loads(done.stdout)["reasons"]}


def deploy(watched: Watched, service: str, *words: str, variables: Variables) -> subprocess.CompletedProcess[str]:
    """Deploy one service."""
    watched.settled()
    return watched.ops("deploy", "--yes", "--json", "--services", service, *words, **variables)


@contextmanager
def failing(watched: Watched) -> Iterator[None]:
    """The backend answers everything with an error."""
    watched.fault("backend", "fail", 8000)
    try:
        yield
    finally:
        watched.fault("backend", None, 8000)


def ask_backend(watched: Watched, times: int) -> None:
    """Ask whether it is well, whatever it answers."""
    for _ in range(times):
        requests.get(f"http://{watched.address('backend')}:8000/health", timeout=10)


# Whichever test is the first waits for the platform as well.
@pytest.mark.timeout(2400)
@beside
def test_what_prometheus_counted_is_written_down_and_reported(watched: Watched):
    variables = promised(watched)
    ask_backend(watched, 30)
    await_all({"enough is counted": lambda: fact(watched, variables)["total"] >= 20}, WITHIN)
    told = fact(watched, variables)
    total = counted(watched, f"sum(last_over_time({ASKED}[5m]))")
    bad = counted(watched, f"sum(last_over_time({FAILED}[5m])) or vector(0)")
    assert (told["total"], told["good"]) == (total, total - bad)
    one = report(watched, variables).objective(NAME)
    # Other tests let Prometheus die: what was not measured then is said, and nothing is called met without it.
    coverage = one.figures.coverage
    assert coverage is not None
    assert coverage > 0.5
    expected = (
        Verdict.MET if coverage >= 0.99 else Verdict.MET_LOW_COVERAGE if coverage >= 0.9 else Verdict.INSUFFICIENT
    )
    assert one.verdict is expected
    assert (one.counts.total, one.counts.good) == (total, total - bad)


def test_every_service_that_runs_has_a_figure_and_nothing_is_met_of_a_month_that_was_hardly_seen(watched: Watched):
    made = report(watched, {})
    measured = {one.name.removesuffix("-is-up"): one.counts.measured_minutes for one in made.objectives}
    assert [name for name in watched.deployed if not measured.get(name)] == []
    packaged = [one for one in made.objectives if one.name != NAME]
    assert {one.verdict for one in packaged} == {Verdict.INSUFFICIENT}


@burning
def test_the_gate_lets_pass_until_a_real_failure_has_spent_the_budget(watched: Watched):
    variables = promised(watched)
    assert gate(watched, variables) == (0, set())
    # Prometheus is given the rules on this objective by it.
    done = deploy(watched, "prometheus", variables=variables)
    assert done.returncode == 0, done.stderr
    assert "the least budget left is 100 %" in json.loads(done.stdout)["gate"]
    [before] = [row["number"] for row in json.loads(watched.ops("releases", "--json").stdout) if row["current"]]

    closed = (REFUSED, {"budget spent", "burning fast"})
    with failing(watched):

        def is_closed() -> bool:
            # As long as it takes: what burns has to burn in the last five minutes, too.
            ask_backend(watched, 20)
            return gate(watched, variables) == closed

        await_all({"it is closed by both": is_closed}, WITHIN)
    changed = {**variables, "SUTAZAI_ALERTS__REPEAT_HOURS": "7"}
    was = watched.containers()["alertmanager"].id
    done = deploy(watched, "alertmanager", variables=changed)
    assert (done.returncode, f"the gate is closed: {NAME} has" in done.stderr) == (REFUSED, True), done.stderr
    assert watched.containers()["alertmanager"].id == was

    reason = "alerts are repeated too often"
    done = deploy(watched, "alertmanager", "--override", reason, variables=changed)
    assert done.returncode == 0, done.stderr
    assert watched.containers()["alertmanager"].id != was
    now = datetime.now(UTC)
    (kept,) = open_ledger(Settings(home=watched.home)).overrides_between(now - timedelta(hours=1), now)
    assert (kept.reason, bool(kept.actor), kept.closed_because[0].startswith(f"{NAME} has")) == (reason, True, True)
    made = report(watched, variables)
    assert made.objective(NAME).verdict in {Verdict.MISSED, Verdict.MISSED_LOW_COVERAGE}
    [event] = [event for lane in made.lanes if lane.kind is LaneKind.OVERRIDE for event in lane.events]
    assert reason in f"{event.title} {event.detail}"

    assert gate(watched, variables)[0] == REFUSED
    done = watched.ops("rollback", "--to", str(before), "--yes", **variables)
    assert done.returncode == 0, done.stderr
