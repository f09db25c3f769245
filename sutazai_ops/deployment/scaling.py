"""Which services can have more than one container. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.deployment.ports import published
from sutazai_ops.errors import Refused
from sutazai_ops.platform import Tier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sutazai_ops.deployment.release import ReleasedService
    from sutazai_ops.platform import Service


def refuse_to_scale(service: Service, meant: ReleasedService, copies: int) -> None:
    """Raise `Refused` where a service cannot have so many containers, and say why."""
    why = "it is a one-shot" if meant.one_shot else why_not(service, meant.definition)
    if copies < 1:
        why = f"{copies} is no number of containers to run: stop it instead"
    if why:
        raise Refused(f"{service.name} cannot be scaled: {why}", remedy="nothing was changed")


def why_not(service: Service, definition: Mapping[str, Any]) -> str:
    """Why a service has one container and no more; empty where it can have several."""
    if service.external is not None:
        return "somebody else runs it"
    if service.tier is Tier.STATEFUL:
        return "it holds state, and two of it would write to the same data"
    if service.behind is not None:
        return f"{service.behind.proxy} sends its requests to one"
    if "container_name" in definition:
        return "its container has a fixed name"
    if any(str(port) for port in published(definition)):
        return "a port of the host can be published by one only"
    return ""
