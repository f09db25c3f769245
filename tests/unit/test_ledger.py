"""The ledger: an index of what was done, which can be lost without losing a backup."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Thread

import pytest
from shelf import commit, verify

from sutazai_ops.backups import records
from sutazai_ops.backups.store import Store
from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.ledger import Prune, Restore, open_ledger
from sutazai_ops.settings import Settings, load

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "backups")


def a_restore(number: int = 0) -> Restore:
    return Restore("a set", "postgres", "sutazai", f"new_{number}", swapped=False, started_at=NOW, finished_at=NOW,
                   outcome="verified", seconds=1.5, amount=number)  # fmt: skip


def test_what_is_written_comes_back_with_times_in_utc(settings):
    open_ledger(settings).record_restore(a_restore())
    assert open_ledger(settings).recent_restores(5) == [a_restore()]


def test_a_prune_marks_the_sets_that_went(settings, store):
    ledger = open_ledger(settings)
    one, two = commit(store, 0), commit(store, 1)
    for backup_set in (one, two):
        ledger.record_set(records.of_manifest(backup_set.manifest()))
    ledger.record_prune(Prune(at=NOW, kept=1, deleted=[one.id]))
    assert {entry.id: entry.deleted_at for entry in ledger.recent_sets(5)} == {one.id: NOW, two.id: None}


def test_a_lost_ledger_is_made_anew_from_the_manifests(settings, store, tmp_path):
    ledger = open_ledger(settings)
    for night in range(3):
        backup_set = commit(store, night)
        ledger.record_set(records.of_manifest(backup_set.manifest()))
        verify(store, backup_set)
        for verification in store.verifications(backup_set):
            ledger.record_verification(records.of_verification(verification))
    before = ledger.recent_sets(9), ledger.recent_verifications(9)
    assert len(before[0]) == len(before[1]) == 3
    lost = open_ledger(Settings(home=tmp_path / "elsewhere"))
    assert lost.recent_sets(9) == []
    assert records.rebuild(lost, store, NOW) == 3
    assert (lost.recent_sets(9), lost.recent_verifications(9)) == before
    assert records.rebuild(lost, store, NOW) == 3
    assert (lost.recent_sets(9), lost.recent_verifications(9)) == before


def test_a_set_that_has_gone_stays_known_as_deleted(settings, store):
    ledger = open_ledger(settings)
    backup_set = commit(store)
    records.rebuild(ledger, store, NOW)
    with store.lock("test"):
        store.delete(backup_set)
    records.rebuild(ledger, store, NOW)
    (entry,) = ledger.recent_sets(5)
    assert (entry.id, entry.deleted_at) == (backup_set.id, NOW)


def test_nothing_is_rebuilt_from_a_store_that_is_not_there(settings, store):
    with pytest.raises(Refused, match="could not be looked into"):
        records.rebuild(open_ledger(settings), store, NOW)


def test_two_programs_write_at_once(settings):
    def write() -> None:
        ledger = open_ledger(settings)
        for number in range(20):
            ledger.record_restore(a_restore(number))

    open_ledger(settings)
    writers = [Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(open_ledger(settings).recent_restores(1000)) == 80


def test_a_password_in_the_url_is_refused_and_not_repeated(monkeypatch):
    monkeypatch.setenv("SUTAZAI_LEDGER", "postgresql://me:hunter2@127.0.0.1/ledger")
    with pytest.raises(BadInput, match="password") as told:
        load()
    assert "hunter2" not in str(told.value)


def test_a_file_that_is_no_ledger_is_one_sentence(settings, tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(OpsError) as told:
        open_ledger(settings).recent_sets(1)
    assert "ledger.db" in str(told.value)


def test_a_postgresql_that_does_not_answer_is_one_sentence(tmp_path):
    with pytest.raises(OpsError) as told:
        open_ledger(Settings(home=tmp_path, ledger="postgresql://me@127.0.0.1:9/ledger")).recent_sets(1)
    assert "127.0.0.1:9" in str(told.value)
