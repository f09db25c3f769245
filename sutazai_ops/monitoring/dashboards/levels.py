"""The levels of thresholds as lines on panels: what is drawn is what wakes people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.dashboards.panels import Level

if TYPE_CHECKING:
    from sutazai_ops.monitoring.thresholds import Rulebook


def level(rulebook: Rulebook, threshold: str) -> Level | None:
    """The level of a threshold; None where it was taken away."""
    found = rulebook.thresholds.get(threshold)
    return Level(found.level, found.side) if found else None
