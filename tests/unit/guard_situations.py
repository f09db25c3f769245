"""An ordinary situation in which a repair is due, and how to change it for a test."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sutazai_ops.ledger import IncidentEntry, RepairEntry
from sutazai_ops.remediation.playbook import Action, Playbook, Rung
from sutazai_ops.remediation.situation import Situation, Topology, World
from sutazai_ops.remediation.verdict import Mode

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

LADDER = (
    Rung(act=Action.RESTART, costs="20s"),
    Rung(act=Action.RECREATE, costs="40s"),
    Rung(act=Action.ROLL_BACK, costs="60s"),
)
PLAYBOOK = Playbook(name="service-down", description="d", loss=1.0, ladder=LADDER)

# Ten services, so that a fifth of them are two.
TOPOLOGY = Topology(
    depends_on={
        "postgres": [],
        "redis": [],
        "backend": ["postgres", "redis"],
        "edge": ["backend"],
        **{f"agent-{n}": ["backend"] for n in range(6)},
    },
    holds_state=frozenset({"postgres", "redis"}),
)

INCIDENT = IncidentEntry(
    number=7,
    target="backend",
    symptom="service-down",
    playbook="service-down",
    severity="page",
    summary="backend does not do its work",
    alerts=[{"threshold": "service_down", "labels": {"service": "backend"}}],
    opened_at=NOW - 2 * MINUTE,
    broken_since=NOW - 3 * MINUTE,
    changes=[NOW - 3 * MINUTE],
)

WORLD = World(now=NOW, mode=Mode.ACT, topology=TOPOLOGY)
DUE = Situation(INCIDENT, PLAYBOOK, WORLD)
"""In which a restart of backend is due."""


def repair(**changes) -> RepairEntry:
    """A restart of backend a quarter of an hour ago, for an incident before this one."""
    one = RepairEntry(
        id=1,
        incident=6,
        target="backend",
        playbook="service-down",
        rung="restart",
        action="restart",
        attempt=1,
        holds_state=False,
        disrupts=True,
        actor="guard",
        started_at=NOW - 15 * MINUTE,
        outcome="helped",
    )
    one = replace(one, **changes)
    return one if "ended_at" in changes else replace(one, ended_at=one.started_at)


def given_that(*, incident=None, world=None, **changes) -> Situation:
    """`DUE`, with fields of its incident, its world and itself changed."""
    return replace(
        DUE, incident=replace(INCIDENT, **(incident or {})), world=replace(WORLD, **(world or {})), **changes
    )
