"""The report on capacity: how long it takes from the facts in the ledger to the page, for 30 and for 300 services.

    python benchmarks/capacity.py

Beside it stands how long the facts of one day take, from the samples of that day to the ledger. Both goals are those of
the issue: 30 services over 30 days within 5 s, 300 within 20 s. Writes nothing outside a temporary folder.
"""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.capacity import shelf
from sutazai_ops.capacity.facts import SLICES, Slices, make_day
from sutazai_ops.capacity.kpis import read_kpis
from sutazai_ops.capacity.monthly import Known, Sized, first_day, monthly_report
from sutazai_ops.capacity.report import Head
from sutazai_ops.capacity.report_html import to_html
from sutazai_ops.capacity.report_model import to_json
from sutazai_ops.capacity.sizing import GIB, MIB, Size
from sutazai_ops.capacity.writing import to_markdown
from sutazai_ops.ledger import open_ledger
from sutazai_ops.settings import Settings
from sutazai_ops.slo import period

if TYPE_CHECKING:
    from datetime import date

    from sutazai_ops.capacity.facts import ServiceDay

OCTOBER = period.month("2026-10")
AFTER = datetime(2026, 11, 1, 6, tzinfo=UTC)
GOALS = {30: 5.0, 300: 20.0}
HEAD = Head("production", "a benchmark")


def main() -> None:
    """Measure, and print what was measured."""
    for services, goal in GOALS.items():
        with tempfile.TemporaryDirectory() as name:
            ledger = open_ledger(Settings(home=Path(name)))
            names = [f"service-{number:03d}" for number in range(services)]
            days = [first_day(OCTOBER) + timedelta(days=number) for number in range(31)]
            began = time.perf_counter()
            first = [_fact(one, place, days[0]) for place, one in enumerate(names)]
            shelf.keep(ledger, first, [])
            a_day = time.perf_counter() - began
            for day in days[1:]:
                shelf.keep(ledger, [replace(one, day=day) for one in first], [])
            began, worked = time.perf_counter(), time.process_time()
            facts = shelf.service_days(ledger, days[0], days[-1])
            read = time.perf_counter() - began
            report = monthly_report(HEAD, OCTOBER, _known(names, facts, days[-1]))
            made = time.perf_counter() - began
            page = len(to_html(report)) + len(to_markdown(report)) + len(to_json(report))
            shown = time.perf_counter() - began
            worked = time.process_time() - worked
        print(
            f"{services} services: facts of a day made and kept in {a_day:.2f} s; report {shown:.2f} s, of which"
            f" {worked:.2f} s were work, goal {goal:g} s"
            f" (read {read:.2f}, made {made - read:.2f}, shown {shown - made:.2f}; {page / 1e6:.1f} MB of pages)"
        )


def _known(names: list[str], facts: dict[tuple[str, date], ServiceDay], today: date) -> Known:
    size = Size(int(GIB), 1.0)
    return Known([Sized(one, size) for one in names], facts, {}, read_kpis(), None, 256 * MIB, today=today)


def _fact(name: str, place: int, day: date) -> ServiceDay:
    wave = [1 + 0.3 * math.sin((number + place) / 20) for number in range(SLICES)]
    slices = Slices(
        memory=[(200 + place) * MIB * high for high in wave],
        cpu=[0.2 * high for high in wave],
        memory_limit=[GIB] * SLICES,
        cpu_limit=[1.0] * SLICES,
        kills=[0.0] * (SLICES + 1),
    )
    return make_day(name, day, slices, SLICES, AFTER)


if __name__ == "__main__":
    main()
