"""A made-up month, told by the same code as a real one: what a report looks like before there is anything to report.

The story stands below as data; from it comes what would have been measured, and from there on everything is the real
thing. Nothing is random and nothing asks a clock, so the sample is the same every time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from sutazai_ops.capacity import values
from sutazai_ops.capacity.facts import SLICES, Slices, make_day
from sutazai_ops.capacity.kpis import measure_name, read_kpis
from sutazai_ops.capacity.monthly import Known, Sized, monthly_report
from sutazai_ops.capacity.prices import HostPrice, Prices, StoragePrice
from sutazai_ops.capacity.report import Head
from sutazai_ops.capacity.sizing import GIB, MIB, Size
from sutazai_ops.capacity.values import DayValue
from sutazai_ops.slo.period import month

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from sutazai_ops.capacity.facts import ServiceDay
    from sutazai_ops.capacity.kpis import Kpi
    from sutazai_ops.capacity.report_model import Report
    from sutazai_ops.capacity.values import Measure, Subject

MONTH = month("2026-10")
MADE = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
CLEANED = range(12, 17)
"""Days in which a disk had been cleaned up, which did not last."""
BEFORE_DAYS = 1
"""The first days that a report looks at lie before its month."""


@dataclass(frozen=True, slots=True)
class Story:
    """How one service lived; megabytes and cores."""

    name: str
    memory: float
    """Its usual daily peak."""
    cores: float
    limit: float | None
    cpu_limit: float | None
    growth: float = 0.0
    """Of the peak, a day."""
    kills: frozenset[int] = frozenset()
    """Days of the month on which it was killed, once each."""
    since: int = -BEFORE_DAYS
    """The day of the month from which on it is there."""
    resized: tuple[int, float, float] | None = None
    """A day of the month, its limit from then on, and its peak."""
    unseen: frozenset[int] = frozenset()
    """Days on which nobody measured it."""
    keeps: str = ""
    models: bool = False


STORIES = (
    Story("ollama", 2600, 1.1, 4096, 2.0, models=True),
    Story("postgres", 420, 0.22, 768, 1.0, keeps="what holds state has memory settings of its own"),
    Story("redis", 180, 0.06, 384, 0.5, keeps="what holds state has memory settings of its own"),
    Story("backend", 715, 0.38, 768, 1.0),
    Story("frontend", 96, 0.04, 384, 0.5),
    Story("ai-engineer", 132, 0.09, 192, 0.5),
    Story("code-improver", 190, 0.21, 192, 0.5, kills=frozenset({6, 7, 15, 22})),
    Story("qa-validator", 118, 0.07, 192, 0.5),
    Story("testing-qa-validator", 96, 0.05, 192, 0.5, growth=4.1),
    Story("qdrant", 330, 0.12, 512, 1.0, resized=(14, 1024, 705)),
    Story("n8n", 280, 0.10, None, None, unseen=frozenset({10, 11})),
    Story("langflow", 890, 0.15, 2048, 1.0),
    Story("chroma", 205, 0.08, 512, 1.0, since=30),
)


def sample_report() -> Report:
    """The report of the made-up month."""
    facts = {(one.name, day.day): day for one in STORIES for day in _days(one)}
    known = Known(
        services=[_sized(one) for one in STORIES],
        facts=facts,
        values={(one.measure, one.subject, one.day): one for one in _values()},
        kpis=_kpis(),
        prices=Prices(currency="USD", host=HostPrice(per_hour=0.21), storage=StoragePrice(per_gigabyte_month=0.02)),
        agent_memory=256 * MIB,
        journeys=0.99934,
        journeys_coverage=0.998,
        today=MONTH.end - timedelta(days=1),
    )
    return monthly_report(Head("production", "a made-up month", sample=True), MONTH, known)


def _sized(one: Story) -> Sized:
    limit = one.resized[1] if one.resized else one.limit
    now = Size(None if limit is None else int(limit * MIB), one.cpu_limit)
    return Sized(one.name, now, keeps_memory=one.keeps, runs_models=one.models)


def _all_days() -> list[date]:
    first = MONTH.first - timedelta(days=BEFORE_DAYS)
    return [first + timedelta(days=number) for number in range((MONTH.end - first).days)]


def _days(one: Story) -> Iterator[ServiceDay]:
    for day in _all_days():
        number = (day - MONTH.first).days + 1
        if number < one.since:
            continue
        if number in one.unseen:
            nothing: Sequence[None] = [None] * SLICES
            slices = Slices(nothing, nothing, nothing, nothing, [None] * (SLICES + 1))
            yield make_day(one.name, day, slices, SLICES, MADE)
            continue
        lived = one
        if one.resized and number >= one.resized[0]:
            lived = replace(one, limit=one.resized[1], memory=one.resized[2])
        yield make_day(one.name, day, _slices(lived, number, killed=number in one.kills), SLICES, MADE)


def _slices(one: Story, number: int, *, killed: bool) -> Slices:
    """A day that is quiet at night, busier in the working week, and a little different from all others."""
    is_weekend = (MONTH.first + timedelta(days=number - 1)).weekday() >= 5  # noqa: PLR2004  (Saturday)
    busy = (0.75 if is_weekend else 1.0) * (1 + 0.03 * math.sin(number * 1.7))
    peak = one.memory * (0.93 if is_weekend else 1) * (1 + 0.02 * math.sin(number * 2.3)) + one.growth * number
    peak = min(peak, one.limit) if one.limit else peak
    wave = [0.5 - 0.5 * math.cos(2 * math.pi * (slice_ / SLICES - 0.1)) for slice_ in range(SLICES)]
    noon = SLICES // 2
    return Slices(
        memory=[peak * MIB * (0.72 + 0.28 * high) for high in wave],
        cpu=[one.cores * busy * (0.25 + 0.75 * high) for high in wave],
        memory_limit=[None if one.limit is None else one.limit * MIB] * SLICES,
        cpu_limit=[one.cpu_limit] * SLICES,
        kills=[float(killed and slice_ > noon) for slice_ in range(SLICES + 1)],
    )


def _values() -> Iterator[DayValue]:
    root: Subject = (("mountpoint", "/"),)
    data: Subject = (("mountpoint", "/srv/data"),)
    for number, day in enumerate(_all_days()):
        weekday = 0.6 if day.weekday() >= 5 else 1.0  # noqa: PLR2004  (Saturday)
        wave = 1 + 0.05 * math.sin(number * 1.9)
        yield _value(values.HOST_MEMORY, day, (6.4 + 0.02 * number + 0.1 * wave) * GIB)
        yield _value(values.HOST_MEMORY_SIZE, day, 16 * GIB)
        yield _value(values.HOST_CPU, day, 2.3 * weekday * wave)
        yield _value(values.HOST_CPU_SIZE, day, 8.0)
        cleaned = 9 if number in CLEANED else 0
        yield _value(values.DISK, day, (101 + 0.9 * number + 0.5 * wave - cleaned) * 1e9, root)
        yield _value(values.DISK_SIZE, day, 160e9, root)
        yield _value(values.DISK, day, 240e9 + 0.1e9 * wave, data)
        yield _value(values.DISK_SIZE, day, 960e9, data)
        yield _value(values.BACKUP_SIZE, day, (1.9 + 0.03 * number) * 1e9)
        yield _value(values.BACKUP_STORE, day, (15.2 + 0.24 * number) * 1e9)
        yield _value(values.BACKUP_FREE, day, 720e9)
        requests = 410 * weekday * wave
        yield _value(values.REQUESTS, day, requests, (("service", "backend"),))
        for share, agent in ((0.4, "ai-engineer"), (0.25, "code-improver"), (0.35, "qa-validator")):
            of = (("agent", agent), ("service", "backend"))
            yield _value(values.TASKS, day, 36 * weekday * wave * share, (*of, ("status", "done")))
            yield _value(values.TASK_SECONDS, day, 150 * weekday * wave * share, of)
        yield _value(values.MODEL_SECONDS, day, 900 * weekday, (("model", "llama3.2:3b"),))
        yield _value(values.MODEL_SECONDS, day, 60 * weekday, (("model", "nomic-embed-text"),))
        yield _of_kpi("response-time", "total", day, requests)
        yield _of_kpi("response-time", "good", day, requests * 0.962)
        yield _of_kpi("task-time", "sum", day, 150 * weekday * wave)
        yield _of_kpi("task-time", "count", day, 36 * weekday * wave)
        yield _of_kpi("tasks", "count", day, 36 * weekday * wave)
        yield _of_kpi("hours-saved", "count", day, 36 * weekday * wave)
        if number % 2:
            yield _of_kpi("satisfaction", "up", day, 0.07)
            yield _of_kpi("satisfaction", "down", day, 0.003)


def _of_kpi(name: str, key: str, day: date, hourly: float) -> DayValue:
    measure = next(one for one in _kpis()[name].measures() if one.name == measure_name(name, key))
    return _value(measure, day, hourly)


@cache
def _kpis() -> dict[str, Kpi]:
    return read_kpis()


def _value(measure: Measure, day: date, level: float, subject: Subject = ()) -> DayValue:
    is_level = measure.kind is values.Kind.LEVEL
    return DayValue(
        measure=measure.name,
        subject=tuple(sorted(subject)),
        day=day,
        kind=measure.kind,
        question=measure.identity,
        hours=(level,) * 24,
        peak=level * 1.04 if is_level else None,
        computed_at=MADE,
    )
