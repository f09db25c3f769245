"""Turns the append-only file of a running server on, so that it starts with its data again.

For a server that was started from a `dump.rdb` with `appendonly no` and whose setting is to be `yes`: it writes all it
holds into a new append-only file while it runs. Only when that is whole may it be restarted with `appendonly yes`.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from sutazai_ops.engines.redis import connect, told
from sutazai_ops.errors import OpsError, Unreachable

if TYPE_CHECKING:
    import redis

    from sutazai_ops.engines.base import Server

POLL_SECONDS = 0.1


def turn_append_only_on(server: Server, *, timeout: float) -> None:
    """Have `server` keep an append-only file, and wait at most `timeout` seconds until that holds everything.

    Raises:
        Unreachable: when the server goes away, or does not come to the end in time.
        OpsError: when it cannot write the file.
    """
    with told(server), closing(connect(server)) as client:
        client.config_set("appendonly", "yes")
        deadline = time.monotonic() + timeout
        while _is_rewriting(client):
            if time.monotonic() > deadline:
                raise Unreachable(f"{server.name} did not write its append-only file in time", where=_where(server))
            time.sleep(POLL_SECONDS)
        if client.info("persistence")["aof_last_bgrewrite_status"] != "ok":
            raise OpsError(
                f"{server.name} could not write its append-only file",
                where=_where(server),
                remedy="see the server's log: its disk may be full, or its folder not writable",
            )


def _is_rewriting(client: redis.Redis) -> bool:
    info = client.info("persistence")
    return bool(info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def _where(server: Server) -> str:
    return str(server.endpoint)
