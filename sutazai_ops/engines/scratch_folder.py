"""Folders for what is needed only while a piece of work goes on, and the sweeping of those that it left behind.

Whoever works in such a folder holds the lock of a file in it, which the system frees when that process dies. So a
folder whose lock is free is a leftover, however recent, and one whose lock is held is never touched, however old.
"""

from __future__ import annotations

import fcntl
import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.engines.daemons import end, kill_inhabitants, locked, make_folder, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = ".held"
COMMON_LOCK = ".lock"
RECORD = "server.json"
"""What is known of the server that works in the folder, where one does."""


@contextmanager
def scratch_folder(scratch: Path, purpose: str) -> Iterator[Path]:
    """A new folder of mode 0700 in `scratch`, removed with all in it when the context ends.

    Args:
        scratch: `Settings.scratch`.
        purpose: what it is for, as the first part of its name.
    """
    make_folder(scratch)
    with locked(scratch / COMMON_LOCK):
        folder = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=scratch))
        held = (folder / LOCK).open("wb")
        fcntl.flock(held, fcntl.LOCK_EX)
    with held:
        try:
            yield folder
        finally:
            # What cannot be removed now is swept later; it must not hide the error that ended the work.
            shutil.rmtree(folder, ignore_errors=True)


def sweep_scratch(home: Path) -> list[Path]:
    """End the servers and remove the folders that a process of ours left behind when it was killed.

    Returns:
        The folders that are gone.
    """
    scratch = home / "scratch"
    if not scratch.is_dir():
        return []
    with locked(scratch / COMMON_LOCK):
        leftovers = [folder for folder in sorted(scratch.iterdir()) if folder.is_dir() and not _is_held(folder)]
        for folder in leftovers:
            _end_server(folder)
            shutil.rmtree(folder)
    return leftovers


def _end_server(folder: Path) -> None:
    record = read_record(folder / RECORD)
    if record and record.process:
        # A KILL would leave PostgreSQL's System V memory segment behind; to Valkey QUIT is as good as any.
        end(record.process, signal.SIGQUIT, patience=5)
    kill_inhabitants(folder)


def _is_held(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        # Somebody works in it, or it is another user's to sweep.
        return True
    return False
