"""Finds out before the first byte whether a night can end well.

Every server answers; every tool that dumps it *and* every one that would restore it is here in its own major version;
the disks have room for the set and for the proof. What would fail at four in the morning fails now, with nothing done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.backups.kinds import kind_of
from sutazai_ops.disk import free_bytes
from sutazai_ops.errors import BadInput, OpsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.backups.kinds import Estimate
    from sutazai_ops.engines import Engine
    from sutazai_ops.platform import Service

COMPRESSED_SHARE = 0.6
"""A set takes about this share of its raw bytes at most. Measured: text and rows 0.15, random values in Redis 0.9; the
mean of a platform lies far below, and a disk that fills up all the same ends the run cleanly."""

SPARE = 256 * 1024 * 1024
"""Bytes that stay free in any case: a full disk stops the servers that live on it, too."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What the pre-flight found."""

    estimates: Mapping[str, Estimate]
    needed: int
    """Bytes, on the store's disk and, where that is another, on the scratch folder's."""
    free: int
    """Bytes on the store's disk."""

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {estimate.version}" for name, estimate in self.estimates.items())
        return f"{versions}; tools match; {human.size(self.free)} free (needs about {human.size(self.needed)})"


def preflight(services: Sequence[Service], engine: Engine, store: Path, scratch: Path) -> Ready:
    """See whether these services can be backed up and the set be proved.

    Raises:
        BadInput: when there is nothing to back up.
        Unreachable: when a server does not answer.
        ToolMissing: when a tool of a server's major version is not here; names what to install.
        OpsError: when a disk has not enough room; says how much it has and needs.
    """
    if not services:
        raise BadInput(
            "there is nothing to back up: no service of the platform has x-sutazai.backup",
            remedy="see docs/extend.md",
        )
    estimates = {}
    for service in services:
        kind = kind_of(service.backup.kind if service.backup else "none")
        estimates[service.name] = kind.estimate(engine.server(service.name), service)
    wanted = rooms(estimates, one_disk=_device(store) == _device(scratch))
    for folder, needed in zip((store, scratch), wanted, strict=True):
        _require_room(folder, needed)
    return Ready(estimates, sum(wanted), free_bytes(store))


def rooms(estimates: Mapping[str, Estimate], *, one_disk: bool) -> tuple[int, int]:
    """Bytes needed on the store's disk and on the scratch folder's, where they are one on the first alone.

    The set; and for the proof one artifact decompressed at a time beside all services restored.
    """
    compressed = int(sum(estimate.raw_bytes for estimate in estimates.values()) * COMPRESSED_SHARE)
    spool = max(estimate.raw_bytes for estimate in estimates.values())
    restored = sum(estimate.restored_bytes for estimate in estimates.values())
    if one_disk:
        return compressed + spool + restored + SPARE, 0
    return compressed + SPARE, spool + restored + SPARE


def _device(path: Path) -> int:
    there = path
    while not there.exists():
        there = there.parent
    return there.stat().st_dev


def _require_room(folder: Path, needed: int) -> None:
    free = free_bytes(folder)
    if free < needed:
        raise OpsError(
            f"the disk has {human.size(free)} free and the backup needs about {human.size(needed)}",
            where=str(folder),
            remedy="free some space, or put backup.store or home on a larger disk",
        )
