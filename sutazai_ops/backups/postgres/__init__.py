"""PostgreSQL in a backup set: every database and the roles, dumped, read through, restored and compared."""

from sutazai_ops.backups.postgres.restore import read_through, restored
from sutazai_ops.backups.postgres.take import estimate, take

__all__ = ["estimate", "read_through", "restored", "take"]
