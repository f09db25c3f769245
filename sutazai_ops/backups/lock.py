"""Who may change a store, and who is just reading a set: two file locks that die with their holder.

Both are `flock(2)`: the kernel drops them when the process that holds them ends, however it ends, so no stale lock ever
stops a night. Files are opened as not inheritable (PEP 446), so no child such as pg_dump keeps one alive. A lock file
stays where it is when the lock is given up: removing it would let two processes lock two different files.
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, ValidationError

from sutazai_ops.backups.disk import writing
from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"
MANIFEST = "manifest.json"


class Holder(Model):
    """Who holds a lock, as the lock file says."""

    what: str
    """What it does: "backup run"."""
    pid: int
    host: str
    since: AwareDatetime

    def __str__(self) -> str:
        return f"{self.what} (process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC)"


@contextmanager
def exclusive(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of `folder`, which is made if it is not there.

    Args:
        folder: what nobody else may change meanwhile.
        what: what the holder does, for whoever comes second: "backup run".

    Raises:
        Refused: when another process, or another part of this one, holds it; names that holder.
        OpsError: when the lock file cannot be written.
    """
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _take(descriptor, fcntl.LOCK_EX):
            raise Refused(
                f"cannot {what}: {_holder(descriptor)} holds the lock",
                where=str(folder / LOCK),
                remedy="wait for it to end; the lock goes with the process",
            )
        with writing(folder):
            _say(descriptor, Holder(what=what, pid=os.getpid(), host=socket.gethostname(), since=datetime.now(UTC)))
        yield
    finally:
        os.close(descriptor)


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
        yield _take(descriptor, fcntl.LOCK_EX)
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


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _say(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, holder.model_dump_json().encode() + b"\n", 0)


def _holder(descriptor: int) -> str:
    try:
        return str(Holder.model_validate_json(os.pread(descriptor, 4096, 0)))
    except ValidationError:
        return "another process"
