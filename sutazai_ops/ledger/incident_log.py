"""Writes down incidents, what was decided about them, and what was done.

Each method is one transaction. Of one target and symptom there is one open incident, and of all repairs one is under
way: the database itself refuses a second, whoever asks, so that of two programs that run at once one does nothing.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from sutazai_ops.ledger.access import Access, without
from sutazai_ops.ledger.errors import speaking
from sutazai_ops.ledger.incident_entries import (
    IncidentEntry,
    IncidentEventEntry,
    ModeEntry,
    RepairEntry,
    VerdictEntry,
)
from sutazai_ops.ledger.tables import UtcTime, incident_events, incidents, remediation_modes, repairs, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection


_STILL_OPEN = select(incidents.c.number).where(incidents.c.closed_at.is_(None))
SEEN = frozenset({"severity", "alerts", "opened_at", "broken_since", "whole_since", "changes", "closed_at", "outcome"})
"""The columns of an incident that whoever looks at the alerts writes."""

APPROVED = "approved"
"""The kind of event by which a person agrees to a rung, which its detail names."""
WITHDRAWN = "withdrawn"
"""The kind of event by which that holds no longer, since nothing could be done when it was asked for."""

ESCALATED = "escalated"
"""The kind of event by which an incident was given to a person."""


class IncidentLog(Access):
    """The part of the ledger that is about incidents."""

    def open_incident(self, entry: IncidentEntry, events: Sequence[IncidentEventEntry]) -> IncidentEntry | None:
        """Write down a new incident and its first events; returns it with its number.

        None where one of its target and symptom is open already: another program was faster.
        """
        with speaking(self.where):
            try:
                with self._engine.begin() as connection:
                    number = connection.scalar(insert(incidents).values(_row(entry)).returning(incidents.c.number))
                    opened = replace(entry, number=int(number or 0))
                    _add_events(connection, [replace(one, incident=opened.number) for one in events])
            except IntegrityError:
                return None
        return opened

    def update_incident(self, entry: IncidentEntry, events: Sequence[IncidentEventEntry]) -> bool:
        """Write down what was seen of an incident since; False where it was closed meanwhile, and stays so.

        What a person says of it and that it was escalated stands in columns that are left alone.
        """
        row = {name: value for name, value in _row(entry).items() if name in SEEN}
        with self._writing() as connection:
            still_open = (incidents.c.number == entry.number) & incidents.c.closed_at.is_(None)
            if not connection.execute(update(incidents).where(still_open).values(row)).rowcount:
                return False
            _add_events(connection, events)
        return True

    def acknowledge(self, number: int, at: datetime, by: str) -> None:
        """Write down that a person takes care of an incident."""
        event = IncidentEventEntry(number, at, "acknowledged", f"{by} takes care of it", actor=by)
        self._mark(event, acknowledged_at=at, acknowledged_by=by)

    def escalate(self, number: int, at: datetime, text: str) -> None:
        """Write down that an incident was given to a person."""
        self._mark(IncidentEventEntry(number, at, ESCALATED, text), escalated_at=at)

    def close(self, number: int, at: datetime, by: str, text: str) -> None:
        """Write down that a person says an incident is over."""
        event = IncidentEventEntry(number, at, "closed", text, actor=by)
        self._mark(event, closed_at=at, outcome="by a person")

    def add_events(self, events: Sequence[IncidentEventEntry]) -> None:
        """Write down further lines of timelines."""
        with self._writing() as connection:
            _add_events(connection, events)

    def record_verdicts(self, entries: Sequence[VerdictEntry], events: Sequence[IncidentEventEntry] = ()) -> None:
        """Write down what was decided in one round, with its lines of timelines."""
        if not entries:
            return
        with self._writing() as connection:
            connection.execute(insert(verdicts), [asdict(one) for one in entries])
            _add_events(connection, events)

    def begin_repair(self, entry: RepairEntry) -> RepairEntry | None:
        """Write down that an action begins; returns it with its id, and None where any other is under way."""
        row = without(asdict(entry))
        with speaking(self.where):
            try:
                with self._engine.begin() as connection:
                    number = connection.scalar(insert(repairs).values({**row, "slot": 1}).returning(repairs.c.id))
            except IntegrityError:
                return None
        return replace(entry, id=int(number or 0))

    def end_repair(self, entry: RepairEntry) -> None:
        """Write down how an action ended."""
        row = {"ended_at": entry.ended_at, "outcome": entry.outcome, "note": entry.note}
        with self._writing() as connection:
            connection.execute(update(repairs).where(repairs.c.id == entry.id).values(row))

    def record_mode(self, entry: ModeEntry) -> None:
        """Write down that somebody changed the mode."""
        with self._writing() as connection:
            connection.execute(insert(remediation_modes), asdict(entry))

    def open_ones(self) -> list[IncidentEntry]:
        """The incidents that last, the oldest first."""
        query = select(incidents).where(incidents.c.closed_at.is_(None)).order_by(incidents.c.number)
        return [IncidentEntry(**row) for row in self._rows(query)]

    def find(self, number: int) -> IncidentEntry | None:
        """The incident of that number; None where there is none."""
        query = select(incidents).where(incidents.c.number == number)
        return next((IncidentEntry(**row) for row in self._rows(query)), None)

    def recent(self, limit: int) -> list[IncidentEntry]:
        """The newest first."""
        query = select(incidents).order_by(incidents.c.number.desc()).limit(limit)
        return [IncidentEntry(**row) for row in self._rows(query)]

    def between(self, start: datetime, end: datetime) -> list[IncidentEntry]:
        """The incidents that touch the time from `start` until before `end`, by their number."""
        lasts = incidents.c.closed_at.is_(None) | (incidents.c.closed_at >= start)
        query = select(incidents).where(incidents.c.opened_at < end, lasts).order_by(incidents.c.number)
        return [IncidentEntry(**row) for row in self._rows(query)]

    def kept_since(self) -> datetime | None:
        """When the first incident was written down; None where none ever was."""
        first = select(func.min(incidents.c.opened_at, type_=UtcTime).label("at"))
        return next((row["at"] for row in self._rows(first)), None)

    def repairs_between(self, start: datetime, end: datetime) -> list[RepairEntry]:
        """The actions that touch the time from `start` until before `end`, the oldest first."""
        lasts = repairs.c.ended_at.is_(None) | (repairs.c.ended_at >= start)
        query = select(repairs).where(repairs.c.started_at < end, lasts).order_by(repairs.c.started_at, repairs.c.id)
        return [RepairEntry(**without(row, "slot")) for row in self._rows(query)]

    def events_of(self, number: int) -> list[IncidentEventEntry]:
        """The timeline of an incident, the oldest line first."""
        query = select(incident_events).where(incident_events.c.incident == number)
        rows = self._rows(query.order_by(incident_events.c.at, incident_events.c.id))
        return [IncidentEventEntry(**without(row)) for row in rows]

    def verdicts_of(self, number: int) -> list[VerdictEntry]:
        """What was decided about an incident, the oldest first."""
        query = select(verdicts).where(verdicts.c.incident == number).order_by(verdicts.c.at, verdicts.c.id)
        return [VerdictEntry(**without(row)) for row in self._rows(query)]

    def last_verdicts(self) -> dict[int, VerdictEntry]:
        """The newest verdict about each incident that lasts, by its number."""
        newest = select(func.max(verdicts.c.id)).where(verdicts.c.incident.in_(_STILL_OPEN))
        query = select(verdicts).where(verdicts.c.id.in_(newest.group_by(verdicts.c.incident)))
        return {row["incident"]: VerdictEntry(**without(row)) for row in self._rows(query)}

    def told_at(self) -> dict[int, datetime]:
        """When each incident that lasts was given to a person last, by its number."""
        query = select(incident_events.c.incident, func.max(incident_events.c.at, type_=UtcTime).label("at")).where(
            incident_events.c.kind == ESCALATED, incident_events.c.incident.in_(_STILL_OPEN)
        )
        return {row["incident"]: row["at"] for row in self._rows(query.group_by(incident_events.c.incident))}

    def approvals(self) -> dict[int, set[str]]:
        """The rungs that a person has agreed to, by the number of each incident that lasts."""
        query = select(incident_events).where(
            incident_events.c.kind.in_([APPROVED, WITHDRAWN]), incident_events.c.incident.in_(_STILL_OPEN)
        )
        found: dict[int, set[str]] = {}
        for row in self._rows(query.order_by(incident_events.c.id)):
            rungs = found.setdefault(row["incident"], set())
            (rungs.add if row["kind"] == APPROVED else rungs.discard)(str(row["detail"].get("rung")))
        return found

    def repairs_since(self, since: datetime) -> list[RepairEntry]:
        """The actions that began at `since` or later, and those under way, the oldest first.

        By what they say themselves: where the clock was set back, those that lie ahead are among them.
        """
        query = select(repairs).where((repairs.c.started_at >= since) | repairs.c.ended_at.is_(None))
        rows = self._rows(query.order_by(repairs.c.started_at, repairs.c.id))
        return [RepairEntry(**without(row, "slot")) for row in rows]

    def repairs_of(self, number: int) -> list[RepairEntry]:
        """What was done about an incident, the oldest first."""
        query = select(repairs).where(repairs.c.incident == number).order_by(repairs.c.started_at, repairs.c.id)
        return [RepairEntry(**without(row, "slot")) for row in self._rows(query)]

    def mode(self) -> ModeEntry | None:
        """What was said last of how much may be done; None where nobody ever said anything."""
        query = select(remediation_modes).order_by(remediation_modes.c.id.desc()).limit(1)
        return next((ModeEntry(**without(row)) for row in self._rows(query)), None)

    def _mark(self, event: IncidentEventEntry, **columns: object) -> None:
        with self._writing() as connection:
            connection.execute(update(incidents).where(incidents.c.number == event.incident).values(columns))
            _add_events(connection, [event])


def _row(entry: IncidentEntry) -> dict[str, Any]:
    return without(asdict(entry), "number")


def _add_events(connection: Connection, events: Sequence[IncidentEventEntry]) -> None:
    if events:
        connection.execute(insert(incident_events), [asdict(one) for one in events])
