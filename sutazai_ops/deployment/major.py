"""Major versions of services that hold state: data that a newer major has written is not opened by the older one.

So a roll-back never crosses one by itself. The major is read from the image's tag, which is all that is known without
asking a registry; an image that names none is taken to be of its whole tag.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sutazai_ops.platform import Tier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sutazai_ops.deployment.release import Release
    from sutazai_ops.platform import Platform


def major(image: str) -> str:
    """The major version that an image's tag names, such as "16" of `postgres:16.11-alpine`; else the whole tag.

    >>> major("registry.example:5000/prom/prometheus:v3.14.0@sha256:0f3c")
    '3'
    """
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    number = re.match(r"v?(\d+)", tag)
    return number[1] if number else tag


def crossings(from_: Release, to: Release, phase: str, platform: Platform) -> Iterator[tuple[str, str, str]]:
    """The services with state whose major version differs between two releases, with both images."""
    for service in to.of_phase(phase):
        before = from_.services.get(service.name)
        images = [_image(one.definition) for one in (before, service) if one]
        if len(images) > 1 and _holds_state(service.name, platform) and major(images[0]) != major(images[1]):
            yield service.name, images[0], images[1]


def _holds_state(name: str, platform: Platform) -> bool:
    service = platform.services.get(name)
    return service is not None and service.tier is Tier.STATEFUL


def _image(definition: Mapping[str, Any]) -> str:
    return str(definition.get("image", ""))
