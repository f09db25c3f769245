"""Backups: how old the newest is and the newest that was proved, how large, how long, and how many of which worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.dashboards.levels import level
from sutazai_ops.monitoring.dashboards.panels import Dashboard, Kind, Panel, Query, Row

if TYPE_CHECKING:
    from sutazai_ops.monitoring.thresholds import Rulebook

NONE_YET = "no backup was taken yet"


def backups(rulebook: Rulebook) -> Dashboard:
    """Backups."""
    return Dashboard(
        uid="sutazai-backups",
        title="Backups",
        description="A backup that was not restored is none: what counts is the age of the newest that was proved.",
        rows=(
            Row(
                "Ages",
                (
                    Panel(
                        title="Newest proved backup",
                        description="Since the snapshot of the newest set that was restored and found right.",
                        queries=(Query("signal:backup_verified_age", "age"),),
                        width=12, unit="s", low=0, level=level(rulebook, "backup_unverified"),
                    ),
                    Panel(
                        title="Newest backup",
                        description="Since the snapshot of the newest set, proved or not.",
                        queries=(Query("signal:backup_age", "age"),),
                        width=12, unit="s", low=0, level=level(rulebook, "backup_stale"),
                    ),
                ),
            ),
            Row(
                "Sets",
                (
                    Panel(
                        title="Sets by worth",
                        description="Verified: restored and found right. Read: whole, not restored. Corrupt: useless.",
                        queries=(Query("sutazai_backup_sets", "{{state}}"),),
                        kind=Kind.BARS, low=0,
                    ),
                    Panel(
                        title="Size",
                        description="Of the newest set, and of all sets together.",
                        queries=(
                            Query("sutazai_backup_size_bytes", "newest"), Query("sutazai_backup_store_bytes", "all"),
                        ),
                        unit="bytes", low=0, empty_when=NONE_YET,
                    ),
                    Panel(
                        title="Duration",
                        description="Of the run that made the newest set.",
                        queries=(Query("sutazai_backup_duration_seconds", "run"),),
                        unit="s", low=0, empty_when=NONE_YET,
                    ),
                ),
            ),
        ),
    )  # fmt: skip
