"""Whether the limits of all services fit the host: what the kernel would find out by ending one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.deployment.wanted import limits
from sutazai_ops.errors import Refused

if TYPE_CHECKING:
    from sutazai_ops.deployment.release import Release
    from sutazai_ops.engines import Capacity

SHOWN = 3
"""How many of the largest are named."""


def memory_limits(release: Release) -> dict[str, int]:
    """The memory limit of each service that has one, in bytes."""
    found = {name: limits(service.definition).memory for name, service in release.services.items()}
    return {name: memory for name, memory in found.items() if memory is not None}


def refuse_overcommit(release: Release, capacity: Capacity | None, *, allowed: bool) -> None:
    """Refuse a release whose memory limits add up to more than the host has.

    Processors are not added up: a service that gets less of them is slower, one that gets less memory is ended.

    Args:
        release: what shall run.
        capacity: what the host has; None where the engine cannot say.
        allowed: whether the operator's settings allow it all the same.
    """
    if capacity is None or allowed:
        return
    memory = memory_limits(release)
    total = sum(memory.values())
    if total <= capacity.memory:
        return
    largest = sorted(memory.items(), key=lambda item: -item[1])[:SHOWN]
    raise Refused(
        f"the memory limits of all services add up to {human.memory(total)} and this host has"
        f" {human.memory(capacity.memory)}",
        where=", ".join(f"{name} {human.memory(size)}" for name, size in largest) + f" (of {len(memory)})",
        remedy="lower them, or set deploy.allow_overcommit in sutazai.toml",
    )
