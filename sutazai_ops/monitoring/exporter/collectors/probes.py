"""Probes, each again and again: how each ended last, how long its answers take, and since when it has told nothing.

A probe that hangs is counted as what it came to, failed or unknown, for as long as it hangs, while the age of its last
whole answer grows; it is not begun once more beside itself.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter.measured import states
from sutazai_ops.monitoring.probes import ProbeState, run_probe
from sutazai_ops.monitoring.probes.run import ENGINE_SECONDS, NO_PROBE, Attempts

if TYPE_CHECKING:
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

log = logging.getLogger(__name__)


class WatchedProbe:
    """One probe of one service, and how it ended last."""

    def __init__(
        self, service: Service, probe: Probe, name: str, engine: Engine, board: Board, tallies: Tallies, interval: float
    ) -> None:
        self.service, self.probe, self.interval = service, probe, interval
        self.labels = {"service": service.name, "probe": name}
        self.rounds = 0
        """How often its state was found out."""
        self._engine, self._board, self._tallies = engine, board, tallies
        self._attempts = Attempts()
        self.state: ProbeState | None = None
        """How it ended last; None before the first time."""
        self._put(ProbeState.UNKNOWN)

    @property
    def source(self) -> str:
        """Its name on the board and in the schedule."""
        return f"probe {self.labels['probe']} of {self.labels['service']}"

    def round(self) -> None:
        """Ask once, unless a former question hangs still, and put on the board what it came to."""
        if hangs_as := self._attempts.hang:
            self._conclude(hangs_as, "a former attempt has not ended")
            return
        outcome = run_probe(self.service, self.probe, self._engine, self._attempts)
        if outcome.state is not ProbeState.UNKNOWN:
            self._tallies.observe("sutazai_probe_duration_seconds", outcome.seconds, **self.labels)
        if self._attempts.hang is None:
            self._board.put_age(f"age of {self.source}", "sutazai_probe_age_seconds", **self.labels)
        self._conclude(outcome.state, outcome.because)

    def forget(self) -> None:
        """Leave nothing of it behind: its service is no longer meant to run."""
        self._board.remove(self.source)
        self._board.remove(f"age of {self.source}")
        self._tallies.forget(**self.labels)

    def _conclude(self, state: ProbeState, because: str) -> None:
        self._put(state)
        if state is ProbeState.UNKNOWN:
            self._tallies.count("sutazai_exporter_errors_total", collector=NAME)
        if state is not self.state and (self.state is not None or state is not ProbeState.OK):
            level = logging.INFO if state is ProbeState.OK else logging.WARNING
            log.log(level, "%s %s: %s, %s", *self.labels.values(), state, because)
        self.state = state
        self.rounds += 1

    def _put(self, state: ProbeState) -> None:
        stands = 2.5 * self.interval + ENGINE_SECONDS + self.probe.timeout_seconds
        self._board.put(self.source, states("sutazai_probe_state", STATES, state, **self.labels), stands)


def unprobed(service: Service) -> list[Measured]:
    """What is said of a service that nobody can ask."""
    log.warning("%s: %s", service.name, NO_PROBE)
    return states("sutazai_probe_state", STATES, ProbeState.UNKNOWN, service=service.name, probe=NONE)
