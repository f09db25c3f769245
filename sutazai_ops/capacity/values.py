"""Numbers of the whole host and of what it is there for, day by day: disk, memory, requests, tasks, tokens, votes.

A *level* is something that is at any moment, such as a used disk; a *count* is something that happened. Each value has
a subject, the labels that tell it apart from others of its measure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sutazai_ops.capacity.facts import HOUR_SECONDS, HOURS, SLICE_SECONDS, is_settled
from sutazai_ops.model import Model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date


class Kind(StrEnum):
    """What kind of number it is."""

    LEVEL = "level"
    COUNT = "count"


class Measure(Model):
    """One thing that is asked about every day."""

    name: str
    kind: Kind
    query: str
    """PromQL: the level now, or by how much it grew in an hour."""

    @property
    def step(self) -> int:
        """Seconds between two answers."""
        return SLICE_SECONDS if self.kind is Kind.LEVEL else HOUR_SECONDS

    @property
    def identity(self) -> str:
        """A hash of what is asked: values of another question are not of this measure."""
        return hashlib.sha256(f"{self.kind}\0{self.query}".encode()).hexdigest()[:16]


_DISKS = 'fstype!~"tmpfs|ramfs|squashfs|erofs|iso9660|fuse.*"'

HOST_MEMORY = Measure(
    name="host_memory",
    kind=Kind.LEVEL,
    query="sum(node_memory_MemTotal_bytes) - sum(node_memory_MemAvailable_bytes)",
)
HOST_MEMORY_SIZE = Measure(name="host_memory_size", kind=Kind.LEVEL, query="sum(node_memory_MemTotal_bytes)")
HOST_CPU = Measure(name="host_cpu", kind=Kind.LEVEL, query='sum(rate(node_cpu_seconds_total{mode!="idle"}[5m]))')
HOST_CPU_SIZE = Measure(name="host_cpu_size", kind=Kind.LEVEL, query='count(node_cpu_seconds_total{mode="idle"})')
DISK = Measure(
    name="disk",
    kind=Kind.LEVEL,
    query=f"max by (mountpoint) (node_filesystem_size_bytes{{{_DISKS}}} - node_filesystem_avail_bytes{{{_DISKS}}})",
)
DISK_SIZE = Measure(
    name="disk_size", kind=Kind.LEVEL, query=f"max by (mountpoint) (node_filesystem_size_bytes{{{_DISKS}}})"
)
BACKUP_SIZE = Measure(name="backup_size", kind=Kind.LEVEL, query="max(sutazai_backup_size_bytes)")
BACKUP_STORE = Measure(name="backup_store", kind=Kind.LEVEL, query="max(sutazai_backup_store_bytes)")
BACKUP_FREE = Measure(name="backup_free", kind=Kind.LEVEL, query="max(sutazai_backup_store_free_bytes)")
EGRESS = Measure(
    name="egress",
    kind=Kind.COUNT,
    query='sum(increase(node_network_transmit_bytes_total{device!~"lo|veth.*|br-.*|docker.*"}[1h]))',
)
REQUESTS = Measure(name="requests", kind=Kind.COUNT, query="sum by (service) (increase(http_requests_total[1h]))")
TASKS = Measure(
    name="tasks", kind=Kind.COUNT, query="sum by (service, agent, status) (increase(agent_tasks_total[1h]))"
)
TASK_SECONDS = Measure(
    name="task_seconds",
    kind=Kind.COUNT,
    query="sum by (service, agent) (increase(agent_task_duration_seconds_sum[1h]))",
)
MODEL_SECONDS = Measure(
    name="model_seconds",
    kind=Kind.COUNT,
    query="sum by (model) (increase(llm_request_duration_seconds_sum[1h]))",
)
TOKENS = Measure(name="tokens", kind=Kind.COUNT, query="sum by (model, kind) (increase(llm_tokens_total[1h]))")
MEASURES = (
    *(HOST_MEMORY, HOST_MEMORY_SIZE, HOST_CPU, HOST_CPU_SIZE, DISK, DISK_SIZE),
    *(BACKUP_SIZE, BACKUP_STORE, BACKUP_FREE, EGRESS, REQUESTS, TASKS, TASK_SECONDS, MODEL_SECONDS, TOKENS),
)

Subject = tuple[tuple[str, str], ...]
"""Labels and their values, by label; none for what there is one of."""


@dataclass(frozen=True, slots=True)
class DayValue:
    """One measure of one subject on one day."""

    measure: str
    subject: Subject
    day: date
    kind: Kind
    question: str
    hours: Sequence[float | None]
    """Twenty-four: the mean level, or how much was counted; None for what was not measured or is still to come."""
    peak: float | None
    """Of a level: the highest of any five minutes."""
    computed_at: datetime

    @property
    def known(self) -> list[float]:
        """The hours that were measured."""
        return [hour for hour in self.hours if hour is not None]

    @property
    def value(self) -> float | None:
        """The mean level, or all that was counted; None where nothing was measured."""
        known = self.known
        if not known:
            return None
        return sum(known) if self.kind is Kind.COUNT else sum(known) / len(known)

    @property
    def last(self) -> float | None:
        """Of the last hour that was measured."""
        return self.known[-1] if self.known else None

    @property
    def passed(self) -> float:
        """How much of the day had passed when it was computed: a share of it."""
        began = datetime.combine(self.day, time(), UTC)
        return min(1.0, max(0.0, (self.computed_at - began) / timedelta(days=1)))

    @property
    def label(self) -> dict[str, str]:
        """The subject as a mapping."""
        return dict(self.subject)

    def is_final(self) -> bool:
        """Whether it can no longer change."""
        return is_settled(self.day, self.computed_at)


def make_value(
    measure: Measure, subject: Subject, day: date, answers: Mapping[int, float], start: int, now: datetime
) -> DayValue:
    """The value of a day out of what was answered, by the second; the answer at the end of an hour is of that hour."""
    hours: list[float | None] = []
    for number in range(HOURS):
        first = start + number * HOUR_SECONDS
        found = [
            answers[moment]
            for moment in range(first + measure.step, first + HOUR_SECONDS + 1, measure.step)
            if moment in answers
        ]
        hours.append(sum(found) / len(found) if found else None)
    return DayValue(
        measure=measure.name,
        subject=subject,
        day=day,
        kind=measure.kind,
        question=measure.identity,
        hours=tuple(hours),
        peak=max(answers.values(), default=None) if measure.kind is Kind.LEVEL else None,
        computed_at=now,
    )


def merged(old: DayValue, new: DayValue) -> DayValue:
    """The newer of two values, with what the older alone has measured."""
    if old.question != new.question:
        return new if new.known or not old.known else old
    peaks = [peak for peak in (old.peak, new.peak) if peak is not None]
    hours = [mine if theirs is None else theirs for mine, theirs in zip(old.hours, new.hours, strict=True)]
    return replace(new, hours=tuple(hours), peak=max(peaks, default=None))


def to_detail(value: DayValue) -> dict[str, Any]:
    """What the ledger keeps beside the figures, as JSON."""
    return {"hours": [None if hour is None else round(hour, 6) for hour in value.hours], "peak": value.peak}
