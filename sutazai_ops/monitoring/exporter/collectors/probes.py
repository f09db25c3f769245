"""Probes, each again and again: how each ended last, how long its answers take, and since when it has told nothing.

A probe that hangs is counted as what it came to, while the age of its last whole answer grows; it is not begun once
more beside itself. Whatever it came to, after three intervals without another end nothing is known of it any more.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter.measured import states
from sutazai_ops.monitoring.probes import ProbeState, run_probe
from sutazai_ops.monitoring.probes.outcome import Outcome
from sutazai_ops.monitoring.probes.run import NO_PROBE, Attempts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sutazai_ops.engines import Engine
    from sutazai_ops.monitoring.exporter.board import Board
    from sutazai_ops.monitoring.exporter.measured import Measured
    from sutazai_ops.monitoring.exporter.tallies import Tallies
    from sutazai_ops.platform import Probe, Service

NAME = "probes"
"""Their word in the exporter's own figures."""
NONE = "none"
"""The name of the probe of a service that has none."""
STATES = tuple(ProbeState)

KNOWN_FOR = 3
"""For how many intervals it is known how a probe ended."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """Whom to ask what, and how often."""

    service: Service
    probe: Probe
    name: str
    """Among the probes of the service."""
    engine: Engine
    interval: float
    """Seconds."""


class WatchedProbe:
    """One probe of one service, and how it ended last."""

    def __init__(
        self,
        asked: Asked,
        board: Board,
        tallies: Tallies,
        clock: Callable[[], float] = time.monotonic,
        ask_causes: Callable[[float], None] = lambda _: None,
    ) -> None:
        """One that was never asked.

        Args:
            asked: whom, what and how often.
            board: where its state is put.
            tallies: where its answers are counted.
            clock: seconds; the one that nobody sets.
            ask_causes: has it found out how all is, since a moment by `clock`, that the service stands on. It is called
                before it is said that the service fails, so that nobody hears of what follows before the cause.
        """
        self.asked = asked
        self.labels = {"service": asked.service.name, "probe": asked.name}
        self.rounds = 0
        """How often its state was found out."""
        self.asked_at = float("-inf")
        """When the question was asked, by `clock`, whose answer is the state now."""
        self._board, self._tallies = board, tallies
        self._clock, self._ask_causes = clock, ask_causes
        self._ended_at = clock()
        self._attempts = Attempts()
        self.state: ProbeState | None = None
        """How it ended last; None before the first time."""
        self.has_turned_bad = False
        """Whether it was ok, and is no more since the last round."""
        self._put(ProbeState.UNKNOWN)

    @property
    def source(self) -> str:
        """Its name on the board and in the schedule."""
        return f"probe {self.labels['probe']} of {self.labels['service']}"

    def round(self) -> None:
        """Ask once, unless a former question hangs still, and put on the board what it came to."""
        if hangs_as := self._attempts.hang:
            self._conclude(Outcome(hangs_as, 0.0, "a former attempt has not ended"))
            return
        if self.rounds:
            # One that took longer than it may has ended by now: that is late, and not for ever.
            self._completed()
        begun = self._clock()
        outcome = run_probe(self.asked.service, self.asked.probe, self.asked.engine, self._attempts)
        self._tallies.observe("sutazai_exporter_cycle_duration_seconds", self._clock() - begun, collector=NAME)
        if outcome.state is not ProbeState.UNKNOWN:
            self._tallies.observe("sutazai_probe_duration_seconds", outcome.seconds, **self.labels)
        if self._attempts.hang is None:
            self._completed()
        if outcome.state is ProbeState.FAILED:
            self._ask_causes(begun)
        self._conclude(outcome)
        self.asked_at = begun

    def forget(self) -> None:
        """Leave nothing of it behind: its service is no longer meant to run."""
        self._board.remove(self.source)
        self._board.remove(f"age of {self.source}")
        self._tallies.forget(**self.labels)

    def _completed(self) -> None:
        self._ended_at = self._clock()
        self._board.put_age(f"age of {self.source}", "sutazai_probe_age_seconds", self.labels)
        self._board.put_age(f"age of {NAME}", "sutazai_exporter_cycle_age_seconds", {"collector": NAME})

    def _conclude(self, outcome: Outcome) -> None:
        state = outcome.state
        self._put(state)
        # What does not run is told as such, and no fault of whoever asks.
        if state is ProbeState.UNKNOWN and not outcome.is_away:
            self._tallies.count("sutazai_exporter_errors_total", collector=NAME)
        if state is not self.state and (self.state is not None or state is not ProbeState.OK):
            level = logging.INFO if state is ProbeState.OK else logging.WARNING
            log.log(level, "%s %s: %s, %s", *self.labels.values(), state, outcome.because)
        self.has_turned_bad = state is not ProbeState.OK and self.state is ProbeState.OK
        self.state = state
        self.rounds += 1

    def _put(self, state: ProbeState) -> None:
        unknown = states("sutazai_probe_state", STATES, ProbeState.UNKNOWN, **self.labels)
        left = KNOWN_FOR * self.asked.interval - (self._clock() - self._ended_at)
        self._board.put(self.source, states("sutazai_probe_state", STATES, state, **self.labels), left, then=unknown)


def unprobed(service: Service) -> list[Measured]:
    """What is said of a service that nobody can ask."""
    log.warning("%s: %s", service.name, NO_PROBE)
    return states("sutazai_probe_state", STATES, ProbeState.UNKNOWN, service=service.name, probe=NONE)
