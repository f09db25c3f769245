"""Runs the steps on the connection that `open_ledger` has opened, inside its transaction."""

from alembic import context

from sutazai_ops.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
