"""Which services of a platform are its Prometheus, its Alertmanager, its Ollamas and our exporter.

They are found by what they are and never by their names, so that a platform of somebody else's may call them anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.platform.infer import image_name
from sutazai_ops.platform.model import PROBE_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sutazai_ops.platform import Platform, Service

ALERTMANAGER_PORT = 9093
EXPORTER_COMMAND = "exporter"
"""The command of this program that the exporter runs."""
OWN_IMAGE = "ops"
"""The last part of the name of this program's own image."""


def prometheus_of(platform: Platform) -> Service | None:
    """The service that is asked whether it is a ready Prometheus; None where there is none."""
    return next(filter(is_prometheus, platform), None)


def alertmanager_of(platform: Platform) -> Service | None:
    """The service whose image is Alertmanager's; None where there is none."""
    return next(filter(is_alertmanager, platform), None)


def is_prometheus(service: Service) -> bool:
    """Whether it is asked whether it is a ready Prometheus."""
    return any(probe.kind == "prometheus" and not probe.target for probe in service.probes)


def is_alertmanager(service: Service) -> bool:
    """Whether its image is Alertmanager's."""
    return image_name(service.image or "") == "alertmanager"


def exporter_of(platform: Platform) -> Service | None:
    """The service that runs this program's exporter; None where there is none."""
    return next(filter(is_exporter, platform), None)


def is_exporter(service: Service) -> bool:
    """Whether it runs this program's exporter."""
    return image_name(service.image or "") == OWN_IMAGE and _exports(service)


def port_of(service: Service) -> int:
    """Where a Prometheus or an Alertmanager answers: at the port of its first probe, or at its usual one."""
    for probe in service.probes:
        if port := probe.port or PROBE_PORTS.get(probe.kind):
            return port
    return ALERTMANAGER_PORT


def networks_of(service: Service) -> set[str]:
    """The networks that a service's file joins it to."""
    joined: Iterable[str] = service.compose.get("networks") or ("default",)
    return {str(name) for name in joined}


def _exports(service: Service) -> bool:
    command = service.compose.get("command") or ()
    return EXPORTER_COMMAND in (command.split() if isinstance(command, str) else command)


def is_ollama(service: Service) -> bool:
    """Whether its models can be asked for."""
    return any(probe.kind == "ollama" for probe in service.probes)
