"""The night: take a set, prove it by restoring it, and only then let old ones go.

The three steps can be called by themselves, from the terminal, from Dagster, or while everything else is down. Each
leaves the store whole however it ends: a set that was not finished was never there, a proof that was not finished says
nothing, a set is deleted only for a newer one that was proved.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops import __version__
from sutazai_ops.backups import records, retention
from sutazai_ops.backups.kinds import Workbench, kind_of
from sutazai_ops.backups.lease import lease
from sutazai_ops.backups.manifest import Manifest, Outcome, Rung, new_set_id
from sutazai_ops.backups.preflight import preflight
from sutazai_ops.backups.store import Store
from sutazai_ops.backups.verify import verify
from sutazai_ops.engines.scratch_folder import scratch_folder, sweep_scratch
from sutazai_ops.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sutazai_ops.backups.manifest import Verification
    from sutazai_ops.backups.preflight import Ready
    from sutazai_ops.backups.retention import RetentionPlan
    from sutazai_ops.backups.store import BackupSet, Listing
    from sutazai_ops.engines import Engine
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import Ledger
    from sutazai_ops.platform import Platform, Service
    from sutazai_ops.progress import Progress
    from sutazai_ops.settings import Settings

READ_THROUGH = (Rung.HASHES, Rung.ARCHIVES)
"""What is done with a set on a night that restores none."""


@dataclass(frozen=True, slots=True)
class Backups:
    """One installation's backups: what is backed up, from where, and to where."""

    settings: Settings
    platform: Platform
    engine: Engine
    open_ledger: Callable[[], Ledger]

    @classmethod
    def of(cls, installation: Installation) -> Backups:
        """The backups of an installation."""
        return cls(installation.settings, installation.platform, installation.engine, lambda: installation.ledger)

    @property
    def ledger(self) -> Ledger:
        """Where it is noted what was done; raises `OpsError` when it cannot be opened."""
        return self.open_ledger()

    @property
    def store(self) -> Store:
        """The folder of sets."""
        return Store(self.settings.backup_store)

    def services(self, names: Sequence[str] | None = None) -> list[Service]:
        """The services that a night backs up, or those called `names`; raises `BadInput` for one without a backup."""
        chosen = names if names is not None else self.settings.backup.services
        selected = self.platform.select(None if chosen is None else list(chosen))
        if chosen is None:
            return [service for service in selected if service.is_backed_up]
        for service in selected:
            if not service.is_backed_up:
                raise BadInput(
                    f"{service.name} has no backup",
                    where=f"{service.file}: {service.name}",
                    remedy="add x-sutazai.backup, see docs/extend.md",
                )
        return selected

    @contextmanager
    def bench(self) -> Iterator[Workbench]:
        """A workbench whose files are gone when the context ends."""
        with scratch_folder(self.settings.scratch, "spool") as spool:
            yield Workbench(self.engine, self.settings.backup, spool)


def ready(backups: Backups, services: Sequence[Service]) -> Ready:
    """See whether these services could be backed up now; raises `OpsError` saying why not. See `preflight`."""
    return preflight(services, backups.engine, backups.settings.backup_store, backups.settings.scratch)


def take_set(backups: Backups, services: Sequence[Service], progress: Progress, *, run: str | None = None) -> BackupSet:
    """Take one set of all of `services`, whole or not at all.

    Args:
        backups: where from and where to.
        services: at least one, each with a backup.
        progress: told each artifact.
        run: the Dagster run that asks for it.

    Raises:
        Refused: when another run holds the store; names it.
        OpsError: when the pre-flight finds a reason, or anything fails on the way; there is no set then, and whatever
            was there before is as it was. When it is the ledger that fails, the set is there all the same.
    """
    with backups.store.lock("take a backup set"), ThreadPoolExecutor(1) as beside:
        # Loading what reads and writes it takes half a second, which beside a dump costs nothing.
        ledger = beside.submit(backups.open_ledger)
        backups.store.sweep()
        sweep_scratch(backups.settings.home)
        ready(backups, services)
        started_at = datetime.now(UTC)
        with backups.store.begin(new_set_id(started_at)) as partial:
            taken = {
                service.name: kind_of(service.backup.kind if service.backup else "none").take(
                    backups.engine.server(service.name), service, partial, backups.settings.backup, progress
                )
                for service in services
            }
            manifest = Manifest(
                id=partial.id,
                store=backups.store.id,
                environment=backups.settings.environment,
                written_by=f"sutazai-ops {__version__}",
                run=run,
                started_at=started_at,
                taken_at=min(service.taken_at for service in taken.values()),
                finished_at=datetime.now(UTC),
                artifacts=tuple(artifact for service in taken.values() for artifact in service.artifacts),
                services={name: service.facts for name, service in taken.items()},
            )
            backup_set = partial.commit(manifest)
    ledger.result().record_set(records.of_manifest(manifest))
    return backup_set


def prove_set(
    backups: Backups, backup_set: BackupSet, progress: Progress, rungs: tuple[Rung, ...] = tuple(Rung)
) -> Verification:
    """Verify a set and keep the result beside it, whatever it is. See `verify`."""
    with lease(backup_set.folder, "verify"), backups.bench() as bench:
        verification = verify(backup_set, bench, progress, rungs=rungs)
        backups.store.add_verification(backup_set, verification)
    backups.ledger.record_verification(records.of_verification(verification))
    return verification


def rungs_due(listing: Listing, restore_every: int) -> tuple[Rung, ...]:
    """Which rungs tonight's set is to climb: all, unless one of the last `restore_every - 1` sets was restored."""
    recent = [one for one in listing.sets if not one.foreign][1:restore_every]
    return READ_THROUGH if any(one.outcome is Outcome.VERIFIED for one in recent) else tuple(Rung)


def plan_prune(backups: Backups, *, new_set: BackupSet | None = None) -> RetentionPlan:
    """Decide which sets go; touches nothing. See `retention.plan`."""
    return retention.plan(backups.store, backups.settings, datetime.now(UTC), new_set.id if new_set else None)


def prune(backups: Backups, *, new_set: BackupSet | None = None) -> tuple[RetentionPlan, list[str]]:
    """Plan and follow the plan, holding the store; returns the plan and the ids of the sets that are gone.

    Args:
        backups: whose store.
        new_set: tonight's set, which then has to be verified for anything to go.
    """
    with backups.store.lock("prune"):
        plan = plan_prune(backups, new_set=new_set)
        gone = retention.apply(plan, backups.store)
    backups.ledger.record_prune(records.of_prune(plan, gone))
    return plan, gone
