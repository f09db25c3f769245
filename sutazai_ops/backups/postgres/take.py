"""Takes every database and the roles of one PostgreSQL service into a set.

A database is dumped by the server's own major version of `pg_dump` inside a snapshot that this module exports and
counts in, so the manifest's row counts are those of the archive, exactly, while the database goes on being written to.
The archive is uncompressed custom format inside a zstd frame with a checksum: the fastest way for old servers, and of
those measured the only one that noticed every flipped bit. Nothing here ever changes the server.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from psycopg import IsolationLevel
from psycopg.conninfo import make_conninfo

from sutazai_ops.backups.kinds import Estimate, Taken
from sutazai_ops.backups.manifest import Artifact, ArtifactKind, Database, PostgresFacts
from sutazai_ops.backups.postgres.inventory import hold_tables, list_tables, read_inventory
from sutazai_ops.backups.stream import Writer
from sutazai_ops.engines.postgres import connect, told, unhurried
from sutazai_ops.engines.toolchain import binary
from sutazai_ops.errors import BadInput, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import psycopg

    from sutazai_ops.backups.store import PartialSet
    from sutazai_ops.engines import Server
    from sutazai_ops.platform import Service
    from sutazai_ops.progress import Progress
    from sutazai_ops.settings import BackupSettings

PROGRAMS = ("pg_dump", "pg_dumpall", "pg_restore", "psql", "initdb", "postgres")
"""What a backup and the proof of it need of the server's own major version."""

OLDEST_MAJOR = 13

_DATABASES = """
    SELECT datname, pg_database_size(oid) FROM pg_database
    WHERE datallowconn AND NOT datistemplate AND datname <> ALL(%s) ORDER BY datname
"""

# What `CREATE DATABASE` has to be told to make the same one; the columns moved between versions 15 and 17.
_DATABASE = {
    13: "'c', NULL",
    15: "datlocprovider, daticulocale",
    17: "datlocprovider, datlocale",
}
_DATABASE_FACTS = """
    SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, {locale},
           ARRAY(SELECT unnest(setconfig) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = 0)
    FROM pg_database d WHERE datname = current_database()
"""
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}


def estimate(server: Server, service: Service) -> Estimate:
    """What a backup of this server will need; asks the server, changes nothing.

    Raises:
        Unreachable: when it does not answer.
        ToolMissing: when a program of its major version is not here.
        BadInput: when it is older than PostgreSQL 13, or a database to leave out does not exist.
    """
    with connect(server) as connection:
        major = _major(connection)
        if major < OLDEST_MAJOR:
            raise BadInput(f"{server.name} is PostgreSQL {major}; versions from {OLDEST_MAJOR} on can be backed up")
        _refuse_unknown_exclusions(service, (name for (name,) in connection.execute("SELECT datname FROM pg_database")))
        total = sum(size for _, size in _databases(connection, service))
        version = _version(connection)
    tools = server.tools()
    for program in PROGRAMS:
        binary(tools, program)
    return Estimate(version=version, tools=tools, raw_bytes=total, restored_bytes=total)


def _refuse_unknown_exclusions(service: Service, known: Iterable[str]) -> None:
    for name in set(_excluded(service)).difference(known):
        raise BadInput(
            f"{service.name} has no database {name!r} that could be left out",
            where=f"{service.file}: {service.name}: x-sutazai.backup.exclude_databases",
            remedy="correct the name, or remove it",
        )


def take(server: Server, service: Service, partial: PartialSet, settings: BackupSettings, progress: Progress) -> Taken:
    """Dump every database and the roles of one service into a set under way.

    Raises:
        Unreachable: when the server goes away, or a table stays locked; trying again may help.
        CommandFailed: when pg_dump or pg_dumpall fails; carries its last words.
    """
    taken_at = datetime.now(UTC)
    with connect(server) as connection:
        databases = _databases(connection, service)
        is_superuser = connection.info.parameter_status("is_superuser") == "on"
        version, major = _version(connection), _major(connection)
        roles = _names(connection, "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")
        tablespaces = _names(connection, "SELECT spcname FROM pg_tablespace WHERE spcname !~ '^pg_' ORDER BY 1")
    dump = _Dump(server, service.name, partial, settings)
    artifacts = [dump.roles(with_passwords=is_superuser)]
    facts = {}
    for name, size in databases:
        with progress.step(f"{service.name}  {name}", size) as advance:
            artifact, facts[name] = dump.database(name, advance)
        artifacts.append(artifact)
    return Taken(
        PostgresFacts(
            version=version,
            major=major,
            client_version=_client_version(server),
            roles=roles,
            role_passwords=is_superuser,
            tablespaces=tablespaces,
            databases=facts,
        ),
        tuple(artifacts),
        taken_at,
    )


