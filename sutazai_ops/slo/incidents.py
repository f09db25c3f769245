"""What fired: Prometheus' own record of its alerts, copied into the ledger before its retention forgets it.

Where nothing keeps incidents in the ledger, an alert that fires is one: from its first minute to its last, known again
by what it was about and when it began, so that copying it again replaces it.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.ledger import EventEntry
from sutazai_ops.slo.report_model import LaneKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sutazai_ops.slo.source import Source

QUERY = 'max without (instance, job) (ALERTS{alertstate="firing",severity=~"page|ticket"})'
STEP = 60
APART = 300
"""Seconds without it after which an alert that fires again is another incident."""
BEYOND = 86_400
"""So much before the days that are asked for is looked at, too: what began then is told whole."""
ABOUT = frozenset({"alertname", "alertstate", "severity"})


def fired(source: Source, start: datetime, end: datetime, now: datetime) -> list[EventEntry]:
    """The alerts that fired from `start` until before `end`, and those that still do; raises `OpsError` as a source."""
    last = min(int(end.timestamp()), int(now.timestamp()))
    first = int(start.timestamp()) - BEYOND
    found = [
        _event(line.labels, stretch, is_over=stretch[1] < int(now.timestamp()) - APART)
        for line in source.over(QUERY, first, last // STEP * STEP, STEP).lines
        for stretch in _stretches([moment for moment, _ in line.points])
        # One that fired when the look began had begun before, nobody knows when.
        if stretch[0] > first
    ]
    return sorted(found, key=lambda one: (one.started_at, one.id))


def _stretches(moments: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = previous = None
    for moment in sorted(moments):
        if start is not None and previous is not None and moment - previous > APART:
            yield start, previous
            start = None
        start, previous = (moment if start is None else start), moment
    if start is not None and previous is not None:
        yield start, previous


def _event(labels: Mapping[str, str], stretch: tuple[int, int], *, is_over: bool) -> EventEntry:
    about = {
        label: value for label, value in sorted(labels.items()) if label not in ABOUT and not label.startswith("__")
    }
    name = labels.get("alertname", "")
    identity = hashlib.sha256(repr((name, about, stretch[0])).encode()).hexdigest()[:12]
    service = labels.get("service", "")
    what = ", ".join(value for label, value in about.items() if label not in {"service", "signal", "playbook"})
    title = " of ".join(part for part in (name.replace("_", " "), service or what) if part)
    return EventEntry(
        lane=LaneKind.INCIDENT,
        id=identity,
        started_at=datetime.fromtimestamp(stretch[0], UTC),
        ended_at=datetime.fromtimestamp(stretch[1], UTC) if is_over else None,
        title=title,
        detail=labels.get("severity", ""),
        outcome="resolved" if is_over else "",
        services=[service] if service else [],
    )
