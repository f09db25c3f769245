"""What a probe can come to: right, wrong, or not known. A service that was not asked is never called right."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.platform import Probe


class ProbeState(StrEnum):
    """How a probe ended."""

    OK = "ok"
    """The service gave the right answer."""
    FAILED = "failed"
    """It answered wrongly, refused, or gave no answer in its time, though its address is known."""
    UNKNOWN = "unknown"
    """It could not be asked: it does not run, the engine does not answer, its password file is missing."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be thought of one answer."""

    state: ProbeState
    because: str
    """One sentence, lower case, no full stop, never with a secret in it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else the answer told, such as the server's version."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one probe ended, and how long that took."""

    state: ProbeState
    seconds: float
    """From the question to the end of the answer; for what could not be asked, until that was clear."""
    because: str
    """One sentence, lower case, no full stop, never with a secret in it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else the answer told, such as the server's version."""
    is_away: bool = False
    """Whether it could not be asked since it does not run."""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one probe of one service."""

    service: str
    probe: Probe | None
    """None for a service that has none: what it does is not known."""
    outcome: Outcome


def right(because: str, **facts: str) -> Judgement:
    """The service gave the right answer."""
    return Judgement(ProbeState.OK, because, facts)


def wrong(because: str, **facts: str) -> Judgement:
    """The service gave another answer than the right one, or none."""
    return Judgement(ProbeState.FAILED, because, facts)
