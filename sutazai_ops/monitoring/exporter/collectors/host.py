"""The host's figures under node exporter's own names, for where no node exporter runs.

The same few that the signals ask for, with the same labels, so that each signal has one query everywhere:
https://github.com/prometheus/node_exporter.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from sutazai_ops.monitoring.exporter.measured import Measured, Round

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""As node exporter names them, which are psutil's words, too; what a system does not tell is left out."""
NOT_REAL = frozenset({"squashfs", "iso9660", "erofs"})
"""Images that are full by nature."""


class HostCollector:
    """A collector: processor, memory and file systems of this machine."""

    name = "host"

    def __init__(self, home: Path, *, interval: float, seconds: float = 10) -> None:
        self.interval, self.seconds = interval, seconds
        self._home = home

    def collect(self) -> Round:
        """Read all of it once."""
        disks: list[Measured] = []
        missing: list[str] = []
        for disk in _file_systems(self._home):
            try:
                disks += _room(disk)
            except OSError as error:
                missing.append(f"the file system at {disk.mountpoint} tells nothing: {error.strerror}")
        return Round((*_processor(), *_memory(), *disks), tuple(missing))


def _processor() -> Iterator[Measured]:
    for number, times in enumerate(psutil.cpu_times(percpu=True)):
        for mode in MODES:
            if hasattr(times, mode):
                labels = {"cpu": str(number), "mode": mode}
                yield Measured("node_cpu_seconds_total", getattr(times, mode), labels)


def _memory() -> Iterator[Measured]:
    memory = psutil.virtual_memory()
    yield Measured("node_memory_MemTotal_bytes", float(memory.total))
    yield Measured("node_memory_MemAvailable_bytes", float(memory.available))


@dataclass(frozen=True, slots=True)
class _Disk:
    device: str
    mountpoint: str
    fstype: str


def _mounted(*, unreal: bool) -> list[_Disk]:
    return [_Disk(one.device, one.mountpoint, one.fstype) for one in psutil.disk_partitions(all=unreal)]


def _file_systems(home: Path) -> list[_Disk]:
    """The real ones, each once, and the one that holds the home folder whatever it is."""
    real = [disk for disk in _mounted(unreal=False) if disk.fstype not in NOT_REAL]
    # A device that is mounted in several places is one that can be full: the place nearest to the root names it.
    found = {disk.device: disk for disk in sorted(real, key=lambda disk: len(disk.mountpoint), reverse=True)}
    there = next(path for path in (home, *home.parents) if path.exists())
    above = [disk for disk in _mounted(unreal=True) if there.is_relative_to(disk.mountpoint)]
    if above:
        holds_home = max(above, key=lambda disk: len(disk.mountpoint))
        found.setdefault(holds_home.device, holds_home)
    return list(found.values())


def _room(disk: _Disk) -> list[Measured]:
    facts = os.statvfs(disk.mountpoint)
    labels = {"device": disk.device, "fstype": disk.fstype, "mountpoint": disk.mountpoint, "device_error": ""}
    return [
        Measured("node_filesystem_size_bytes", float(facts.f_blocks * facts.f_frsize), labels),
        Measured("node_filesystem_avail_bytes", float(facts.f_bavail * facts.f_frsize), labels),
    ]
