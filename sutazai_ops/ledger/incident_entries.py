"""What the ledger is told and tells of incidents and their repair: plain values, one class a table.

All times are timezone-aware. The words of outcomes, kinds and reasons are those of the area `remediation`, which the
ledger does not import: it lies below the areas.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class IncidentEntry:
    """A threshold that was broken long enough, of one target and one symptom, until it is whole again for good."""

    number: int
    """What a person calls it by; 0 for one that is not written down yet."""
    target: str
    """The service it is about, or what it is about where that is none: "host"."""
    symptom: str
    """What alerts that mean the same have in common: the name of their playbook, or of their threshold."""
    playbook: str
    """What may mend it; empty where nothing is known that may."""
    severity: str
    """The worst of its alerts': "page" or "ticket"."""
    summary: str
    """Of the alert that opened it."""
    alerts: Sequence[Mapping[str, Any]]
    """Every alert that belongs to it, each with `threshold` and `labels`; also those of services that stand on it."""
    opened_at: datetime
    broken_since: datetime | None
    """Since when it is broken without a pause; None while it is whole."""
    whole_since: datetime | None = None
    """Since when it is whole; None while it is broken."""
    changes: Sequence[datetime] = ()
    """When it turned from broken to whole or back, lately."""
    escalated_at: datetime | None = None
    """When it was given to a person."""
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    closed_at: datetime | None = None
    outcome: str = ""
    """How it ended: "by itself", "by a repair", "by a person"."""

    @property
    def service(self) -> str:
        """The service that its alerts name; empty where they name none."""
        return self.target if any("service" in one["labels"] for one in self.alerts) else ""

    @property
    def own_alerts(self) -> list[Mapping[str, Any]]:
        """Those of its target; the others are of what stands on it."""
        return [one for one in self.alerts if one["labels"].get("service", self.target) == self.target]

    @property
    def followers(self) -> list[str]:
        """The services that failed because of it, in the order in which that was seen."""
        named = dict.fromkeys(one["labels"].get("service", self.target) for one in self.alerts)
        return [service for service in named if service != self.target]

    @property
    def ended_at(self) -> datetime | None:
        """When it was whole for good; None while it lasts."""
        return None if self.closed_at is None else self.whole_since or self.closed_at


@dataclass(frozen=True, slots=True)
class IncidentEventEntry:
    """One line of an incident's timeline."""

    incident: int
    at: datetime
    kind: str
    """"opened", "attached", "whole", "broken", "verdict", "repair", "escalated", "acknowledged", "closed" …"""
    text: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    actor: str = ""
    """Who did it, where that was a person."""


@dataclass(frozen=True, slots=True)
class VerdictEntry:
    """What the guard decided about an incident, and on which facts; written down when it has changed."""

    incident: int
    at: datetime
    mode: str
    kind: str
    reason: str
    rung: str
    """The rung that it speaks of; empty where it came to none."""
    until: datetime | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RepairEntry:
    """One action on one target."""

    id: int
    """0 for one that is not written down yet."""
    incident: int
    target: str
    playbook: str
    rung: str
    action: str
    attempt: int
    """The how manieth of its incident."""
    holds_state: bool
    """Whether its target holds state."""
    disrupts: bool
    """Whether its target is away for a while by it."""
    actor: str
    """Who asked for it: "guard", or a person."""
    started_at: datetime
    ended_at: datetime | None = None
    """None while it is under way, and of one that died."""
    outcome: str = ""
    """"helped", "did not help", "made it worse", "failed"; empty while it is under way."""
    note: str = ""
    run: str = ""
    """The Dagster run that did it."""


@dataclass(frozen=True, slots=True)
class ModeEntry:
    """Somebody said how much the remediation may do."""

    at: datetime
    mode: str
    actor: str
    reason: str
