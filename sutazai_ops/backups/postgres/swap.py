"""Puts a restored database in the place of the live one by renaming both, and keeps the old one aside.

The two renames happen in one transaction, so at every moment there is exactly one database of the live name, or, if the
server dies, the one there was. Whoever is connected to the live database is disconnected first: a rename needs that.
Nothing is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import errors, sql

from sutazai_ops.engines.postgres import connect, told
from sutazai_ops.errors import OpsError

if TYPE_CHECKING:
    import psycopg

    from sutazai_ops.engines import Server

# One that is in every cluster and that nobody works in, so that the maintenance database itself can be swapped.
_FROM = "template1"


def database_names(server: Server) -> set[str]:
    """Every database of a server."""
    with told(server), connect(server) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def swap(server: Server, *, live: str, restored: str, aside: str) -> None:
    """Rename `live` to `aside` and `restored` to `live`; where there is no `live`, only the second.

    Raises:
        OpsError: when a name is taken meanwhile, or the user may not rename; everything is as it was then.
    """
    exists = live in database_names(server)
    with told(server), connect(server, _FROM, autocommit=True) as connection:
        if exists:
            _close(connection, live)
        try:
            with connection.transaction():
                if exists:
                    _rename(connection, live, aside)
                _rename(connection, restored, live)
        except (errors.ObjectInUse, errors.DuplicateDatabase, errors.InsufficientPrivilege) as error:
            raise OpsError(
                f"cannot put {restored} in the place of {live}: {error.diag.message_primary}",
                where=server.name,
                remedy=f"{live} is as it was; {restored} is whole and can be swapped in later",
            ) from None
        finally:
            for name in {live, aside} & database_names(server):
                _allow_connections(connection, name, sql.SQL("true"))


def _close(connection: psycopg.Connection[Any], name: str) -> None:
    _allow_connections(connection, name, sql.SQL("false"))
    connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])


def _allow_connections(connection: psycopg.Connection[Any], name: str, allowed: sql.SQL) -> None:
    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), allowed))


def _rename(connection: psycopg.Connection[Any], name: str, new_name: str) -> None:
    statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    connection.execute(statement.format(sql.Identifier(name), sql.Identifier(new_name)))
