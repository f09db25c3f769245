"""Reports as files: as what they are written, and how."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.disk import write_whole, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


class Format(StrEnum):
    """As what a report is written."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


def write_files(
    folder: Path, name: str, formats: Iterable[Format], rendered: Callable[[Format], str]
) -> dict[Format, Path]:
    """Write one report in each format, each file whole or not at all; what it was before is replaced.

    Raises:
        OpsError: when the folder cannot be written.
    """
    files = {how: folder / f"{name}.{how}" for how in formats}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for how, file in files.items():
            write_whole(file, rendered(how).encode())
    return files
