"""How the ledger's tables came to be what they are, step by step, for Alembic."""

HEAD = "0009"
"""The newest step. A ledger that stands there is opened without importing Alembic, which takes longer than that."""
