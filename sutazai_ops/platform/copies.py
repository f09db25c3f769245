"""How many containers a definition means. Pure.

https://docs.docker.com/reference/compose-file/deploy/#replicas
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sutazai_ops.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping


def copies(definition: Mapping[str, Any]) -> int:
    """The number that `scale` or `deploy.replicas` says; one where neither says any.

    Raises:
        BadInput: for what is no number.
    """
    said = definition.get("scale", (definition.get("deploy") or {}).get("replicas"))
    try:
        number = 1 if said is None else int(said)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise BadInput(f"{said!r} is no number of containers", remedy="write deploy: {replicas: 2}")
    return number
