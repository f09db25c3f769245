"""Facts and reports: how long they take, beside the question over thirty days that they are there to avoid.

    python benchmarks/slo.py               30 services, a month at 15 s; then reports of 30 and 300 services
    python benchmarks/slo.py --quick       at 60 s, for a look
    python benchmarks/slo.py --minutes 5   writes no longer than that, and measures the services that it has by then

The month is written once, service by service, into `sutazai-benchmarks` below the folder for temporary files: about
100 MB, which the next run uses again and goes on with; remove it when you are done. Needs Prometheus and promtool, of
the PATH or out of Debian's package.

Goals: facts of one day in 5 s; a report of a month in 5 s at 30 services and in 20 s at 300; a page of 1 MB at 30.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "slo"))

from typing import TYPE_CHECKING, Any

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
DAY_SECONDS, REPORT_SECONDS, PAGE_MEGABYTES = 5.0, {1: 5.0, 10: 20.0}, 1.0
"""What is to be reached; reports by how many times the services."""


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a sample a minute instead of one every 15 s")
    parser.add_argument("--minutes", type=float, default=20, help="to write the month in, 20 if left out")
    asked = parser.parse_args()
    scrape = 60 if asked.quick else 15
    promtool = program("promtool")
    if promtool is None:
        sys.exit("Prometheus cannot be had here: apt-get and dpkg, or prometheus and promtool in the PATH")
    cache = Path(tempfile.gettempdir()) / "sutazai-benchmarks" / f"month-{scrape}s"
    written = _write(cache, scrape, promtool, asked.minutes * 60)
    more = "" if len(written) == SERVICES else f" of {SERVICES}: run it again to write the others"
    print(f"a month at {scrape} s of {len(written)} services{more}")
    with tempfile.TemporaryDirectory() as name, running(cache / "data", "--query.max-samples=500000000") as address:
        source = Counting(address, seconds=300)
        objectives = {o.name: o for service in written for o in _objectives(service)}
        _day(objectives, source)
        facts = _month(objectives, source)
        _raw(address, written)
        for times in REPORT_SECONDS:
            _report(facts, objectives, times, Path(name))


def _write(cache: Path, scrape: int, promtool: Path, seconds: float) -> list[str]:
    """Write the services that are not there yet, as far as time allows, and name those that are."""
    cache.mkdir(parents=True, exist_ok=True)
    done = cache / "services"
    written = done.read_text().split() if done.exists() else []
    until = time.monotonic() + seconds
    one = make_month(1, OCTOBER.first, 31, service="s00", scrape=scrape)
    for number in range(len(written), SERVICES):
        if time.monotonic() > until and written:
            break
        # One at a time, since a month at 15 s is half a gigabyte of text.
        write_blocks([_called(one, f"s{number:02d}")], cache / "data", promtool)
        written.append(f"s{number:02d}")
        done.write_text("\n".join(written))
    return written


def _told(what: str, took: float, goal: float, unit: str = "s", more: str = "") -> None:
    print(f"{what}: {took:.2f} {unit}{more}   goal: {goal:g} {unit}, {'reached' if took <= goal else 'MISSED'}")


class Counting(PrometheusSource):
    """A source that adds up how many samples its questions have touched."""

    touched = 0

    def _post(self, what: str, form: dict[str, Any]) -> tuple[int, bytes]:
        status, body = super()._post(what, {**form, "stats": "all"})
        self.touched += sum(map(int, re.findall(rb'"totalQueryableSamples":(\d+)', body)))
        return status, body


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


def _day(objectives: dict[str, Objective], source: Counting) -> None:
    for number in (14, 15):
        before, began, worked = source.touched, time.perf_counter(), time.process_time()
        measure_days(objectives.values(), [OCTOBER.first.replace(day=number)], source, {}, AFTER)
        took = time.perf_counter() - began
        more = (
            f", {source.touched - before:,} samples, {time.process_time() - worked:.2f} s of a core beside Prometheus"
        )
        _told(f"facts of one day, {len(objectives)} objectives", took, DAY_SECONDS, more=more)


def _month(objectives: dict[str, Objective], source: Counting) -> dict:
    before, began = source.touched, time.perf_counter()
    facts = measure_days(objectives.values(), OCTOBER.days, source, {}, AFTER)
    took = time.perf_counter() - began
    print(f"facts of a month, once: {took:.1f} s, {source.touched - before:,} samples")
    return facts


def _raw(address: str, services: list[str]) -> None:
    """The usual question, for one service and for all."""
    end = int(OCTOBER.end_moment.timestamp())
    for what, by in (("one service", f'{{service="{services[-1]}"}}'), (f"{len(services)} services", "")):
        bad = by.replace("}", ',status=~"5.."}') if by else '{status=~"5.."}'
        failed, asked = (f"sum by (service) (increase(http_requests_total{one}[30d]))" for one in (bad, by))
        query = f"1 - {failed} / {asked}"
        began = time.perf_counter()
        answer = requests.post(
            f"{address}/api/v1/query", data={"query": query, "time": end, "stats": "all"}, timeout=300
        ).json()
        took = time.perf_counter() - began
        samples = answer["data"]["stats"]["samples"]["totalQueryableSamples"]
        print(f"raw 30 d ratio, {what}: {took:.2f} s, {samples:,} samples, and blind to a dead process")
    curve = {"query": query, "start": end - 30 * 86_400, "end": end, "step": 86_400, "stats": "all"}
    began = time.perf_counter()
    answer = requests.post(f"{address}/api/v1/query_range", data=curve, timeout=600).json()
    samples = answer["data"]["stats"]["samples"]["totalQueryableSamples"]
    print(f"raw 30 d ratio as a curve by the day: {time.perf_counter() - began:.2f} s, {samples:,} samples")


def _report(facts: dict, objectives: dict[str, Objective], times: int, folder: Path) -> None:
    ledger = open_ledger(Settings(home=folder / f"home-{times}"))
    # As many services as are meant, whether or not there was time to write them all.
    times *= SERVICES * len(TARGETS) // len(objectives)
    many = {
        f"{name}-{copy}": objective.model_copy(update={"name": f"{name}-{copy}"})
        for name, objective in objectives.items()
        for copy in range(times)
    }
    for name, days in facts.items():
        for copy in range(times):
            shelf.keep(ledger, [replace(fact, objective=f"{name}-{copy}") for fact in days.values()])
    began, worked = time.perf_counter(), time.process_time()
    known = shelf.take_down(ledger, OCTOBER.first, OCTOBER.days[-1])
    report = make_report(Head("bench", "bench"), Material(OCTOBER, many, known, timeline.lanes(ledger, OCTOBER)))
    made = time.perf_counter() - began
    page = to_html(report)
    shown, size = time.perf_counter() - began, len(page.encode()) / 1e6
    worked = time.process_time() - worked
    services = len(many) // len(TARGETS)
    what = f"report of {services} services from the ledger"
    goal = REPORT_SECONDS[1 if services <= SERVICES else 10]
    _told(what, shown, goal, more=f" with its page, {made:.2f} s without; {worked:.2f} s of a core")
    if services <= SERVICES:
        _told("its page", size, PAGE_MEGABYTES, "MB")
    else:
        print(f"its page: {size:.2f} MB")


if __name__ == "__main__":
    main()
