"""What a ledger's database says when it cannot, told to a person."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from sutazai_ops.errors import BadInput, Corrupt, OpsError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE_BYTES = 64 * 1024
"""SQLite's shared memory grows by half of this; below it a database of any page size cannot go on."""
_CHECK = "check the settings `ledger` and `ledger_password_file`"
_NO_LOSS = "no backup is lost with it: `sutazai-ops ledger rebuild` makes a new one from the manifests"

# What SQLite's own library says (sqlite.org/rescode.html); the driver gives no finer class for the first two.
_DAMAGED = ("not a database", "malformed", "disk image")
_BUSY = ("locked", "busy")
# A full disk is the first where a file grows, and the second where SQLite only makes room for its shared memory.
_PERHAPS_FULL = ("disk is full", "disk I/O error")
# What PostgreSQL says while connecting and trying again cannot mend (libpq passes its words through).
_DENIED = ("authentication failed", "no password supplied", "does not exist")


@contextmanager
def speaking(where: str) -> Iterator[None]:
    """Turn what the database at `where` refuses into one sentence.

    Raises:
        Unreachable: when it does not answer, or is held by another for too long.
        Corrupt: when it is damaged.
        OpsError: for anything else that it refuses.
    """
    try:
        yield
    except DBAPIError as error:
        raise _told(error, where) from error


def _told(error: DBAPIError, where: str) -> OpsError:
    said = str(error.orig).strip().partition("\n")[0]
    if any(word in said for word in _DAMAGED):
        return Corrupt(f"the ledger is damaged: {said}", where=where, remedy=f"move it away; {_NO_LOSS}")
    if any(word in said for word in _BUSY):
        return Unreachable(f"the ledger is held by another process: {said}", where=where, remedy="try again")
    if any(word in said for word in _DENIED):
        return BadInput(f"the ledger does not let us in: {said}", where=where, remedy=_CHECK)
    if error.connection_invalidated or "connect" in said:
        return Unreachable(f"the ledger does not answer: {said}", where=where, remedy=_CHECK)
    if any(word in said for word in _PERHAPS_FULL) and _is_full(where):
        return OpsError(
            "No space left on device for the ledger, and nothing was changed in it", where=where, remedy="make room"
        )
    return OpsError(f"the ledger refuses: {said}", where=where, remedy=f"mend that, or move it away; {_NO_LOSS}")


def _is_full(where: str) -> bool:
    """Whether the disk of a SQLite file has no room for what SQLite would add."""
    path = Path(urlsplit(where).path[1:])
    return path.is_absolute() and path.parent.exists() and shutil.disk_usage(path.parent).free < PAGE_BYTES
