"""The machine that all of it runs on: processors, memory and disks, and how long they last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.dashboards.levels import level
from sutazai_ops.monitoring.dashboards.panels import Dashboard, Kind, Panel, Query, Row

if TYPE_CHECKING:
    from sutazai_ops.monitoring.thresholds import Rulebook

REAL = 'fstype!~"tmpfs|ramfs|squashfs|erofs|iso9660|fuse.*"'
"""File systems that can fill up, as the signals choose them."""


def host(rulebook: Rulebook) -> Dashboard:
    """The host."""
    busy = 'sum by (instance, mode) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))'
    return Dashboard(
        uid="sutazai-host",
        title="Host",
        description="Processors, memory and disks of the machine, and how long they last.",
        rows=(
            Row(
                "Processors and memory",
                (
                    Panel(
                        title="Processors busy",
                        description="The share of all processors.",
                        queries=(Query("signal:host_cpu", "{{instance}}"),),
                        unit="percentunit", low=0, high=1, level=level(rulebook, "host_cpu_high"),
                    ),
                    Panel(
                        title="Processors by what they do",
                        description="How many are busy with what; `iowait` waits for a disk.",
                        queries=(Query(busy, "{{mode}}"),),
                        low=0,
                    ),
                    Panel(
                        title="Memory used",
                        description="The share that cannot be had without swapping.",
                        queries=(Query("signal:host_memory", "{{instance}}"),),
                        unit="percentunit", low=0, high=1, level=level(rulebook, "host_memory_high"),
                    ),
                ),
            ),
            Row(
                "Disks",
                (
                    Panel(
                        title="Disks used",
                        description="The share of each file system.",
                        queries=(Query("signal:host_disk", "{{mountpoint}}"),),
                        unit="percentunit", low=0, high=1, level=level(rulebook, "host_disk_full"),
                    ),
                    Panel(
                        title="Free tomorrow",
                        description="The share that will be free in a day, at the pace of the last six hours.",
                        queries=(Query("signal:host_disk_tomorrow", "{{mountpoint}}"),),
                        unit="percentunit", high=1, level=level(rulebook, "host_disk_filling"),
                        empty_when="there is less than an hour of measurements",
                    ),
                    Panel(
                        title="Free now",
                        description="What may still be written.",
                        queries=(
                            Query(f"min by (mountpoint) (node_filesystem_avail_bytes{{{REAL}}})", "{{mountpoint}}"),
                        ),
                        kind=Kind.BARS, unit="bytes", low=0,
                    ),
                ),
            ),
            Row(
                "Clock",
                (
                    Panel(
                        title="Jumps of the clock",
                        description="The largest in the last quarter of an hour. Alerts and schedules count by it.",
                        queries=(Query("signal:clock_step", "step"),),
                        unit="s", low=0, level=level(rulebook, "clock_jumped"),
                    ),
                ),
            ),
        ),
    )  # fmt: skip
