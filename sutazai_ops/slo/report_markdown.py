"""The report on objectives as Markdown, for a ticket or a message. The same report gives the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.reports.markdown import render
from sutazai_ops.slo.report_order import dearest, event_of

if TYPE_CHECKING:
    from sutazai_ops.slo.report_model import Report


def to_markdown(report: Report) -> str:
    """The whole report but its pictures: those need a page."""
    return render(
        "slo/report.md.jinja",
        report=report,
        dips=dearest(report.objectives),
        titles={one.name: one.title for one in report.objectives},
        event_of=lambda reference: event_of(report, reference),
    )
