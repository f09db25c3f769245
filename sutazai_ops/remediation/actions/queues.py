"""Putting aside the oldest entry of a queue, which nobody can take, so that what waits behind it is taken."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from sutazai_ops.engines.redis import connect, told
from sutazai_ops.errors import Refused, Unsupported

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.platform.model import Queue

ASIDE = ":dead-letter"
"""After a queue's key: the list of what was put aside, the newest first."""


def dead_letter(here: Installation, incident: IncidentEntry) -> str:
    """Move one entry; raises `Refused` where the queue is empty and `Unsupported` for a stream or a sorted set."""
    queue = _queue(here, incident)
    if queue.kind != "list":
        raise Unsupported(f"the queue {queue.name} is a {queue.kind}, and only of a list an entry is put aside")
    server = here.engine.server(incident.target)
    source = "RIGHT" if queue.oldest == "tail" else "LEFT"
    client = connect(server, queue.database)
    with closing(client), told(server):
        # One command, so that the entry is in one of the two lists whatever happens.
        moved = client.lmove(queue.key, queue.key + ASIDE, source, "LEFT")
    if moved is None:
        raise Refused(f"the queue {queue.name} is empty")
    return f"the oldest entry of {queue.name} was put into the list {queue.key + ASIDE}"


def _queue(here: Installation, incident: IncidentEntry) -> Queue:
    names = [one["labels"].get("queue") for one in incident.alerts]
    queues = here.platform.service(incident.target).queues
    found = next((one for one in queues if one.name in names), None)
    if found is None:
        raise Refused(f"no alert of incident {incident.number} names a queue of {incident.target}")
    return found
