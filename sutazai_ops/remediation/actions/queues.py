"""Putting aside the entries of a queue that nobody can finish, so that what waits behind them is done.

Such an entry says itself how often it was taken and given back (`attempts` of the queue), or cannot be read at all.
Where entries do not count that, nobody can tell which it is, and the oldest is put aside, once. What is put aside is in
the list beside the queue's; nothing is deleted.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutazai_ops.engines.redis import connect, told
from sutazai_ops.errors import Refused, Unsupported
from sutazai_ops.monitoring.probes.answers import value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.platform.model import Queue

GIVEN_BACK = 5
"""So often it is given back only by those who cannot finish it; a server that is away for a moment fails it less."""
AT_ONCE = 200
"""Entries that are looked at, from the end that work is taken from: what is given back stands there."""
MOVE = """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
"""
"""As one, so that the entry is in one of the two lists whatever happens. What somebody has just taken is left alone."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long it is done: those behind are only taken, and counted, once those before them are gone."""

    most: int = 100
    """Entries in one repair; more than that is no poison, but an application that is broken."""
    within: float = 60.0
    """Seconds in all."""
    quiet: float = 10.0
    """Seconds without a further one, after which there is none."""
    every: float = 0.1
    """Seconds between two looks: what is given back may be taken again at once."""


def dead_letter(here: Installation, incident: IncidentEntry, pace: Pace | None = None) -> str:
    """Move them; raises `Refused` where there is none to move, and `Unsupported` for a stream or a sorted set."""
    queue = named_queue(here, incident)
    if queue.kind != "list":
        raise Unsupported(f"the queue {queue.name} is a {queue.kind}, and only of a list entries are put aside")
    server = here.engine.server(incident.target)
    client = connect(server, queue.database)
    with closing(client), told(server):
        moved = _move_poison(client, queue, pace or Pace())
        if not moved and queue.attempts is None:
            return _move_oldest(client, queue)
    if not moved:
        raise Refused(f"no entry of {queue.name} was given back {GIVEN_BACK} times, and all can be read")
    return f"of {queue.name}, what nobody can finish was put into the list {queue.set_aside}: {moved}"


def named_queue(here: Installation, incident: IncidentEntry) -> Queue:
    """The one that an incident is about; raises `Refused` where it is about none."""
    names = [one["labels"].get("queue") for one in incident.own_alerts]
    queues = here.platform.service(incident.target).queues
    found = next((one for one in queues if one.name in names), None)
    if found is None:
        raise Refused(f"no alert of incident {incident.number} names a queue of {incident.target}")
    return found


def poison(entries: Iterable[bytes], queue: Queue) -> list[bytes]:
    """Those that nobody can finish, by what they say of themselves."""
    return [one for one in entries if _is_poison(one, queue)]


def _is_poison(entry: bytes, queue: Queue) -> bool:
    if queue.queued_at is None and queue.attempts is None:
        # Nobody said that they are JSON.
        return False
    try:
        content = json.loads(entry)
    except (ValueError, RecursionError):
        return True
    tried = value_at(content, queue.attempts) if queue.attempts else 0
    return isinstance(tried, int | float) and tried >= GIVEN_BACK


# redis-py's types are those of its two worlds at once, so a client is anything here.


def _move_poison(client: Any, queue: Queue, pace: Pace) -> int:  # noqa: ANN401
    """Returns how many."""
    moved = 0
    begun = last = time.monotonic()
    while moved < pace.most and time.monotonic() - begun < pace.within:
        for entry in poison(_oldest(client, queue), queue)[: pace.most - moved]:
            if client.eval(MOVE, 2, queue.key, queue.set_aside, entry):
                moved, last = moved + 1, time.monotonic()
        if queue.attempts is None or time.monotonic() - last >= pace.quiet:
            break
        time.sleep(pace.every)
    return moved


def _oldest(client: Any, queue: Queue) -> Sequence[bytes]:  # noqa: ANN401
    ends = (-AT_ONCE, -1) if queue.oldest == "tail" else (0, AT_ONCE - 1)
    found: Sequence[bytes] = client.lrange(queue.key, *ends)
    return found


def _move_oldest(client: Any, queue: Queue) -> str:  # noqa: ANN401
    source = "RIGHT" if queue.oldest == "tail" else "LEFT"
    if client.lmove(queue.key, queue.set_aside, source, "LEFT") is None:
        raise Refused(f"the queue {queue.name} is empty")
    return f"the oldest entry of {queue.name} was put into the list {queue.set_aside}"
