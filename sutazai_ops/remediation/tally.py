"""How many incidents there were, and how long it took to notice them, to act, and until they were whole. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.remediation.situation import HELPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sutazai_ops.ledger import IncidentEntry, RepairEntry


@dataclass(frozen=True, slots=True)
class Tally:
    """Of a time. What nothing is known of is None, and no nought."""

    incidents: int
    open: int
    given_to_a_person: int
    repairs: int
    helped: int
    to_detect: float | None
    """Seconds in the median from the first breach that was measured until the incident was opened."""
    to_act: float | None
    """From its opening to the first repair, of those that had one."""
    to_repair: float | None
    """From the first breach until it was whole for good, of those that are over."""


def tally(incidents: Sequence[IncidentEntry], repairs: Sequence[RepairEntry]) -> Tally:
    """Count them."""
    first = {one.incident: one.started_at for one in sorted(repairs, key=lambda one: one.started_at, reverse=True)}
    acted = [(one.opened_at, first[one.number]) for one in incidents if one.number in first]
    over = [(_began(one), one.ended_at) for one in incidents if one.ended_at is not None]
    return Tally(
        incidents=len(incidents),
        open=sum(one.closed_at is None for one in incidents),
        given_to_a_person=sum(one.escalated_at is not None for one in incidents),
        repairs=len(repairs),
        helped=sum(one.outcome == HELPED for one in repairs),
        to_detect=_median((_began(one), one.opened_at) for one in incidents),
        to_act=_median(acted),
        to_repair=_median(over),
    )


def _began(incident: IncidentEntry) -> datetime:
    return min([incident.opened_at, *incident.changes])


def _median(spans: Iterable[tuple[datetime, datetime]]) -> float | None:
    # A clock that was set back between the two says nothing of how long it took.
    seconds = [(end - start).total_seconds() for start, end in spans if end >= start]
    return statistics.median(seconds) if seconds else None
