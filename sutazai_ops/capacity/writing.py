"""Writes a report where people find it: `reports/capacity/<month>.html`, `.md` and `.json` below the home folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.capacity.words import cores, memory, money
from sutazai_ops.reports.files import Format, write_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sutazai_ops.capacity.report_model import Report


def rendered(report: Report, how: Format) -> str:
    """A report as text."""
    from sutazai_ops.capacity.report_html import to_html
    from sutazai_ops.capacity.report_model import to_json

    match how:
        case Format.HTML:
            return to_html(report)
        case Format.MARKDOWN:
            return to_markdown(report)
        case Format.JSON:
            return to_json(report)


def to_markdown(report: Report) -> str:
    """The whole report but its pictures: those need a page."""
    from sutazai_ops.reports.markdown import render

    return render(
        "capacity/report.md.jinja",
        report=report,
        memory=memory,
        cores=cores,
        money=lambda amount: money(amount, report.cost.currency if report.cost else ""),
    )


def write(report: Report, folder: Path, name: str, formats: Iterable[Format]) -> dict[Format, Path]:
    """Write a report; see `write_files`."""
    return write_files(folder, name, formats, lambda how: rendered(report, how))
