"""What the backup of one kind of server has to be able to do, so that everything else need not know the kind.

There is one package a kind (`postgres`, `redis`), each with the functions of `Kind`. Adding a kind is adding a package
and a line to `kind_of`.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from sutazai_ops.backups.manifest import Artifact, Facts, Manifest
    from sutazai_ops.backups.store import PartialSet
    from sutazai_ops.engines import Engine, Server, Tools
    from sutazai_ops.platform import Service
    from sutazai_ops.progress import Progress
    from sutazai_ops.settings import BackupSettings


@dataclass(frozen=True, slots=True)
class Estimate:
    """What taking and proving a backup of one service will need."""

    version: str
    tools: Tools
    """The programs that will dump it and that would restore it; they are known to be here."""
    raw_bytes: int
    """Of its artifacts before compression, about; an upper bound where the server can only be asked for that."""
    restored_bytes: int
    """On disk once restored, about."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was put into a set for one service."""

    facts: Facts
    artifacts: tuple[Artifact, ...]
    taken_at: datetime
    """The moment its oldest snapshot shows, by the clock of this machine."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A service of a set, running again in a scratch server."""

    seconds: dict[str, float]
    """How long each phase of the restore took, by its name."""
    compare: Callable[[], list[str]]
    """What is not as the manifest says, as sentences; empty when everything is."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """What a restore works with."""

    engine: Engine
    settings: BackupSettings
    spool: Path
    """A folder for throw-away files as large as what is restored."""


class Kind(Protocol):
    """The functions of one kind's package."""

    def estimate(self, server: Server, service: Service) -> Estimate:
        """Ask a server what its backup needs; raises `OpsError` for whatever would make the backup fail later."""

    def take(
        self, server: Server, service: Service, partial: PartialSet, settings: BackupSettings, progress: Progress
    ) -> Taken:
        """Put a service into a set under way."""

    def read_through(self, artifact: Artifact, path: Path, tools: Tools) -> None:
        """Have the tool that would restore an artifact read it to its end; raises `Corrupt` when it cannot."""

    def restored(
        self, service: str, manifest: Manifest, folder: Path, bench: Workbench
    ) -> AbstractContextManager[Restored]:
        """Restore a service of the set in `folder` into a scratch server that lives as long as the context.

        Raises:
            Corrupt: when the artifacts cannot be restored.
            OpsError: when they could not be tried: a tool is missing, the disk is full.
        """


def kind_of(kind: str) -> Kind:
    """The functions for a service whose `backup.kind`, or whose facts' `kind`, is this."""
    # Only the one that is asked for: each brings its driver, and redis alone is 23 MB of memory.
    if kind == "postgres":
        from sutazai_ops.backups import postgres

        return postgres
    from sutazai_ops.backups import redis

    return redis


@contextmanager
def timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    """Note under `phase` how long the context took, in seconds."""
    started = time.monotonic()
    try:
        yield
    finally:
        seconds[phase] = round(time.monotonic() - started, 3)
