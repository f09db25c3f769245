"""Files and folders by their content: what is in them, how large they are, and one hash of it all."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder of a tree."""

    name: str
    """From the top of the tree on; empty for the top."""
    path: Path
    is_folder: bool
    executable: bool
    size: int


def digest_of(source: Path, where: str) -> str:
    """SHA-256 of a file, or of all names, execute bits and contents of a folder.

    Raises:
        BadInput: naming `where`, when something of it is not there, is neither file nor folder, or cannot be read.
    """
    whole = hashlib.sha256()
    for entry in entries(source, where):
        kind = "folder" if entry.is_folder else "file"
        whole.update(os.fsencode(f"{entry.name}\0{kind}\0{entry.executable:d}\0"))
        if not entry.is_folder:
            try:
                with entry.path.open("rb") as file:
                    whole.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise _unreadable(entry.path, where, error) from None
    return whole.hexdigest()


def entries(top: Path, where: str, name: str = "", above: tuple[Path, ...] = ()) -> Iterator[Entry]:
    """A file, or a folder and all below it in the order of the names; links are followed, as a mount would not."""
    try:
        status = top.stat()
        is_folder = stat.S_ISDIR(status.st_mode)
        below = sorted(top.iterdir()) if is_folder else []
    except OSError as error:
        raise _unreadable(top, where, error) from None
    if not is_folder and not stat.S_ISREG(status.st_mode):
        raise BadInput(f"{top} is neither a file nor a folder", where=where, remedy="mount what is inside one by one")
    real = top.resolve()
    if real in above:
        raise BadInput(f"{top} is a link into a folder above it", where=where, remedy="remove the link")
    yield Entry(name, top, is_folder, not is_folder and bool(status.st_mode & 0o100), status.st_size)
    for path in below:
        yield from entries(path, where, f"{name}/{path.name}" if name else path.name, (*above, real))


def _unreadable(path: Path, where: str, error: OSError) -> BadInput:
    missing = isinstance(error, FileNotFoundError)
    return BadInput(
        f"{path} {'is not there' if missing else f'cannot be read: {error.strerror}'}",
        where=where,
        remedy="put it there, or correct the path" if missing else "let this user read it",
    )
