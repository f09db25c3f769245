"""What a probe came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.platform import Probe


class ProbeState(StrEnum):
    """The three things that can be known of a service."""

    OK = "ok"
    """The answer was right."""
    FAILED = "failed"
    """It answered wrongly, refused, or did not answer in its time."""
    UNKNOWN = "unknown"
    """It could not be asked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One probe, carried out."""

    state: ProbeState
    seconds: float
    """From the question to the answer, or to giving up."""
    because: str
    """One sentence, which never holds a secret."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the answer said beside that: a version, a role."""


@dataclass(frozen=True, slots=True)
class Report:
    """One probe of one service with its outcome; a service that has no probe has one report without."""

    service: str
    probe: Probe | None
    outcome: Outcome


class WrongAnswer(Exception):
    """The service answered, and not as it should; its text says how, for people."""
