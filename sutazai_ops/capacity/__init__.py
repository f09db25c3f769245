"""Capacity: what services use, what they should be allowed, for how long the host is enough, and what it all costs.

Other areas use what stands here, and nothing inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.capacity.room import Room
    from sutazai_ops.installation import Installation
    from sutazai_ops.platform import Service

__all__ = ["room_of"]


def room_of(installation: Installation, services: Sequence[Service]) -> Room:
    """The capacity of an installation; `services` are those that are meant to run."""
    from sutazai_ops.capacity.room import Room

    return Room(installation, services)
