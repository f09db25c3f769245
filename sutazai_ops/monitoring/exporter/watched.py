"""One collector's round: within its time, with all that it did not bring counted and told once."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.families import check
from sutazai_ops.monitoring.exporter.measured import Round
from sutazai_ops.monitoring.probes.deadline import Patience, TookTooLong

if TYPE_CHECKING:
    from collections.abc import Callable

    from sutazai_ops.monitoring.exporter.board import Board
    from sutazai_ops.monitoring.exporter.measured import Collector
    from sutazai_ops.monitoring.exporter.tallies import Tallies

STANDS = 2.5
"""For how many intervals figures stand: two rounds may be late, and no more."""

log = logging.getLogger(__name__)


class Watched:
    """A collector, and how its rounds go."""

    def __init__(
        self, collector: Collector, board: Board, tallies: Tallies, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.collector = collector
        self.rounds = 0
        """How many have ended, well or not."""
        self.seeing_at: float | None = None
        """When the last round ended in which everything was measured, by `clock`."""
        self.missing: tuple[str, ...] = ()
        """What the last round could not measure."""
        self.has_turned_bad = False
        """Whether the last round met something bad, or could not measure something, that the one before it did."""
        self._bad: frozenset[str] = frozenset()
        self._board = board
        self._tallies = tallies
        self._clock = clock
        self._patience = Patience()
        tallies.count("sutazai_exporter_errors_total", 0, collector=collector.name)

    @property
    def stands(self) -> float:
        """How long its figures may stand, in seconds."""
        return STANDS * self.collector.interval + self.collector.seconds

    @property
    def is_blind(self) -> bool:
        """Whether its last rounds have brought nothing that can be relied on."""
        return self.seeing_at is None or self._clock() - self.seeing_at > self.stands

    def round(self) -> None:
        """Measure once, and put on the board what came of it."""
        begun = self._clock()
        result = Round(missing=(f"a defect of this program in {self.collector.name}",))
        is_ended = True
        try:
            result = self._patience.within(self.collector.seconds, self.collector.collect)
            check(result.measured)
        except TookTooLong:
            is_ended = False
            result = Round(missing=(f"no figures within {human.duration(self.collector.seconds)}",))
        except OpsError as error:
            result = Round(missing=(error.what,))
        except OSError as error:
            result = Round(missing=((error.strerror or str(error)).lower(),))
        finally:
            self._conclude(result, self._clock() - begun, is_ended=is_ended)

    def forget(self) -> None:
        """Leave nothing of it behind: what it measured is no longer there to be measured."""
        self._board.remove(self.collector.name)
        self._board.remove(f"age of {self.collector.name}")
        self._tallies.forget(collector=self.collector.name)

    def _conclude(self, result: Round, seconds: float, *, is_ended: bool) -> None:
        name = self.collector.name
        self._board.put(name, result.measured, self.stands)
        self._tallies.observe("sutazai_exporter_cycle_duration_seconds", seconds, collector=name)
        if is_ended:
            self._board.put_age(f"age of {name}", "sutazai_exporter_cycle_age_seconds", {"collector": name})
        if result.missing:
            self._tallies.count("sutazai_exporter_errors_total", collector=name)
        missing = (*result.missing, *result.away)
        if not missing:
            self.seeing_at = self._clock()
        bad = frozenset((*missing, *result.bad))
        self.has_turned_bad, self._bad = bool(bad - self._bad), bad
        self._tell(missing)
        self.rounds += 1

    def _tell(self, missing: tuple[str, ...]) -> None:
        """Log what has changed since the last round, so that a fault that lasts is told once."""
        for sentence in missing:
            if sentence not in self.missing:
                log.warning("%s: %s", self.collector.name, sentence)
        if self.missing and not missing:
            log.info("%s: all is measured again", self.collector.name)
        self.missing = missing
