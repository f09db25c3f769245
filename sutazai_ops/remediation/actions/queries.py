"""Ending what holds locks in PostgreSQL: queries that run for too long, and sessions that forgot their transaction.

Where those who wait for such a lock have taken every session that the server has, they are ended first, from inside it:
whoever asked them has given up, and else nothing but a restart would be left.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.engines.base import Full
from sutazai_ops.engines.postgres import connect, told
from sutazai_ops.errors import OpsError, Refused
from sutazai_ops.remediation.surroundings import is_postgres, topology_of

if TYPE_CHECKING:
    from sutazai_ops.engines import Engine, Server
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry

OURS = ("sutazai-ops", "pg_dump", "pg_dumpall", "pg_restore", "pg_basebackup")
"""Programs whose sessions are never ended: a backup may well run for an hour."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds after which a session is ended."""

    blocking: int = 300
    """A query for which another waits."""
    running: int = 1800
    """Any query."""
    idle_in_transaction: int = 300


# pg_stat_activity and pg_blocking_pids: https://www.postgresql.org/docs/current/monitoring-stats.html
FIND = """
SELECT pid, usename, state, extract(epoch FROM now() - coalesce(
         CASE WHEN state = 'active' THEN query_start ELSE state_change END, now()))::int AS seconds
FROM pg_stat_activity AS one
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND NOT application_name = ANY(%(ours)s)
  AND (
    (state = 'active' AND query_start < now() - make_interval(secs => %(running)s))
    OR (state = 'active' AND query_start < now() - make_interval(secs => %(blocking)s)
        AND EXISTS (SELECT FROM pg_stat_activity AS other WHERE one.pid = ANY(pg_blocking_pids(other.pid))))
    OR (state LIKE 'idle in transaction%%' AND state_change < now() - make_interval(secs => %(idle)s))
  )
ORDER BY seconds DESC
"""

# What a server process does is its title: `postgres: USER DATABASE HOST(PORT) SELECT waiting`, `[local]` for a socket.
# The process that replays a log may wait as well, has no client, and would take the server with it. A session is ended
# by this signal: https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL
END_WAITING = r"""
for one in "$1"/[0-9]*; do
  case "$(tr '\0' ' ' 2>/dev/null <"$one/cmdline")" in
    "postgres: "*"("*") "*" waiting"*|"postgres: "*"[local] "*" waiting"*)
      kill -TERM "${one##*/}" && echo "${one##*/}" ;;
  esac
done
exit 0
"""
LOOKS = 5


def end_queries(here: Installation, incident: IncidentEntry) -> str:
    """End them in the PostgreSQL that the target is, or that it stands on.

    Raises `Refused` where there are none, and where a server takes no session: nothing was done then.
    """
    said = [f"{name}: {line}" for name in servers_of(here, incident.target) for line in _end_in(here, name)]
    if not said:
        raise Refused("no query runs for too long, and no session holds a transaction and does nothing")
    return "; ".join(said)


def _end_in(here: Installation, name: str) -> list[str]:
    try:
        server = here.engine.server(name)
        try:
            return end(server)
        except Full:
            return end_in_full(here.engine, server)
    except OpsError as error:
        raise Refused(f"{name} takes no session, so that none could be ended: {error.what}") from None


def end_in_full(engine: Engine, server: Server, patience: Patience | None = None) -> list[str]:
    """End who waits for a lock in a server that takes no further session, and then what they waited for.

    Raises `OpsError` where nobody waits, since it is full of something else then, and where nothing can be run inside.
    """
    ended = engine.execute(server.name, ["sh", "-c", END_WAITING, "sh", "/proc"]).split()
    if not ended:
        raise Refused("all its sessions are taken, and none of them waits for a lock")
    said = [f"{human.count(len(ended), 'session')} that waited for a lock were ended"]
    for _ in range(LOOKS):
        # What is ended is found by who waits for it: the next ones do within a moment.
        time.sleep(1)
        with suppress(Full):
            if blocked := end(server, patience):
                return [*said, *blocked]
    return said


def servers_of(here: Installation, target: str) -> list[str]:
    """The PostgreSQL services that the target is or stands on."""
    beneath = topology_of(here).beneath(target)
    services = here.platform.services
    return [name for name in (target, *beneath) if name in services and is_postgres(services[name])]


def end(server: Server, patience: Patience | None = None) -> list[str]:
    """End such sessions of one server, and say of each what it was, without its query, which may hold anything."""
    patience = patience or Patience()
    asked = {
        "ours": list(OURS),
        "running": patience.running,
        "blocking": patience.blocking,
        "idle": patience.idle_in_transaction,
    }
    with connect(server, autocommit=True) as connection, told(server):
        found = connection.execute(FIND, asked).fetchall()
        for pid, *_ in found:
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])
    return [
        f"a session of {user}, {state} for {human.duration(seconds)}, was ended" for _, user, state, seconds in found
    ]
