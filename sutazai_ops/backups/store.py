"""The folder that holds the backup sets: how one comes into being, is found, pinned and deleted.

A set is built in `.partial-<id>` and becomes one by a single rename, after every file and folder of it is on disk and
its manifest was written last. It leaves by a single rename to `.deleted-<id>`, so at no moment, however this program
ends, does the listing show half a set. `sweep` removes what dead runs left under those two names and nothing else.

Whoever changes the store holds `lock`; pinning and adding a verification write one whole file and need none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from sutazai_ops.backups.identity import known_id, make_id
from sutazai_ops.backups.lease import unleased
from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.backups.partial import PartialSet, remove
from sutazai_ops.backups.sets import PIN, VERIFICATION, BackupSet, Pin, Summary, read_set, read_verifications
from sutazai_ops.disk import flush, write_whole, writing
from sutazai_ops.errors import BadInput, Refused
from sutazai_ops.lock import exclusive
from sutazai_ops.uncollected import uncollected
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from sutazai_ops.backups.manifest import Verification

__all__ = ["BackupSet", "Listing", "PartialSet", "Pin", "Store", "Summary", "latest_verified"]

NEWEST = "newest"
LATEST_VERIFIED = "latest-verified"
TAKE_ONE = "sutazai-ops backup run takes one and proves it"

_PARTIAL = ".partial-"
_DELETED = ".deleted-"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a store holds."""

    sets: tuple[BackupSet, ...]
    """Newest first."""
    complete: bool
    """Whether everything in the store could be looked into."""
    trouble: tuple[str, ...]
    """What could not, one sentence each."""


