"""Puts the files of a status page where a web server finds them, each whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003  (a public signature)
from typing import TYPE_CHECKING

from sutazai_ops.disk import writing

if TYPE_CHECKING:
    from collections.abc import Mapping

_READABLE, _ENTERABLE = 0o644, 0o755
"""For whoever serves them, which need not be us: a server in a container without capabilities is nobody's root."""


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write every file into `folder`, each in the place of the one before in one step.

    Whoever reads at the same time sees the old file or the new one. The folder stays the same folder, since it may be
    mounted somewhere. A file that says the same is left alone, so that readers of the feed need not fetch it again.

    Raises:
        OpsError: where the disk does not allow it; what stood there before stays.
    """
    with writing(folder):
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(_ENTERABLE)
        for name, content in files.items():
            if _holds(folder / name, content):
                continue
            half = folder / f".{name}.partial"
            half.write_bytes(content)
            half.chmod(_READABLE)
            half.replace(folder / name)


def make_folder(folder: Path, *, owner_of: Path) -> None:
    """Make the folder that is served, for whoever owns another one to write to; raises `OpsError` where it cannot be.

    A folder that is there stays as it is.
    """
    with writing(folder):
        if folder.exists():
            return
        folder.mkdir(parents=True)
        folder.chmod(_ENTERABLE)
        if os.geteuid() == 0:
            owner = owner_of.stat()
            for made in (folder, folder.parent):
                os.chown(made, owner.st_uid, owner.st_gid)


def _holds(file: Path, content: bytes) -> bool:
    try:
        return file.read_bytes() == content
    except OSError:
        return False
