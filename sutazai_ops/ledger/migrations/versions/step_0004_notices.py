"""What the platform's users are told of incidents and maintenance."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "notices",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("uid", sa.String, nullable=False, unique=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("journeys", sa.JSON, nullable=False),
        sa.Column("starts_at", _moment, nullable=False, index=True),
        sa.Column("ends_at", _moment),
    )
    op.create_table(
        "notice_updates",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("notice", sa.Integer, nullable=False, index=True),
        sa.Column("at", _moment, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
    )


def downgrade() -> None:
    """Drop them; what was told stands nowhere else."""
    for table in ("notice_updates", "notices"):
        op.drop_table(table)
