"""How every part of the ledger reads and writes its database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sutazai_ops.ledger.errors import speaking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine, Select


class Access:
    """A part of the ledger. Every method raises `OpsError` in one sentence where its database cannot."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self.where = where
        """Its URL without a password, for messages."""

    def _rows(self, query: Select[Any]) -> Iterator[dict[str, Any]]:
        try:
            with speaking(self.where), self._engine.connect().execution_options(writes=False) as connection:
                rows = connection.execute(query).mappings().all()
        except OverflowError:
            # SQLite's driver, of a number that no row can have.
            return iter(())
        return (dict(row) for row in rows)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with speaking(self.where), self._engine.begin() as connection:
            yield connection


def without(row: dict[str, Any], column: str = "id") -> dict[str, Any]:
    """A row but for one column, which its entry has not."""
    return {name: value for name, value in row.items() if name != column}