class _Dump:
    """One service on its way into one set."""

    def __init__(self, server: Server, service: str, partial: PartialSet, settings: BackupSettings) -> None:
        self._server = server
        self._service = service
        self._partial = partial
        self._settings = settings

    def roles(self, *, with_passwords: bool) -> Artifact:
        argv = ["pg_dumpall", "--roles-only", *(() if with_passwords else ("--no-role-passwords",))]
        return self._store(argv, "globals.sql.zst", ArtifactKind.POSTGRES_GLOBALS, "globals")

    def database(self, name: str, advance: Callable[[int], None]) -> tuple[Artifact, Database]:
        with told(self._server), connect(self._server, name) as connection, ThreadPoolExecutor(1) as beside:
            snapshot = _export_snapshot(connection, self._settings)
            facts = _database_facts(connection)
            tables = list_tables(connection)
            hold_tables(connection, tables)
            # Counting a large database takes a good part of dumping it; beside the dump it costs little of the night.
            inventory = beside.submit(read_inventory, connection, tables)
            argv = [
                "pg_dump",
                "--format=custom",
                "--compress=0",
                f"--snapshot={snapshot}",
                f"--lock-wait-timeout={self._settings.lock_timeout_seconds}s",
                f"--dbname={make_conninfo(dbname=name)}",
            ]
            file = f"{quote(name, safe='')}.dump.zst"
            artifact = self._store(argv, file, ArtifactKind.POSTGRES_DATABASE, name, advance)
            return artifact, Database(name=name, inventory=inventory.result(), **facts)

    def _store(
        self,
        argv: Sequence[str],
        file: str,
        kind: ArtifactKind,
        name: str,
        advance: Callable[[int], None] = lambda _passed: None,
    ) -> Artifact:
        started = time.monotonic()
        path = f"{self._service}/{file}"
        with self._server.run(argv) as command, Writer(self._partial.path(path), self._settings) as writer:
            writer.copy(command.stdout, advance)
            # A pg_dump that died ends its stream, too: only its exit code says that the data is whole.
            command.finish()
            stored = writer.finish()
        return Artifact(
            path=path,
            kind=kind,
            service=self._service,
            name=name,
            stored_bytes=stored.stored_bytes,
            raw_bytes=stored.raw_bytes,
            sha256=stored.sha256,
            seconds=round(time.monotonic() - started, 3),
        )


def _export_snapshot(connection: psycopg.Connection[Any], settings: BackupSettings) -> str:
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{settings.lock_timeout_seconds}s"])
    unhurried(connection)
    # As pg_dump does: rather an error than rows that a policy hides.
    connection.execute("SET LOCAL row_security = off")
    # One process of a live server counts beside the dump; more would be in the dump's way, and in everybody else's.
    connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    return str(_one(connection, "SELECT pg_export_snapshot()")[0])


def _database_facts(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    columns = next(_DATABASE[major] for major in sorted(_DATABASE, reverse=True) if _major(connection) >= major)
    owner, encoding, collate, ctype, provider, locale, settings = _one(
        connection, _DATABASE_FACTS.format(locale=columns)
    )
    return {
        "owner": owner,
        "encoding": encoding,
        "collate": collate,
        "ctype": ctype,
        "locale_provider": _PROVIDERS[provider],
        "locale": locale,
        "settings": tuple(settings),
    }


def _databases(connection: psycopg.Connection[Any], service: Service) -> list[tuple[str, int]]:
    return connection.execute(_DATABASES, [list(_excluded(service))]).fetchall()


def _excluded(service: Service) -> tuple[str, ...]:
    return service.backup.exclude_databases if service.backup else ()


def _major(connection: psycopg.Connection[Any]) -> int:
    return connection.info.server_version // 10000


def _version(connection: psycopg.Connection[Any]) -> str:
    return (connection.info.parameter_status("server_version") or "unknown").split()[0]


def _names(connection: psycopg.Connection[Any], question: str) -> tuple[str, ...]:
    return tuple(name for (name,) in connection.execute(question.encode()))


def _one(connection: psycopg.Connection[Any], question: str) -> tuple[Any, ...]:
    row = connection.execute(question.encode()).fetchone()
    if row is None:
        raise Unreachable("the server answered a question about itself with nothing")
    return tuple(row)


def _client_version(server: Server) -> str:
    with server.run(["pg_dump", "--version"]) as command:
        words = command.stdout.read().decode().split()
        command.finish()
    return words[2]
