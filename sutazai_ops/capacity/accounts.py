"""From facts to what a day is divided by: who used how much of the host, and what was done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.capacity import values
from sutazai_ops.capacity.cost import DayUse, used

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from sutazai_ops.capacity.facts import ServiceDay
    from sutazai_ops.capacity.values import DayValue, Subject


def day_uses(
    facts: Mapping[tuple[str, date], ServiceDay], known: Mapping[tuple[str, Subject, date], DayValue]
) -> list[DayUse]:
    """The days on which the host was measured, the earliest first; of other days nothing can be divided."""
    by_day: dict[date, list[ServiceDay]] = {}
    for (_, day), fact in facts.items():
        by_day.setdefault(day, []).append(fact)
    measured: dict[date, list[DayValue]] = {}
    for (_, _, day), value in known.items():
        measured.setdefault(day, []).append(value)
    uses = (_use(day, by_day.get(day, ()), of) for day, of in sorted(measured.items()))
    return [one for one in uses if one is not None]


def _use(day: date, facts: Iterable[ServiceDay], of: Iterable[DayValue]) -> DayUse | None:
    by_measure: dict[str, dict[Subject, DayValue]] = {}
    for value in of:
        by_measure.setdefault(value.measure, {})[value.subject] = value
    memory = by_measure.get(values.HOST_MEMORY_SIZE.name, {}).get(())
    cpus = by_measure.get(values.HOST_CPU_SIZE.name, {}).get(())
    if memory is None or cpus is None or not memory.value or not cpus.value:
        return None

    def counted(measure: values.Measure, *labels: str) -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = {}
        for one in by_measure.get(measure.name, {}).values():
            key = tuple(one.label.get(label, "") for label in labels)
            found[key] = found.get(key, 0.0) + (one.value or 0.0)
        return found

    return DayUse(
        day=day,
        hours=float(len(memory.known)),
        cpus=cpus.value,
        memory=memory.value,
        services={
            fact.service: used(fact.cpu.spread.total, fact.memory.spread.total)
            for fact in facts
            if fact.memory.measured
        },
        requests={service: count for (service,), count in counted(values.REQUESTS, "service").items()},
        tasks=_pairs(counted(values.TASKS, "service", "agent")),
        task_seconds=_pairs(counted(values.TASK_SECONDS, "service", "agent")),
        model_seconds={model: count for (model,), count in counted(values.MODEL_SECONDS, "model").items()},
        tokens=_pairs(counted(values.TOKENS, "model", "kind")),
        stored=sum(counted(values.DISK, "mountpoint").values()),
        sent=sum(counted(values.EGRESS).values()),
    )


def _pairs(found: Mapping[tuple[str, ...], float]) -> dict[tuple[str, str], float]:
    return {(first, second): count for (first, second), count in found.items()}
