"""Capacity: what services use, what they should be allowed, for how long the host is enough, and what it all costs.

Other areas use what stands here, and nothing inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.capacity.room import Room
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import ScalingEntry
    from sutazai_ops.platform import Service

__all__ = ["add_within_bounds", "room_of"]


def room_of(installation: Installation, services: Sequence[Service]) -> Room:
    """The capacity of an installation; `services` are those that are meant to run."""
    from sutazai_ops.capacity.room import Room

    return Room(installation, services)


def add_within_bounds(installation: Installation, queue: str, *, because: str, actor: str) -> ScalingEntry:
    """Add one step of containers to a service that takes from a queue, by its rule of autoscaling, whatever the mode.

    Returns:
        The entry of the ledger, with what became of it.

    Raises:
        Refused: where autoscaling does so by itself, no rule is on a service that takes from this queue, or each of
            them has as many containers as its rule allows.
        OpsError: when it did not come to that number; what was meant before still is.
    """
    from sutazai_ops.capacity.autoscaler import add_step

    return add_step(installation, queue, because, actor)
