"""Writes a report where people find it: `reports/slo/<period>.html`, `.md` and `.json` below the home folder."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.disk import write_whole, writing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sutazai_ops.slo.report_model import Report


class Format(StrEnum):
    """As what a report is written."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


def rendered(report: Report, how: Format) -> str:
    """A report as text."""
    from sutazai_ops.slo.report_html import to_html
    from sutazai_ops.slo.report_markdown import to_markdown
    from sutazai_ops.slo.report_model import to_json

    match how:
        case Format.HTML:
            return to_html(report)
        case Format.MARKDOWN:
            return to_markdown(report)
        case Format.JSON:
            return to_json(report)


def write(report: Report, folder: Path, name: str, formats: Iterable[Format]) -> dict[Format, Path]:
    """Write a report, each file whole or not at all; what it was before is replaced.

    Raises:
        OpsError: when the folder cannot be written.
    """
    files = {how: folder / f"{name}.{how}" for how in formats}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for how, file in files.items():
            write_whole(file, rendered(report, how).encode())
    return files