class Store:
    """A folder of backup sets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def id(self) -> str:
        """The random id that tells this store's sets from copies of another's; made on first use.

        Raises:
            OpsError: when it cannot be read or made.
        """
        return known_id(self.folder) or make_id(self.folder)

    def lock(self, what: str) -> AbstractContextManager[None]:
        """Hold the store while changing it; raises `Refused` naming who holds it already."""
        return exclusive(self.folder, what)

    def listing(self) -> Listing:
        """Every set, newest first. A store that is not there is an incomplete listing, not an empty one."""
        sets: list[BackupSet] = []
        trouble: list[str] = []
        try:
            store = known_id(self.folder)
            with os.scandir(self.folder) as entries:
                folders = [entry.path for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        except FileNotFoundError:
            return _nothing(f"there is no folder {self.folder}: the first backup makes it")
        except OSError as error:
            return _nothing(f"cannot look into {self.folder}: {error.strerror}")
        with uncollected():
            for folder in folders:
                try:
                    found = read_set(folder, store)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    trouble.append(f"cannot look into {folder}: {error.strerror}")
                else:
                    sets += [found] if found else []
        sets.sort(key=lambda one: one.id, reverse=True)
        return Listing(tuple(sets), complete=not trouble, trouble=tuple(trouble))

    def find(self, ref: str) -> BackupSet:
        """The set that `ref` names: an id, an unambiguous beginning of one, "newest" or "latest-verified".

        The last two pass over sets that were copied from elsewhere or have a problem.

        Raises:
            BadInput: when there is none, or more than one; names the nearest.
        """
        if ref and not ref.startswith(".") and "/" not in ref and (exact := self._read(ref)):
            return exact
        listing = self.listing()
        sets = listing.sets
        if ref in {NEWEST, LATEST_VERIFIED}:
            own = [one for one in sets if _counts(one) and (ref == NEWEST or one.outcome is Outcome.VERIFIED)]
            candidates = own[:1]
        else:
            candidates = [one for one in sets if ref and one.id.startswith(ref)]
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            some = ", ".join(one.id for one in candidates[:3])
            raise BadInput(
                f"{ref!r} begins the id of {len(candidates)} sets", where=some, remedy="write more of the id"
            )
        raise self._not_found(ref, listing)

    def verifications(self, backup_set: BackupSet) -> list[Verification]:
        """Every verification of a set, newest first, of whatever manifest."""
        return read_verifications(backup_set.folder)

    def begin(self, set_id: str) -> PartialSet:
        """Start a set; the caller holds the lock.

        Raises:
            OpsError: when its folder cannot be made.
        """
        folder = self.folder / f"{_PARTIAL}{set_id}"
        with writing(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
        return PartialSet(set_id, folder, self)

    def add_verification(self, backup_set: BackupSet, verification: Verification) -> None:
        """Put a proof beside the set.

        Raises:
            OpsError: when it cannot be written, or the set has gone.
        """
        name = f"{VERIFICATION}{verification.finished_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.json"
        write_whole(backup_set.folder / name, verification.model_dump_json(indent=2).encode() + b"\n")

    def pin(self, backup_set: BackupSet, reason: str, by: str, now: datetime) -> None:
        """Keep a set until it is unpinned, whatever the retention says; `now` is timezone-aware."""
        pin = Pin(reason=reason, by=by, at=now)
        write_whole(backup_set.folder / PIN, pin.model_dump_json(indent=2).encode() + b"\n")

    def unpin(self, backup_set: BackupSet) -> None:
        """Leave a set to the retention again. Unpinning what is not pinned does nothing."""
        with writing(backup_set.folder):
            (backup_set.folder / PIN).unlink(missing_ok=True)
            flush(backup_set.folder)

    def delete(self, backup_set: BackupSet) -> None:
        """Delete a set for good; the caller holds the lock. Deleting what has gone does nothing.

        Raises:
            Refused: while somebody reads it, or it is pinned.
            OpsError: when the folder cannot be changed.
        """
        folder = backup_set.folder
        if (folder / PIN).exists():
            raise Refused(
                f"cannot delete the set {backup_set.id}: it is pinned",
                where=str(folder / PIN),
                remedy=f"sutazai-ops backup unpin {backup_set.id}",
            )
        shelved = self.folder / f"{_DELETED}{backup_set.id}"
        with writing(self.folder):
            try:
                with unleased(folder):
                    folder.rename(shelved)
            except FileNotFoundError:
                return
            flush(self.folder)
            remove(shelved)

    def sweep(self) -> list[str]:
        """Remove what dead runs left, and return the names; the caller holds the lock, so nothing partial is alive.

        Raises:
            OpsError: when something cannot be removed.
        """
        with writing(self.folder):
            dead = sorted(
                (
                    entry
                    for entry in self.folder.iterdir()
                    if entry.name.startswith((_PARTIAL, _DELETED)) and entry.is_dir() and not entry.is_symlink()
                ),
            )
            for folder in dead:
                remove(folder)
        return [folder.name for folder in dead]

    def _read(self, name: str) -> BackupSet | None:
        try:
            return read_set(self.folder / name, known_id(self.folder))
        except OSError:
            return None

    def _not_found(self, ref: str, listing: Listing) -> BadInput:
        where = "; ".join(listing.trouble) or str(self.folder)
        foreign = sum(one.foreign for one in listing.sets)
        if ref in {NEWEST, LATEST_VERIFIED}:
            remedy = f"{foreign} were copied from another store: name one by its id" if foreign else TAKE_ONE
        else:
            remedy = nearest(ref, [one.id for one in listing.sets] + [NEWEST, LATEST_VERIFIED])
        what = {NEWEST: "there is no backup set yet", LATEST_VERIFIED: "there is no verified backup set yet"}
        return BadInput(
            what.get(ref, f"there is no backup set {ref!r}"),
            where=where,
            remedy=remedy or "sutazai-ops backup list shows what there is",
        )


def latest_verified(store: Store, service: str) -> BackupSet | None:
    """The newest verified set of this store that holds `service`; None where there is none."""
    return next(
        (
            one
            for one in store.listing().sets
            if _counts(one) and one.outcome is Outcome.VERIFIED and one.summary and service in one.summary.services
        ),
        None,
    )


def _nothing(trouble: str) -> Listing:
    return Listing((), complete=False, trouble=(trouble,))


def _counts(one: BackupSet) -> bool:
    return not one.foreign and not one.problem
