"""Daily facts of objectives and all that a report tells beside them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the four tables, and add two columns to deployments."""
    op.create_table(
        "facts",
        sa.Column("objective", sa.String, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True, index=True),
        sa.Column("question", sa.String, nullable=False),
        sa.Column("good", sa.Float, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.Column("imputed", sa.Float, nullable=False),
        sa.Column("probe_ok", sa.Float, nullable=False),
        sa.Column("probed", sa.Float, nullable=False),
        sa.Column("measured", sa.Float, nullable=False),
        sa.Column("expected", sa.Float, nullable=False),
        sa.Column("final", sa.Boolean, nullable=False),
        sa.Column("warnings", sa.JSON, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("computed_at", _moment, nullable=False),
    )
    op.create_table(
        "questions",
        sa.Column("question", sa.String, primary_key=True),
        sa.Column("objective", sa.String, primary_key=True),
        sa.Column("definition", sa.JSON, nullable=False),
        sa.Column("asked", sa.JSON, nullable=False),
        sa.Column("first_asked_at", _moment, nullable=False),
    )
    op.create_table(
        "overrides",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", _moment, nullable=False, index=True),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("closed_because", sa.JSON, nullable=False),
        sa.Column("release", sa.Integer),
    )
    op.create_table(
        "events",
        sa.Column("lane", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("started_at", _moment, nullable=False, index=True),
        sa.Column("ended_at", _moment),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("went_well", sa.Boolean),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("services", sa.JSON, nullable=False),
        sa.Column("link", sa.Text, nullable=False),
    )
    op.add_column("deployments", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column("deployments", sa.Column("put_back_to", sa.Integer))


def downgrade() -> None:
    """Drop them. Facts whose samples are gone cannot be made again."""
    with op.batch_alter_table("deployments") as deployments:
        deployments.drop_column("put_back_to")
        deployments.drop_column("reason")
    for table in ("events", "overrides", "questions", "facts"):
        op.drop_table(table)
