"""The ledger in a real PostgreSQL, as production has it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sutazai_ops.installation import Installation
from sutazai_ops.ledger import Prune, Restore, open_ledger
from sutazai_ops.settings import Loaded, Settings

pytestmark = pytest.mark.servers


def test_a_ledger_in_postgresql_is_made_written_and_read_like_the_file(tmp_path):
    engine = Installation(Loaded(settings=Settings(home=tmp_path), origins={})).engine
    with engine.scratch("postgres", 18) as server:
        password = tmp_path / "password"
        password.touch(mode=0o600)
        password.write_text(server.account.password.get_secret_value())
        url = f"postgresql://{server.account.user}@{server.endpoint}/postgres"
        settings = Settings(home=tmp_path, ledger=url, ledger_password_file=password)
        now = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
        restore = Restore("a set", "postgres", "sutazai", "new", swapped=True, started_at=now, finished_at=now,
                          outcome="verified", seconds=1.5, amount=7)  # fmt: skip
        open_ledger(settings).record_restore(restore)
        open_ledger(settings).record_prune(Prune(at=now, kept=3, deleted=["x"]))
        again = open_ledger(settings)
        assert again.recent_restores(5) == [restore]
        assert list(again.recent_prunes(5)[0].deleted) == ["x"]
    assert not (tmp_path / "ledger.db").exists()
