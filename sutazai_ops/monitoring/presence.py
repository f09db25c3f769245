"""Which exporters a platform has, and so which signals can be measured on it at all.

A signal whose exporter no service of a platform is has no rule there and is no alarm: it is shown as not measured here.
What is there and does not answer is another matter, and is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.metrics import exporters
from sutazai_ops.monitoring.signals import APPLICATION
from sutazai_ops.platform.infer import image_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sutazai_ops.platform import Service

OURS = "sutazai"
PROMETHEUS = "prometheus"
ON_THE_EMBEDDED_ENGINE = frozenset({OURS, "node"})
"""There is no Prometheus there; the exporter serves what it needs of the host under node exporter's names."""


def exporters_of(services: Iterable[Service]) -> frozenset[str]:
    """The exporters that Prometheus scrapes on a platform with these services, by the names of the catalogue.

    Ours is always there, since it is this program that asks. Prometheus knows of itself; everything else has to say
    under `metrics:` where it is scraped. One that is not known by its image counts as an application.
    """
    by_image = {image: name for name, one in exporters().items() for image in one.images}
    found = {OURS}
    for service in services:
        name = by_image.get(image_name(service.image or ""))
        if name == PROMETHEUS or (service.metrics is not None and service.external is None):
            found.add(name or APPLICATION)
    return frozenset(found)
