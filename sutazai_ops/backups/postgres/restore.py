"""Brings databases and roles of a set back, into a scratch server for a proof or beside the live ones for a person.

A restore never writes into a database that it did not create, never changes a role that exists, and stops at the first
error: half a restore that reports success is worse than none. The archive is spooled to disk first, because pg_restore
builds tables and indexes in parallel only from a file.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.errors import DuplicateDatabase, ProgrammingError

from sutazai_ops.backups.kinds import Restored, timed
from sutazai_ops.backups.manifest import ArtifactKind, PostgresFacts
from sutazai_ops.backups.postgres.inventory import differences, list_tables, read_inventory
from sutazai_ops.backups.stream import read_chunks, spooled
from sutazai_ops.engines.postgres import connect, told, unhurried
from sutazai_ops.engines.processes import run_tool
from sutazai_ops.errors import CommandFailed, Corrupt, OpsError, Refused, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sutazai_ops.backups.kinds import Workbench
    from sutazai_ops.backups.manifest import Artifact, Database, Manifest
    from sutazai_ops.engines import Server, Tools

_ROLE = r'"(?:[^"]|"")+"|[^\s;"]+'
_CREATE_OR_ALTER = re.compile(rf"(?:CREATE|ALTER) ROLE (?P<role>{_ROLE})[ ;]")
_MEMBERSHIP = re.compile(rf"GRANT (?:{_ROLE}) TO (?P<role>{_ROLE})[ ;]")
# The old grantor may have no such right on the new server; who granted a membership is not what it gives.
_GRANTED_BY = re.compile(rf" GRANTED BY (?:{_ROLE});$")

_END_OF_ROLES = "-- PostgreSQL database cluster dump complete"

# Words of a failure that speaks of this machine and not of the archive.
_NOT_THE_ARCHIVE = ("No space left on device", "out of memory", "too many clients")
_EXTENSION_MISSING = re.compile(
    r'extension "(?P<name>[^"]+)" is not available|extension control file "(?P<file>[^"]+)"'
)


def read_through(artifact: Artifact, path: Path, tools: Tools) -> None:
    """Have pg_restore read an archive to its end; the roles are read as text to their last line.

    `pg_restore --list` would not do: it passes an archive of which 40 % is cut off.

    Raises:
        Corrupt: when the frame, or the archive in it, is not whole.
    """
    if artifact.kind is ArtifactKind.POSTGRES_GLOBALS:
        if _END_OF_ROLES not in _read_text(path):
            raise Corrupt(f"{artifact.path} ends before its last line", where=str(path))
        return
    try:
        with run_tool(tools, ["pg_restore", "--file=/dev/null"], stdin=True) as command:
            command.feed(read_chunks(path))
            command.finish()
    except CommandFailed as error:
        raise Corrupt(f"pg_restore cannot read {artifact.path}: {error.what}", where=str(path)) from None


@contextmanager
def restored(service: str, manifest: Manifest, folder: Path, bench: Workbench) -> Iterator[Restored]:
    """Restore every role and database of one service into a scratch server of the same major version.

    Raises:
        Corrupt: when an artifact cannot be restored.
        ToolMissing: when no server of that major version, or an extension, is not on this machine.
    """
    facts = facts_of(manifest, service)
    seconds: dict[str, float] = {}
    started = time.monotonic()
    with bench.engine.scratch("postgres", facts.major) as server:
        seconds[f"{service}: server"] = round(time.monotonic() - started, 3)
        with timed(seconds, f"{service}: roles"), _blaming_the_archive("the roles"):
            create_roles(server, folder / globals_of(manifest, service).path, facts.roles)
        # Under names of our own: the scratch server has a database `postgres` already.
        places = {name: f"restored_{number}" for number, name in enumerate(facts.databases)}
        for name, place in places.items():
            archive = folder / archive_of(manifest, service, name).path
            with timed(seconds, f"{service}: {name}"), _blaming_the_archive(f"database {name}"):
                restore_database(server, facts.databases[name], archive, place, bench)
        yield Restored(seconds, lambda: _compare(server, facts, places))


def facts_of(manifest: Manifest, service: str) -> PostgresFacts:
    """What the manifest says of a PostgreSQL service."""
    facts = manifest.services[service]
    if not isinstance(facts, PostgresFacts):
        raise TypeError(f"{service} is {facts.kind}")
    return facts


def globals_of(manifest: Manifest, service: str) -> Artifact:
    """The artifact with the roles of a service."""
    return next(a for a in manifest.of_service(service) if a.kind is ArtifactKind.POSTGRES_GLOBALS)


def archive_of(manifest: Manifest, service: str, database: str) -> Artifact:
    """The artifact with one database of a service."""
    return next(
        a for a in manifest.of_service(service) if a.kind is ArtifactKind.POSTGRES_DATABASE and a.name == database
    )


@contextmanager
def _blaming_the_archive(what: str) -> Iterator[None]:
    """A tool that fails while it restores accuses the archive, unless it speaks of this machine."""
    try:
        yield
    except CommandFailed as error:
        missing = _EXTENSION_MISSING.search(f"{error.what} {error.where}")
        if missing:
            name = missing["name"] or missing["file"]
            raise ToolMissing(
                f"{what} needs the extension {name}, which is not on this machine",
                remedy="install it for the PostgreSQL of that major version, then verify the set again",
            ) from None
        if any(words in f"{error.what} {error.where}" for words in _NOT_THE_ARCHIVE):
            raise OpsError(f"{what} could not be restored here: {error.what}", where=error.where) from None
        raise Corrupt(f"{what} cannot be restored: {error.what}", where=error.where) from None


def missing_roles(server: Server, roles: Iterable[str]) -> tuple[str, ...]:
    """Those of `roles` that the server does not have."""
    with told(server), connect(server) as connection:
        present = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
    return tuple(role for role in roles if role not in present)


def create_roles(server: Server, path: Path, roles: Iterable[str]) -> tuple[str, ...]:
    """Create those of `roles` that the server lacks, as the set's globals have them, and return which.

    Raises:
        CommandFailed: when the server refuses; nothing is changed then.
    """
    missing = missing_roles(server, roles)
    statements = role_statements(_read_text(path), missing)
    with server.run(
        ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--dbname=postgres"],
        stdin=True,
    ) as command:
        command.feed([("\n".join(statements) + "\n").encode()])
        command.finish()
    return missing


def role_statements(script: str, roles: Iterable[str]) -> list[str]:
    """The lines of a `pg_dumpall --roles-only` script that create `roles`, set them up, and make them members.

    >>> role_statements("CREATE ROLE a;\\nCREATE ROLE b;\\nGRANT a TO b GRANTED BY c;", ["b"])
    ['CREATE ROLE b;', 'GRANT a TO b;']
    """
    wanted = set(roles)
    chosen = []
    for line in script.splitlines():
        statement = _CREATE_OR_ALTER.match(line) or _MEMBERSHIP.match(line)
        if statement and _unquoted(statement["role"]) in wanted:
            chosen.append(_GRANTED_BY.sub(";", line))
    return chosen


def _unquoted(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


def restore_database(server: Server, database: Database, archive: Path, into: str, bench: Workbench) -> None:
    """Create the database `into` and restore an archive into it.

    Raises:
        Refused: when there is a database of that name.
        Corrupt: when the archive's frame is damaged.
        CommandFailed: when pg_restore fails; the half-restored database is dropped.
    """
    _create_database(server, database, into)
    try:
        with spooled(archive, bench.spool) as file:
            argv = [
                "pg_restore",
                "--exit-on-error",
                "--no-tablespaces",
                f"--jobs={bench.settings.restore_jobs}",
                f"--dbname={make_conninfo(dbname=into)}",
                str(file),
            ]
            with server.run(argv) as command:
                command.finish()
    except BaseException as error:
        _drop_unfinished(server, into, error)
        raise


def _drop_unfinished(server: Server, name: str, why: BaseException) -> None:
    """Drop what a restore could not finish, without hiding why it could not."""
    try:
        drop_database(server, name)
    except OpsError:
        # The same full disk, or the same dead server, that ended the restore.
        if isinstance(why, OpsError):
            rest = f"the unfinished database {name} could not be dropped either"
            why.remedy = f"{why.remedy}; {rest}" if why.remedy else rest


def _create_database(server: Server, database: Database, into: str) -> None:
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
        sql.Identifier(into), sql.Identifier(database.owner), database.encoding, database.collate, database.ctype
    )
    if database.locale_provider == "icu":
        statement += sql.SQL(" LOCALE_PROVIDER icu ICU_LOCALE {}").format(database.locale)
    elif database.locale_provider == "builtin":
        statement += sql.SQL(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(database.locale)
    with told(server), connect(server, autocommit=True) as connection:
        try:
            connection.execute(statement)
        except DuplicateDatabase:
            raise Refused(
                f"{server.name} has a database {into} already",
                remedy="name another one with --into, or drop it yourself if nobody needs it",
            ) from None
        except ProgrammingError as error:
            raise CommandFailed(
                f"{server.name} cannot create the database {into}: {error.diag.message_primary}"
            ) from None
        for setting in database.settings:
            name, _, value = setting.partition("=")
            parts = [sql.SQL(part) if part.isidentifier() else sql.Identifier(part) for part in name.split(".")]
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} TO {}").format(sql.Identifier(into), sql.SQL(".").join(parts), value)
            )


def drop_database(server: Server, name: str) -> None:
    """Drop a database that a restore made."""
    with told(server), connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def analyze(server: Server, name: str) -> None:
    """Have the planner know the restored rows; an archive does not carry that before PostgreSQL 18."""
    with told(server), connect(server, name, autocommit=True) as connection:
        unhurried(connection)
        connection.execute("ANALYZE")


def compare(server: Server, database: Database, place: str) -> list[str]:
    """What the database called `place` does not hold as the manifest says of `database`, as sentences."""
    with told(server), connect(server, place) as connection:
        unhurried(connection)
        found = read_inventory(connection, list_tables(connection))
    return differences(database.inventory, found)


def _compare(server: Server, facts: PostgresFacts, places: dict[str, str]) -> list[str]:
    found = [f"role {role} is missing" for role in missing_roles(server, facts.roles)]
    for name, place in places.items():
        found += [f"{name}: {sentence}" for sentence in compare(server, facts.databases[name], place)]
    return found


def _read_text(path: Path) -> str:
    return b"".join(read_chunks(path)).decode()
