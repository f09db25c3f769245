"""Does what a round came to: gives incidents to people, and begins the one repair that is due.

A repair takes minutes, and what else breaks is looked at meanwhile, so it runs beside the rounds; the guard lets none
other begin. In the modes `off` and `observe` nothing is done here at all.
"""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.remediation.escalation import escalate_all
from sutazai_ops.remediation.repair import carry_out, finish_dead
from sutazai_ops.remediation.verdict import Kind, Mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from sutazai_ops.remediation.observe import Round, Watched

ACTING = frozenset({Mode.PROPOSE, Mode.ACT})


class Follower:
    """What is done about rounds, one after the other."""

    def __init__(self, watched: Watched, say: Callable[[str], None]) -> None:
        """Nothing is done yet; `say` is told in one line of everything that is, also from beside."""
        self.watched = watched
        """Made anew by whoever holds this, when files have changed."""
        self._say = say
        self._beside: Thread | None = None

    @property
    def is_repairing(self) -> bool:
        """Whether a repair is under way here."""
        return self._beside is not None and self._beside.is_alive()

    def follow(self, found: Round) -> None:
        """Do what the round came to."""
        if found.mode not in ACTING:
            return
        for line in escalate_all(self.watched.here, found):
            self._say(line)
        if self.is_repairing:
            return
        # While it is blind the guard lets only that begin which mends the monitoring.
        due = next((one.incident.number for one in found.judged if one.verdict.kind is Kind.ACT), None)
        if due is not None or (found.under_way and not found.blind):
            self._beside = Thread(target=self._repair, args=(due,), name="repair")
            self._beside.start()

    def wait(self) -> None:
        """Wait for the repair that is under way."""
        if self._beside is not None:
            self._beside.join()

    def _repair(self, number: int | None) -> None:
        try:
            for line in finish_dead(self.watched):
                self._say(line)
            if number is not None:
                self._say(f"{number}  {carry_out(self.watched, number)}")
        except OpsError as error:
            self._say(f"the repair was not written down to its end: {error.what}")
