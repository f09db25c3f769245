"""Writes a report where people find it: `reports/slo/<period>.html`, `.md` and `.json` below the home folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.reports.files import Format, write_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sutazai_ops.slo.report_model import Report


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
    """Write a report; see `write_files`."""
    return write_files(folder, name, formats, lambda how: rendered(report, how))
