"""Damaged copies of an artifact, to see that a verifier refuses them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sutazai_ops.disk import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def damaged_copies(path: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """A copy with one bit flipped in its middle, and one cut to 60 %; each is gone when the next is asked for."""
    copy = folder / f"damaged-{path.name}"
    try:
        with writing(folder):
            shutil.copyfile(path, copy)
            size = copy.stat().st_size
            with copy.open("r+b") as file:
                file.seek(size // 2)
                (byte,) = file.read(1)
                file.seek(size // 2)
                file.write(bytes([byte ^ 0b100]))
        yield "flipped", copy
        with writing(folder):
            shutil.copyfile(path, copy)
            with copy.open("r+b") as file:
                file.truncate(size * 6 // 10)
        yield "truncated", copy
    finally:
        copy.unlink(missing_ok=True)
