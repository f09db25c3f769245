"""Entries for tests of the ledger, and what has to hold on every database that it can be kept in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sutazai_ops.ledger import Prune, Restore, SetEntry, VerificationEntry

FIRST = datetime(2026, 11, 1, 2, 0, 4, 123456, tzinfo=UTC)


def set_entry(**changes) -> SetEntry:
    entry = SetEntry(
        id="a",
        store="here",
        environment="development",
        started_at=FIRST,
        taken_at=FIRST,
        finished_at=FIRST + timedelta(seconds=61),
        services=["postgres", "redis"],
        stored_bytes=5_000_000_000,
        raw_bytes=30_000_000_000,
        rows=7,
        keys=3,
        outcome="unverified",
    )
    return replace(entry, **changes)


def verification_entry(**changes) -> VerificationEntry:
    entry = VerificationEntry(
        set="a",
        started_at=FIRST,
        finished_at=FIRST + timedelta(seconds=46),
        outcome="verified",
        recovery_seconds=46.5,
        restored_bytes=30_000_000_000,
        rungs=[{"rung": "hashes", "outcome": "passed", "seconds": 1.5, "detail": ""}],
    )
    return replace(entry, **changes)


def restore_entry(**changes) -> Restore:
    entry = Restore(
        set="a",
        service="postgres",
        name="sutazai",
        into="sutazai_20261101",
        swapped=True,
        started_at=FIRST,
        finished_at=FIRST + timedelta(seconds=46),
        outcome="verified",
        seconds=46.5,
        amount=5_000_000_000,
        note="",
    )
    return replace(entry, **changes)


def prune_entry(**changes) -> Prune:
    return replace(Prune(at=FIRST, kept=3, deleted=["x", "y"]), **changes)
