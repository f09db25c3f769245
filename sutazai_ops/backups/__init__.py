"""Backups that were restored: dump, snapshot, verify, retain, restore.

Other areas use what stands here, and nothing inside.
"""

from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.backups.store import BackupSet, Store, latest_verified

__all__ = ["BackupSet", "Outcome", "Store", "latest_verified"]
