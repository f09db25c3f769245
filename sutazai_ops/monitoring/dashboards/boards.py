"""Which dashboards there are, and which of their panels a platform has the figures for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.dashboards.ai import ai
from sutazai_ops.monitoring.dashboards.backups import backups
from sutazai_ops.monitoring.dashboards.delivery import delivery
from sutazai_ops.monitoring.dashboards.grafana import dashboard_json
from sutazai_ops.monitoring.dashboards.host import host
from sutazai_ops.monitoring.dashboards.overview import overview
from sutazai_ops.monitoring.dashboards.panels import Source
from sutazai_ops.monitoring.dashboards.service import service
from sutazai_ops.monitoring.dashboards.watching import watching
from sutazai_ops.monitoring.promql import asked_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from sutazai_ops.monitoring.dashboards.panels import Dashboard, Panel, Row
    from sutazai_ops.monitoring.thresholds import Rulebook

ALL = (overview, service, host, ai, backups, delivery, watching)
OF_PROMETHEUS = frozenset({"prometheus", "rules"})
"""Whoever has Prometheus has what it makes itself, and what its rules record."""


def dashboards_for(rulebook: Rulebook, exporters: AbstractSet[str]) -> list[Dashboard]:
    """The dashboards of a platform, with the panels that have figures there.

    Args:
        rulebook: what is measured there, and the levels that panels draw as lines.
        exporters: who exports there, by the names of the catalogue.
    """
    known = rulebook.catalogue()

    def is_measured(panel: Panel) -> bool:
        if panel.source is not Source.PROMETHEUS:
            return True
        names = {name for query in panel.queries for name in asked_ranges([bound(query.expression)])}
        series = [known.find(name) for name in names]
        return all(one is not None and one.exporter in {*exporters, *OF_PROMETHEUS} for one in series)

    def kept(rows: tuple[Row, ...]) -> Iterator[Row]:
        for row in rows:
            panels = tuple(filter(is_measured, row.panels))
            if panels:
                yield replace(row, panels=panels)

    boards = [make(rulebook) for make in ALL]
    return [replace(board, rows=rows) for board in boards if (rows := tuple(kept(board.rows)))]


def dashboard_files(rulebook: Rulebook, exporters: AbstractSet[str]) -> dict[str, str]:
    """The file of each dashboard by its name."""
    return {f"{board.uid}.json": dashboard_json(board) for board in dashboards_for(rulebook, exporters)}


def bound(expression: str, value: str = ".+") -> str:
    """An expression as Prometheus is asked it, with every variable that a person chooses a value of in place."""
    return expression.replace("$service", value).replace("$__rate_interval", "5m")
