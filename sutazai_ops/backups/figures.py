"""The figures of a set and of its proof, under the names and units that they keep for ever.

These plot over time in the Dagster UI, stand in `--json`, and are what reports read. A figure that was not measured is
left out, never written as zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.backups.manifest import PostgresFacts
from sutazai_ops.backups.picture import LAST, Bar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sutazai_ops.backups.manifest import Manifest, Verification
    from sutazai_ops.backups.store import BackupSet

Figures = dict[str, int | float | str]


def of_service(manifest: Manifest, service: str) -> Figures:
    """What one service put into a set: bytes, seconds, bytes a second, rows or keys, versions."""
    artifacts = manifest.of_service(service)
    raw = sum(artifact.raw_bytes for artifact in artifacts)
    stored = sum(artifact.stored_bytes for artifact in artifacts)
    seconds = sum(artifact.seconds for artifact in artifacts)
    facts = manifest.services[service]
    figures: Figures = {
        "set": manifest.id,
        "server_version": facts.version,
        "raw_bytes": raw,
        "stored_bytes": stored,
        "dump_seconds": round(seconds, 3),
    }
    if raw:
        figures["compression_ratio"] = round(stored / raw, 4)
    if seconds:
        figures["throughput_bytes_per_second"] = round(raw / seconds)
    if isinstance(facts, PostgresFacts):
        inventories = [database.inventory for database in facts.databases.values()]
        figures["databases"] = len(inventories)
        figures["tables"] = sum(len(inventory.rows) for inventory in inventories)
        figures["rows"] = sum(sum(inventory.rows.values()) for inventory in inventories)
    else:
        figures["keys"] = facts.keys
        figures["expiring_keys"] = facts.expiring
    return figures


def of_artifacts(manifest: Manifest, service: str | None = None) -> list[Figures]:
    """One row an artifact, for a table."""
    return [
        {
            "artifact": artifact.path,
            "stored_bytes": artifact.stored_bytes,
            "raw_bytes": artifact.raw_bytes,
            "seconds": artifact.seconds,
            "sha256": artifact.sha256,
        }
        for artifact in manifest.artifacts
        if service in {None, artifact.service}
    ]


def of_verification(verification: Verification, manifest: Manifest) -> Figures:
    """What a proof found: its outcome, the measured time to recover by phase, and what came back."""
    figures: Figures = {"set": verification.set, "outcome": verification.outcome.value}
    for result in verification.rungs:
        figures[f"{result.rung.value.replace('-', '_')}_seconds"] = result.seconds
    if verification.recovery_seconds is not None:
        figures["recovery_seconds"] = round(verification.recovery_seconds, 3)
        figures["restored_bytes"] = verification.restore_size
        figures["restored_rows"] = manifest.rows
        figures["restored_keys"] = manifest.keys
    figures["snapshot_age_seconds"] = round((verification.finished_at - manifest.taken_at).total_seconds(), 1)
    return figures


def of_phases(verification: Verification) -> list[Figures]:
    """One row a phase of the restore, for a table."""
    return [{"phase": phase, "seconds": seconds} for phase, seconds in verification.restore_seconds.items()]


def age_seconds(manifest: Manifest, now: datetime) -> float:
    """How old the data would be if it were restored at `now` (timezone-aware): the recovery point, in seconds."""
    return (now - manifest.taken_at).total_seconds()


def bars(sets: Sequence[BackupSet]) -> list[Bar]:
    """The last sets of this store for the picture, oldest first."""
    shown = [one for one in sets if one.summary and not one.foreign][:LAST]
    return [
        Bar(
            taken_at=one.summary.taken_at,
            stored_bytes=one.summary.stored_bytes,
            outcome=one.outcome,
            recovery_seconds=one.verification.recovery_seconds if one.verification else None,
        )
        for one in reversed(shown)
        if one.summary
    ]
