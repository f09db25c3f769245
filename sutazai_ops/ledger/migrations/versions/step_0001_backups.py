"""Backup sets, their verifications, restores and prunes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# A step spells its columns out and does not import tables.py, which moves on while a step must stay what it was.
_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the four tables."""
    op.create_table(
        "backup_sets",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("store", sa.String, nullable=False),
        sa.Column("environment", sa.String, nullable=False),
        sa.Column("started_at", _moment, nullable=False),
        sa.Column("taken_at", _moment, nullable=False, index=True),
        sa.Column("finished_at", _moment, nullable=False),
        sa.Column("services", sa.JSON, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("raw_bytes", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("keys", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("deleted_at", _moment),
    )
    op.create_table(
        "verifications",
        sa.Column("set", sa.String, primary_key=True),
        sa.Column("finished_at", _moment, primary_key=True),
        sa.Column("started_at", _moment, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("recovery_seconds", sa.Float),
        sa.Column("restored_bytes", sa.BigInteger, nullable=False),
        sa.Column("rungs", sa.JSON, nullable=False),
    )
    op.create_table(
        "restores",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("set", sa.String, nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("into", sa.String, nullable=False),
        sa.Column("swapped", sa.Boolean, nullable=False),
        sa.Column("started_at", _moment, nullable=False, index=True),
        sa.Column("finished_at", _moment, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "prunes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", _moment, nullable=False, index=True),
        sa.Column("kept", sa.Integer, nullable=False),
        sa.Column("deleted", sa.JSON, nullable=False),
        sa.Column("refused", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them. What they hold of backups can be made again from the manifests."""
    for table in ("prunes", "restores", "verifications", "backup_sets"):
        op.drop_table(table)
