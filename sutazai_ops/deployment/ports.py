"""The ports that a service publishes on the host, in both forms that Compose knows.

https://docs.docker.com/reference/compose-file/services/#ports
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sutazai_ops.engines import Port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EVERYWHERE = "0.0.0.0"  # noqa: S104  (what Compose binds to where no address is named)
_SHORT = re.compile(
    r"(?:(?P<address>\[[^\]]+\]|[^:\[\]]+):(?=[\d-]*:))?(?:(?P<outside>[\d-]*):)?(?P<inside>[\d-]+)(?:/(?P<protocol>\w+))?"
)


def published(definition: Mapping[str, Any]) -> frozenset[Port]:
    """The ports that a service is meant to publish, ranges spread out; those for which any free port will do are left
    out. Raises `ValueError` for an entry that is no port.
    """
    return frozenset(port for entry in definition.get("ports") or () for port in _ports_of(entry))


def _ports_of(entry: Any) -> Iterator[Port]:  # noqa: ANN401
    if isinstance(entry, dict):
        address, outside, inside = entry.get("host_ip"), entry.get("published"), entry.get("target")
        protocol = entry.get("protocol")
    else:
        match = _SHORT.fullmatch(str(entry))
        if match is None:
            msg = f"{entry!r} is no port"
            raise ValueError(msg)
        address, outside, inside, protocol = match.group("address", "outside", "inside", "protocol")
    first, last = _range(inside)
    if not outside:
        return
    for offset in range(last - first + 1):
        address = str(address or EVERYWHERE).strip("[]")
        yield Port(first + offset, _range(outside)[0] + offset, address, str(protocol or "tcp"))


def _range(text: object) -> tuple[int, int]:
    first, _, last = str(text).partition("-")
    return int(first), int(last or first)
