"""What a PostgreSQL database holds, asked in a way that a restore can be held against.

All questions read plain catalog tables inside the caller's transaction, so in an exported snapshot they describe that
very snapshot. Left out is what a dump leaves out or makes anew: members of extensions (dumped as `CREATE EXTENSION`),
temporary and foreign tables, materialized views' rows (a restore refreshes them), and constraints and indexes that
PostgreSQL derives for a partition from its parent (it may name those differently).
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from sutazai_ops.backups.manifest import Inventory
from sutazai_ops.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

_TABLES = """
    SELECT n.nspname, c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1, 2
"""


class Table(NamedTuple):
    """A table of the user's own."""

    schema: str
    name: str
    quoted: str
    """`schema.table` as SQL would write it; the key in a manifest."""


def list_tables(connection: psycopg.Connection[Any]) -> list[Table]:
    """The tables whose rows a dump holds."""
    return [Table(*row) for row in connection.execute(_TABLES).fetchall()]


def hold_tables(connection: psycopg.Connection[Any], tables: Sequence[Table]) -> None:
    """Keep every table from being altered, truncated or dropped until the connection's transaction ends.

    Raises:
        Unreachable: when somebody holds a table for longer than the session's `lock_timeout`; names the table. Trying
            again may help.
    """
    from psycopg import sql
    from psycopg.errors import LockNotAvailable

    for table in tables:
        identifier = sql.Identifier(table.schema, table.name)
        try:
            connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS SHARE MODE").format(identifier))
        except LockNotAvailable:
            raise Unreachable(
                f"table {table.quoted} of database {connection.info.dbname} stayed locked by another session for"
                " longer than backup.lock_timeout_seconds",
                remedy="look for an open transaction in pg_stat_activity, or run the backup at another hour",
            ) from None


def read_inventory(connection: psycopg.Connection[Any], tables: Sequence[Table]) -> Inventory:
    """Everything that `Inventory` names, in the connection's snapshot; rows are counted one by one."""
    facts: dict[str, dict[str, str]] = {"constraints": {}, "indexes": {}, "extensions": {}, "objects": {}}
    question = files(__package__).joinpath("inventory.sql").read_bytes()
    for section, name, value in connection.execute(question).fetchall():
        facts[section][name] = value
    rows = {table.quoted: _count(connection, table) for table in tables}
    return Inventory.model_validate({**facts, "rows": rows})


def _count(connection: psycopg.Connection[Any], table: Table) -> int:
    from psycopg import sql

    counted = sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(table.schema, table.name))
    row = connection.execute(counted).fetchone()
    return int(row[0]) if row else 0


def differences(wanted: Inventory, found: Inventory) -> list[str]:
    """What `found` lacks, has too much of, or has differently, as sentences; empty when both hold the same."""
    return [
        *_differences("table", wanted.rows, found.rows, "rows"),
        *_differences("constraint", wanted.constraints, found.constraints, "validated"),
        *_differences("index", wanted.indexes, found.indexes, "valid"),
        *_differences("extension", wanted.extensions, found.extensions, "version"),
        *_differences("number of", wanted.objects, found.objects, "objects"),
    ]


def _differences(what: str, wanted: dict[str, Any], found: dict[str, Any], unit: str) -> list[str]:
    missing = [f"{what} {name} is missing" for name in wanted.keys() - found.keys()]
    added = [f"{what} {name} was not in the snapshot" for name in found.keys() - wanted.keys()]
    changed = [
        f"{what} {name}: {unit} {found[name]} instead of {wanted[name]}"
        for name in wanted.keys() & found.keys()
        if wanted[name] != found[name]
    ]
    return sorted(missing) + sorted(added) + sorted(changed)
