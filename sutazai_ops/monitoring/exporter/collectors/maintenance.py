"""Of which services nobody is told now: by the windows that the ledger holds, and by those that come every week.

The ledger is read by questions of its own, as `ledger.py` says. What cannot be read silences nobody.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sutazai_ops.monitoring.exporter.collectors.ledger import asking
from sutazai_ops.monitoring.exporter.measured import Measured, Round
from sutazai_ops.reading import content, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sutazai_ops.platform import Service
    from sutazai_ops.settings import Settings

WINDOWS = "SELECT services, starts_at, ends_at FROM windows ORDER BY ends_at DESC LIMIT 200"
"""Those that end last: none that holds is missing among them, short of two hundred that do."""
EVERY_SECONDS = 10.0
"""A deployment opens its window just before it takes a service away."""


class MaintenanceCollector:
    """A collector: which services are under maintenance."""

    name = "maintenance"

    def __init__(
        self,
        settings: Settings,
        services: Callable[[], Sequence[Service]],
        worked_on: Callable[[float], Iterable[Sequence[str]]] = lambda _: (),
        *,
        interval: float,
        seconds: float = 15,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.interval, self.seconds = min(interval, EVERY_SECONDS), seconds
        self._settings, self._services, self._worked_on, self._now = settings, services, worked_on, now

    def collect(self) -> Round:
        """Read it. Before anything was written down there is nothing to tell.

        Raises:
            OpsError: when the ledger cannot be read.
        """
        now = self._now()
        with asking(self._settings) as ask:
            rows = ask(WINDOWS) if ask else []
        holding = [content(services) for services, starts_at, ends_at in rows if _holds(starts_at, ends_at, now)]
        everyone = [one.name for one in self._services()]
        names = sorted({name for services in (*holding, *self._worked_on(now)) for name in services or everyone})
        return Round(tuple(Measured("sutazai_maintenance", 1, {"service": name}) for name in names))


def _holds(starts_at: Any, ends_at: Any, now: float) -> bool:  # noqa: ANN401  (as the database gives it back)
    return moment(starts_at).timestamp() <= now < moment(ends_at).timestamp()
