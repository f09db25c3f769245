"""Deployments, and what looks for drift have found."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "deployments",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("release", sa.Integer, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("finished_at", _moment, nullable=False, index=True),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("steps", sa.JSON, nullable=False),
        sa.Column("backup_set", sa.String),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "drifts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", _moment, nullable=False, index=True),
        sa.Column("release", sa.Integer, nullable=False),
        sa.Column("drifts", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("drifts", "deployments"):
        op.drop_table(table)
