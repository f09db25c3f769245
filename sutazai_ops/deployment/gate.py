"""The gate that a phase has to pass: every probe answers as it should, and nothing restarts while it settles.

A probe that could not be carried out does not pass: what was not measured is unknown, and unknown is not green. A
service without a probe is named as a finding; it stands on its own health check, and where it has none, on running.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.engines import State
from sutazai_ops.monitoring import probes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sutazai_ops.engines import Container, Engine
    from sutazai_ops.monitoring.probes import Report
    from sutazai_ops.platform import Service
    from sutazai_ops.settings import DeploySettings

PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of one service."""

    service: str
    passed: bool
    because: str
    asked: str = ""
    """How it was asked, for people: "http through edge"."""


def check(
    engine: Engine,
    services: Sequence[Service],
    one_shots: frozenset[str],
    deploy: DeploySettings,
    containers: Callable[[], Mapping[str, Sequence[Container]]],
) -> list[Verdict]:
    """Ask until all is well or the time is over, then see that nothing has restarted meanwhile.

    Args:
        engine: where they run.
        services: the services of the phase.
        one_shots: those of them that are done once they have ended.
        deploy: how long they may take to answer, and how long nothing may restart after that.
        containers: the containers that run now, by service.
    """
    lasting = [service for service in services if service.name not in one_shots]
    before = _restarts(containers())
    reports = _until_well(engine, lasting, deploy.probe_timeout_seconds)
    failed = {report.service: report.outcome.because for report in reports if not _is_fine(report)}
    if not failed:
        failed = _watch(containers, before, {service.name for service in lasting}, deploy.settle_seconds)
    because = {report.service: report.outcome.because for report in reports}
    return [
        Verdict(
            service.name,
            service.name not in failed,
            failed.get(service.name) or because.get(service.name, "it ended well"),
        )
        for service in services
    ]


def ask(engine: Engine, services: Sequence[Service], seconds: float = 0.0) -> list[Verdict]:
    """What the probes of these services say, asked again for as long as `seconds` while one is not well."""
    return [
        Verdict(report.service, _is_fine(report), report.outcome.because, _asked(report))
        for report in _until_well(engine, services, seconds)
    ]


def _until_well(engine: Engine, services: Sequence[Service], seconds: float) -> list[Report]:
    deadline = time.monotonic() + seconds
    reports = probes.probe_all(services, engine)
    while time.monotonic() < deadline and (late := {r.service for r in reports if not _is_fine(r)}):
        time.sleep(PAUSE_SECONDS)
        again = probes.probe_all([service for service in services if service.name in late], engine)
        reports = [report for report in reports if report.service not in late] + again
    return reports


def _asked(report: Report) -> str:
    if report.probe is None:
        return "its own health check alone"
    through = f" through {report.probe.through}" if report.probe.through else ""
    return f"{report.probe.kind}{through}"


def _is_fine(report: Report) -> bool:
    return report.probe is None or report.outcome.state is probes.ProbeState.OK


def _watch(
    containers: Callable[[], Mapping[str, Sequence[Container]]],
    before: Mapping[str, int],
    names: set[str],
    settle_seconds: float,
) -> dict[str, str]:
    deadline = time.monotonic() + settle_seconds
    while True:
        now = containers()
        unsettled = {name: why for name in names if (why := _unsettled(now.get(name, ()), before.get(name, 0)))}
        if unsettled or time.monotonic() >= deadline:
            return unsettled
        time.sleep(PAUSE_SECONDS)


def _unsettled(containers: Sequence[Container], before: int) -> str:
    if not any(container.state is State.RUNNING for container in containers):
        if any(container.exit_code == 0 for container in containers):
            return 'it has ended, with exit code 0; where it is meant to, write restart: "no"'
        return "it ended after it had answered"
    restarts = sum(container.restarts for container in containers)
    return f"it restarted {restarts - before} times while it should have settled" if restarts > before else ""


def _restarts(containers: Mapping[str, Sequence[Container]]) -> dict[str, int]:
    return {name: sum(container.restarts for container in ones) for name, ones in containers.items()}
