"""In which order services are brought up: those that others depend on first, and side by side what is free of each
other."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


def levels(names: Collection[str], depends_on: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Groups of `names`: each group depends on the groups before it alone, directly or by a service between them.

    Args:
        names: the services to order.
        depends_on: of every service that is known; a circle among them was refused when the platform was read.
    """
    sorter = TopologicalSorter(depends_on)
    sorter.prepare()
    found = []
    while sorter.is_active():
        ready = sorter.get_ready()
        sorter.done(*ready)
        if group := sorted(name for name in ready if name in names):
            found.append(group)
    return found
