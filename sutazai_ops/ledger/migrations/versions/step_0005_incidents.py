"""Incidents, what was decided about them, and what was done."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the five tables."""
    op.create_table(
        "incidents",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("symptom", sa.String, nullable=False),
        sa.Column("playbook", sa.String, nullable=False),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("alerts", sa.JSON, nullable=False),
        sa.Column("opened_at", _moment, nullable=False, index=True),
        sa.Column("broken_since", _moment),
        sa.Column("whole_since", _moment),
        sa.Column("changes", sa.JSON, nullable=False),
        sa.Column("escalated_at", _moment),
        sa.Column("acknowledged_at", _moment),
        sa.Column("acknowledged_by", sa.String, nullable=False),
        sa.Column("closed_at", _moment, index=True),
        sa.Column("outcome", sa.String, nullable=False),
    )
    op.create_index(
        "one_open_incident",
        "incidents",
        ["target", "symptom"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "incident_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("incident", sa.Integer, nullable=False, index=True),
        sa.Column("at", _moment, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("incident", sa.Integer, nullable=False, index=True),
        sa.Column("at", _moment, nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("rung", sa.String, nullable=False),
        sa.Column("until", _moment),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_table(
        "repairs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("incident", sa.Integer, nullable=False, index=True),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("playbook", sa.String, nullable=False),
        sa.Column("rung", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("holds_state", sa.Boolean, nullable=False),
        sa.Column("disrupts", sa.Boolean, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("started_at", _moment, nullable=False, index=True),
        sa.Column("ended_at", _moment),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
    )
    op.create_index(
        "one_repair_under_way",
        "repairs",
        ["slot"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "remediation_modes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", _moment, nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them; what happened stands nowhere else."""
    for table in ("remediation_modes", "repairs", "verdicts", "incident_events", "incidents"):
        op.drop_table(table)
