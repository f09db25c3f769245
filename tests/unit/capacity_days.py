"""Days of made-up services, as they were measured, and the facts of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

from sutazai_ops.capacity.facts import SLICES, ServiceDay, Slices, make_day

MIB = 1024.0**2
FIRST = date(2026, 10, 1)
LATER = datetime(2026, 12, 1, tzinfo=UTC)


def slices(
    memory: float | Sequence[float | None] = 300 * MIB,
    cpu: float | Sequence[float | None] = 0.2,
    memory_limit: float | None = 512 * MIB,
    cpu_limit: float | None = 0.5,
    kills: Sequence[float | None] = (0.0,) * (SLICES + 1),
    throttled: Sequence[float | None] = (),
) -> Slices:
    """A day on which a service used the same all day long, unless it is said otherwise."""
    return Slices(
        memory=[memory] * SLICES if isinstance(memory, float | int) else memory,
        cpu=[cpu] * SLICES if isinstance(cpu, float | int) else cpu,
        memory_limit=[memory_limit] * SLICES,
        cpu_limit=[cpu_limit] * SLICES,
        kills=kills,
        throttled=throttled,
    )


def day(number: int = 0, service: str = "web", **measured: object) -> ServiceDay:
    """The fact of the day that so many come before."""
    return make_day(service, FIRST + timedelta(days=number), slices(**measured), SLICES, LATER)  # type: ignore[arg-type]


def days(count: int, peak: Callable[[int], float] | float = 300 * MIB, **measured: object) -> list[ServiceDay]:
    """So many days, each with the memory that `peak` gives its number."""
    return [
        day(number, memory=peak(number) if callable(peak) else peak, **measured)  # type: ignore[arg-type]
        for number in range(count)
    ]


def killed(times: int) -> list[float | None]:
    """A counter that grows by so many at noon."""
    return [0.0 if number < SLICES // 2 else float(times) for number in range(SLICES + 1)]
