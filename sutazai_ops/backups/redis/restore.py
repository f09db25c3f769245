"""Brings the snapshot of a set back into a scratch server, and compares that with the manifest.

The figures compared are those the server noted while it loaded: keys with a time to live go on vanishing from a server
that runs, and are no loss. A difference is only called one when traffic during the backup cannot explain it.
"""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sutazai_ops.backups.kinds import Restored, timed
from sutazai_ops.backups.manifest import ArtifactKind, RedisFacts
from sutazai_ops.backups.redis.check import Check
from sutazai_ops.backups.redis.facts import ask
from sutazai_ops.backups.stream import read_chunks
from sutazai_ops.disk import writing
from sutazai_ops.engines.base import ScratchOptions
from sutazai_ops.engines.redis import connect, keys_by_database, told
from sutazai_ops.errors import ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from sutazai_ops.backups.kinds import Workbench
    from sutazai_ops.backups.manifest import Artifact, Manifest
    from sutazai_ops.engines.base import Engine, Server, Tools

DUMP = "dump.rdb"
"""`dbfilename` as Redis and Valkey have it by default."""


def read_through(artifact: Artifact, path: Path, tools: Tools) -> None:  # noqa: ARG001  (there is one kind only)
    """Have the server's own check-rdb read a snapshot to its end.

    Raises:
        Corrupt: when the frame, or the snapshot in it, is not whole.
    """
    with Check(tools, str(path)) as check:
        for chunk in read_chunks(path):
            check.feed(chunk)
        check.finish()


@contextmanager
def restored(service: str, manifest: Manifest, folder: Path, bench: Workbench) -> Iterator[Restored]:
    """Restore the snapshot of one service into a scratch server of the same product and major version.

    Raises:
        Corrupt: when the snapshot cannot be unpacked.
        ToolMissing: when no server of that version, or a module it had loaded, is on this machine.
    """
    facts = facts_of(manifest, service)
    seconds: dict[str, float] = {}
    with TemporaryDirectory(dir=bench.spool) as spool:
        snapshot = Path(spool) / DUMP
        with timed(seconds, f"{service}: unpack"):
            unpack(folder / snapshot_of(manifest, service).path, snapshot)
        started = time.monotonic()
        with scratch(bench.engine, facts, ScratchOptions(files={DUMP: snapshot})) as server:
            seconds[f"{service}: server"] = round(time.monotonic() - started, 3)
            yield Restored(seconds, lambda: compare(facts, server))


def scratch(engine: Engine, facts: RedisFacts, options: ScratchOptions) -> AbstractContextManager[Server]:
    """A throw-away server like the one that the snapshot is of.

    Raises:
        ToolMissing: when there is none of that version here, or a module of it is missing.
    """
    if facts.modules:
        raise ToolMissing(
            f"the snapshot needs the modules {', '.join(facts.modules)}, which a scratch server here does not load",
            remedy="restore it by hand into a server that has them",
        )
    return engine.scratch(facts.product, facts.major, options)


def unpack(path: Path, into: Path) -> None:
    """Decompress a stored snapshot into a new file.

    Raises:
        Corrupt: when it is cut short or a bit of it was flipped.
        OpsError: when the disk is full.
    """
    with writing(into), into.open("xb") as file:
        for chunk in read_chunks(path):
            file.write(chunk)


def facts_of(manifest: Manifest, service: str) -> RedisFacts:
    """What the manifest says of a Redis or Valkey service."""
    facts = manifest.services[service]
    if not isinstance(facts, RedisFacts):
        raise TypeError(f"{service} is {facts.kind}")
    return facts


def snapshot_of(manifest: Manifest, service: str) -> Artifact:
    """The artifact with the snapshot of a service."""
    return next(a for a in manifest.of_service(service) if a.kind is ArtifactKind.REDIS_SNAPSHOT)


@dataclass(frozen=True, slots=True)
class Found:
    """What a server holds that has just loaded a snapshot."""

    loaded: int | None
    """Keys that it read, those whose time had ended included; None before Redis 7.0, which does not count them."""
    keys: Mapping[str, int]
    """By database, now."""
    functions: frozenset[str]


def compare(facts: RedisFacts, server: Server) -> list[str]:
    """What a server that has just loaded the snapshot does not have as the manifest says, as sentences.

    Raises:
        Unreachable: when the server does not answer.
    """
    return differences(facts, look(server))


def look(server: Server) -> Found:
    """What the server holds; raises `Unreachable` when it does not answer."""
    with told(server), closing(connect(server)) as client:
        info = client.info()
    loaded = None
    if "rdb_last_load_keys_loaded" in info:
        loaded = info["rdb_last_load_keys_loaded"] + info["rdb_last_load_keys_expired"]
    return Found(loaded, keys_by_database(info), ask(server).functions)


def differences(facts: RedisFacts, found: Found) -> list[str]:
    """What `found` lacks or has too much of, as sentences; empty when it is what the manifest says."""
    return [*_total(facts, found), *_by_database(facts, found.keys), *_functions(facts, found.functions)]


def _total(facts: RedisFacts, found: Found) -> list[str]:
    total = sum(found.keys.values())
    if found.loaded is None and not facts.keys - facts.expiring <= total <= facts.keys:
        return [f"{total} keys are there instead of {facts.keys}, of which {facts.expiring} may have expired"]
    if found.loaded not in {None, facts.keys}:
        return [f"{found.loaded} keys were loaded instead of {facts.keys}"]
    return []


def _by_database(facts: RedisFacts, keys: Mapping[str, int]) -> list[str]:
    """Databases that lack keys or have too many, where that can be known.

    The counts before and after bracket the snapshot only while nobody writes: keys added and removed in between are in
    neither. Where both agree with each other and with the snapshot's own total, nothing moved, and each database must
    come back with that number but for those that have expired since.
    """
    wanted = facts.keys_before
    if wanted != facts.keys_after or sum(wanted.values()) != facts.keys:
        return []
    return [
        f"database {name} holds {keys.get(name, 0)} keys instead of {wanted.get(name, 0)}"
        for name in sorted(wanted.keys() | keys.keys(), key=int)
        if not wanted.get(name, 0) - facts.expiring <= keys.get(name, 0) <= wanted.get(name, 0)
    ]


def _functions(facts: RedisFacts, functions: frozenset[str]) -> list[str]:
    return [f"function library {name} is missing" for name in facts.functions if name not in functions]
