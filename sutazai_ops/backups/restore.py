"""Brings a set back for a person: into new names, compared with the manifest, and swapped in only when asked.

`plan_restore` decides and touches nothing; `apply` follows the plan step by step. A database comes back as a new
database beside the live ones, a Redis as a new data folder. What is live is untouched until the restored copy has been
compared and found equal; then a swap renames both, and the old one stays aside under its own name. Nothing live is ever
written into, and nothing is ever dropped but what this restore made and could not finish.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.backups import records
from sutazai_ops.backups.lease import lease
from sutazai_ops.backups.manifest import PostgresFacts, RedisFacts
from sutazai_ops.errors import BadInput, Corrupt, Refused
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sutazai_ops.backups.manifest import Manifest
    from sutazai_ops.backups.night import Backups
    from sutazai_ops.backups.store import BackupSet
    from sutazai_ops.progress import Progress

SNAPSHOT = "snapshot"
"""What the one artifact of a Redis is called."""

IDENTIFIER_BYTES = 63
"""PostgreSQL cuts longer names (manual, 4.1.1), so two of ours could become one."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for."""

    service: str | None = None
    """All services of the set if None."""
    database: str | None = None
    """All databases if None."""
    into: str | None = None
    """The new name, for one database or one Redis; a name with the time of the snapshot if None."""
    swap: bool = False
    """Whether the restored copy takes the place of the live one."""
    layout: str | None = None
    """How a Redis keeps its data, "snapshot" or "append-only"; as the set says if None."""


