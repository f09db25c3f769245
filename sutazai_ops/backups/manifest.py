"""What a backup set says of itself: `manifest.json`, and one `verification-<time>.json` for each time it was proved.

The manifest is written last, so a set exists exactly when it does. It holds what a restore must come back with: every
artifact's size and hash, every table's exact row count, every role. It never changes; what is learnt later stands in
files beside it. docs/backup-sets.md is the promise that this module keeps.
"""

from __future__ import annotations

from datetime import UTC, datetime  # noqa: TC003
from enum import StrEnum
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import AwareDatetime, Field

from sutazai_ops.model import Model

FORMAT: Literal[1] = 1
"""The manifest's version. A reader refuses a higher one and reads every lower one."""

SetId = Annotated[str, Field(pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{4}$")]
"""UTC time of the set's start and four random hex digits: `20261123T020004Z-3f9a`. Sorts by time."""


def new_set_id(now: datetime) -> str:
    """A fresh set id for a set that starts at `now` (timezone-aware)."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:4]}"


class ArtifactKind(StrEnum):
    """What one file of a set holds."""

    POSTGRES_DATABASE = "postgres-database"
    """`pg_dump --format=custom --compress=0`, in one zstd frame with a checksum."""
    POSTGRES_GLOBALS = "postgres-globals"
    """`pg_dumpall --roles-only` as SQL, in one zstd frame with a checksum."""
    REDIS_SNAPSHOT = "redis-snapshot"
    """An RDB file as the server's replication sends it, in one zstd frame with a checksum."""


class Artifact(Model):
    """One file of a set."""

    path: str
    """Relative to the set's folder, with forward slashes: `postgres/sutazai.dump.zst`."""
    kind: ArtifactKind
    service: str
    name: str
    """The database, or "globals" or "snapshot"."""
    stored_bytes: int
    raw_bytes: int
    """Before compression."""
    sha256: str
    """Of the file as stored."""
    seconds: float


class Inventory(Model):
    """What a database holds, in the very snapshot that was dumped. A restore has to come back with the same."""

    rows: dict[str, int] = Field(default_factory=dict)
    """Exact row count of every table, by `schema.table`, but of extensions', foreign and temporary tables."""
    constraints: dict[str, bool] = Field(default_factory=dict)
    """Every constraint, by `schema.table.constraint`: whether it is validated."""
    indexes: dict[str, bool] = Field(default_factory=dict)
    """Every index, by `schema.index`: whether it is valid."""
    extensions: dict[str, str] = Field(default_factory=dict)
    """Every extension and its version."""
    objects: dict[str, int] = Field(default_factory=dict)
    """How many there are of each other kind: sequences, views, functions, triggers, types, large objects, policies."""


class Database(Model):
    """One PostgreSQL database: what is needed to create it anew, and what it holds."""

    name: str
    owner: str
    encoding: str
    collate: str
    ctype: str
    locale_provider: str
    """libc, icu or builtin."""
    locale: str | None = None
    """Of the ICU or builtin provider."""
    settings: tuple[str, ...] = ()
    """`ALTER DATABASE … SET`, as `name=value`."""
    inventory: Inventory


class PostgresFacts(Model):
    """One PostgreSQL service at the moment of its snapshot."""

    kind: Literal["postgres"] = "postgres"
    version: str
    """Of the server, such as "18.6"."""
    major: int
    client_version: str
    """Of the pg_dump that wrote the archives."""
    roles: tuple[str, ...]
    """All roles but the system's own `pg_…`."""
    role_passwords: bool
    """Whether the globals hold the roles' SCRAM verifiers; a user without superuser rights cannot read them."""
    tablespaces: tuple[str, ...] = ()
    """Named here for a person; a restore puts everything into the default one."""
    databases: dict[str, Database]


class RedisFacts(Model):
    """One Redis or Valkey service at the moment of its snapshot."""

    kind: Literal["redis"] = "redis"
    product: Literal["redis", "valkey"]
    version: str
    major: int
    keys: int
    """In the snapshot, counted exactly by the server's own `check-rdb` while it passed."""
    expiring: int
    """How many of them have a time to live."""
    functions: tuple[str, ...] = ()
    """Names of the function libraries; they are in the snapshot."""
    keys_before: dict[str, int] = Field(default_factory=dict)
    keys_after: dict[str, int] = Field(default_factory=dict)
    """Keys by database (`"0"`), as the live server counted them just before and just after the transfer."""
    used_memory: int | None = None
    """Bytes."""
    append_only: bool | None = None
    """Whether the server keeps an append-only file: a restore has to write one then, or the server starts empty."""
    modules: tuple[str, ...] = ()


Facts = Annotated[PostgresFacts | RedisFacts, Field(discriminator="kind")]
"""What is known of one service at the moment of its snapshot."""


class Manifest(Model):
    """What a set is. See the module."""

    format: Literal[1] = 1
    id: SetId
    store: str
    """The id of the store that it was written to. A set that was copied in from elsewhere has another."""
    environment: str
    written_by: str
    """This program and its version."""
    run: str | None = None
    """The Dagster run that took it."""
    started_at: AwareDatetime
    taken_at: AwareDatetime
    """The moment that the oldest of its snapshots shows: what was written later is not in the set."""
    finished_at: AwareDatetime
    artifacts: tuple[Artifact, ...]
    services: dict[str, Facts]

    @property
    def stored_bytes(self) -> int:
        """Bytes of all artifacts as stored."""
        return sum(artifact.stored_bytes for artifact in self.artifacts)

    @property
    def raw_bytes(self) -> int:
        """Bytes of all artifacts before compression."""
        return sum(artifact.raw_bytes for artifact in self.artifacts)

    @property
    def rows(self) -> int:
        """Rows of all tables of all databases."""
        return sum(
            sum(database.inventory.rows.values())
            for facts in self.services.values()
            if isinstance(facts, PostgresFacts)
            for database in facts.databases.values()
        )

    @property
    def keys(self) -> int:
        """Keys of all Redis snapshots."""
        return sum(facts.keys for facts in self.services.values() if isinstance(facts, RedisFacts))

    def of_service(self, service: str) -> tuple[Artifact, ...]:
        """The artifacts of one service."""
        return tuple(artifact for artifact in self.artifacts if artifact.service == service)


class Outcome(StrEnum):
    """What is known of a set's worth."""

    VERIFIED = "verified"
    """It was restored, and came back as the manifest says."""
    READ = "read"
    """Every byte was read and every archive is whole, but it was not restored."""
    UNVERIFIED = "unverified"
    """Nobody has looked yet."""
    COULD_NOT_CHECK = "could not check"
    """The check itself did not come to an end: a tool or a disk was missing. Nothing is known of the set."""
    CORRUPT = "corrupt"
    """It is not what it should be."""


class Rung(StrEnum):
    """The steps of verification, from cheap to sure."""

    HASHES = "hashes"
    """0: every artifact has the size and the hash that the manifest names."""
    ARCHIVES = "archives"
    """1: every archive is read through to its end by the tool that would restore it."""
    RESTORE = "restore"
    """2: everything is restored into scratch servers."""
    CONTENT = "content"
    """3: rows, keys, constraints, indexes, extensions and roles are those of the manifest."""
    SELF_TEST = "self-test"
    """4: the verifier was shown a flipped and a truncated copy, and refused both."""


class RungResult(Model):
    """How one rung went."""

    rung: Rung
    outcome: Literal["passed", "failed", "could not check"]
    seconds: float
    detail: str = ""
    """What was found, for a person: the first difference, the tool's last words."""


class Verification(Model):
    """One proof of one set, kept beside it as `verification-<time>.json`."""

    format: Literal[1] = 1
    set: SetId
    manifest_sha256: str
    """Of the manifest that was proved; a verification of another manifest proves nothing."""
    started_at: AwareDatetime
    finished_at: AwareDatetime
    outcome: Outcome
    rungs: tuple[RungResult, ...]
    restore_seconds: dict[str, float] = Field(default_factory=dict)
    """The measured time to recover, by phase: "postgres: server", "postgres: sutazai", "postgres: compare", …"""
    restore_size: int = 0
    """Raw bytes that were restored in that time."""

    @property
    def recovery_seconds(self) -> float | None:
        """RTO as measured: from nothing to everything restored and compared; None when nothing was restored."""
        return sum(self.restore_seconds.values()) if self.restore_seconds else None
