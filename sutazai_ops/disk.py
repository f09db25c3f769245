"""What a disk says when it does not take what is written, told to a person.

`writing(path)` stands around every write to a store, a spool or a lock: the few errors that an operator can mend (full,
over quota, read-only, not permitted, not there) become one sentence that names the path and what is free. All other
errors pass as they are.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_NO_ROOM = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
_NO_WAY = {
    errno.EACCES: ("permission is denied", "give the user who runs this the right to it"),
    errno.EPERM: ("the operation is not permitted", "give the user who runs this the right to it"),
    errno.EROFS: ("the file system is read-only", "mount it writable, or put the folder elsewhere"),
    errno.ENOENT: ("the folder does not exist", "create it, or mount the disk it is on"),
    errno.ENOTDIR: ("a part of the path is a file", "correct the path"),
    errno.EEXIST: ("a file stands where the folder should be", "move it away"),
    errno.EIO: ("the disk reports an error", "look into the system's log: the disk may be failing"),
}


def free_bytes(path: Path) -> int:
    """Bytes that this user can still write where `path` is or will be; raises `OpsError` where that cannot be asked."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    with writing(there):
        disk = os.statvfs(there)
    return disk.f_bavail * disk.f_frsize


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what stops a write at or below `path` into one sentence.

    Raises:
        OpsError: for a disk that is full, over its quota, read-only, failing, not there, or not ours to write.
    """
    try:
        yield
    except OSError as error:
        refusal = _refusal(error, path)
        if refusal is None:
            raise
        raise refusal from error


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path` so that a reader, and a power cut, find either nothing new or all of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            write_through(unfinished, content)
            unfinished.replace(path)
        except OSError as error:
            # Whoever reads of it knows the file that was to be written, not the one beside it.
            error.filename = str(path)
            raise
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        flush(path.parent)


def write_through(path: Path, content: bytes) -> None:
    """Write a file, readable by its owner alone, and wait until the disk has it."""
    with open(path, "wb", opener=_private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def flush(path: Path) -> None:
    """Wait until the disk has a file's bytes, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _refusal(error: OSError, path: Path) -> OpsError | None:
    if error.errno in _NO_ROOM:
        return OpsError(
            f"cannot write: {_NO_ROOM[error.errno]}", where=_with_room(path), remedy="free some space there"
        )
    if error.errno in _NO_WAY:
        why, remedy = _NO_WAY[error.errno]
        return OpsError(f"cannot write: {why}", where=str(error.filename or path), remedy=remedy)
    return None


def _with_room(path: Path) -> str:
    try:
        return f"{path} ({human.size(free_bytes(path))} free)"
    except OpsError:
        return str(path)
