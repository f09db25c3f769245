"""From what a store holds to what the ledger is told of it.

The files are the truth and the ledger is an index of them: everything here can be done again, and `rebuild` does all of
it at once for a ledger that was lost.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.errors import Refused
from sutazai_ops.ledger import Prune, Restore, SetEntry, VerificationEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.backups.manifest import Manifest, Verification
    from sutazai_ops.backups.restore import Restoration
    from sutazai_ops.backups.retention import RetentionPlan
    from sutazai_ops.backups.store import Store
    from sutazai_ops.ledger import Ledger


def rebuild(ledger: Ledger, store: Store, now: datetime) -> int:
    """Make the ledger's knowledge of a store's backups anew, and return how many sets it now knows to be there.

    Sets that were copied from elsewhere are left out.

    Raises:
        Refused: when part of the store cannot be looked into: what is not seen is not gone.
        OpsError: when the ledger cannot be written.
    """
    listing = store.listing()
    if not listing.complete:
        raise Refused(
            "cannot rebuild the ledger: part of the store could not be looked into",
            where="; ".join(listing.trouble),
            remedy="mend that first: what is not seen would be marked as deleted",
        )
    own = [one for one in listing.sets if not one.foreign]
    found = [
        (of_manifest(one.manifest(), one.outcome), [of_verification(proof) for proof in store.verifications(one)])
        for one in own
        if not one.problem
    ]
    ledger.rebuild_backups(store.id, found, {one.id for one in own if one.problem}, now)
    return len(found)


def of_manifest(manifest: Manifest, outcome: Outcome = Outcome.UNVERIFIED) -> SetEntry:
    """A set as the ledger writes it."""
    return SetEntry(
        id=manifest.id,
        store=manifest.store,
        environment=manifest.environment,
        started_at=manifest.started_at,
        taken_at=manifest.taken_at,
        finished_at=manifest.finished_at,
        services=list(manifest.services),
        stored_bytes=manifest.stored_bytes,
        raw_bytes=manifest.raw_bytes,
        rows=manifest.rows,
        keys=manifest.keys,
        outcome=outcome.value,
    )


def of_verification(verification: Verification) -> VerificationEntry:
    """A proof as the ledger writes it."""
    return VerificationEntry(
        set=verification.set,
        started_at=verification.started_at,
        finished_at=verification.finished_at,
        outcome=verification.outcome.value,
        recovery_seconds=verification.recovery_seconds,
        restored_bytes=verification.restore_size,
        rungs=[result.model_dump(mode="json") for result in verification.rungs],
    )


def of_restoration(set_id: str, done: Restoration, started_at: datetime) -> Restore:
    """A restored and compared step as the ledger writes it."""
    return Restore(
        set=set_id,
        service=done.step.service,
        name=done.step.name,
        into=done.step.into,
        swapped=done.step.swap,
        started_at=started_at,
        finished_at=started_at + timedelta(seconds=done.seconds),
        outcome=Outcome.VERIFIED.value,
        seconds=done.seconds,
        amount=done.amount,
    )


def of_prune(plan: RetentionPlan, gone: Sequence[str]) -> Prune:
    """What came of a plan just now, as the ledger writes it; `gone` is what `retention.apply` returned."""
    return Prune(at=datetime.now(UTC), kept=len(plan.decisions) - len(gone), deleted=list(gone), refused=plan.refused)
