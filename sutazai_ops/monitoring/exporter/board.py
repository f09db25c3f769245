"""The newest figures of everything that is measured, in memory.

Whoever measured puts all that it knows here at once, in place of what it knew before. What has not been put again for
longer than it may stand is no longer shown, so that nothing stays on the board whose source has died; in its place
stands what was said for that case. Ages are counted
by the clock that nobody sets, at the moment of reading.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class _Sheet:
    measured: Sequence[Measured]
    ends_at: float
    then: Sequence[Measured]


class Board:
    """What is known now, by who found it out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sheets: dict[str, _Sheet] = {}
        self._ages: dict[str, tuple[Measured, float]] = {}
        self._lock = Lock()

    def put(self, source: str, measured: Sequence[Measured], stands: float, then: Sequence[Measured] = ()) -> None:
        """Show these figures in place of the former ones of this source.

        Args:
            source: who found them out.
            measured: the figures.
            stands: for how many seconds they are shown at most.
            then: what is shown after that.
        """
        with self._lock:
            self._sheets[source] = _Sheet(measured, self._clock() + stands, then)

    def put_age(self, source: str, name: str, **labels: str) -> None:
        """Show from now on how long ago this was called, under that name."""
        with self._lock:
            self._ages[source] = (Measured(name, 0, labels), self._clock())

    def remove(self, source: str) -> None:
        """Show nothing more of a source."""
        with self._lock:
            self._sheets.pop(source, None)
            self._ages.pop(source, None)

    def measured(self) -> Iterator[Measured]:
        """All figures that stand now, and all ages."""
        with self._lock:
            sheets, ages, now = list(self._sheets.values()), list(self._ages.values()), self._clock()
        for sheet in sheets:
            yield from sheet.measured if now <= sheet.ends_at else sheet.then
        for age, since in ages:
            yield Measured(age.name, now - since, age.labels)
