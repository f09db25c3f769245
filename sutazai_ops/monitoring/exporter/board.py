"""The newest figures of everything that is measured, in memory.

Whoever measured puts all that it knows here at once, in place of what it knew before. What has not been put again for
longer than it may stand is no longer shown, so that nothing stays on the board whose source has died; in its place
stands what was said for that case. Ages are counted by the clock that nobody sets, at the moment of reading.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter import text
from sutazai_ops.monitoring.exporter.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sutazai_ops.monitoring.exporter.text import Lines


@dataclass(frozen=True, slots=True)
class _Figures:
    measured: Sequence[Measured]
    lines: Sequence[Lines]


@dataclass(frozen=True, slots=True)
class _Sheet:
    figures: _Figures
    ends_at: float
    then: _Figures


@dataclass(frozen=True, slots=True)
class _Age:
    name: str
    labels: Mapping[str, str]
    since: float
    start: str
    """What stands before it where it is written."""


class Board:
    """What is known now, by who found it out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sheets: dict[str, _Sheet] = {}
        self._ages: dict[str, _Age] = {}
        self._lock = Lock()

    def put(self, source: str, measured: Sequence[Measured], stands: float, then: Sequence[Measured] = ()) -> None:
        """Show these figures in place of the former ones of this source.

        Args:
            source: who found them out.
            measured: the figures.
            stands: for how many seconds they are shown at most.
            then: what is shown after that.
        """
        figures, later = _written(measured), _written(then)
        with self._lock:
            self._sheets[source] = _Sheet(figures, self._clock() + stands, later)

    def put_age(self, source: str, name: str, labels: Mapping[str, str], *, ago: float = 0.0) -> None:
        """Show from now on how long ago this was called, or what happened so many seconds before, under that name."""
        start = text.start(name, labels)
        with self._lock:
            self._ages[source] = _Age(name, labels, self._clock() - ago, start)

    def remove(self, source: str) -> None:
        """Show nothing more of a source."""
        with self._lock:
            self._sheets.pop(source, None)
            self._ages.pop(source, None)

    def measured(self) -> Iterator[Measured]:
        """All figures that stand now, and all ages."""
        sheets, ages, now = self._now()
        for figures in sheets:
            yield from figures.measured
        for age in ages:
            yield Measured(age.name, now - age.since, age.labels)

    def lines(self) -> Iterator[Lines]:
        """The same as Prometheus reads it."""
        sheets, ages, now = self._now()
        for figures in sheets:
            yield from figures.lines
        for age in ages:
            yield age.name, text.line(age.start, now - age.since)

    def _now(self) -> tuple[list[_Figures], list[_Age], float]:
        with self._lock:
            sheets, ages, now = list(self._sheets.values()), list(self._ages.values()), self._clock()
        return [one.figures if now <= one.ends_at else one.then for one in sheets], ages, now


def _written(measured: Sequence[Measured]) -> _Figures:
    return _Figures(measured, text.lines_of(measured))
