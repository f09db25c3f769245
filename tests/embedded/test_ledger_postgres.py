"""The ledger in a real PostgreSQL, as production has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sutazai_ops.errors import BadInput
from sutazai_ops.installation import Installation
from sutazai_ops.ledger import Prune, Restore, SetEntry, VerificationEntry, open_ledger
from sutazai_ops.ledger.tables import metadata
from sutazai_ops.settings import Loaded, Settings

pytestmark = pytest.mark.servers

NOW = datetime(2026, 11, 23, 3, 4, 5, 123456, tzinfo=UTC)
SET = SetEntry(
    "a", "here", "production", NOW, NOW, NOW, ["postgres"], 5_000_000_000, 30_000_000_000, 7, 3, "unverified"
)
PROOF = VerificationEntry("a", NOW, NOW, "verified", 46.5, 30_000_000_000, [{"rung": "hashes", "outcome": "passed"}])
RESTORE = Restore("a", "postgres", "sutazai", "new", swapped=True, started_at=NOW, finished_at=NOW, outcome="verified",
                  seconds=1.5, amount=5_000_000_000)  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    engine = Installation(Loaded(settings=Settings(home=home, engine="embedded"), origins={})).engine
    with engine.scratch("postgres", 18) as server:
        password = home / "password"
        password.touch(mode=0o600)
        password.write_text(server.account.password.get_secret_value())
        url = f"postgresql://{server.account.user}@{server.endpoint}/postgres"
        yield Settings(home=home, engine="embedded", ledger=url, ledger_password_file=password)


def test_it_is_made_written_and_read_like_the_file(settings):
    ledger = open_ledger(settings)
    ledger.record_set(SET)
    ledger.record_set(SET)
    ledger.record_verification(PROOF)
    ledger.record_verification(PROOF)
    ledger.record_restore(RESTORE)
    ledger.record_prune(Prune(at=NOW, kept=3, deleted=["a"]))
    again = open_ledger(settings)
    (known,) = again.recent_sets(5)
    assert (known.outcome, known.deleted_at, known.stored_bytes) == ("verified", NOW, 5_000_000_000)
    assert again.recent_verifications(5) == [PROOF]
    assert again.recent_restores(5) == [RESTORE]
    assert again.recent_prunes(5) == [Prune(at=NOW, kept=3, deleted=["a"])]
    assert not (settings.home / "ledger.db").exists()


def test_it_is_rebuilt_like_the_file(settings):
    ledger = open_ledger(settings)
    later = NOW + timedelta(days=1)
    ledger.rebuild_backups("here", [(SET, [PROOF])], (), NOW)
    ledger.rebuild_backups("here", [], (), later)
    ledger.rebuild_backups("here", [], (), later + timedelta(days=1))
    assert [one.deleted_at for one in ledger.recent_sets(5)] == [later]


def test_the_steps_make_the_tables_that_the_program_uses(settings):
    with open_ledger(settings)._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_wrong_password_is_one_sentence_that_does_not_repeat_it(settings, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("hunter2")
    with pytest.raises(BadInput, match=r"the ledger does not let us in: .*password authentication failed") as told:
        open_ledger(settings.model_copy(update={"ledger_password_file": wrong}))
    assert "hunter2" not in str(told.value)
