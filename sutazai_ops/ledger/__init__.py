"""WHAT happened: an index of backup sets, proofs, restores and prunes, for questions that files are slow to answer.

All that it knows of backups can be made again from the sets' own manifests, so a lost ledger loses no backup. Daily
facts of objectives stand in it alone, once Prometheus has let their samples go, and so does what users were told.
"""

from sutazai_ops.ledger.entries import (
    EventEntry,
    FactEntry,
    NoticeEntry,
    NoticeUpdateEntry,
    OverrideEntry,
    Prune,
    QuestionEntry,
    Restore,
    SetEntry,
    VerificationEntry,
)
from sutazai_ops.ledger.ledger import Ledger
from sutazai_ops.ledger.open import open_ledger

__all__ = [
    "EventEntry",
    "FactEntry",
    "Ledger",
    "NoticeEntry",
    "NoticeUpdateEntry",
    "OverrideEntry",
    "Prune",
    "QuestionEntry",
    "Restore",
    "SetEntry",
    "VerificationEntry",
    "open_ledger",
]
