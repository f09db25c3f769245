"""What the guard comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sutazai_ops.ledger import VerdictEntry


class Mode(StrEnum):
    """How much the remediation may do."""

    OFF = "off"
    """Nothing at all."""
    OBSERVE = "observe"
    """Say what it would do, and do nothing."""
    PROPOSE = "propose"
    """Do what a person has agreed to."""
    ACT = "act"
    """Do it."""


class Kind(StrEnum):
    """What is to happen about an incident now."""

    ACT = "act"
    """Do the rung."""
    WAIT = "wait"
    """Nothing yet."""
    SKIP = "skip"
    """Nothing, for as long as it stands like this."""
    ESCALATE = "escalate"
    """Give it to a person."""


class Reason(StrEnum):
    """Why. Each verdict has exactly one."""

    OFF = "the remediation is off"
    NO_PLAYBOOK = "no playbook is known for it"
    WITH_A_PERSON = "a person has it"
    BLIND = "the monitoring is blind"
    COVERED = "maintenance, a silence or a deployment covers it"
    DEPENDENCY = "what it depends on is broken"
    FLAPPING = "it comes and goes"
    RECOVERING = "it is whole, and is watched"
    PERSISTENCE = "it is not broken for long enough"
    UNMENDED = "nothing has mended it in time"
    STARTING = "it has only just started"
    BREAKER = "the last repair made it worse"
    LADDER_ENDED = "nothing is left to try"
    COOL_DOWN = "the last repair is too short ago"
    HOUR = "it was repaired too often within an hour"
    DAY = "it was repaired too often within a day"
    BUSY = "another repair is under way"
    PLATFORM_HOUR = "the platform was repaired too often within an hour"
    SHARE = "too many services were repaired within an hour"
    ONE_STATEFUL = "another service that holds state was repaired within an hour"
    NO_BACKUP = "it holds state, and no verified backup is fresh enough"
    APPROVAL = "a person has to agree"
    BUDGET = "the repair costs more than it saves"
    OBSERVING = "it is only observed"
    DUE = "it is due"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to happen, why, and what that stood on."""

    kind: Kind
    reason: Reason
    facts: Mapping[str, object] = field(default_factory=dict)
    """Numbers and names, for people and for the ledger."""
    rung: str = ""
    """Which rung it speaks of; empty where it did not come to one."""
    until: datetime | None = None
    """When a wait is over by itself; None where something has to happen first."""


def say(verdict: Verdict | VerdictEntry) -> str:
    """A verdict in one line: `act restart: it is due`."""
    return " ".join(filter(None, (verdict.kind, verdict.rung))) + f": {verdict.reason}"
