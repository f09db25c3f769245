"""The ledger's migrations, held against its tables."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from sutazai_ops.ledger import migrations, open_ledger
from sutazai_ops.ledger.tables import metadata
from sutazai_ops.settings import Settings


def test_the_steps_make_the_tables_that_the_program_uses(tmp_path):
    ledger = open_ledger(Settings(home=tmp_path))
    with ledger._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_head_is_the_last_step():
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]
