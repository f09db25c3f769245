"""What services, the host and its work came to day by day, for right-sizing, forecasts and cost."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "service_days",
        sa.Column("service", sa.String, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True, index=True),
        sa.Column("memory_peak", sa.Float),
        sa.Column("memory_p95", sa.Float),
        sa.Column("memory_limit", sa.Float),
        sa.Column("cpu_peak", sa.Float),
        sa.Column("cpu_p95", sa.Float),
        sa.Column("cpu_limit", sa.Float),
        sa.Column("oom_kills", sa.Integer, nullable=False),
        sa.Column("coverage", sa.Float, nullable=False),
        sa.Column("final", sa.Boolean, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("computed_at", _moment, nullable=False),
    )
    op.create_table(
        "day_values",
        sa.Column("measure", sa.String, primary_key=True),
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True, index=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("question", sa.String, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("final", sa.Boolean, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("computed_at", _moment, nullable=False),
    )


def downgrade() -> None:
    """Drop them. Facts whose samples are gone cannot be made again."""
    op.drop_table("day_values")
    op.drop_table("service_days")
