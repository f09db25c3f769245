"""Small backup sets for tests: real files, made the way a night makes them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.backups.manifest import (
    Artifact,
    ArtifactKind,
    Database,
    Inventory,
    Manifest,
    Outcome,
    PostgresFacts,
    RedisFacts,
    Verification,
)

if TYPE_CHECKING:
    from sutazai_ops.backups.manifest import Facts
    from sutazai_ops.backups.sets import BackupSet
    from sutazai_ops.backups.store import PartialSet, Store

FIRST = datetime(2026, 11, 1, 2, 0, 4, tzinfo=UTC)
CONTENT = b"not really a dump"


def set_id(night: int) -> str:
    return f"{FIRST + timedelta(days=night):%Y%m%dT%H%M%SZ}-{night:04x}"


def manifest(night: int, store: str, services: tuple[str, ...] = ("postgres",)) -> Manifest:
    at = FIRST + timedelta(days=night)
    return Manifest(
        id=set_id(night),
        store=store,
        environment="development",
        written_by="a test",
        started_at=at,
        taken_at=at + timedelta(seconds=1),
        finished_at=at + timedelta(seconds=61),
        artifacts=tuple(_artifact(service) for service in services),
        services={service: _facts(service) for service in services},
    )


def fill(partial: PartialSet, made: Manifest) -> None:
    for artifact in made.artifacts:
        partial.path(artifact.path).write_bytes(CONTENT)


def commit(store: Store, night: int = 0, services: tuple[str, ...] = ("postgres",)) -> BackupSet:
    made = manifest(night, store.id, services)
    with store.begin(made.id) as partial:
        fill(partial, made)
        return partial.commit(made)


def verify(
    store: Store,
    one: BackupSet,
    outcome: Outcome = Outcome.VERIFIED,
    *,
    after_days: int = 0,
    manifest: str | None = None,
) -> BackupSet:
    """Put a verification beside a set, and return the set as it is listed then."""
    at = one.manifest().finished_at + timedelta(days=after_days)
    proof = Verification(
        set=one.id,
        manifest_sha256=manifest or one.manifest_sha256,
        started_at=at,
        finished_at=at + timedelta(seconds=46),
        outcome=outcome,
        rungs=(),
        restore_seconds={"postgres: sutazai": 46.0},
    )
    store.add_verification(one, proof)
    return store.find(one.id)


def _artifact(service: str) -> Artifact:
    return Artifact(
        path=f"{service}/sutazai.dump.zst",
        kind=ArtifactKind.POSTGRES_DATABASE if service == "postgres" else ArtifactKind.REDIS_SNAPSHOT,
        service=service,
        name="sutazai",
        stored_bytes=len(CONTENT),
        raw_bytes=100,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        seconds=0.1,
    )


def _facts(service: str) -> Facts:
    if service != "postgres":
        return RedisFacts(product="valkey", version="9.1.2", major=9, keys=7, expiring=1)
    inventory = Inventory(rows={"public.agents": 3, "public.tasks": 4})
    database = Database(
        name="sutazai", owner="o", encoding="UTF8", collate="C", ctype="C", locale_provider="libc", inventory=inventory
    )
    return PostgresFacts(
        version="18.6", major=18, client_version="18.6", roles=(), role_passwords=True, databases={"sutazai": database}
    )
