"""Whether the clock that others set jumps, held against the one that nobody sets.

What is dated by the clock is wrong after a jump: the age of a backup, when a certificate ends, when a schedule is due.
A machine that slept has jumped, too.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter.measured import Measured, Round

if TYPE_CHECKING:
    from collections.abc import Callable

REMEMBERED_SECONDS = 900.0


class ClockCollector:
    """A collector: the largest jump of the last quarter of an hour."""

    name = "clock"

    def __init__(
        self,
        *,
        interval: float,
        seconds: float = 5,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._wall, self._clock = wall, clock
        self._between = wall() - clock()
        self._jumps: deque[tuple[float, float]] = deque()

    def collect(self) -> Round:
        """Hold the two clocks against each other."""
        now = self._clock()
        between = self._wall() - now
        self._jumps.append((now, abs(between - self._between)))
        self._between = between
        while self._jumps[0][0] < now - REMEMBERED_SECONDS:
            self._jumps.popleft()
        return Round((Measured("sutazai_clock_step_seconds", max(jump for _, jump in self._jumps)),))
