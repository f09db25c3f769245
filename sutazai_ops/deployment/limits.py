"""What services may use of their host, and whether it has that: the kernel would find out by ending one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutazai_ops import human
from sutazai_ops.deployment.scaled import meant_copies
from sutazai_ops.errors import BadInput, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.deployment.release import Release
    from sutazai_ops.engines import Capacity


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service may use of its host; None where it has no limit."""

    memory: int | None = None
    """Bytes."""
    cpus: float | None = None
    pids: int | None = None


SHOWN = 3
"""How many of the largest are named."""


def limits(definition: Mapping[str, Any]) -> Limits:
    """What a definition allows its service, in either of the two places where Compose takes it.

    Raises:
        BadInput: for a size or a number that Compose would not take.
    """
    given = ((definition.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    memory = given.get("memory", definition.get("mem_limit"))
    cpus = given.get("cpus", definition.get("cpus"))
    pids = given.get("pids", definition.get("pids_limit"))
    try:
        # Zero is no limit, and so is -1 for processes.
        return Limits(
            memory=size(memory) or None if memory is not None else None,
            cpus=float(cpus) or None if cpus is not None else None,
            pids=int(pids) if pids is not None and int(pids) > 0 else None,
        )
    except (ValueError, TypeError):
        raise BadInput(
            f"the limits are no numbers: memory {memory!r}, cpus {cpus!r}, pids {pids!r}",
            remedy='write them as {memory: 512M, cpus: "0.5", pids: 200}',
        ) from None


_SIZE = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgtp]?)(?:i?b)?\s*", re.IGNORECASE)


def size(text: object) -> int:
    """A size as Compose writes it in bytes: `512M`, `1.5gb`, `1024`; a kilobyte has 1024 bytes.

    The rule is https://docs.docker.com/reference/compose-file/extension/#specifying-byte-values. Raises `ValueError`.

    >>> size("1.5gb")
    1610612736
    """
    match = _SIZE.fullmatch(str(text))
    if match is None:
        msg = f"{text!r} is no size"
        raise ValueError(msg)
    return int(float(match["number"]) * 1024 ** " kmgtp".index(match["unit"].lower() or " "))


def memory_limits(release: Release, others: Mapping[str, int] | None = None) -> dict[str, int]:
    """The memory limit of each service that has one, of all its containers, in bytes.

    `others` are services that are meant to have another number of them than the release says.
    """
    found = {
        name: (limits(service.definition).memory, meant_copies(service, others or {}))
        for name, service in release.services.items()
    }
    return {name: memory * count for name, (memory, count) in found.items() if memory is not None}


def refuse_overcommit(
    release: Release, capacity: Capacity | None, *, allowed: bool, others: Mapping[str, int] | None = None
) -> None:
    """Refuse a release whose memory limits add up to more than the host has.

    Processors are not added up: a service that gets less of them is slower, one that gets less memory is ended.

    Args:
        release: what shall run.
        capacity: what the host has; None where the engine cannot say.
        allowed: whether the operator's settings allow it all the same.
        others: services that are meant to have another number of containers than the release says.
    """
    if capacity is None or allowed:
        return
    memory = memory_limits(release, others)
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
