"""Which exporters a platform has, and so which signals can be measured on it at all.

A signal whose exporter no service of a platform is has no rule there and is no alarm: it is shown as not measured here.
What is there and does not answer is another matter, and is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.metrics import exporters
from sutazai_ops.monitoring.servers import is_exporter, prometheus_of
from sutazai_ops.monitoring.signals import APPLICATION
from sutazai_ops.platform.infer import image_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sutazai_ops.monitoring.thresholds import Rulebook
    from sutazai_ops.platform import Platform, Service

OURS = "sutazai"
ON_THE_EMBEDDED_ENGINE = frozenset({OURS, "node"})
"""There is no Prometheus there; the exporter serves what it needs of the host under node exporter's names."""


def exporters_of(services: Iterable[Service]) -> frozenset[str]:
    """The exporters that Prometheus scrapes on a platform with these services, by the names of the catalogue.

    What is to be scraped says so under `metrics:`, Prometheus itself too. One that is not known by its image counts as
    an application.
    """
    by_image = {image: name for name, one in exporters().items() for image in one.images}
    return frozenset(
        OURS if is_exporter(service) else by_image.get(image_name(service.image or ""), APPLICATION)
        for service in services
        if service.metrics is not None and service.external is None
    )


def not_measured(rulebook: Rulebook, platform: Platform) -> list[str]:
    """What Prometheus cannot measure on a platform for want of an exporter, one sentence each; nothing without one."""
    there = exporters_of(platform)
    if prometheus_of(platform) is None:
        return []
    lacking: dict[str, list[str]] = {}
    for name, lacks in rulebook.not_on(there).items():
        lacking.setdefault(" and ".join(lacks), []).append(name)
    return [
        f"not measured here, for want of the exporter {lacks}: {', '.join(names)}" for lacks, names in lacking.items()
    ]
