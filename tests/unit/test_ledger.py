"""The ledger on SQLite: made and migrated on opening, written by many at once, and made again from the manifests."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from ledger_claims import FIRST, prune_entry, restore_entry, set_entry, verification_entry
from shelf import commit, set_id, verify

from sutazai_ops.backups import records
from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.backups.retention import Decision, RetentionPlan
from sutazai_ops.backups.store import Store
from sutazai_ops.errors import BadInput, Corrupt, OpsError, Refused, Unreachable
from sutazai_ops.ledger import Ledger, open_ledger
from sutazai_ops.ledger import open as opening
from sutazai_ops.settings import Settings, load


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def ledger(settings) -> Ledger:
    return open_ledger(settings)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "backups")


class TestOpening:
    def test_it_is_made_in_the_home_folder_and_found_there_again(self, settings):
        open_ledger(settings).record_set(set_entry())
        assert (settings.home / "ledger.db").exists()
        assert open_ledger(settings).recent_sets(5) == [set_entry()]

    def test_a_ledger_of_today_is_opened_without_loading_alembic(self, settings):
        open_ledger(settings)
        code = (
            "import sys; from sutazai_ops.ledger import open_ledger; from sutazai_ops.settings import Settings;"
            f"open_ledger(Settings(home={str(settings.home)!r})); sys.exit('alembic' in sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_a_migration_that_was_cut_off_leaves_nothing_and_is_done_the_next_time(self, settings, monkeypatch):
        def killed(connection, where):
            connection.exec_driver_sql("CREATE TABLE half (x INTEGER)")
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(opening, "_upgrade", killed)
            with pytest.raises(KeyboardInterrupt):
                open_ledger(settings)
        with sqlite3.connect(settings.home / "ledger.db") as file:
            assert file.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        assert open_ledger(settings).recent_sets(1) == []

    def test_several_that_open_it_first_make_it_once(self, settings):
        code = (
            "from sutazai_ops.ledger import open_ledger; from sutazai_ops.settings import Settings;"
            f"open_ledger(Settings(home={str(settings.home)!r})).recent_sets(1)"
        )
        programs = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
        assert [(program.communicate()[1], program.returncode) for program in programs] == [(b"", 0)] * 4

    def test_a_ledger_of_a_newer_version_is_refused(self, settings, ledger):
        with sqlite3.connect(settings.home / "ledger.db") as file:
            file.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(BadInput, match="written by a newer version"):
            open_ledger(settings)

    def test_a_damaged_file_loses_no_backup_and_says_so(self, settings):
        settings.home.mkdir()
        (settings.home / "ledger.db").write_bytes(b"this is no database" * 100)
        with pytest.raises(Corrupt, match="the ledger is damaged") as refusal:
            open_ledger(settings)
        assert "no backup is lost with it" in refusal.value.remedy

    def test_a_folder_that_cannot_be_made_is_one_sentence(self, settings):
        settings.home.write_text("a file")
        with pytest.raises(OpsError, match="cannot make the ledger's folder"):
            open_ledger(settings)

    def test_a_file_that_cannot_be_opened_is_one_sentence(self, settings):
        (settings.home / "ledger.db").mkdir(parents=True)
        with pytest.raises(OpsError, match="the ledger refuses: unable to open database file"):
            open_ledger(settings)

    @pytest.mark.parametrize(
        ("url", "told"),
        [("mysql://ops@db/ledger", "names mysql"), ("sqlite://", "names sqlite"), ("foo:bar", "is no database URL")],
    )
    def test_a_url_that_cannot_serve_is_refused(self, tmp_path, url, told):
        with pytest.raises(BadInput, match=told):
            open_ledger(Settings(home=tmp_path, ledger=url))

    def test_a_password_in_the_url_is_refused_and_not_repeated(self, monkeypatch):
        monkeypatch.setenv("SUTAZAI_LEDGER", "postgresql://me:hunter2@127.0.0.1/ledger")
        with pytest.raises(BadInput, match="password") as told:
            load()
        assert "hunter2" not in str(told.value)

    def test_a_server_that_is_not_there_can_be_tried_again(self, tmp_path):
        with pytest.raises(Unreachable, match="the ledger does not answer") as told:
            open_ledger(Settings(home=tmp_path, ledger="postgresql://ops@127.0.0.1:1/ledger"))
        assert "127.0.0.1:1" in told.value.where

    def test_a_password_file_that_is_not_there_is_named(self, tmp_path):
        missing = tmp_path / "missing"
        wanted = Settings(home=tmp_path, ledger="postgresql://ops@127.0.0.1:1/x", ledger_password_file=missing)
        with pytest.raises(BadInput, match="password file cannot be read") as refusal:
            open_ledger(wanted)
        assert refusal.value.where == str(missing)


class TestWriting:
    def test_what_is_held_too_long_by_another_is_one_sentence(self, settings, monkeypatch):
        open_ledger(settings)
        monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
        ledger = open_ledger(settings)
        with sqlite3.connect(settings.home / "ledger.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unreachable, match="held by another process: database is locked"):
                ledger.record_set(set_entry())
            assert ledger.recent_sets(1) == []  # reading goes on
            other.execute("ROLLBACK")
        ledger.record_set(set_entry())

    def test_many_programs_write_at_once_and_none_is_refused(self, settings):
        open_ledger(settings)
        code = (
            "import sys; from datetime import UTC, datetime; from sutazai_ops.ledger import Prune, open_ledger;"
            "from sutazai_ops.settings import Settings;"
            f"ledger = open_ledger(Settings(home={str(settings.home)!r}));"
            "[ledger.record_prune(Prune(datetime.now(UTC), number)) for number in range(50)]"
        )
        programs = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
        assert [(program.communicate()[1], program.returncode) for program in programs] == [(b"", 0)] * 3
        assert len(open_ledger(settings).recent_prunes(1000)) == 150

    def test_times_come_back_in_utc_whatever_zone_they_were_given_in(self, ledger):
        local = FIRST.astimezone(timezone(timedelta(hours=5)))
        ledger.record_set(set_entry(taken_at=local))
        (one,) = ledger.recent_sets(1)
        assert one.taken_at == FIRST
        assert one.taken_at.tzinfo is UTC

    def test_a_time_without_a_zone_is_refused(self, ledger):
        with pytest.raises(Exception, match="takes no time without a time zone"):
            ledger.record_set(set_entry(taken_at=datetime(2026, 11, 1)))  # noqa: DTZ001

    def test_recording_again_replaces(self, ledger):
        ledger.record_set(set_entry())
        ledger.record_set(set_entry(rows=8))
        assert [one.rows for one in ledger.recent_sets(5)] == [8]
        ledger.record_verification(verification_entry())
        ledger.record_verification(verification_entry(outcome="read"))
        assert [one.outcome for one in ledger.recent_verifications(5)] == ["read"]

    def test_a_restore_and_a_prune_come_back_as_they_were_told(self, ledger):
        ledger.record_restore(restore_entry())
        ledger.record_prune(prune_entry())
        assert ledger.recent_restores(5) == [restore_entry()]
        assert ledger.recent_prunes(5) == [prune_entry()]

    def test_pruned_sets_are_marked_once(self, ledger):
        ledger.record_set(set_entry())
        ledger.record_prune(prune_entry(at=FIRST, deleted=["a"]))
        ledger.record_prune(prune_entry(at=FIRST + timedelta(days=1), deleted=["a"]))
        assert ledger.recent_sets(1)[0].deleted_at == FIRST

    @pytest.mark.parametrize(
        ("told", "worth"),
        [
            (["verified"], "verified"),
            (["verified", "could not check"], "verified"),
            (["verified", "read"], "verified"),
            (["verified", "corrupt"], "corrupt"),
            (["corrupt", "read"], "read"),
            (["could not check"], "could not check"),
        ],
    )
    def test_a_set_is_worth_what_the_store_says_of_the_same_verifications(self, ledger, store, told, worth):
        one = commit(store)
        ledger.record_set(records.of_manifest(one.manifest()))
        for day, outcome in enumerate(told):
            verify(store, one, Outcome(outcome), after_days=day)
            ledger.record_verification(records.of_verification(store.verifications(one)[0]))
        assert ledger.recent_sets(1)[0].outcome == worth == store.find(one.id).outcome.value


class TestRebuilding:
    NOW = FIRST + timedelta(days=100)

    def test_a_lost_ledger_is_made_again_from_the_manifests(self, settings, ledger, store):
        for number in range(3):
            one = verify(store, commit(store, number, ("postgres", "redis")))
            ledger.record_set(records.of_manifest(one.manifest()))
            ledger.record_verification(records.of_verification(one.verification))
        before = ledger.recent_sets(9), ledger.recent_verifications(9)
        for file in settings.home.glob("ledger.db*"):
            file.unlink()
        renewed = open_ledger(settings)
        assert renewed.recent_sets(9) == []
        assert records.rebuild(renewed, store, self.NOW) == 3
        assert (renewed.recent_sets(9), renewed.recent_verifications(9)) == before
        assert (before[0][0].rows, before[0][0].keys) == (7, 7)

    def test_doing_it_again_changes_nothing(self, ledger, store):
        verify(store, commit(store))
        records.rebuild(ledger, store, self.NOW)
        before = ledger.recent_sets(9), ledger.recent_verifications(9)
        records.rebuild(ledger, store, self.NOW + timedelta(days=1))
        assert (ledger.recent_sets(9), ledger.recent_verifications(9)) == before

    def test_a_set_that_is_missing_stays_known_and_marked_and_comes_back_if_it_does(self, ledger, store, tmp_path):
        one = commit(store)
        records.rebuild(ledger, store, self.NOW)
        shutil.move(one.folder, tmp_path / one.id)
        records.rebuild(ledger, store, self.NOW)
        records.rebuild(ledger, store, self.NOW + timedelta(days=1))
        assert ledger.recent_sets(1)[0].deleted_at == self.NOW
        shutil.move(tmp_path / one.id, one.folder)
        records.rebuild(ledger, store, self.NOW)
        assert ledger.recent_sets(1)[0].deleted_at is None

    def test_other_stores_and_copied_sets_and_sets_with_a_problem_are_left_as_they_are(self, ledger, store, tmp_path):
        elsewhere = set_entry(id="elsewhere", store="another")
        ledger.record_set(elsewhere)
        broken = commit(store, 0)
        records.rebuild(ledger, store, self.NOW)
        (broken.folder / "SHA256SUMS").write_text("")
        copied = commit(Store(tmp_path / "other"), 1)
        shutil.copytree(copied.folder, store.folder / copied.id)
        assert records.rebuild(ledger, store, self.NOW) == 0
        known = {one.id: one.deleted_at for one in ledger.recent_sets(9)}
        assert known == {"elsewhere": None, set_id(0): None}

    def test_what_is_not_seen_is_not_taken_for_gone(self, ledger, store):
        with pytest.raises(Refused, match="part of the store could not be looked into"):
            records.rebuild(ledger, store, self.NOW)


def test_a_prune_is_recorded_with_what_really_went():
    plan = RetentionPlan((Decision("a", keep=True, because=""), Decision("b", keep=False, because="old")))
    told = records.of_prune(plan, ["b"])
    assert replace(told, at=FIRST) == prune_entry(at=FIRST, kept=1, deleted=["b"])
