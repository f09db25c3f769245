"""Puts the files of a status page where a web server finds them, each whole or not at all."""

from __future__ import annotations

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
    mounted somewhere. A file that says the same is written all the same: its time says that somebody was there.

    Raises:
        OpsError: where the disk does not allow it; what stood there before stays.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(_ENTERABLE)
        for name, content in files.items():
            half = folder / f".{name}.partial"
            half.write_bytes(content)
            half.chmod(_READABLE)
            half.replace(folder / name)
