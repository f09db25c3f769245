"""Redis and Valkey in a backup set: one snapshot, pulled, read through, restored and compared."""

from sutazai_ops.backups.redis.restore import read_through, restored
from sutazai_ops.backups.redis.take import estimate, take

__all__ = ["estimate", "read_through", "restored", "take"]
