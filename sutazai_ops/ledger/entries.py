"""What the ledger is told and tells: plain values, one class a table, one field a column.

All times are timezone-aware; they come back in UTC. Outcomes are the words of `backups.manifest.Outcome`, which the
ledger does not import: it lies below the areas.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class SetEntry:
    """One backup set."""

    id: str
    store: str
    environment: str
    started_at: datetime
    taken_at: datetime
    finished_at: datetime
    services: Sequence[str]
    stored_bytes: int
    raw_bytes: int
    rows: int
    keys: int
    outcome: str
    deleted_at: datetime | None = None
    """When it went, or was first missed."""


@dataclass(frozen=True, slots=True)
class VerificationEntry:
    """One proof of one set."""

    set: str
    started_at: datetime
    finished_at: datetime
    outcome: str
    recovery_seconds: float | None
    """The measured time to recover; None when nothing was restored."""
    restored_bytes: int
    rungs: Sequence[Mapping[str, Any]]
    """Each with `rung`, `outcome`, `seconds` and `detail`."""


@dataclass(frozen=True, slots=True)
class Restore:
    """One restore that somebody asked for."""

    set: str
    service: str
    name: str
    """The database, or "snapshot"."""
    into: str
    """What it was restored as."""
    swapped: bool
    """Whether it then took the place of the one in use."""
    started_at: datetime
    finished_at: datetime
    outcome: str
    seconds: float
    amount: int
    """Rows or keys that came back."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Prune:
    """One time that retention was carried out, or refused to be."""

    at: datetime
    kept: int
    deleted: Sequence[str] = field(default_factory=tuple)
    """Ids of the sets that went."""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentEntry:
    """One phase of one release, carried out."""

    release: int
    phase: str
    finished_at: datetime
    seconds: float
    outcome: str
    steps: Sequence[Mapping[str, Any]]
    """What was done to each service: `service`, `act` and `because`."""
    backup_set: str | None = None
    """The set that was taken before."""
    note: str = ""
    """Why it failed."""
    reason: str = ""
    """Why it was made: "deploy", "roll back to release 40"."""
    put_back_to: int | None = None
    """The release that runs again, where it failed."""


@dataclass(frozen=True, slots=True)
class DriftEntry:
    """One look at what runs, held against the release that is meant to."""

    at: datetime
    release: int
    drifts: Sequence[Mapping[str, Any]]
    """Each with `service`, `phase`, `kind`, `field`, `meant` and `found`; none where all was as meant."""


@dataclass(frozen=True, slots=True)
class FactEntry:
    """What one objective came to on one UTC day: its sums, and the hours that they are sums of."""

    objective: str
    day: date
    question: str
    """The hash of what was asked."""
    good: float
    total: float
    imputed: float
    probe_ok: float
    """Minutes."""
    probed: float
    measured: float
    expected: float
    final: bool
    """Whether the day can no longer change."""
    warnings: Sequence[str]
    detail: Mapping[str, Any]
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class QuestionEntry:
    """What was asked for facts: kept, so that a fact can be told when its objective is long gone."""

    question: str
    objective: str
    definition: Mapping[str, Any]
    asked: Sequence[Mapping[str, str]]
    """Each with `purpose` and `text`."""
    first_asked_at: datetime


@dataclass(frozen=True, slots=True)
class OverrideEntry:
    """A deployment that somebody sent past a closed gate."""

    at: datetime
    actor: str
    reason: str
    closed_because: Sequence[str]
    release: int | None = None
    """The release that was deployed so, where there was something to do."""


@dataclass(frozen=True, slots=True)
class EventEntry:
    """Something that happened and that only another program knows of, such as a silence, copied before it forgets."""

    lane: str
    id: str
    started_at: datetime
    ended_at: datetime | None
    title: str
    detail: str = ""
    outcome: str = ""
    went_well: bool | None = None
    actor: str = ""
    services: Sequence[str] = ()
    link: str = ""


@dataclass(frozen=True, slots=True)
class NoticeEntry:
    """An incident or a maintenance that the platform's users are told of."""

    number: int
    """What a person calls it by; 0 for one that is not written down yet."""
    uid: str
    """What readers of the feed know it by: the same for ever, and never given again."""
    kind: str
    title: str
    journeys: Sequence[str]
    """Titles of what it touches; none means all."""
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class NoticeUpdateEntry:
    """One thing that was said about a notice."""

    notice: int
    at: datetime
    state: str
    text: str
    actor: str


@dataclass(frozen=True, slots=True)
class WindowEntry:
    """A time in which nobody is told of some services."""

    number: int
    """What a person calls it by; 0 for one that is not written down yet."""
    kind: str
    services: Sequence[str]
    """None means all."""
    reason: str
    starts_at: datetime
    ends_at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class ServiceDayEntry:
    """What one service used on one UTC day: its figures, and the hours that they are made of."""

    service: str
    day: date
    memory_peak: float | None
    """Bytes; None where nothing was measured, as with all figures here."""
    memory_p95: float | None
    memory_limit: float | None
    """None where it had none."""
    cpu_peak: float | None
    """Cores, over five minutes."""
    cpu_p95: float | None
    cpu_limit: float | None
    oom_kills: int
    coverage: float
    final: bool
    """Whether the day can no longer change."""
    detail: Mapping[str, Any]
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class DayValueEntry:
    """What one measure of the host, or of what it is there for, came to on one UTC day."""

    measure: str
    subject: str
    """Its labels, as JSON."""
    day: date
    kind: str
    question: str
    """The hash of what was asked."""
    value: float | None
    final: bool
    detail: Mapping[str, Any]
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class ScalingEntry:
    """That a service was to have another number of containers, and what became of it."""

    at: datetime
    service: str
    move: str
    """up, down or hold."""
    released: int
    """How many the release said then; where it says another number by now, the decision is over."""
    before: int
    after: int
    because: str
    actor: str
    rule: str = ""
    """The rule that decided; empty where a person did."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What it was decided by."""
    outcome: str = "under way"
    """under way, done, failed; only said, where nothing was to be done."""
    note: str = ""
    """Why it failed, or what was handed back."""
    id: int | None = None


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """How the platform answered a known load."""

    at: datetime
    """When it began."""
    environment: str
    script: str
    """The digest of what was asked."""
    rate: float
    """Requests a second that were asked for."""
    seconds: float
    """For how long."""
    release: int | None
    """What ran; None where nothing was rolled out by us."""
    detail: Mapping[str, Any]
    number: int | None = None
    """Its own, once it is written down."""
