"""Carries probes out: many side by side, each with its own deadline, none of which can delay another."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.probes.ask import ask
from sutazai_ops.monitoring.probes.outcome import Outcome, ProbeState, Report, WrongAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.engines import Engine
    from sutazai_ops.platform import Probe, Service

NO_PROBE = "no probe: add one under x-sutazai, see docs/extend.md"
GRACE_SECONDS = 1.0
"""What a probe gets beyond its own time-out, for what happens around the question: finding the address, a password."""


def run_probe(service: Service, probe: Probe, engine: Engine) -> Outcome:
    """Carry one probe out; never raises for anything that an operator can cause.

    A service that does not run, or whose password cannot be found, is unknown: it could not be asked. One that has an
    address and gives no answer there has failed.
    """
    started = time.monotonic()

    def outcome(state: ProbeState, because: str) -> Outcome:
        return Outcome(state, time.monotonic() - started, because)

    try:
        facts = ask(service, probe, engine)
    except WrongAnswer as wrong:
        return outcome(ProbeState.FAILED, str(wrong))
    except OpsError as error:
        return outcome(ProbeState.FAILED if _has_an_address(service, probe, engine) else ProbeState.UNKNOWN, error.what)
    seconds = time.monotonic() - started
    return Outcome(ProbeState.OK, seconds, f"answered in {seconds * 1000:.0f} ms", facts)


def probe_all(services: Sequence[Service], engine: Engine, *, workers: int = 16) -> list[Report]:
    """Carry out every probe of these services; one that is still under way after its time has failed.

    Args:
        services: in the order of the reports. One without a probe has a report that says so.
        engine: where they run.
        workers: how many are under way at once.
    """
    wanted = [(service, probe) for service in services for probe in service.probes]
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="probe")
    futures = [pool.submit(run_probe, service, probe, engine) for service, probe in wanted]
    # As many rounds as the pool needs, each as long as the longest of them may be.
    rounds = -(-len(wanted) // workers)
    longest = max((probe.timeout_seconds for _, probe in wanted), default=0.0) + GRACE_SECONDS
    wait(futures, timeout=rounds * longest)
    # A thread that hangs in a system call cannot be ended; nobody waits for it.
    pool.shutdown(wait=False, cancel_futures=True)
    outcomes = iter([future.result() if future.done() and not future.cancelled() else None for future in futures])
    reports = []
    for service in services:
        if not service.probes:
            reports.append(Report(service.name, None, Outcome(ProbeState.UNKNOWN, 0.0, NO_PROBE)))
        for probe in service.probes:
            late = Outcome(ProbeState.FAILED, probe.timeout_seconds, f"no answer in {probe.timeout_seconds:g} s")
            reports.append(Report(service.name, probe, next(outcomes) or late))
    return reports


def _has_an_address(service: Service, probe: Probe, engine: Engine) -> bool:
    """Whether there was somebody to ask, so that having no answer is the service's own failure."""
    try:
        endpoint = engine.endpoint(probe.through or service.name, probe.port)
    except OpsError:
        return False
    return bool(endpoint.host)
