"""Makes of a snapshot a data folder that a server starts from, and puts it in the place of an old one.

A snapshot is never copied under a running server, which would overwrite it when it stops. A server with an append-only
file ignores `dump.rdb` and starts **empty** beside one, so the folder is laid out as that server will look for its
data: as `dump.rdb`, or as the base of an append-only file (the multi-part layout of Redis 7.0 and every Valkey). A new
folder is built beside its place, proved by starting a scratch server with a copy of it, and only then given its name.
Old data is put aside by a rename and never deleted.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sutazai_ops.backups.redis.restore import DUMP, compare, facts_of, look, scratch, snapshot_of, unpack
from sutazai_ops.disk import flush, writing
from sutazai_ops.engines.base import ScratchOptions
from sutazai_ops.errors import Corrupt, OpsError, Refused, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sutazai_ops.backups.kinds import Workbench
    from sutazai_ops.backups.manifest import Manifest, RedisFacts
    from sutazai_ops.engines.base import Engine

FOLDER = "appendonlydir"
BASE = "appendonly.aof.1.base.rdb"
INCREMENT = "appendonly.aof.1.incr.aof"
MANIFEST = "appendonly.aof.manifest"
MANIFEST_TEXT = f"file {BASE} seq 1 type b\nfile {INCREMENT} seq 1 type i\n"
"""`appenddirname` and `appendfilename` as Redis and Valkey have them by default; the format is that of aof.c."""

MULTI_PART_SINCE = 7


class Layout(StrEnum):
    """Where a server looks for its data when it starts."""

    SNAPSHOT = "snapshot"
    """With `appendonly no`: in `dump.rdb`."""
    APPEND_ONLY = "append-only"
    """With `appendonly yes`: in `appendonlydir`, and nowhere else."""


def layout_of(facts: RedisFacts) -> Layout:
    """The layout that the server of the snapshot used.

    Raises:
        Refused: when nobody could say, because the account of the backup may not read the server's settings.
        Unsupported: for the single append-only file of Redis before 7.0.
    """
    if facts.append_only is None:
        raise Refused(
            "the set does not say whether the server keeps an append-only file",
            remedy="name it: --layout snapshot for appendonly no, --layout append-only for appendonly yes",
        )
    if not facts.append_only:
        return Layout.SNAPSHOT
    if facts.product == "redis" and facts.major < MULTI_PART_SINCE:
        raise Unsupported(
            f"no append-only file is written for Redis {facts.version}",
            remedy="restore with the layout snapshot, start with appendonly no, then CONFIG SET appendonly yes",
        )
    return Layout.APPEND_ONLY


def make_data_folder(
    service: str, manifest: Manifest, folder: Path, target: Path, layout: Layout, bench: Workbench
) -> None:
    """Make of the snapshot of `service`, in the set at `folder`, the new data folder `target`, and prove it.

    The server's default file names are used (`dbfilename`, `appenddirname`, `appendfilename`).

    Raises:
        Refused: when `target` is there and not empty.
        Corrupt: when the snapshot is damaged, or a server started from it does not hold what the manifest says.
        ToolMissing: when no server of that version is on this machine.
        OpsError: when the disk is full.
    """
    facts = facts_of(manifest, service)
    _refuse_data(target)
    with writing(target), _built_beside(target) as building:
        snapshot = building / _snapshot_name(layout)
        snapshot.parent.mkdir(mode=0o700, exist_ok=True)
        unpack(folder / snapshot_of(manifest, service).path, snapshot)
        _add_increment(building, layout)
        _prove(building, facts, layout, bench)
        for path in (*building.rglob("*"), building):
            flush(path)
        building.replace(target)
        flush(target.parent)


def swap_in(engine: Engine, service: str, prepared: Path, facts: RedisFacts, aside_name: str) -> Path:
    """Stop a service, put its data aside, have it start from `prepared`, and return where the old data is.

    Args:
        engine: where the service runs.
        service: whose data is replaced.
        prepared: what `make_data_folder` made, on the same disk as the service's data; it is moved away.
        facts: what the service has to hold then.
        aside_name: what the old data's folder is called then.

    Raises:
        Unsupported: when the service's data is not on this machine.
        Refused: when `prepared` is on another disk, or old data has that name already; nothing was done.
        OpsError: when it does not start or does not hold what it should; the old data is back in its place then, and
            the service runs with it.
    """
    live = engine.data_folder(service)
    aside = live.with_name(aside_name)
    _refuse_another_disk(prepared, live)
    _refuse_data(aside)
    engine.give_data(service, prepared)
    engine.stop(service)
    try:
        _exchange(live, aside, prepared)
    except OpsError:
        engine.start(service)
        raise
    try:
        engine.start(service)
        # Its clients are back already, so only what it noted while it loaded can be compared.
        loaded = look(engine.server(service)).loaded
        if loaded not in {None, facts.keys}:
            raise Corrupt(f"{service} loaded {loaded} keys instead of {facts.keys}", where=str(live))
    except OpsError:
        engine.stop(service)
        _exchange(live, prepared, aside)
        engine.start(service)
        raise
    return aside


def _exchange(live: Path, aside: Path, new: Path) -> None:
    with writing(live.parent):
        live.rename(aside)
        try:
            new.rename(live)
        except OSError:
            aside.rename(live)
            raise
        flush(live.parent)


def _refuse_another_disk(prepared: Path, live: Path) -> None:
    if prepared.stat().st_dev != live.parent.stat().st_dev:
        raise Refused(
            "the restored data is on another disk than the service's, so it cannot be renamed into its place",
            where=f"{prepared} and {live}",
            remedy=f"restore into a folder beside {live}",
        )


def _refuse_data(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused("the data folder is not empty", where=str(target), remedy="name a folder that does not exist yet")


@contextmanager
def _built_beside(target: Path) -> Iterator[Path]:
    """A folder on the same disk; what is left of it when the context ends is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as around:
        building = Path(around) / target.name
        building.mkdir(mode=0o700)
        yield building


def _snapshot_name(layout: Layout) -> str:
    return DUMP if layout is Layout.SNAPSHOT else f"{FOLDER}/{BASE}"


def _add_increment(building: Path, layout: Layout) -> None:
    if layout is Layout.APPEND_ONLY:
        (building / FOLDER / INCREMENT).touch(mode=0o600)
        (building / FOLDER / MANIFEST).write_text(MANIFEST_TEXT, encoding="ascii")


def _prove(building: Path, facts: RedisFacts, layout: Layout, bench: Workbench) -> None:
    with TemporaryDirectory(dir=bench.spool) as spool:
        copy = Path(spool) / "data"
        shutil.copytree(building, copy)
        options = ScratchOptions(
            config={"appendonly": "yes" if layout is Layout.APPEND_ONLY else "no"},
            files={path.name: path for path in copy.iterdir()},
        )
        with scratch(bench.engine, facts, options) as server:
            wrong = compare(facts, server)
    if wrong:
        raise Corrupt(f"a server started from the restored data differs: {wrong[0]}", where=str(building))
