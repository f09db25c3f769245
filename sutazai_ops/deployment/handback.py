"""Hands what containers that are gone had in hand back to the queue that they took it from.

A worker that is told to stop finishes what it has in hand. What it could not finish in its grace period, or was ended
over, is still in the list that it keeps beside the queue (`x-sutazai: {takes: ...}`), and nobody else would ever look
there. Entry by entry it is moved back to the end that work is taken from, each by one command: none is ever in neither.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from sutazai_ops.engines.redis import connect, told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sutazai_ops.engines import Engine
    from sutazai_ops.platform import Platform, Service
    from sutazai_ops.platform.model import Queue

HOST_NAME = 12
"""Digits of a container's id that Docker makes its host name of."""


def hand_back(engine: Engine, platform: Platform, services: Iterable[str]) -> int:
    """Hand back what is in the lists of containers that are gone, of the queues that these services take from.

    A container that is stopped is not gone: what it had in hand it takes up again when it is started.

    Returns:
        How many entries were handed back.

    Raises:
        OpsError: when the queue's server or the engine does not answer.
    """
    moved = 0
    for holder, queue, in_hand in dict.fromkeys(_lists(platform, services)):
        server = engine.server(holder)
        with closing(connect(server, queue.database)) as client, told(server):
            before, _, after = in_hand.partition("{container}")
            keys = [_text(key) for key in client.scan_iter(match=f"{before}*{after}", count=1000)]
            # Whoever has a list was there before it; so asked later, none of those at work is taken for gone.
            there = _host_names(engine) if keys else set()
            orphaned = [key for key in keys if _container(key, before, after) not in there]
            moved += sum(_move_all(client, key, queue) for key in orphaned)
    return moved


def queue_of(platform: Platform, service: Service) -> tuple[str, Queue] | None:
    """The queue that a service takes its work from and the service that holds it; None where it takes from none."""
    if service.takes is None:
        return None
    return next(
        (holder.name, queue) for holder in platform for queue in holder.queues if queue.name == service.takes.queue
    )


def _lists(platform: Platform, services: Iterable[str]) -> Iterator[tuple[str, Queue, str]]:
    for name in services:
        service = platform.services.get(name)
        found = queue_of(platform, service) if service else None
        if service and service.takes and service.takes.in_hand and found:
            yield *found, service.takes.in_hand


def _host_names(engine: Engine) -> Collection[str]:
    return {container.id[:HOST_NAME] for one in engine.observe() for container in one.containers}


def _container(key: str, before: str, after: str) -> str:
    return key.removeprefix(before).removesuffix(after)


def _move_all(client: Any, key: str, queue: Queue) -> int:  # noqa: ANN401
    """Move a list to the end of the queue that work is taken from, so that what was taken first is so again."""
    end = "RIGHT" if queue.oldest == "tail" else "LEFT"
    count = 0
    while client.lmove(key, queue.key, "LEFT", end) is not None:
        count += 1
    return count


def _text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key
