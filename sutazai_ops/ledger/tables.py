"""The ledger's tables, as SQLAlchemy Core sees them. `migrations/` makes them; a test holds the two against each other.

There are no foreign keys between them: the ledger is an index that may begin late or have been lost, and what happened
to a set that it has never heard of is worth a row all the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class UtcTimes(TypeDecorator["list[datetime]"]):
    """Several moments in one column, as ISO 8601 in UTC."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Sequence[datetime] | None, dialect: Dialect) -> list[str]:  # noqa: ARG002
        """Turn them into text."""
        return [one.astimezone(UTC).isoformat() for one in value or ()]

    def process_result_value(self, value: Any | None, dialect: Dialect) -> list[datetime]:  # noqa: ANN401, ARG002
        """Turn them back."""
        return [datetime.fromisoformat(one) for one in value or ()]


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

incidents = Table(
    "incidents",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("target", String, nullable=False),
    Column("symptom", String, nullable=False),
    Column("playbook", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("summary", Text, nullable=False),
    Column("alerts", JSON, nullable=False),
    Column("opened_at", UtcTime, nullable=False, index=True),
    Column("broken_since", UtcTime),
    Column("whole_since", UtcTime),
    Column("changes", UtcTimes, nullable=False),
    Column("escalated_at", UtcTime),
    Column("acknowledged_at", UtcTime),
    Column("acknowledged_by", String, nullable=False),
    Column("closed_at", UtcTime, index=True),
    Column("outcome", String, nullable=False),
)
# Of one target and symptom one incident lasts at a time, however many programs look.
Index(
    "one_open_incident",
    incidents.c.target,
    incidents.c.symptom,
    unique=True,
    sqlite_where=incidents.c.closed_at.is_(None),
    postgresql_where=incidents.c.closed_at.is_(None),
)

incident_events = Table(
    "incident_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident", Integer, nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("actor", String, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident", Integer, nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("mode", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("rung", String, nullable=False),
    Column("until", UtcTime),
    Column("facts", JSON, nullable=False),
)

repairs = Table(
    "repairs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident", Integer, nullable=False, index=True),
    Column("target", String, nullable=False),
    Column("playbook", String, nullable=False),
    Column("rung", String, nullable=False),
    Column("action", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("holds_state", Boolean, nullable=False),
    Column("disrupts", Boolean, nullable=False),
    Column("actor", String, nullable=False),
    Column("started_at", UtcTime, nullable=False, index=True),
    Column("ended_at", UtcTime),
    Column("outcome", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("run", String, nullable=False),
    Column("slot", Integer, nullable=False),
)
# One repair at a time on the whole platform: the same slot cannot be taken twice while it is.
Index(
    "one_repair_under_way",
    repairs.c.slot,
    unique=True,
    sqlite_where=repairs.c.ended_at.is_(None),
    postgresql_where=repairs.c.ended_at.is_(None),
)

remediation_modes = Table(
    "remediation_modes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("mode", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("reason", Text, nullable=False),
)

windows = Table(
    "windows",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("services", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False, index=True),
    Column("actor", String, nullable=False),
)

service_days = Table(
    "service_days",
    metadata,
    Column("service", String, primary_key=True),
    Column("day", Date, primary_key=True, index=True),
    Column("memory_peak", Float),
    Column("memory_p95", Float),
    Column("memory_limit", Float),
    Column("cpu_peak", Float),
    Column("cpu_p95", Float),
    Column("cpu_limit", Float),
    Column("oom_kills", Integer, nullable=False),
    Column("coverage", Float, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("computed_at", UtcTime, nullable=False),
)

day_values = Table(
    "day_values",
    metadata,
    Column("measure", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("day", Date, primary_key=True, index=True),
    Column("kind", String, nullable=False),
    Column("question", String, nullable=False),
    Column("value", Float),
    Column("final", Boolean, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("computed_at", UtcTime, nullable=False),
)

scalings = Table(
    "scalings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("service", String, nullable=False, index=True),
    Column("rule", String, nullable=False),
    Column("move", String, nullable=False),
    Column("released", Integer, nullable=False),
    Column("before", Integer, nullable=False),
    Column("after", Integer, nullable=False),
    Column("because", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("actor", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("note", Text, nullable=False),
)

baselines = Table(
    "baselines",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("environment", String, nullable=False),
    Column("script", String, nullable=False),
    Column("rate", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("release", Integer),
    Column("detail", JSON, nullable=False),
)
