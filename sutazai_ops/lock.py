"""Who may change a folder: a file lock that dies with its holder.

It is `flock(2)`: the kernel drops it when the process that holds it ends, however it ends, so no stale lock ever stops
a night. The file is opened as not inheritable (PEP 446), so no child such as pg_dump keeps the lock alive. Only a child
that goes on changing what the lock guards, though its parent is killed, is given it: see `held`. The file stays where
it is when the lock is given up: removing it would let two processes lock two different files.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, ValidationError

from sutazai_ops.disk import writing
from sutazai_ops.errors import Refused
from sutazai_ops.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = ".lock"
NAMED_WITHIN_SECONDS = 0.5
"""Whoever takes a lock writes its name right after: until then the file is empty, or names the one before."""
_held: dict[Path, int] = {}
"""The open lock file of each folder that this process holds."""


class Holder(Model):
    """Who holds a lock, as the lock file says."""

    what: str
    """What it does: "backup run"."""
    pid: int
    host: str
    since: AwareDatetime

    def __str__(self) -> str:
        return f"{self.what} (process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC)"

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended, as far as this host can tell."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


class Held(Refused):
    """The lock is another one's."""

    def __init__(self, what: str, folder: Path, holder: Holder | None) -> None:
        self.outlived = holder is not None and holder.is_gone
        """Whether its holder was killed, and what it had started goes on and ends by itself."""
        who = f"what {holder} had started" if self.outlived else str(holder or "another process")
        super().__init__(
            f"cannot {what}: {who} holds the lock",
            where=str(folder / LOCK),
            remedy="wait for it to end; the lock goes with the process",
        )


@contextmanager
def exclusive(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of `folder`, which is made if it is not there.

    Args:
        folder: what nobody else may change meanwhile.
        what: what the holder does, for whoever comes second: "backup run".

    Raises:
        Held: when another process, or another part of this one, holds it; names that holder.
        OpsError: when the lock file cannot be written.
    """
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not take(descriptor):
            raise Held(what, folder, _whoever_took(descriptor))
        with writing(folder):
            _say(descriptor, Holder(what=what, pid=os.getpid(), host=socket.gethostname(), since=datetime.now(UTC)))
        _held[folder.absolute()] = descriptor
        try:
            yield
        finally:
            del _held[folder.absolute()]
    finally:
        os.close(descriptor)


def held_by(folder: Path) -> Holder | None:
    """Who holds the lock of `folder` now, without ever taking it; None where nobody does, or nobody can tell.

    The kernel lists every lock with the device and the inode of its file (proc(5), /proc/locks).
    """
    try:
        with (folder / LOCK).open("rb") as file:
            facts = os.fstat(file.fileno())
            here = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
            locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
            if not any("FLOCK" in line and here in line.split() for line in locks):
                return None
            return _holder(file.fileno()) or Holder(what="somebody", pid=0, host="?", since=datetime.now(UTC))
    except OSError:
        return None


def held(folder: Path) -> tuple[int, ...]:
    """The lock of `folder`, if this process holds it, to be passed on (`pass_fds`) to a child.

    For a child that is not ended with us and goes on changing what the lock guards: the lock then lasts until it ends.
    """
    descriptor = _held.get(folder.absolute())
    return () if descriptor is None else (descriptor,)


def take(descriptor: int) -> bool:
    """Lock an open file for nobody else, if it is free now; False when it is not."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, holder.model_dump_json().encode() + b"\n", 0)


def _whoever_took(descriptor: int) -> Holder | None:
    until = time.monotonic() + NAMED_WITHIN_SECONDS
    while (holder := _holder(descriptor)) is None or holder.is_gone:
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    return holder


def _holder(descriptor: int) -> Holder | None:
    try:
        return Holder.model_validate_json(os.pread(descriptor, 4096, 0))
    except ValidationError:
        return None
