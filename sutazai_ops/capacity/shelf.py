"""Facts of capacity on the ledger's shelf: kept as rows, taken down as values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sutazai_ops.capacity.facts import of_detail, to_detail
from sutazai_ops.capacity.values import DayValue, Kind
from sutazai_ops.capacity.values import to_detail as to_value_detail
from sutazai_ops.ledger import DayValueEntry, ServiceDayEntry

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from sutazai_ops.capacity.facts import ServiceDay
    from sutazai_ops.capacity.values import Subject
    from sutazai_ops.ledger import Ledger


def keep(ledger: Ledger, days: Sequence[ServiceDay], values: Sequence[DayValue]) -> None:
    """Write facts down, each in the place of the one of its service or subject and day."""
    ledger.record_capacity([_service_entry(one) for one in days], [_value_entry(one) for one in values])


def service_days(ledger: Ledger, first: date, last: date) -> dict[tuple[str, date], ServiceDay]:
    """The facts of these days, both ends among them, by service and day."""
    return {
        (one.service, one.day): of_detail(one.service, one.day, one.detail, one.computed_at)
        for one in ledger.service_days_between(first, last)
    }


def day_values(
    ledger: Ledger, first: date, last: date, measures: Collection[str] | None = None
) -> dict[tuple[str, Subject, date], DayValue]:
    """The values of these days by measure, subject and day; of all measures for None."""
    found = (_value(entry) for entry in ledger.day_values_between(first, last, measures))
    return {(one.measure, one.subject, one.day): one for one in found}


def _service_entry(fact: ServiceDay) -> ServiceDayEntry:
    memory, cpu = fact.memory, fact.cpu
    return ServiceDayEntry(
        service=fact.service,
        day=fact.day,
        memory_peak=memory.spread.peak if memory.measured else None,
        memory_p95=memory.spread.quantile(0.95),
        memory_limit=memory.limit,
        cpu_peak=cpu.spread.peak if cpu.measured else None,
        cpu_p95=cpu.spread.quantile(0.95),
        cpu_limit=cpu.limit,
        oom_kills=fact.kills,
        coverage=fact.coverage,
        final=fact.is_final(),
        detail=to_detail(fact),
        computed_at=fact.computed_at,
    )


def _value_entry(value: DayValue) -> DayValueEntry:
    return DayValueEntry(
        measure=value.measure,
        subject=json.dumps(value.subject, separators=(",", ":")),
        day=value.day,
        kind=value.kind,
        question=value.question,
        value=value.value,
        final=value.is_final(),
        detail=to_value_detail(value),
        computed_at=value.computed_at,
    )


def _value(entry: DayValueEntry) -> DayValue:
    return DayValue(
        measure=entry.measure,
        subject=tuple((label, value) for label, value in json.loads(entry.subject)),
        day=entry.day,
        kind=Kind(entry.kind),
        question=entry.question,
        hours=tuple(entry.detail["hours"]),
        peak=entry.detail["peak"],
        computed_at=entry.computed_at,
    )
