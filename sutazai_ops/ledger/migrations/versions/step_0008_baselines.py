"""Baselines: how the platform answered a known load."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "baselines",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("environment", sa.String, nullable=False),
        sa.Column("script", sa.String, nullable=False),
        sa.Column("rate", sa.Float, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("release", sa.Integer),
        sa.Column("detail", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Drop it. A load that was put on an earlier release cannot be put on it again."""
    op.drop_table("baselines")
