"""Facts of capacity out of the exporter's own samples: on the embedded engine there is no Prometheus to ask later.

Memory reaches back an hour and a bit, so the hour that runs is measured whole, again and again; what was written down
before it stays.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.capacity.measure import GAUGES, KILLS
from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.promql import asked_ranges
from sutazai_ops.slo.embedded import REMEMBERED, SamplesSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sutazai_ops.capacity.room import Room
    from sutazai_ops.monitoring.promql import Samples

EVERY_SECONDS = 300.0
YESTERDAY_FOR = timedelta(minutes=10)
"""So long after midnight the day before is still written."""

log = logging.getLogger(__name__)


class Keeper:
    """Writes the facts of now down, again and again."""

    def __init__(
        self,
        room: Callable[[], Room],
        samples: Samples,
        lock: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Nothing is asked yet.

        Args:
            room: of what is meant to run now: services come and go.
            samples: of whoever measures.
            lock: to be held while they are read.
        """
        self._room = room
        self._source = SamplesSource(samples, lock)
        self._told = ""
        asked = asked_ranges([*GAUGES.values(), KILLS, *(measure.query for measure in room().measures)])
        samples.keep_longer(dict.fromkeys(asked, float(REMEMBERED)))

    def keep(self, now: datetime | None = None) -> None:
        """Compute today's facts as far as memory reaches, and write them down; what keeps it from that is logged."""
        now = now or datetime.now(UTC)
        self._source.since = int(now.timestamp()) - REMEMBERED
        try:
            for day in sorted({now.date(), (now - YESTERDAY_FOR).date()}):
                self._room().measure(day, self._source, now)
        except OpsError as error:
            if error.what != self._told:
                log.warning("facts of capacity: %s", error.what)
            self._told = error.what
        else:
            self._told = ""
