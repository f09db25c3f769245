"""The ledger's tables, as SQLAlchemy Core sees them. `migrations/` makes them; a test holds the two against each other.

There are no foreign keys between them: the ledger is an index that may begin late or have been lost, and what happened
to a set that it has never heard of is worth a row all the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


class UtcTime(TypeDecorator[datetime]):
    """A moment: refused without a time zone, stored as UTC, read back aware. SQLite itself knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn it into UTC."""
        if value is not None and value.tzinfo is None:
            msg = f"the ledger takes no time without a time zone: {value}"
            raise ValueError(msg)
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give it its time zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

backup_sets = Table(
    "backup_sets",
    metadata,
    Column("id", String, primary_key=True),
    Column("store", String, nullable=False),
    Column("environment", String, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("taken_at", UtcTime, nullable=False, index=True),
    Column("finished_at", UtcTime, nullable=False),
    Column("services", JSON, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("keys", BigInteger, nullable=False),
    Column("outcome", String, nullable=False),
    Column("deleted_at", UtcTime),
)

verifications = Table(
    "verifications",
    metadata,
    Column("set", String, primary_key=True),
    Column("finished_at", UtcTime, primary_key=True),
    Column("started_at", UtcTime, nullable=False),
    Column("outcome", String, nullable=False),
    Column("recovery_seconds", Float),
    Column("restored_bytes", BigInteger, nullable=False),
    Column("rungs", JSON, nullable=False),
)

restores = Table(
    "restores",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("set", String, nullable=False),
    Column("service", String, nullable=False),
    Column("name", String, nullable=False),
    Column("into", String, nullable=False),
    Column("swapped", Boolean, nullable=False),
    Column("started_at", UtcTime, nullable=False, index=True),
    Column("finished_at", UtcTime, nullable=False),
    Column("outcome", String, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)

prunes = Table(
    "prunes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("kept", Integer, nullable=False),
    Column("deleted", JSON, nullable=False),
    Column("refused", Text, nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("release", Integer, nullable=False),
    Column("phase", String, nullable=False),
    Column("finished_at", UtcTime, nullable=False, index=True),
    Column("seconds", Float, nullable=False),
    Column("outcome", String, nullable=False),
    Column("steps", JSON, nullable=False),
    Column("backup_set", String),
    Column("note", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("put_back_to", Integer),
)

drifts = Table(
    "drifts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("release", Integer, nullable=False),
    Column("drifts", JSON, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    Column("objective", String, primary_key=True),
    Column("day", Date, primary_key=True, index=True),
    Column("question", String, nullable=False),
    Column("good", Float, nullable=False),
    Column("total", Float, nullable=False),
    Column("imputed", Float, nullable=False),
    Column("probe_ok", Float, nullable=False),
    Column("probed", Float, nullable=False),
    Column("measured", Float, nullable=False),
    Column("expected", Float, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("computed_at", UtcTime, nullable=False),
)

questions = Table(
    "questions",
    metadata,
    Column("question", String, primary_key=True),
    Column("objective", String, primary_key=True),
    Column("definition", JSON, nullable=False),
    Column("asked", JSON, nullable=False),
    Column("first_asked_at", UtcTime, nullable=False),
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("closed_because", JSON, nullable=False),
    Column("release", Integer),
)

events = Table(
    "events",
    metadata,
    Column("lane", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("started_at", UtcTime, nullable=False, index=True),
    Column("ended_at", UtcTime),
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("outcome", String, nullable=False),
    Column("went_well", Boolean),
    Column("actor", String, nullable=False),
    Column("services", JSON, nullable=False),
    Column("link", Text, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("uid", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("journeys", JSON, nullable=False),
    Column("starts_at", UtcTime, nullable=False, index=True),
    Column("ends_at", UtcTime),
)

notice_updates = Table(
    "notice_updates",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("notice", Integer, nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("state", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("actor", String, nullable=False),
)
