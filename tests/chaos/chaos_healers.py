"""Who mends: nobody, a plain loop that restarts what is unhealthy, and the remediation itself."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import docker
import requests
from chaos_platform import Broken, await_true

from sutazai_ops.ledger import Ledger, RepairEntry, VerdictEntry
from sutazai_ops.remediation.seeing import last_seen
from sutazai_ops.remediation.verdict import Kind, Reason, say

SEES_WITHIN_SECONDS = 120
ENDS_SECONDS = 180
"""For which a repair that is under way is left to end."""
CHECKED_SECONDS = 85
"""After which each health check of the platform has failed as often as it has to, to be called unhealthy, and the loop
has looked: four of them, each of four seconds and a quarter of a minute apart."""


@dataclass
class Healer:
    """What it saw and did since a fault began, in seconds from then."""

    detected: float | None = None
    verdict: str = ""
    actions: list[str] = field(default_factory=list)
    given_to_a_person: float | None = None
    patience: float = math.inf
    """Seconds after which nothing is to be expected of it, where it has seen nothing."""
    checks: bool = False
    """Whether it sees what health checks see, and no sooner."""
    aftermath: float = 0.0
    """Seconds after all is whole in which it may still do more."""
    target: str = ""
    begun: float = field(default_factory=time.monotonic)
    is_done: bool = False
    """Whether it says that nothing more will be done."""
    is_busy: bool = False
    """Whether a repair is under way."""

    def begin(self, begun: float, target: str) -> None:
        """A fault of the target begins now; what was done before belongs to another."""
        self.begun, self.target, self.detected, self.actions[:] = begun, target, None, []

    def look(self, _begun: datetime) -> None:
        """Bring what it saw and did up to date."""


@contextmanager
def nobody(_platform: Broken) -> Iterator[Healer]:
    """The mode `off`, with nothing that watches."""
    yield Healer(patience=20)


@contextmanager
def naive_loop(platform: Broken) -> Iterator[Healer]:
    """A plain restart-when-unhealthy loop, as people run beside Compose; labelled so wherever it is shown.

    Every five seconds it restarts every container that its health check calls unhealthy, or that is not running.
    """
    healer = Healer(verdict="restart whatever is unhealthy", patience=CHECKED_SECONDS, checks=True, aftermath=10)
    stopped = threading.Event()

    def restart_what_is_unhealthy() -> None:
        while not stopped.wait(5):
            for service, container in _unhealthy(platform).items():
                if healer.detected is None:
                    healer.detected = time.monotonic() - healer.begun
                with suppress(docker.errors.APIError, requests.RequestException):
                    container.restart(timeout=10)
                    healer.actions.append(f"restart {service}")

    thread = threading.Thread(target=restart_what_is_unhealthy)
    thread.start()
    try:
        yield healer
    finally:
        stopped.set()
        thread.join()


def _unhealthy(platform: Broken) -> dict[str, docker.models.containers.Container]:
    """None while Docker itself does not answer."""
    with suppress(docker.errors.DockerException, requests.RequestException):
        found = platform.containers().items()
        return {service: one for service, one in found if one.health == "unhealthy" or one.status == "exited"}
    return {}


class Remediation(Healer):
    """`sutazai-ops remediation watch` in the mode `act`, and what the ledger has of it."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(aftermath=20)
        self.log = ledger.incidents

    def look(self, begun: datetime) -> None:
        now = datetime.now(UTC)
        since = [one for one in self.log.between(begun, now) if one.opened_at >= begun]
        mine = [one for one in since if one.target == self.target]
        repairs = self.log.repairs_since(begun)
        self.actions = [f"{one.rung} {one.target} ({one.outcome or 'under way'})" for one in repairs]
        if mine:
            self.detected = (min(one.opened_at for one in mine) - begun).total_seconds()
        told = [one.escalated_at for one in mine if one.escalated_at]
        self.given_to_a_person = (min(told) - begun).total_seconds() if told else None
        others = Counter(filter(None, (self._decided(one) for one in since if one not in mine)))
        said = [*filter(None, map(self._decided, mine)), *(f"{n} beside it: {text}" for text, n in others.items())]
        followers = {name for one in mine for name in one.followers}
        said += [f"it names {len(followers)} that fail because of it"] if followers else []
        self.verdict = "; ".join(said)
        self.is_done = bool(told) and all(one.escalated_at or one.broken_since is None for one in mine)
        self.is_busy = _is_under_way(repairs)
        self.is_done = self.is_done and not self.is_busy

    def _decided(self, incident) -> str:
        """What was decided first of what tells most; that it is waited for, or seen to be whole, tells nothing."""
        said = [one for one in self.log.verdicts_of(incident.number) if _weight(one) is not None]
        if not said:
            return ""
        decided = min(said, key=_weight)
        return say(decided).removesuffix(f": {Reason.DUE}").replace(": ", ", ")


def _weight(verdict: VerdictEntry) -> int | None:
    """What was done tells most, then what a person is told, then what one is asked."""
    if verdict.reason == Reason.APPROVAL:
        return 2
    return {Kind.ACT: 0, Kind.ESCALATE: 1, Kind.SKIP: 3}.get(Kind(verdict.kind))


def _is_under_way(repairs: list[RepairEntry]) -> bool:
    return any(one.ended_at is None for one in repairs)


@contextmanager
def remediation(platform: Broken) -> Iterator[Healer]:
    """The real one, as somebody runs it; each fault is the first of its day: the ledger forgets those before."""
    platform.forget()
    assert platform.ops("remediation", "mode", "act").returncode == 0
    command = [sys.executable, "-m", "sutazai_ops.cli", "remediation", "watch", "--every", "2"]
    begun = datetime.now(UTC)
    with (platform.home / "watch.log").open("ab") as log:
        watch = subprocess.Popen(command, env=platform.whole_environment, stdout=log, stderr=log)
        try:
            # That something is not seen any more is told only by who has seen it.
            assert await_true(lambda: (last_seen(platform.home) or begun) > begun, SEES_WITHIN_SECONDS), (
                "it sees nothing"
            )
            yield Remediation(platform.ledger)
        finally:
            watch.terminate()
            with suppress(subprocess.TimeoutExpired):
                watch.wait(ENDS_SECONDS)
            # One that still repaired would mend the next fault, too.
            watch.kill()
            watch.wait()
            platform.ops("remediation", "mode", "off")


SEES = "remediation"
"""The one that has signals, in which what restarted by itself stands for a quarter of an hour."""
HEALERS = {SEES: remediation, "no remediation": nobody, "naive restart loop": naive_loop}
"""The loop last: it restarts the server whose sessions the next of them needs."""
