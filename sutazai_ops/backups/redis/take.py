"""Takes the snapshot of one Redis or Valkey service into a set.

The snapshot is pulled over one socket and passes, chunk by chunk, the server's own `check-rdb` on its way to disk: a
transfer that it does not accept to the last byte is no artifact. Nothing here ever changes the server, and the right to
replicate is the only one that is needed.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.backups.kinds import Estimate, Taken
from sutazai_ops.backups.manifest import Artifact, ArtifactKind, RedisFacts
from sutazai_ops.backups.redis.check import Check
from sutazai_ops.backups.redis.facts import ask
from sutazai_ops.backups.replication import pull
from sutazai_ops.backups.stream import Writer
from sutazai_ops.engines.toolchain import binary
from sutazai_ops.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sutazai_ops.backups.redis.check import Content
    from sutazai_ops.backups.redis.facts import Told
    from sutazai_ops.backups.store import PartialSet
    from sutazai_ops.backups.stream import Stored
    from sutazai_ops.engines.base import Server, Tools
    from sutazai_ops.platform import Service
    from sutazai_ops.progress import Progress
    from sutazai_ops.settings import BackupSettings

PROGRAMS = ("server", "check-rdb")
"""What a backup and the proof of it need of the server's own major version."""


def estimate(server: Server, service: Service) -> Estimate:  # noqa: ARG001  (the same question for every kind)
    """What a backup of this server will need; asks the server, changes nothing.

    Raises:
        Unreachable: when it does not answer.
        ToolMissing: when a program of its major version is not here.
    """
    tools = server.tools()
    for program in PROGRAMS:
        binary(tools, program)
    told = ask(server)
    # A snapshot is denser than memory, so this is an upper bound; the restored server keeps nothing but the snapshot.
    size = told.used_memory or 0
    return Estimate(version=told.version or str(tools.major), tools=tools, raw_bytes=size, restored_bytes=size)


def take(server: Server, service: Service, partial: PartialSet, settings: BackupSettings, progress: Progress) -> Taken:
    """Pull the snapshot of one service into a set under way.

    Raises:
        Unreachable: when the server goes away or breaks the transfer off; trying again may help.
        Corrupt: when what arrives is not a whole snapshot.
        OpsError: when the server refuses the login or the right.
    """
    name = f"{service.name}/snapshot.rdb.zst"
    before = ask(server)
    taken_at, started = datetime.now(UTC), time.monotonic()
    with progress.step(f"{service.name}  snapshot", before.used_memory) as advance:
        stored, content = _store(server, partial.path(name), settings, advance)
    artifact = Artifact(
        path=name,
        kind=ArtifactKind.REDIS_SNAPSHOT,
        service=service.name,
        name="snapshot",
        stored_bytes=stored.stored_bytes,
        raw_bytes=stored.raw_bytes,
        sha256=stored.sha256,
        seconds=round(time.monotonic() - started, 3),
    )
    return Taken(_facts(server.tools(), content, before, ask(server)), (artifact,), taken_at)


def _store(
    server: Server, path: Path, settings: BackupSettings, advance: Callable[[int], None]
) -> tuple[Stored, Content]:
    with (
        pull(server, timeout=settings.transfer_timeout_seconds) as chunks,
        Check(server.tools(), f"{server.name} at {server.endpoint}, on its way here") as check,
        Writer(path, settings) as writer,
    ):
        for chunk in chunks:
            check.feed(chunk)
            writer.write(chunk)
            advance(len(chunk))
        content = check.finish()
        return writer.finish(), content


def _facts(tools: Tools, content: Content, before: Told, after: Told) -> RedisFacts:
    if tools.product == "postgres":
        raise BadInput("PostgreSQL has no Redis snapshot")
    return RedisFacts(
        product=tools.product,
        version=content.version or before.version or str(tools.major),
        major=tools.major,
        keys=content.keys,
        expiring=content.expiring,
        # One that was loaded or deleted meanwhile may be in the snapshot or not.
        functions=tuple(sorted(before.functions & after.functions)),
        keys_before=before.keys,
        keys_after=after.keys,
        used_memory=before.used_memory,
        append_only=before.append_only,
        modules=before.modules,
    )
