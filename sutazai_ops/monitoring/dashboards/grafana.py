"""Dashboards as Grafana reads them from files: the JSON of its classic schema.

The number of a panel follows from its title, so that a link to it outlives whatever is put before it. Panels stand side
by side in the order in which they are named and never overlap. Pure, and the same for the same input.
https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
import string
import zlib
from typing import TYPE_CHECKING, Any

from sutazai_ops.monitoring.dashboards.panels import COLUMNS, Kind, Source
from sutazai_ops.monitoring.thresholds import Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sutazai_ops.monitoring.dashboards.panels import Dashboard, Panel

SCHEMA_VERSION = 39
"""Grafana 10.4's; later versions read it and bring it up to their own."""
NEVER_EDITED = 1
"""Grafana counts versions of what people save; a file's stays."""
INSTANT = frozenset({Kind.NUMBER, Kind.BARS, Kind.TABLE})
"""Kinds that show what is now."""
TAG = "sutazai"
LINK = {
    "type": "dashboards",
    "tags": [TAG],
    "title": "Dashboards",
    "tooltip": "",
    "icon": "external link",
    "asDropdown": True,
    "includeVars": False,
    "keepTime": True,
    "targetBlank": False,
}
"""From each dashboard to the others."""


def dashboard_json(dashboard: Dashboard) -> str:
    """The file of one dashboard."""
    content = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": NEVER_EDITED,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [LINK],
        "templating": {"list": _variables(dashboard)},
        "annotations": {"list": []},
        "panels": list(_panels(dashboard)),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def panel_id(title: str) -> int:
    """The number of a panel: from its title alone."""
    return zlib.crc32(title.encode()) % 2**31 or 1


def _variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    if not dashboard.variable:
        return []
    name = dashboard.variable
    query = f"label_values(sutazai_service_state, {name})"
    return [
        {
            "name": name,
            "label": name,
            "type": "query",
            "datasource": _source(Source.PROMETHEUS),
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "sort": 1,
            "includeAll": False,
            "multi": False,
        }
    ]


def _panels(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    y = 0
    for row in dashboard.rows:
        yield {
            "id": panel_id(f"row {row.title}"),
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            "panels": [],
        }
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            yield _panel(panel, {"x": x, "y": y, "w": panel.width, "h": panel.height})
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest


def _panel(panel: Panel, place: Mapping[str, int]) -> dict[str, Any]:
    description = panel.description + (f" Empty when {panel.empty_when}." if panel.empty_when else "")
    return {
        "id": panel_id(panel.title),
        "type": panel.kind.value,
        "title": panel.title,
        "description": description,
        "datasource": _source(panel.source),
        "gridPos": dict(place),
        "targets": [_target(panel, index) for index in range(len(panel.queries))],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
    }


def _target(panel: Panel, index: int) -> dict[str, Any]:
    query = panel.queries[index]
    shared = {"refId": string.ascii_uppercase[index], "datasource": _source(panel.source), "expr": query.expression}
    if panel.source is Source.LOKI:
        return shared
    is_instant = panel.kind in INSTANT
    return {
        **shared,
        "legendFormat": query.legend or "__auto",
        "instant": is_instant,
        "range": not is_instant,
        "format": "table" if panel.kind is Kind.TABLE else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    found: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": _steps(panel)}}
    found |= {name: value for name, value in (("min", panel.low), ("max", panel.high)) if value is not None}
    if panel.kind is Kind.LINES:
        # Where nothing was measured there is no line.
        found["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 8,
            "spanNulls": False,
            "showPoints": "never",
            "thresholdsStyle": {"mode": "line" if panel.level else "off"},
        }
    if panel.words:
        options = {f"{value:g}": {"text": text, "color": colour} for value, (text, colour) in panel.words.items()}
        found["mappings"] = [{"type": "value", "options": options}]
    return found


def _steps(panel: Panel) -> list[dict[str, Any]]:
    if panel.level is None:
        return [{"color": "blue", "value": None}]
    below, above = ("green", "red") if panel.level.broken is Side.ABOVE else ("red", "green")
    return [{"color": below, "value": None}, {"color": above, "value": panel.level.value}]


def _options(panel: Panel) -> dict[str, Any]:
    legend = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}
    reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match panel.kind:
        case Kind.LINES:
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
        case Kind.STATES:
            return {"legend": legend, "showValue": "never", "rowHeight": 0.85, "mergeValues": True}
        case Kind.NUMBER:
            return {"reduceOptions": reduce, "colorMode": "value", "graphMode": "none", "textMode": "value_and_name"}
        case Kind.BARS:
            return {"reduceOptions": reduce, "orientation": "horizontal", "displayMode": "basic", "valueMode": "color"}
        case Kind.LOGS:
            return {"showTime": True, "wrapLogMessage": True, "sortOrder": "Descending", "enableLogDetails": True}
        case Kind.TABLE:
            return {"showHeader": True, "cellHeight": "sm"}


def _source(source: Source) -> dict[str, str]:
    return {"type": source.value, "uid": source.value}
