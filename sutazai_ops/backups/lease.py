"""Who is just reading a set: a lease, so that nothing is deleted under a reader.

Any number of readers hold one on a set's manifest, which is a lock of `flock(2)` and so dies with its holder; whoever
deletes must have it alone for a moment.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.lock import take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = "manifest.json"


@contextmanager
def lease(set_folder: Path, what: str) -> Iterator[None]:
    """Keep a set from being deleted while it is read. Any number of readers can hold one.

    Args:
        set_folder: the folder of the set.
        what: what the reader does, for the message: "restore".

    Raises:
        BadInput: when there is no such set, or none any more.
    """
    gone = BadInput(
        f"cannot {what}: the set {set_folder.name} is not there, or not any more",
        where=str(set_folder),
        remedy="sutazai-ops backup list shows what there is",
    )
    try:
        descriptor = os.open(set_folder / MANIFEST, os.O_RDONLY)
    except FileNotFoundError:
        raise gone from None
    except OSError as error:
        raise OpsError(f"cannot {what}: {error.strerror}", where=str(set_folder / MANIFEST)) from None
    try:
        # Whoever deletes holds this for the moment of a rename only, so waiting is short, and then it has gone.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if not _is_still(descriptor, set_folder / MANIFEST):
            raise gone
        yield
    finally:
        os.close(descriptor)


def is_leased(set_folder: Path) -> bool:
    """Whether somebody reads the set at this moment; False where there is no such set."""
    with suppress(FileNotFoundError), _unleased(set_folder) as free:
        return not free
    return False


@contextmanager
def unleased(set_folder: Path) -> Iterator[None]:
    """Keep readers away for the moment of taking a set off the shelf.

    Raises:
        Refused: when somebody reads it.
        FileNotFoundError: when there is no such set.
    """
    with _unleased(set_folder) as free:
        if not free:
            raise Refused(
                f"cannot delete the set {set_folder.name}: a restore or a verification is reading it",
                where=str(set_folder),
                remedy="wait for it to end",
            )
        yield


@contextmanager
def _unleased(set_folder: Path) -> Iterator[bool]:
    descriptor = _open(set_folder / MANIFEST)
    try:
        yield take(descriptor)
    finally:
        os.close(descriptor)


def _open(manifest: Path) -> int:
    try:
        # NFS turns flock into a record lock, which wants a file open for writing before it is exclusive (flock(2)).
        return os.open(manifest, os.O_RDWR)
    except FileNotFoundError:
        raise
    except OSError:
        return os.open(manifest, os.O_RDONLY)


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
