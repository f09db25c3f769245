"""What the store of backups holds: how old its newest set and its newest proven one are, how large, how long it took,
how much all sets take together, and how much room is left for more.

Read from the sets themselves, not from what was written down of them.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from sutazai_ops.backups import Outcome
from sutazai_ops.disk import free_bytes
from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.measured import Measured, Round

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sutazai_ops.backups import BackupSet, Store

STATES = {
    Outcome.VERIFIED: "verified",
    Outcome.READ: "read",
    Outcome.CORRUPT: "corrupt",
    Outcome.UNVERIFIED: "unchecked",
    Outcome.COULD_NOT_CHECK: "unchecked",
}


class BackupsCollector:
    """A collector: the backup sets of this store."""

    name = "backups"

    def __init__(
        self,
        store: Store,
        *,
        interval: float,
        seconds: float = 30,
        is_scheduled: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._store, self._is_scheduled, self._now = store, is_scheduled, now

    def collect(self) -> Round:
        """List them; sets that were copied from elsewhere take room and are left out of all else.

        Raises:
            OpsError: when the store cannot be looked into.
        """
        listing = self._store.listing()
        # Before the first backup there is no folder: that is known, and bad enough.
        if not listing.complete and self._store.folder.exists():
            raise OpsError(listing.trouble[0])
        own = [one for one in listing.sets if not one.foreign]
        counts = Counter(STATES[one.outcome] for one in own)
        sets = [
            Measured("sutazai_backup_sets", counts[state], {"state": state}) for state in sorted({*STATES.values()})
        ]
        scheduled = Measured("sutazai_backup_scheduled", float(self._is_scheduled))
        newest = self._newest([one for one in own if one.summary and not one.problem])
        return Round((scheduled, *sets, *self._room(listing.sets), *newest))

    def _room(self, sets: Sequence[BackupSet]) -> Iterator[Measured]:
        taken = sum(one.summary.stored_bytes for one in sets if one.summary)
        yield Measured("sutazai_backup_store_bytes", float(taken))
        with suppress(OpsError):
            yield Measured("sutazai_backup_store_free_bytes", float(free_bytes(self._store.folder)))

    def _newest(self, usable: list[BackupSet]) -> Iterator[Measured]:
        verified = [one for one in usable if one.outcome is Outcome.VERIFIED]
        yield Measured("sutazai_backup_age_seconds", self._age(usable))
        yield Measured("sutazai_backup_verified_age_seconds", self._age(verified))
        if usable and (newest := usable[0].summary):
            seconds = (newest.finished_at - newest.started_at).total_seconds()
            yield Measured("sutazai_backup_size_bytes", float(newest.stored_bytes))
            yield Measured("sutazai_backup_duration_seconds", seconds)

    def _age(self, sets: list[BackupSet]) -> float:
        taken = [one.summary.taken_at.timestamp() for one in sets if one.summary]
        return max(0.0, self._now() - max(taken)) if taken else math.inf
