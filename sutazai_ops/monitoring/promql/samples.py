"""Series in memory: what was measured in the last minutes or hours, for expressions to be evaluated over.

A snapshot is added whole, so a series that is missing in it has ended there and then, as after Prometheus' own stale
marker (https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness): nothing goes on with its last value.
What is older than it need be is dropped, so that memory does not grow with time. Times are kept in whole milliseconds,
as Prometheus keeps them, so that the edge of a range falls between the same two samples here and there.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOOKBACK_MS = 300_000
"""How old a value may be and still be the present one; Prometheus' `--query.lookback-delta`."""
NAME = "__name__"
"""The label that a series' name stands under."""
_TRIM_FROM = 16
"""How many samples too old are dropped at once: to drop each by itself would move all the others each time."""

Labels: TypeAlias = Mapping[str, str]
_Key: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series. Labels with an empty value are as good as absent."""

    name: str
    labels: Labels
    value: float


class Series:
    """One series: its labels, the name among them, and its samples in the order of time."""

    __slots__ = ("_ends", "labels", "times", "values")

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.times = array("q")
        self.values = array("d")
        self._ends: list[int] = []
        """When it was missing for the first time after it had been there."""

    def append(self, at: int, value: float) -> None:
        """Add a value; one that is not newer than the newest is dropped, as Prometheus drops it."""
        if not self.times or at > self.times[-1]:
            self.times.append(at)
            self.values.append(value)

    def end(self, at: int) -> None:
        """Say that there is no value from `at` on."""
        self._ends.append(at)

    def forget_before(self, at: int) -> None:
        """Drop what is older than `at`, once there is enough of it."""
        times = self.times
        if len(times) >= _TRIM_FROM and times[max(_TRIM_FROM, len(times) // 8) - 1] < at:
            old = bisect_left(times, at)
            del self.times[:old], self.values[:old]
            self._ends = [end for end in self._ends if end >= at]

    def forget_from(self, at: int) -> None:
        """Drop what is not older than `at`."""
        new = bisect_left(self.times, at)
        del self.times[new:], self.values[new:]
        self._ends = [end for end in self._ends if end < at]

    def latest(self, at: int) -> tuple[int, float] | None:
        """The time and the value that hold at `at`; None where the newest is too old or the series had ended."""
        i = bisect_right(self.times, at) - 1
        if i < 0:
            return None
        time = self.times[i]
        if time <= at - LOOKBACK_MS or (self._ends and self._ended_between(time, at)):
            return None
        return time, self.values[i]

    def between(self, start: int, end: int) -> tuple[Sequence[int], Sequence[float]]:
        """The samples after `start` up to `end`: the earlier edge is left out, as in Prometheus 3."""
        first, last = bisect_right(self.times, start), bisect_right(self.times, end)
        return self.times[first:last], self.values[first:last]

    def _ended_between(self, start: int, at: int) -> bool:
        i = bisect_right(self._ends, at) - 1
        return i >= 0 and self._ends[i] > start


@dataclass(slots=True)
class _Source:
    """Whoever adds snapshots that are whole by themselves."""

    newest: int = -1
    alive: dict[tuple[str, _Key], Series] = field(default_factory=dict)


class Samples:
    """Everything that was measured and is still worth knowing. Not safe between threads: whoever owns it locks.

    Args:
        keep_seconds: how long a sample is kept, at least as long as a value counts as the present one.
        by_name: how long where a metric needs another time, such as `asked_ranges` tells of a set of expressions.
    """

    def __init__(self, keep_seconds: float, by_name: Mapping[str, float] | None = None) -> None:
        self._keep = _keep_ms(keep_seconds)
        self._keep_by_name = {name: _keep_ms(seconds) for name, seconds in (by_name or {}).items()}
        self._by_name: dict[str, dict[_Key, Series]] = {}
        self._sources: dict[str, _Source] = {}

    def add(self, at: float, snapshot: Iterable[Sample], source: str = "") -> None:
        """Add all that is true at `at` (seconds since the epoch), and end every series that is not among it.

        Where several add snapshots, such as a scrape and the rules that are evaluated after it, each names its
        `source`, and only the series of that source end. Where a series stands twice in a snapshot, its first value
        counts. If the clock was set back, so that this source has been at `at` before, everything from `at` on is
        forgotten: it was measured at times that are yet to come.
        """
        moment = milliseconds(at)
        origin = self._sources.setdefault(source, _Source())
        if moment <= origin.newest:
            self._rewind(moment)
        alive: dict[tuple[str, _Key], Series] = {}
        for sample in snapshot:
            identity = (sample.name, _key(sample.labels))
            if identity not in alive:
                series = origin.alive.get(identity) or self._series(*identity)
                series.append(moment, sample.value)
                series.forget_before(moment - self._keep_by_name.get(sample.name, self._keep))
                alive[identity] = series
        for identity in origin.alive.keys() - alive.keys():
            origin.alive[identity].end(moment)
        origin.alive, origin.newest = alive, moment
        self._bury(moment)

    def keep_longer(self, by_name: Mapping[str, float]) -> None:
        """Keep these metrics for at least so many seconds, from now on."""
        for name, seconds in by_name.items():
            self._keep_by_name[name] = max(_keep_ms(seconds), self._keep_by_name.get(name, self._keep))

    def named(self, name: str) -> Iterable[Series]:
        """Every series of one name."""
        return self._by_name.get(name, {}).values()

    def names(self) -> list[str]:
        """Every name of which there is a series."""
        return list(self._by_name)

    def __len__(self) -> int:
        """How many series there are."""
        return sum(map(len, self._by_name.values()))

    def _series(self, name: str, key: _Key) -> Series:
        same_name = self._by_name.setdefault(name, {})
        if key not in same_name:
            same_name[key] = Series({NAME: name, **dict(key)})
        return same_name[key]

    def _rewind(self, at: int) -> None:
        for same_name in self._by_name.values():
            for series in same_name.values():
                series.forget_from(at)
        for source in self._sources.values():
            source.newest = min(source.newest, at - 1)

    def _bury(self, now: int) -> None:
        """Remove series of which nothing is kept any more: those of services that are gone must not pile up."""
        for name, same_name in list(self._by_name.items()):
            oldest = now - self._keep_by_name.get(name, self._keep)
            for key in [key for key, series in same_name.items() if not series.times or series.times[-1] < oldest]:
                del same_name[key]
            if not same_name:
                del self._by_name[name]


def milliseconds(at: float) -> int:
    """Whole milliseconds, which is how exactly Prometheus knows a time."""
    return round(at * 1000)


def _keep_ms(seconds: float) -> int:
    return max(milliseconds(seconds), LOOKBACK_MS)


def _key(labels: Labels) -> _Key:
    return tuple(sorted(pair for pair in labels.items() if pair[1]))
