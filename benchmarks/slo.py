"""Facts and reports: how long they take, beside the question over thirty days that they are there to avoid.

    python benchmarks/slo.py            30 services, a month at 15 s; then reports of 30 and 300 services
    python benchmarks/slo.py --quick    at 60 s, for a look

Needs Prometheus and promtool, of the PATH or out of Debian's package. Writes nothing outside a temporary folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "slo"))

from typing import TYPE_CHECKING

import requests
from months import make_month, write_blocks
from prometheus_server import program, running

from sutazai_ops.ledger import open_ledger
from sutazai_ops.settings import Settings
from sutazai_ops.slo import period, shelf, timeline
from sutazai_ops.slo.measure import measure_days
from sutazai_ops.slo.objective import Objective, usual_indicator
from sutazai_ops.slo.report import Head, Material, make_report
from sutazai_ops.slo.report_html import to_html
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.source import PrometheusSource

if TYPE_CHECKING:
    from months import Month

SERVICES = 30
OCTOBER = period.month("2026-10")
AFTER = datetime(2026, 12, 1, tzinfo=UTC)
TARGETS = {ObjectiveKind.RATIO: 0.999, ObjectiveKind.PROBE: 0.999, ObjectiveKind.LATENCY: 0.95}


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    scrape = 60 if parser.parse_args().quick else 15
    promtool = program("promtool")
    if promtool is None:
        sys.exit("Prometheus cannot be had here: apt-get and dpkg, or prometheus and promtool in the PATH")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = make_month(1, OCTOBER.first, 31, service="s00", scrape=scrape)
        for number in range(SERVICES):
            # One at a time, since a month at 15 s is half a gigabyte of text.
            write_blocks([_called(one, f"s{number:02d}")], folder / "data", promtool)
        with running(folder / "data", "--query.max-samples=500000000") as address:
            source = PrometheusSource(address, seconds=300)
            objectives = {o.name: o for number in range(SERVICES) for o in _objectives(f"s{number:02d}")}
            _day(objectives, source)
            facts = _month(objectives, source)
            _raw(address)
        for count in (SERVICES, 10 * SERVICES):
            _report(facts, objectives, count // SERVICES, folder)


def _called(month: Month, service: str) -> Month:
    columns = {series.replace("s00", service): values for series, values in month.columns.items()}
    return replace(month, service=service, columns=columns)


def _objectives(service: str) -> list[Objective]:
    return [
        Objective.model_validate(
            {"name": f"{service}-{kind}", "kind": kind, "target": target, "service": service,
             **({"within": "200ms"} if kind is ObjectiveKind.LATENCY else {}), **usual_indicator(kind, service)}
        )
        for kind, target in TARGETS.items()
    ]  # fmt: skip


def _day(objectives: dict[str, Objective], source: PrometheusSource) -> None:
    for number in (14, 15):
        began = time.perf_counter()
        measure_days(objectives.values(), [OCTOBER.first.replace(day=number)], source, {}, AFTER)
        print(f"facts of one day, {SERVICES} services x {len(TARGETS)}: {time.perf_counter() - began:.2f} s")


def _month(objectives: dict[str, Objective], source: PrometheusSource) -> dict:
    began = time.perf_counter()
    facts = measure_days(objectives.values(), OCTOBER.days, source, {}, AFTER)
    print(f"facts of a month, once: {time.perf_counter() - began:.1f} s")
    return facts


def _raw(address: str) -> None:
    """The usual question, for one service and for all."""
    end = int(OCTOBER.end_moment.timestamp())
    for what, by in (("one service", '{service="s07"}'), (f"{SERVICES} services", "")):
        bad = by.replace("}", ',status=~"5.."}') if by else '{status=~"5.."}'
        failed, asked = (f"sum by (service) (increase(http_requests_total{one}[30d]))" for one in (bad, by))
        query = f"1 - {failed} / {asked}"
        began = time.perf_counter()
        answer = requests.post(
            f"{address}/api/v1/query", data={"query": query, "time": end, "stats": "all"}, timeout=300
        ).json()
        samples = answer["data"]["stats"]["samples"]["totalQueryableSamples"]
        took = time.perf_counter() - began
        print(f"raw 30 d ratio, {what}: {took:.2f} s, {samples:,} samples, and blind to a dead process")


def _report(facts: dict, objectives: dict[str, Objective], times: int, folder: Path) -> None:
    ledger = open_ledger(Settings(home=folder / f"home-{times}"))
    many = {
        f"{name}-{copy}": objective.model_copy(update={"name": f"{name}-{copy}"})
        for name, objective in objectives.items()
        for copy in range(times)
    }
    for name, days in facts.items():
        for copy in range(times):
            shelf.keep(ledger, [replace(fact, objective=f"{name}-{copy}") for fact in days.values()])
    began = time.perf_counter()
    known = shelf.take_down(ledger, OCTOBER.first, OCTOBER.days[-1])
    report = make_report(Head("bench", "bench"), Material(OCTOBER, many, known, timeline.lanes(ledger, OCTOBER)))
    made = time.perf_counter() - began
    page = to_html(report)
    shown, size = time.perf_counter() - began, len(page.encode()) / 1e6
    what = f"report of {times * SERVICES} services from the ledger"
    print(f"{what}: {made:.2f} s, with its page {shown:.2f} s, {size:.2f} MB of HTML")


if __name__ == "__main__":
    main()
