"""Dashboards as values: rows of panels, each of which asks something and says what a person sees in it.

Nothing here knows how Grafana writes them down; that is `grafana.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.thresholds import Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS = 24
"""How wide Grafana's grid is."""


class Kind(StrEnum):
    """What a panel looks like, in Grafana's words."""

    LINES = "timeseries"
    NUMBER = "stat"
    STATES = "state-timeline"
    BARS = "bargauge"
    TABLE = "table"
    LOGS = "logs"


class Source(StrEnum):
    """Who is asked: the uid of its data source, which provisioning fixes."""

    PROMETHEUS = "prometheus"
    LOKI = "loki"


@dataclass(frozen=True, slots=True)
class Level:
    """The level of a threshold, drawn as a line."""

    value: float
    broken: Side = Side.ABOVE
    """On which side of it is red."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question of a panel."""

    expression: str
    legend: str = ""
    """With labels as {{service}}."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. Its title is its own on the dashboard, and what its number follows from."""

    title: str
    description: str
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    unit: str = "short"
    """In Grafana's words: percentunit, s, bytes."""
    width: int = 8
    height: int = 8
    low: float | None = None
    high: float | None = None
    """Where the axis begins and ends; left to the data where None."""
    level: Level | None = None
    """Where it turns red."""
    words: Mapping[float, tuple[str, str]] = field(default_factory=dict)
    """For values that are states: the word and the colour of each."""
    source: Source = Source.PROMETHEUS
    empty_when: str = ""
    """Why it may show nothing without anything being wrong; a panel that says nothing here always has data."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels beneath one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page."""

    uid: str
    """Fixed for ever: addresses and links are made of it."""
    title: str
    description: str
    rows: tuple[Row, ...]
    variable: str = ""
    """The label that a person chooses a value of, as $label in expressions."""

    @property
    def panels(self) -> Iterator[Panel]:
        """All of them, from the top."""
        return (panel for row in self.rows for panel in row.panels)


UP_AND_DOWN: Mapping[float, tuple[str, str]] = {1: ("ok", "green"), 0: ("failed", "red"), -1: ("unknown", "orange")}
"""The words of `HEALTH`; each colour stands beside its word."""
HEALTH = 'min by (service) (sutazai_probe_state{state="ok"}) - max by (service) (sutazai_probe_state{state="unknown"})'
"""1 where every probe of a service is well, 0 where one failed, -1 where one could not be asked."""
