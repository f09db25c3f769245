"""A look into the ledger's file without SQLAlchemy, whose loading is a third of what a short command takes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sutazai_ops.settings import Settings

FILE = "ledger.db"
"""In the home folder, where no setting says otherwise."""


def is_empty(settings: Settings, table: str) -> bool:
    """Whether a table certainly holds nothing, so that the ledger need not be opened for it.

    Args:
        settings: say where the ledger is.
        table: its name, one of `tables.py`.

    Returns:
        False as well where only the ledger itself can tell: one on a server, of another version, or damaged.
    """
    if settings.ledger is not None:
        return False
    file = (settings.home / FILE).absolute()
    if not file.exists():
        return True
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is None  # noqa: S608  (our own name)
    except sqlite3.Error:
        return False
