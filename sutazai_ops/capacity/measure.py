"""Asks a source about days, and makes facts of the answers: a handful of questions a day, of all services at once.

Of all that goes wrong here nothing makes a number: what was not answered is not measured.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.capacity import facts as of_services
from sutazai_ops.capacity import values as of_measures
from sutazai_ops.capacity.facts import SLICE_SECONDS, SLICES, Slices, make_day
from sutazai_ops.capacity.values import make_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from sutazai_ops.capacity.facts import ServiceDay
    from sutazai_ops.capacity.values import DayValue, Measure, Subject
    from sutazai_ops.slo.source import Source

LABEL = "service"
GAUGES = {
    "memory": "max by (service) (max_over_time(sutazai_service_memory_working_set_bytes[5m]))",
    "cpu": "max by (service) (rate(sutazai_service_cpu_seconds_total[5m]))",
    "memory_limit": "min by (service) (min_over_time(sutazai_service_memory_limit_bytes[5m]))",
    "cpu_limit": "min by (service) (min_over_time(sutazai_service_cpu_limit_cores[5m]))",
}
"""What is asked of every service, each five minutes."""
KILLS = "max by (service) (last_over_time(sutazai_service_oom_kills_total[5m]))"
THROTTLED = "max by (service) (last_over_time(sutazai_service_cpu_throttled_seconds_total[5m]))"

Known = tuple["Mapping[tuple[str, date], ServiceDay]", "Mapping[tuple[str, Subject, date], DayValue]"]


def measure_services(
    services: Collection[str],
    day: date,
    source: Source,
    now: datetime,
    known: Mapping[tuple[str, date], ServiceDay],
) -> list[ServiceDay]:
    """The facts of one day, of these services and of any other that is found; merged with those that are known.

    Raises:
        OpsError: where the source cannot be asked, or refuses a question.
    """
    start, passed = _start(day), _passed(day, now)
    found = {what: _by_service(source, query, start, passed) for what, query in GAUGES.items()}
    kills, throttled = (_by_service(source, query, start, passed) for query in (KILLS, THROTTLED))
    made = []
    for service in sorted({*services, *found["memory"], *found["cpu"]}):
        gauges = {what: _row(answers.get(service, {}), start, 1) for what, answers in found.items()}
        counters = {"kills": kills.get(service, {}), "throttled": throttled.get(service, {})}
        slices = Slices(**gauges, **{what: _row(answers, start, 0) for what, answers in counters.items()})
        fact = make_day(service, day, slices, passed, now)
        made.append(of_services.merged(known[service, day], fact) if (service, day) in known else fact)
    return made


def measure_values(
    measures: Iterable[Measure],
    day: date,
    source: Source,
    now: datetime,
    known: Mapping[tuple[str, Subject, date], DayValue],
) -> list[DayValue]:
    """The values of one day; raises as `measure_services`."""
    start, end = _start(day), _start(day) + _passed(day, now) * SLICE_SECONDS
    made = []
    for measure in measures:
        for line in source.over(measure.query, start, end, measure.step).lines if end > start else ():
            subject = tuple(sorted(line.labels.items()))
            value = make_value(measure, subject, day, dict(line.points), start, now)
            key = (measure.name, subject, day)
            made.append(of_measures.merged(known[key], value) if key in known else value)
    return made


def due_days(settled: Collection[date], first: date, today: date) -> list[date]:
    """The days from `first` to today that are not settled, the earliest first."""
    days = [first + timedelta(days=number) for number in range((today - first).days + 1)]
    return [day for day in days if day not in settled]


def _by_service(source: Source, query: str, start: int, passed: int) -> dict[str, dict[int, float]]:
    answer = source.over(query, start, start + passed * SLICE_SECONDS, SLICE_SECONDS)
    return {line.labels[LABEL]: dict(line.points) for line in answer.lines if LABEL in line.labels}


def _row(answers: Mapping[int, float], start: int, first: int) -> Sequence[float | None]:
    """An answer looks back over its slice, so that of the first slice stands at its end."""
    return [answers.get(start + number * SLICE_SECONDS) for number in range(first, SLICES + 1)]


def _start(day: date) -> int:
    return round(datetime.combine(day, time(), UTC).timestamp())


def _passed(day: date, now: datetime) -> int:
    """Whole slices of the day until now."""
    return max(0, min(SLICES, int(now.timestamp() - _start(day)) // SLICE_SECONDS))
