"""WHAT happened: an index of backup sets, proofs, restores and prunes, for questions that files are slow to answer.

Nothing depends on it. All that it knows of backups can be made again from the sets' own manifests, so a lost ledger
loses no backup.
"""

from sutazai_ops.ledger.entries import Prune, Restore, SetEntry, VerificationEntry
from sutazai_ops.ledger.ledger import Ledger
from sutazai_ops.ledger.open import open_ledger

__all__ = ["Ledger", "Prune", "Restore", "SetEntry", "VerificationEntry", "open_ledger"]
