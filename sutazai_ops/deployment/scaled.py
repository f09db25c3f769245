"""How many containers a service is meant to have: as many as its release says, until something decided otherwise.

A decision to scale stands in the ledger, and a release is never changed by one. It holds for as long as the release
says the number that it said when that was decided: whoever writes another one into a file has the last word. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.platform.copies import copies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sutazai_ops.deployment.release import Release, ReleasedService
    from sutazai_ops.ledger import ScalingEntry


def scaled(release: Release, decided: Mapping[str, ScalingEntry]) -> dict[str, int]:
    """The services of a release that are meant to have another number of containers than it says, and how many.

    Args:
        release: what is meant to run.
        decided: by service the last decision that was carried out.
    """
    return {
        name: one.after
        for name, one in decided.items()
        if name in release.services
        and one.released == copies(release.services[name].definition)
        and one.after != one.released
    }


def meant_copies(service: ReleasedService, others: Mapping[str, int]) -> int:
    """How many containers a service is meant to have; `others` as `scaled` finds them."""
    return others.get(service.name) or copies(service.definition)


def explain(release: Release, decided: Mapping[str, ScalingEntry]) -> Iterator[str]:
    """What becomes of each decision by this release, in sentences."""
    kept = scaled(release, decided)
    for name, one in decided.items():
        if name in kept:
            when = f"{one.at:%Y-%m-%d %H:%M} UTC"
            yield f"{name} keeps the {one.after} containers that were decided at {when}; its file says {one.released}"
        elif name in release.services and one.after != one.released:
            count = copies(release.services[name].definition)
            was = f"{one.after}, decided when it said {one.released}"
            yield f"{name} goes by its file again, which now says {count} containers, and no longer by the {was}"
