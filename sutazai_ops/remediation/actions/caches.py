"""Emptying what a Redis keeps only so as not to make it again: the keys that its files call a cache, and no others."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from sutazai_ops import human
from sutazai_ops.engines.redis import connect, told
from sutazai_ops.errors import Refused

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.platform.model import Cache

WITHIN_SECONDS = 60.0
"""For how long keys are dropped at most: what is left then stays, and goes as it always does."""
AT_ONCE = 500
"""Keys a command, so that nobody else waits for it."""


def drop_cache(here: Installation, incident: IncidentEntry) -> str:
    """Drop every key of the target's caches, and have it give the memory back; raises `Refused` where there is none."""
    caches = here.platform.service(incident.target).caches
    if not caches:
        raise Refused(f"nothing in {incident.target} is called a cache", remedy="x-sutazai: {caches: [...]} names one")
    server = here.engine.server(incident.target)
    until, dropped = time.monotonic() + WITHIN_SECONDS, 0
    for cache in caches:
        with closing(connect(server, cache.database)) as client, told(server):
            dropped += _drop(client, cache, until)
            client.memory_purge()
    if not dropped:
        raise Refused(f"the caches of {incident.target} are empty")
    return f"{human.count(dropped, 'key')} of {', '.join(one.keys for one in caches)} were dropped"


# redis-py's types are those of its two worlds at once, so a client is anything here.


def _drop(client: Any, cache: Cache, until: float) -> int:  # noqa: ANN401
    """By UNLINK, which frees the memory beside whoever else is served: https://redis.io/docs/latest/commands/unlink/."""
    dropped, found = 0, client.scan_iter(match=cache.keys, count=AT_ONCE)
    while time.monotonic() < until and (keys := list(islice(found, AT_ONCE))):
        dropped += client.unlink(*keys)
    return dropped
