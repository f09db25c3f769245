"""A report on any Prometheus by one command: no platform, no ledger, nothing written but what was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from months import DAY_TICKS, HOUR_TICKS, Incident, make_month, write_blocks
from prometheus_server import program, running
from typer.testing import CliRunner

from sutazai_ops.cli import app
from sutazai_ops.errors import BadInput, Unreachable
from sutazai_ops.slo import source
from sutazai_ops.slo.report_model import from_json
from sutazai_ops.slo.verdict import Verdict

pytestmark = pytest.mark.prometheus

OBJECTIVES = """
shop-answers:
  kind: ratio
  total: http_requests_total{job="shop"}
  bad: http_requests_total{job="shop",status=~"5.."}
  up: sutazai_probe_state{service="shop",state="ok"}
  every: 1m
  target: 0.999
"""
PERIOD = ("--from", "2026-10-05", "--to", "2026-10-11")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("shop")
    promtool = program("promtool")
    assert promtool
    dead = Incident("dead", 9 * DAY_TICKS + 10 * HOUR_TICKS, 9 * DAY_TICKS + 11 * HOUR_TICKS)
    week = make_month(4, date(2026, 10, 1), 11, service="shop", scrape=60, incidents=[dead])
    write_blocks([week], folder / "data", promtool)
    with running(folder / "data") as found:
        yield found


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUTAZAI_HOME", str(tmp_path / "home"))
    (tmp_path / "objectives.yaml").write_text(OBJECTIVES)

    def invoke(*arguments: str):
        return CliRunner().invoke(app, ["slo", "report", "--objectives", "objectives.yaml", *arguments])

    return invoke


def test_a_report_on_any_prometheus(run, address: str, tmp_path: Path) -> None:
    done = run("--prometheus", address, *PERIOD, "--format", "json")
    assert done.exit_code == 0, done.output
    report = from_json(done.stdout)
    one = report.objective("shop-answers")
    assert one.verdict is Verdict.MISSED
    assert one.dips[0].down_minutes == pytest.approx(60, abs=2)
    assert report.source == address
    assert not (tmp_path / "home").exists()


def test_its_page_lies_where_one_stands(run, address: str, tmp_path: Path) -> None:
    done = run("--prometheus", address, *PERIOD)
    assert done.exit_code == 0, done.output
    assert "missed: 1 of 1 objective" in done.stdout
    assert (tmp_path / "objectives-2026-10-05-to-2026-10-11.html").read_text().startswith("<!")


def test_days_that_it_does_not_keep_are_not_measured(run, address: str) -> None:
    done = run("--prometheus", address, "--from", "2026-09-01", "--to", "2026-10-11", "--format", "json")
    one = from_json(done.stdout).objective("shop-answers")
    assert one.figures.coverage == pytest.approx(11 / 41, abs=0.01)
    assert not one.verdict.is_met
    assert json.loads(done.stdout)["objectives"][0]["unknown"]


def test_a_prometheus_that_is_not_there_is_one_sentence(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PAUSE_SECONDS", 0.01)
    done = run("--prometheus", "http://127.0.0.1:9", *PERIOD)
    assert isinstance(done.exception, Unreachable)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--month", "2026-13"), "is no month"),
        (("--prometheus", "http://127.0.0.1:9", "--month", "2026-10", "--from", "2026-10-01"), "different periods"),
        (("--prometheus", "http://127.0.0.1:9", "--from", "2026-10-09", "--to", "2026-10-01"), "no day"),
        (("--month", "2026-10"), "belong together"),
    ],
)
def test_what_is_no_period_or_no_pair_is_refused(run, arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, BadInput)
    assert said in done.exception.what
