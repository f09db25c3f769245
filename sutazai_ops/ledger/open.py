"""Opens the ledger, wherever it is kept, with its tables in their newest form.

SQLite in the home folder by default; PostgreSQL by a URL, which never holds the password (settings.py sees to that).
SQLite is used so that Dagster and a terminal can write at once: a write-ahead log, writers that queue for half a
minute, and transactions that say at their beginning that they will write.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.ledger.errors import speaking
from sutazai_ops.ledger.ledger import Ledger
from sutazai_ops.ledger.migrations import HEAD
from sutazai_ops.ledger_glance import FILE

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

    from sutazai_ops.settings import Settings

BUSY_SECONDS = 30
"""How long a writer waits for another; a night's writes take milliseconds."""

_ADVISORY_LOCK = 0x5374_7A69
"""Any number, as long as it stays the same: of two programs that migrate one PostgreSQL ledger, the second waits."""


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger, and make or migrate it where needed.

    Raises:
        BadInput: for a URL that is none or names another kind of database, for a password file that cannot be read, and
            for a ledger that a newer version of this program wrote.
        Unreachable: when its server does not answer, or another process holds it for longer than half a minute.
        Corrupt: when a SQLite file is damaged.
        OpsError: when it cannot be written.
    """
    url = _url(settings)
    where = url.render_as_string(hide_password=True)
    engine = create_engine(url, poolclass=NullPool, connect_args=_connect_args(url, settings))
    with speaking(where):
        if url.get_backend_name() == "sqlite":
            _prepare_sqlite(engine, url)
        _migrate(engine, where)
    return Ledger(engine, where)


def _url(settings: Settings) -> URL:
    if settings.ledger is None:
        return make_url(f"sqlite:///{settings.home / FILE}")
    try:
        url = make_url(settings.ledger)
    except ArgumentError:
        raise _bad_url("is no database URL") from None
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return url
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
        case other:
            raise _bad_url(f"names {other}, which the ledger cannot be kept in")


def _bad_url(what: str) -> BadInput:
    return BadInput(
        f"the setting `ledger` {what}", remedy="write postgresql://USER@HOST:PORT/DATABASE or sqlite:///FILE"
    )


def _connect_args(url: URL, settings: Settings) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": BUSY_SECONDS}
    if settings.ledger_password_file is None:
        return {"connect_timeout": BUSY_SECONDS}
    try:
        password = settings.ledger_password_file.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the ledger's password file cannot be read: {getattr(error, 'strerror', 'it is no text')}",
            where=str(settings.ledger_password_file),
            remedy="correct `ledger_password_file`",
        ) from None
    return {"connect_timeout": BUSY_SECONDS, "password": password}


def _prepare_sqlite(engine: Engine, url: URL) -> None:
    file = Path(str(url.database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OpsError(f"cannot make the ledger's folder: {error.strerror}", where=str(file.parent)) from None
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin)


def _leave_transactions_to_us(connection: Any, _record: object) -> None:  # noqa: ANN401  (sqlite3 through SQLAlchemy)
    # Python's sqlite3 begins transactions late, and not for DDL: SQLAlchemy's manual, "SQLite: transactions".
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later is refused at once when another wrote in between, whatever the
    # timeout (sqlite.org/isolation.html), so what may write says so at its beginning and waits its turn.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(engine: Engine, where: str) -> None:
    with engine.connect().execution_options(writes=False) as connection:
        if _version(connection) == HEAD:
            return
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            # Stays in the file. Outside of a transaction, where alone it can be set.
            connection.connection.cursor().execute("PRAGMA journal_mode=WAL")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        if _version(connection) != HEAD:  # another may have done it while we waited
            _upgrade(connection, where)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, where: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise BadInput(
            "the ledger was written by a newer version of this program",
            where=where,
            remedy="update this program, or name another ledger in the setting `ledger`",
        ) from error
