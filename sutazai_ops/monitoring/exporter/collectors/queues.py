"""What waits in Redis: how many entries of each queue that the platform names, and since when the oldest one does.

What waits is what nobody has taken for good. In a list and a sorted set that is all that is there; of a stream that
groups read, what the slowest group has not acknowledged. Moments are held against the server's own clock, by which a
stream's entries are dated.
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sutazai_ops.engines.redis import connect, told
from sutazai_ops.errors import OpsError, Unreachable
from sutazai_ops.monitoring.exporter.measured import Measured, Round
from sutazai_ops.monitoring.probes.answers import MISSING, value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sutazai_ops.engines import Engine
    from sutazai_ops.platform import Service
    from sutazai_ops.platform.model import Queue

ANSWER_SECONDS = 3
SCORE = "score"
"""For a sorted set: that an entry's score is the moment at which it was queued."""
TYPES = {"list": "list", "stream": "stream", "sorted-set": "zset"}
"""What Redis calls each kind (https://redis.io/docs/latest/commands/type/)."""
COUNTED = 10_000
"""How many entries of a stream are counted by reading them."""
MILLISECONDS_FROM = 1e11
"""Seconds since 1970 reach this in the year 5138: a larger number counts milliseconds."""


class QueuesCollector:
    """A collector: depth and age of queues."""

    name = "queues"

    def __init__(
        self, engine: Engine, services: Callable[[], Sequence[Service]], *, interval: float, seconds: float = 15
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._engine, self._services = engine, services

    def collect(self) -> Round:
        """Ask each server once a database for all of its queues."""
        measured: list[Measured] = []
        missing: list[str] = []
        away: list[str] = []
        for service in self._services():
            for queue in service.queues:
                labels = {"service": service.name, "queue": queue.name, "kind": queue.kind}
                measured.append(Measured("sutazai_queue_info", 1, labels))
            for database, queues in groupby(sorted(service.queues, key=_database), key=_database):
                try:
                    measured += self._ask(service, database, list(queues), missing)
                except Unreachable as error:
                    away.append(error.what)
                except OpsError as error:
                    missing.append(error.what)
        return Round(tuple(measured), tuple(missing), away=tuple(away))

    def _ask(self, service: Service, database: int, queues: Sequence[Queue], missing: list[str]) -> list[Measured]:
        import redis.exceptions as failures

        server = self._engine.server(service.name)
        found: list[Measured] = []
        client = connect(server, database, within=ANSWER_SECONDS, answer_within=ANSWER_SECONDS)
        with closing(client), told(server):
            seconds, micros = client.time()
            for queue in queues:
                try:
                    found += _measure(client, queue, seconds + micros / 1e6, service.name)
                except failures.ResponseError as error:
                    missing.append(f"the queue {queue.name} of {service.name} cannot be read: {error}")
                except ValueError as error:
                    missing.append(f"the queue {queue.name} of {service.name}: {error}")
        return found


def _database(queue: Queue) -> int:
    return queue.database


def _measure(client: Any, queue: Queue, now: float, service: str) -> Iterator[Measured]:  # noqa: ANN401
    labels = {"service": service, "queue": queue.name}
    kind = _text(client.type(queue.key))
    if kind == "none":
        yield Measured("sutazai_queue_depth", 0, labels)
        if _tells_when(queue):
            yield Measured("sutazai_queue_oldest_age_seconds", 0, labels)
        return
    if kind != TYPES[queue.kind]:
        raise ValueError(f"the key {queue.key} is a {kind}, not a {queue.kind}")
    depth = DEPTHS[queue.kind](client, queue.key)
    yield Measured("sutazai_queue_depth", depth, labels)
    since = OLDEST[queue.kind](client, queue) if depth and _tells_when(queue) else None
    if since is not None:
        yield Measured("sutazai_queue_oldest_age_seconds", max(0.0, now - since), labels)
    elif depth == 0 and _tells_when(queue):
        yield Measured("sutazai_queue_oldest_age_seconds", 0, labels)


def _tells_when(queue: Queue) -> bool:
    return queue.kind == "stream" or queue.queued_at is not None


# redis-py's types are those of its two worlds at once, so a client is anything here.


def _oldest_of_list(client: Any, queue: Queue) -> float | None:  # noqa: ANN401
    oldest = client.lindex(queue.key, 0 if queue.oldest == "head" else -1)
    # None where it was taken between two questions.
    return None if oldest is None else _moment_in(oldest, str(queue.queued_at))


def _oldest_of_sorted_set(client: Any, queue: Queue) -> float | None:  # noqa: ANN401
    oldest = client.zrange(queue.key, 0, 0, withscores=True)
    if not oldest:
        return None
    entry, score = oldest[0]
    return _seconds(score) if queue.queued_at == SCORE else _moment_in(entry, str(queue.queued_at))


def _depth_of_stream(client: Any, key: str) -> int:  # noqa: ANN401
    groups = client.xinfo_groups(key)
    return max((_waiting_for(client, key, group) for group in groups), default=client.xlen(key))


def _waiting_for(client: Any, key: str, group: Mapping[str, Any]) -> int:  # noqa: ANN401
    """What one group has not been given yet, and what it was given and has not acknowledged."""
    lag = group.get("lag")
    if lag is None:
        # Redis does not know it where entries were deleted in the middle, and before version 7 never.
        lag = len(client.xrange(key, min=_after(group), count=COUNTED))
        if lag == COUNTED:
            raise ValueError(f"more than {COUNTED} entries, and Redis does not know how many")
    return int(lag + group["pending"])


def _oldest_of_stream(client: Any, queue: Queue) -> float | None:  # noqa: ANN401
    groups = client.xinfo_groups(queue.key)
    first = [entry for entry, _ in client.xrange(queue.key, count=1)] if not groups else []
    for group in groups:
        first += [entry for entry, _ in client.xrange(queue.key, min=_after(group), count=1)]
        pending = client.xpending(queue.key, group["name"])["min"]
        first += [pending] if pending else []
    return min(map(_of_id, first), default=None)


def _after(group: Mapping[str, Any]) -> str:
    return f"({_text(group['last-delivered-id'])}"


DEPTHS: Mapping[str, Callable[[Any, str], int]] = {
    "list": lambda client, key: client.llen(key),
    "sorted-set": lambda client, key: client.zcard(key),
    "stream": _depth_of_stream,
}
OLDEST: Mapping[str, Callable[[Any, Queue], float | None]] = {
    "list": _oldest_of_list,
    "sorted-set": _oldest_of_sorted_set,
    "stream": _oldest_of_stream,
}


def _of_id(entry: bytes | str) -> float:
    """When a stream's entry was added: the first part of its id, in milliseconds."""
    return int(_text(entry).partition("-")[0]) / 1000


def _moment_in(entry: bytes, path: str) -> float:
    """What stands at `path` of an entry that is JSON, as seconds since 1970; raises `ValueError`."""
    try:
        content = json.loads(entry)
    except (ValueError, RecursionError):
        raise ValueError("its oldest entry is not JSON, so that nobody knows since when it waits") from None
    found = value_at(content, path)
    if found is MISSING:
        raise ValueError(f"its oldest entry has no {path}")
    return _seconds(found)


def _seconds(value: object) -> float:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / 1000 if value > MILLISECONDS_FROM else float(value)
    raise ValueError("its oldest entry names no moment")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
