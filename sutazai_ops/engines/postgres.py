"""Speaking to a PostgreSQL server, and what its errors mean to a person.

`connect` is the one way in for all of this program. Whatever the driver raises on the way is told as an `OpsError`: a
server that does not answer is `Unreachable` and may be tried again, a refused password is not. The password passes
through memory only.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutazai_ops.engines.base import Full, Starting
from sutazai_ops.errors import OpsError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from sutazai_ops.engines.base import Server

CONNECT_SECONDS = 10
"""How long a connection may take. Loopback answers in milliseconds; a server across a VPN in a second or two."""

OBSERVE_SECONDS = 3
"""A person who asks how things are does not wait as long as a backup does."""

MAINTENANCE_DATABASE = "postgres"
"""The database that every cluster has unless somebody dropped it (PostgreSQL manual, initdb)."""

# SQLSTATE class 28 is an authorization error, 3D000 an unknown database (PostgreSQL manual, appendix A). Refused
# connections carry no SQLSTATE through libpq, so there the server's words decide.
REFUSED_WORDS = ("password authentication failed", "no password supplied", "no pg_hba.conf entry", "is not permitted")
STARTING_WORDS = ("starting up", "not yet accepting", "in recovery mode")
FULL_WORDS = ("too many clients already", "connection slots are reserved")
EXHAUSTED = {"53100": "room on its disk", "53200": "memory"}
INTERNAL = "XX"
LOST_STATES = ("08", "57P0")
"""Connection exceptions; shut down, crashed, starting up."""


def connect(server: Server, dbname: str | None = None, **options: Any) -> psycopg.Connection[Any]:  # noqa: ANN401
    """Open a connection to a database of `server`; use it as a context manager, which closes it.

    Args:
        server: whom to speak to, and as whom.
        dbname: the database; the maintenance database `postgres` if None.
        options: further arguments of `psycopg.connect`, such as `autocommit=True`.

    Raises:
        Unreachable: when nothing answers at the endpoint, or not in time.
        OpsError: when the server answers and refuses: a wrong password, an unknown database.
    """
    import psycopg

    secret = server.account.password
    settings: dict[str, Any] = {
        "host": server.endpoint.host,
        "port": server.endpoint.port,
        "user": server.account.user,
        "password": secret.get_secret_value() if secret else None,
        "dbname": dbname or MAINTENANCE_DATABASE,
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "sutazai-ops",
    }
    with told(server):
        return psycopg.connect(**(settings | options))


def unhurried(connection: psycopg.Connection[Any]) -> None:
    """Let no timeout end what this session does, whatever the server, the database or the role sets for its users.

    pg_dump and pg_restore do the same for theirs. A setting that the server's version does not have is left out.
    """
    connection.execute(
        "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN"
        " ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')"
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a running server says of itself."""

    version: str
    major: int
    bytes: int
    """All databases together."""
    connections: int
    connection_limit: int


FACTS = """
    SELECT current_setting('server_version'),
           current_setting('server_version_num')::int / 10000,
           (SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database
             WHERE has_database_privilege(oid, 'CONNECT')),
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
           current_setting('max_connections')::int
"""


def ask(server: Server) -> Facts:
    """Ask the server for its version and how full it is.

    Raises:
        OpsError: as `connect`, and when the server fails at the question itself.
    """
    import psycopg

    with connect(server, connect_timeout=OBSERVE_SECONDS, options="-c statement_timeout=5s") as connection:
        try:
            row = connection.execute(FACTS).fetchone()
        except psycopg.Error as error:
            raise explain(server, str(error), error.sqlstate) or OpsError(
                f"{server.name} does not say how it is: {str(error).strip()}", where=str(server.endpoint)
            ) from None
    version, *numbers = row or ("", 0, 0, 0, 0)
    return Facts(version.split()[0], *numbers)


@contextmanager
def told(server: Server) -> Iterator[None]:
    """Tell what goes wrong in the server's operation inside the context as an `OpsError`: a connection that was refused
    or lost, a full disk, a damaged page. Errors in what was asked pass unchanged.
    """
    import psycopg

    try:
        yield
    except (psycopg.OperationalError, psycopg.InternalError) as error:
        if isinstance(error, psycopg.InternalError) and not (error.sqlstate or "").startswith(INTERNAL):
            raise
        problem = explain(server, str(error), error.sqlstate) or OpsError(
            f"{server.name} gave up: {_server_words(str(error))}",
            where=str(server.endpoint),
            remedy="look into the server's log",
        )
        raise problem from None


def explain(server: Server, message: str, sqlstate: str | None = None) -> OpsError | None:
    """What the driver's `message` means to a person; None where it is about neither the connection nor the server's
    resources.
    """
    words = _server_words(message)
    if any(known in message for known in REFUSED_WORDS) or (sqlstate or "").startswith("28"):
        return OpsError(
            f"{server.name} refuses {server.account.user}: {words}",
            where=str(server.endpoint),
            remedy="correct the user or the password file of this service",
        )
    if "does not exist" in message or sqlstate == "3D000":
        return OpsError(f"{server.name}: {words}", where=str(server.endpoint), remedy="check the name")
    if sqlstate in EXHAUSTED:
        return OpsError(
            f"{server.name} has no {EXHAUSTED[sqlstate]} left: {words}",
            where=str(server.endpoint),
            remedy=f"give the server more {EXHAUSTED[sqlstate]}, then try again",
        )
    if problem := _is_there(server, message):
        return problem
    if sqlstate is None or sqlstate.startswith(LOST_STATES):
        return Unreachable(
            f"{server.name} does not answer: {words}",
            where=str(server.endpoint),
            remedy="see whether it runs: sutazai-ops status",
        )
    return None


def _is_there(server: Server, message: str) -> Starting | Full | None:
    """That it answers, though it takes no session just now."""
    if any(known in message for known in STARTING_WORDS):
        return Starting(f"{server.name} is still starting", where=str(server.endpoint), remedy="wait until it has")
    if any(known in message for known in FULL_WORDS):
        return Full(
            f"{server.name} takes no further session: {_server_words(message)}",
            where=str(server.endpoint),
            remedy="end some of its sessions, or what they wait for",
        )
    return None


def _server_words(message: str) -> str:
    """The line that says why, without what libpq puts before it; its hints stand on further lines."""
    lines = message.strip().splitlines() or ["it gave no reason"]
    line = next((line for line in lines if " failed: " in line), lines[0])
    return line.rpartition(" failed: ")[2].rpartition("FATAL:")[2].strip()