@dataclass(frozen=True, slots=True)
class Step:
    """One database or one Redis on its way back."""

    service: str
    name: str
    """The database, or "snapshot"."""
    into: str
    """The new database, or the new data folder."""
    raw_bytes: int
    swap: bool
    aside: str
    """The name that the live one gets in a swap; empty without one, or where there is no live one."""
    layout: str | None = None
    """As in `Wish`."""


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore would do, in order."""

    set: str
    taken_at: datetime
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Restoration:
    """One step that was done and compared."""

    step: Step
    seconds: float
    amount: int
    """Rows or keys that came back."""


def plan_restore(
    manifest: Manifest, wish: Wish, *, databases: Mapping[str, set[str]], folders: Path, now: datetime
) -> RestorePlan:
    """Decide what comes back under which name. Touches nothing.

    Args:
        manifest: of the set.
        wish: what is asked for.
        databases: the names in use now on each PostgreSQL service of the set that is asked for.
        folders: where a new Redis data folder goes.
        now: timezone-aware; names what is put aside.

    Raises:
        BadInput: when the set does not hold what is asked for, or one name is to serve two.
        Refused: when a new name is in use.
    """
    chosen = list(_choose(manifest, wish))
    if wish.into and len(chosen) > 1:
        raise BadInput(
            f"--into names one database, and {len(chosen)} would come back",
            remedy="name one with --service and --database",
        )
    stamp = f"{manifest.taken_at.astimezone(UTC):%Y%m%dt%H%M%S}"
    aside_stamp = f"{now.astimezone(UTC):%Y%m%dt%H%M%S}"
    steps = []
    for service, name in chosen:
        is_database = isinstance(manifest.services[service], PostgresFacts)
        used = databases.get(service, set())
        if is_database:
            into = wish.into or _suffixed(name, f"_restored_{stamp}")
            aside = _suffixed(name, f"_before_{aside_stamp}") if wish.swap and name in used else ""
            _refuse_used(service, used, into)
        else:
            into = str(folders / (wish.into or f"{service}-restored-{stamp}"))
            aside = f"data.before-{aside_stamp}" if wish.swap else ""
        raw = next(a.raw_bytes for a in manifest.of_service(service) if a.name == name)
        steps.append(Step(service, name, into, raw, wish.swap, aside, wish.layout))
    return RestorePlan(manifest.id, manifest.taken_at, tuple(steps))


def _choose(manifest: Manifest, wish: Wish) -> Iterator[tuple[str, str]]:
    if wish.service is not None and wish.service not in manifest.services:
        raise BadInput(
            f"the set {manifest.id} holds no service {wish.service!r}",
            remedy=nearest(wish.service, manifest.services) or f"it holds: {', '.join(manifest.services)}",
        )
    found = False
    known = []
    for service, facts in manifest.services.items():
        if wish.service not in {None, service}:
            continue
        names = list(facts.databases) if isinstance(facts, PostgresFacts) else [SNAPSHOT]
        known += names
        for name in names:
            if wish.database in {None, name}:
                found = True
                yield service, name
    if not found:
        raise BadInput(
            f"the set {manifest.id} holds no database {wish.database!r}",
            remedy=nearest(wish.database or "", known) or f"it holds: {', '.join(known)}",
        )


def _suffixed(name: str, suffix: str) -> str:
    return name.encode()[: IDENTIFIER_BYTES - len(suffix)].decode(errors="ignore") + suffix


def _refuse_used(service: str, used: set[str], into: str) -> None:
    if into in used:
        raise Refused(
            f"{service} has a database {into} already, and a restore never writes into one that is there",
            remedy="name another one with --into; or use --swap, which keeps the old one aside",
        )


def plan(backups: Backups, backup_set: BackupSet, wish: Wish) -> RestorePlan:
    """The plan for a set and the servers as they are now; see `plan_restore`."""
    from sutazai_ops.backups.postgres.swap import database_names

    manifest = backup_set.manifest()
    chosen = {service for service, _ in _choose(manifest, wish)}
    databases = {
        service: database_names(backups.engine.server(backups.platform.service(service).name))
        for service in chosen
        if isinstance(manifest.services[service], PostgresFacts)
    }
    if wish.swap:
        _refuse_swaps_elsewhere(backups, [s for s in chosen if isinstance(manifest.services[s], RedisFacts)])
    folders = backups.settings.home / "restored"
    return plan_restore(manifest, wish, databases=databases, folders=folders, now=datetime.now(UTC))


def _refuse_swaps_elsewhere(backups: Backups, services: Iterable[str]) -> None:
    """Refuse before anything is done what a swap of a Redis needs: its data folder on this machine."""
    for service in services:
        backups.engine.data_folder(service)


def apply(backups: Backups, backup_set: BackupSet, plan: RestorePlan, progress: Progress) -> Iterator[Restoration]:
    """Follow a plan step by step; yields each step once it was compared, and swapped where the plan says so.

    Raises:
        Corrupt: when an artifact cannot be restored, or what came back differs; nothing is swapped then.
        OpsError: when the server refuses, or goes away; a half-restored database is dropped.
    """
    manifest = backup_set.manifest()
    with lease(backup_set.folder, "restore"):
        for step in plan.steps:
            started_at, started = datetime.now(UTC), time.monotonic()
            with progress.step(f"restore  {step.service}  {step.name}"):
                facts = manifest.services[step.service]
                if isinstance(facts, PostgresFacts):
                    amount = _restore_database(backups, backup_set, manifest, facts, step)
                else:
                    amount = _restore_redis(backups, backup_set, manifest, facts, step)
            done = Restoration(step, round(time.monotonic() - started, 3), amount)
            backups.ledger.record_restore(records.of_restoration(plan.set, done, started_at))
            yield done


def _restore_database(
    backups: Backups, backup_set: BackupSet, manifest: Manifest, facts: PostgresFacts, step: Step
) -> int:
    from sutazai_ops.backups.postgres import restore, swap

    server = backups.engine.server(step.service)
    database = facts.databases[step.name]
    archive = backup_set.folder / restore.archive_of(manifest, step.service, step.name).path
    restore.create_roles(server, backup_set.folder / restore.globals_of(manifest, step.service).path, facts.roles)
    with backups.bench() as bench:
        restore.restore_database(server, database, archive, step.into, bench)
    restore.analyze(server, step.into)
    _refuse_differences(step, restore.compare(server, database, step.into))
    if step.swap:
        swap.swap(server, live=step.name, restored=step.into, aside=step.aside)
    return sum(database.inventory.rows.values())


def _restore_redis(backups: Backups, backup_set: BackupSet, manifest: Manifest, facts: RedisFacts, step: Step) -> int:
    from sutazai_ops.backups.redis.data_folder import Layout, layout_of, make_data_folder, swap_in

    target = Path(step.into)
    with backups.bench() as bench:
        layout = Layout(step.layout) if step.layout else layout_of(facts)
        make_data_folder(step.service, manifest, backup_set.folder, target, layout, bench)
    if step.swap:
        swap_in(backups.engine, step.service, target, facts, step.aside)
    return facts.keys


def _refuse_differences(step: Step, differences: list[str]) -> None:
    if differences:
        raise Corrupt(
            f"{step.into} came back different from {step.name}: {differences[0]} ({len(differences)} in all)",
            where=step.service,
            remedy=f"nothing was swapped; look into {step.into}, then drop it",
        )
