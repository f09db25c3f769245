"""Carrying probes out: one, or those of many services at once.

A probe has two parts. Finding out where and as whom to ask is a matter of the engine and of our own files, and when
that fails the state is unknown. Asking is a matter of the service, and when that fails the state is failed. Both have
their time, kept even where a server trickles its answer or hangs. Nothing that an operator can cause raises here.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.errors import OpsError, Unreachable
from sutazai_ops.monitoring.probes.deadline import Patience, TookTooLong
from sutazai_ops.monitoring.probes.kinds import question
from sutazai_ops.monitoring.probes.outcome import Judgement, Outcome, ProbeState, Report, wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.engines import Engine
    from sutazai_ops.platform import Probe, Service

ENGINE_SECONDS = 10.0
"""How long an engine may take to say where a service is: a busy Docker daemon takes seconds."""
GRACE_SECONDS = 0.5
"""What a probe gets beyond its time to end by its own time-outs, which say more of what happened."""
TURN_SECONDS = 1.0
"""How long a probe waits for its turn; those that are well give theirs back in milliseconds."""
NO_PROBE = "no probe: add one under x-sutazai, see docs/extend.md"


@dataclass(frozen=True, slots=True)
class Attempts:
    """What is left of one probe's former attempts, for whoever runs it again and again."""

    finding: Patience = field(default_factory=Patience)
    """With the engine."""
    asking: Patience = field(default_factory=Patience)
    """With the service."""

    @property
    def hang(self) -> ProbeState | None:
        """As what to count a probe that cannot be run, since a former attempt hangs still; None where it can."""
        if self.asking.is_tried:
            return ProbeState.FAILED
        return ProbeState.UNKNOWN if self.finding.is_tried else None


def run_probe(service: Service, probe: Probe, engine: Engine, attempts: Attempts | None = None) -> Outcome:
    """Ask a service the question of one probe.

    Args:
        service: whom.
        probe: what.
        engine: where it runs.
        attempts: for whoever does so again and again: what hangs still is not begun once more.
    """
    attempts = attempts or Attempts()
    started = time.monotonic()
    try:
        ask = attempts.finding.within(ENGINE_SECONDS, lambda: question(service, probe, engine))
    except TookTooLong:
        because = f"the engine does not say within {human.duration(ENGINE_SECONDS)} where {service.name} is"
        return _ended(started, Judgement(ProbeState.UNKNOWN, because))
    except OpsError as error:
        unknown = _ended(started, Judgement(ProbeState.UNKNOWN, error.what))
        return replace(unknown, is_away=isinstance(error, Unreachable))
    except OSError as error:
        because = f"cannot find out how to ask {service.name}: {(error.strerror or str(error)).lower()}"
        return _ended(started, Judgement(ProbeState.UNKNOWN, because))
    started = time.monotonic()
    try:
        return _ended(started, attempts.asking.within(probe.timeout_seconds + GRACE_SECONDS, ask))
    except TookTooLong:
        return _ended(started, wrong(f"no answer within {human.duration(probe.timeout_seconds)}"))
    except OpsError as error:
        return _ended(started, wrong(error.what))


def probe_all(services: Sequence[Service], engine: Engine, *, workers: int = 16) -> list[Report]:
    """Ask all probes of these services, and report in the order in which they stand there.

    All of it ends about when the longest of them may, however many hang.

    Args:
        services: without those that end on purpose, which nobody can ask.
        engine: where they run.
        workers: how many are asked at once, so that what is measured is the services and not this machine. Whoever has
            waited for `TURN_SECONDS` no longer waits for those that hang.
    """
    pairs = [(service, probe) for service in services for probe in service.probes or (None,)]
    turns = BoundedSemaphore(workers)
    with ThreadPoolExecutor(max(1, len(pairs))) as pool:
        return list(pool.map(lambda pair: _report(pair[0], pair[1], engine, turns), pairs))


def _report(service: Service, probe: Probe | None, engine: Engine, turns: BoundedSemaphore) -> Report:
    if probe is None:
        return Report(service.name, None, Outcome(ProbeState.UNKNOWN, 0.0, NO_PROBE))
    has_turn = turns.acquire(timeout=TURN_SECONDS)
    try:
        return Report(service.name, probe, run_probe(service, probe, engine))
    finally:
        if has_turn:
            turns.release()


def _ended(started: float, judgement: Judgement) -> Outcome:
    return Outcome(judgement.state, time.monotonic() - started, judgement.because, judgement.facts)
