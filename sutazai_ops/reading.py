"""Reading a database that others write: SQLite's file or a PostgreSQL server, with the drivers alone.

For a process that lives long and has to stay small: SQLAlchemy takes 19 MB. Nothing is ever written. A file in a folder
that is mounted read-only can be read, too.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sutazai_ops.errors import OpsError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pydantic import SecretStr

    Ask = Callable[[str], Sequence[Sequence[Any]]]
    """Puts one question and gives back all rows."""

SECONDS = 5
"""How long connecting and one answer may take."""


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A database of a PostgreSQL server."""

    url: str
    """As libpq reads it (PostgreSQL manual, 34.1.1.2); without a password where that stands elsewhere."""
    where: str
    """The same for people."""
    password: SecretStr | None = None


@contextmanager
def reading(place: Path | PostgresPlace) -> Iterator[Ask]:
    """Open the database for questions that only read.

    Raises:
        Unreachable: when the server does not answer.
        OpsError: when the file or the server cannot be read, or has not what is asked for.
    """
    if isinstance(place, PostgresPlace):
        with _reading_postgres(place) as ask:
            yield ask
    else:
        with _reading_sqlite(place) as ask:
            yield ask


@contextmanager
def _reading_sqlite(file: Path) -> Iterator[Ask]:
    try:
        with closing(_open(file)) as connection:
            yield lambda question: connection.execute(question).fetchall()
    except sqlite3.Error as error:
        raise OpsError(f"{file.name} cannot be read: {error}", where=str(file)) from None


def _open(file: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(file))}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=SECONDS)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    except sqlite3.OperationalError:
        connection.close()
        # With a write-ahead log SQLite wants to make files beside it, which a read-only mount forbids. Where there is
        # no such log nobody writes now (https://www.sqlite.org/wal.html#read_only_databases).
        if file.with_name(f"{file.name}-wal").exists() or not file.exists():
            raise
        connection = sqlite3.connect(f"{address}&immutable=1", uri=True, timeout=SECONDS)
    return connection


@contextmanager
def _reading_postgres(place: PostgresPlace) -> Iterator[Ask]:
    import psycopg

    secret = place.password.get_secret_value() if place.password else None
    options = f"-c statement_timeout={SECONDS}s -c default_transaction_read_only=on"
    try:
        with psycopg.connect(
            place.url, connect_timeout=SECONDS, options=options, autocommit=True, password=secret
        ) as connection:
            yield lambda question: connection.execute(question).fetchall()
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()
        raise Unreachable(f"the database does not answer: {said[0] if said else ''}", where=place.where) from None
    except psycopg.Error as error:
        raise OpsError(f"the database refuses: {str(error).strip().splitlines()[0]}", where=place.where) from None


def moment(value: datetime | str) -> datetime:
    """A moment as either database gives it back: SQLite's is a text; both are UTC where they name no time zone.

    >>> moment("2026-11-26 00:09:00")
    datetime.datetime(2026, 11, 26, 0, 9, tzinfo=datetime.timezone.utc)
    """
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def content(value: Any) -> Any:  # noqa: ANN401
    """What stands in a column of JSON, which SQLite gives back as text."""
    return json.loads(value) if isinstance(value, str | bytes) else value
