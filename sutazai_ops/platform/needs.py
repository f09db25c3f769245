"""What a service cannot do its work without: what it depends on, and what that depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sutazai_ops.platform.model import Service


def needs(services: Iterable[Service]) -> dict[str, frozenset[str]]:
    """For each of these services all that it stands on, itself left out.

    Args:
        services: in roll-out order, in which whatever a service depends on has come before it, but for what a later
            phase changes.
    """
    found: dict[str, frozenset[str]] = {}
    for service in services:
        direct = frozenset(service.depends_on)
        found[service.name] = direct.union(*(found.get(one, frozenset()) for one in direct)) - {service.name}
    return found
