"""Which release each phase runs, and what had drifted when that was last looked for: as the ledger has it.

Read by questions of its own, as `ledger.py` says; a test holds them against the ledger.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter.collectors.ledger import asking
from sutazai_ops.monitoring.exporter.measured import Measured, Round
from sutazai_ops.reading import content, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sutazai_ops.platform import Service
    from sutazai_ops.reading import Ask
    from sutazai_ops.settings import Settings

RELEASES = """
    SELECT phase, release FROM deployments
     WHERE id IN (SELECT max(id) FROM deployments WHERE outcome = 'good' GROUP BY phase)
"""
DRIFT = "SELECT at, drifts FROM drifts ORDER BY at DESC, id DESC LIMIT 1"


class DriftCollector:
    """A collector: releases and drift."""

    name = "drift"

    def __init__(
        self,
        settings: Settings,
        services: Callable[[], Sequence[Service]],
        *,
        interval: float,
        seconds: float = 15,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._settings, self._services, self._now = settings, services, now

    def collect(self) -> Round:
        """Read it. Before the first deployment there is nothing to tell.

        Raises:
            OpsError: when the ledger cannot be read.
        """
        with asking(self._settings) as ask:
            return Round(tuple(self._measure(ask)) if ask else ())

    def _measure(self, ask: Ask) -> Iterator[Measured]:
        for phase, release in ask(RELEASES):
            yield Measured("sutazai_release_number", float(release), {"phase": phase})
        for at, drifts in ask(DRIFT):
            found = Counter(str(drift["service"]) for drift in content(drifts))
            for service in sorted({one.name for one in self._services()} | found.keys()):
                yield Measured("sutazai_drift_findings", float(found[service]), {"service": service})
            yield Measured("sutazai_drift_age_seconds", max(0.0, self._now() - moment(at).timestamp()))
