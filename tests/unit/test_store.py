"""The store of backup sets: what is a set, what is listed, what is found, and what is left after a death."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess

import pytest
from shelf import CONTENT, FIRST, commit, fill, manifest, set_id, verify

from sutazai_ops import disk
from sutazai_ops.backups import latest_verified, partial
from sutazai_ops.backups.lease import lease
from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.backups.store import Store
from sutazai_ops.errors import BadInput, Corrupt, OpsError, Refused


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "backups")


def ids(store: Store) -> list[str]:
    return [one.id for one in store.listing().sets]


def check_sums(one) -> list[str]:
    command = ["sha256sum", "--check", "SHA256SUMS"]
    return subprocess.run(command, cwd=one.folder, capture_output=True, text=True, check=True).stdout.splitlines()


class TestWritingASet:
    def test_a_committed_set_is_listed_with_what_its_manifest_says(self, store):
        commit(store, services=("postgres", "redis"))
        (one,) = store.listing().sets
        assert one.id == set_id(0)
        assert one.outcome is Outcome.UNVERIFIED
        assert one.summary.services == ("postgres", "redis")
        assert (one.summary.stored_bytes, one.summary.raw_bytes) == (2 * len(CONTENT), 200)
        assert not one.foreign
        assert one.problem == ""
        assert one.manifest() == manifest(0, store.id, ("postgres", "redis"))

    def test_coreutils_find_every_file_whole(self, store):
        one = commit(store, services=("postgres", "redis"))
        assert check_sums(one) == ["postgres/sutazai.dump.zst: OK", "redis/sutazai.dump.zst: OK", "manifest.json: OK"]

    def test_coreutils_read_names_that_need_an_escape(self, store):
        made = manifest(0, store.id)
        odd = made.artifacts[0].model_copy(update={"path": "postgres/a\\b\nc.dump.zst"})
        made = made.model_copy(update={"artifacts": (odd,)})
        with store.begin(made.id) as begun:
            fill(begun, made)
            one = begun.commit(made)
        check_sums(one)

    def test_nobody_else_may_read_a_set(self, store):
        one = commit(store)
        assert one.folder.stat().st_mode & 0o077 == 0
        assert (one.folder / "manifest.json").stat().st_mode & 0o077 == 0

    def test_a_set_is_not_listed_before_its_commit(self, store):
        made = manifest(0, store.id)
        with store.begin(made.id) as begun:
            fill(begun, made)
            assert ids(store) == []
            begun.commit(made)
            assert ids(store) == [made.id]

    def test_leaving_without_commit_removes_everything(self, store):
        with store.begin(set_id(0)) as begun:
            begun.path("postgres/x.dump.zst").write_bytes(CONTENT)
        assert not begun.folder.exists()
        assert ids(store) == []

    def test_discarding_twice_does_nothing_more(self, store):
        begun = store.begin(set_id(0))
        begun.discard()
        begun.discard()
        assert not begun.folder.exists()

    @pytest.mark.parametrize("path", ["../outside", "postgres/../../outside", "/etc/outside", ""])
    def test_an_artifact_cannot_lie_outside_of_its_set(self, store, path):
        with store.begin(set_id(0)) as begun, pytest.raises(BadInput, match="no path inside a backup set"):
            begun.path(path)

    @pytest.mark.parametrize("content", [None, b"short"])
    def test_an_artifact_that_is_not_there_in_its_size_stops_the_commit(self, store, content):
        made = manifest(0, store.id)
        with store.begin(made.id) as begun:
            if content is not None:
                begun.path(made.artifacts[0].path).write_bytes(content)
            with pytest.raises(Corrupt, match="not there with the 17 bytes"):
                begun.commit(made)
        assert ids(store) == []

    def test_the_manifest_is_written_when_all_the_rest_is_on_disk_and_then_the_folder_gets_its_name(
        self, store, monkeypatch
    ):
        done = []
        really_flush, really_write = disk.flush, disk.write_through
        monkeypatch.setattr(partial, "flush", lambda path: (done.append(path.name), really_flush(path)))
        monkeypatch.setattr(partial, "write_through", lambda path, c: (done.append(path.name), really_write(path, c)))
        commit(store)
        begun = f".partial-{set_id(0)}"
        assert set(done[:3]) == {"postgres", "sutazai.dump.zst", begun}
        assert done[3:] == ["SHA256SUMS", "manifest.json", begun, "backups"]


STEPS = ("open", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir")


def ends_before_step(number, act) -> bool:
    """Run `act` in a process that is killed right before its `number`th step on the disk; False if it has fewer."""
    child = os.fork()
    if child == 0:
        left = itertools.count(number - 1, -1)

        def dies(step):
            return lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL) if next(left) == 0 else step(*a, **k)

        for name in STEPS:
            setattr(os, name, dies(getattr(os, name)))
        act()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}
    return status != 0


@pytest.mark.parametrize("deleting", [False, True], ids=["committing", "deleting"])
def test_killed_at_any_step_leaves_only_whole_sets_and_a_store_that_goes_on(tmp_path, deleting):
    for step in itertools.count(1):
        store = Store(tmp_path / str(step))
        commit(store, 0)
        doomed = commit(store, 1) if deleting else None
        killed = ends_before_step(step, lambda: store.delete(doomed) if doomed else commit(store, 1))  # noqa: B023
        for one in store.listing().sets:
            assert one.problem == ""
            check_sums(one)
        assert set_id(0) in ids(store)
        with store.lock("sweep"):
            store.sweep()
        assert sorted(path.name for path in store.folder.iterdir() if path.is_dir()) == sorted(ids(store))
        commit(store, 2)
        assert ids(store)[0] == set_id(2)
        if not killed:
            break
    assert ids(store) == [set_id(2), set_id(0)] if deleting else [set_id(2), set_id(1), set_id(0)]
    assert step > 10


class TestListing:
    def test_the_newest_comes_first(self, store):
        for night in (1, 3, 2):
            commit(store, night)
        assert ids(store) == [set_id(3), set_id(2), set_id(1)]

    def test_a_folder_without_a_manifest_is_not_listed(self, store):
        one = commit(store)
        (one.folder / "manifest.json").unlink()
        assert store.listing() == type(store.listing())((), complete=True, trouble=())

    def test_other_files_in_the_store_are_passed_over(self, store):
        commit(store)
        (store.folder / "notes.txt").write_text("mine")
        (store.folder / "lost+found").mkdir()
        assert ids(store) == [set_id(0)]

    def test_a_store_that_is_not_there_is_no_empty_one(self, store):
        listing = store.listing()
        assert not listing.complete
        assert "the first backup makes it" in listing.trouble[0]
        assert not store.folder.exists()

    def test_what_cannot_be_looked_into_is_trouble_and_hides_nothing_else(self, store, monkeypatch):
        commit(store, 0)
        commit(store, 1)
        really = os.scandir

        def scandir(path):
            if str(path).endswith(set_id(1)):
                raise PermissionError(errno.EACCES, "Permission denied")
            return really(path)

        monkeypatch.setattr(os, "scandir", scandir)
        listing = store.listing()
        assert [one.id for one in listing.sets] == [set_id(0)]
        assert not listing.complete
        assert listing.trouble == (f"cannot look into {store.folder / set_id(1)}: Permission denied",)

    def test_a_set_from_another_store_is_foreign(self, store, tmp_path):
        commit(store, 0)
        other = commit(Store(tmp_path / "other"), 1)
        shutil.copytree(other.folder, store.folder / other.id)
        assert [(one.id, one.foreign) for one in store.listing().sets] == [(set_id(1), True), (set_id(0), False)]

    def test_a_copied_store_is_at_home_in_its_sets(self, store, tmp_path):
        commit(store)
        shutil.copytree(store.folder, tmp_path / "copy")
        assert [one.foreign for one in Store(tmp_path / "copy").listing().sets] == [False]

    def test_looking_writes_nothing(self, store):
        store.folder.mkdir()
        store.listing()
        assert list(store.folder.iterdir()) == []


def edit(one, **changes):
    path = one.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def renew_sums(one):
    """What somebody does who edits a manifest and knows of SHA256SUMS."""
    (one.folder / "SHA256SUMS").unlink()
    said = subprocess.run(["sha256sum", "manifest.json"], cwd=one.folder, capture_output=True, check=True)
    (one.folder / "SHA256SUMS").write_bytes(said.stdout)


class TestProblems:
    def test_a_manifest_that_was_edited_by_hand_is_noticed(self, store):
        edit(verify(store, commit(store)), environment="production")
        (one,) = store.listing().sets
        assert one.problem == "its manifest was changed after it was written: SHA256SUMS has another hash for it"
        assert one.outcome is Outcome.CORRUPT
        with pytest.raises(Corrupt, match="was changed after it was written"):
            one.manifest()

    def test_a_verification_of_another_manifest_proves_nothing(self, store):
        one = verify(store, commit(store))
        assert one.outcome is Outcome.VERIFIED
        edit(one, environment="production")
        renew_sums(one)
        (edited,) = store.listing().sets
        assert edited.problem == ""
        assert edited.outcome is Outcome.UNVERIFIED

    def test_a_manifest_of_a_newer_version_is_refused_by_its_number(self, store):
        one = commit(store)
        edit(one, format=2, unheard_of={"a": 1})
        renew_sums(one)
        (newer,) = store.listing().sets
        assert "written by a newer version of this program (format 2;" in newer.problem
        with pytest.raises(BadInput, match="newer version"):
            newer.manifest()

    def test_a_newer_version_is_recognised_whatever_became_of_the_rest(self, store):
        one = commit(store)
        (one.folder / "manifest.json").write_text('{"format": 3, "sets": []}')
        renew_sums(one)
        (newer,) = store.listing().sets
        assert newer.summary is None
        assert "format 3" in newer.problem

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": 1}'])
    def test_a_manifest_that_is_none_is_listed_as_unreadable(self, store, content):
        one = commit(store)
        (one.folder / "manifest.json").write_bytes(content)
        renew_sums(one)
        (broken,) = store.listing().sets
        assert broken.problem.startswith("its manifest is not readable")
        with pytest.raises(Corrupt, match="its manifest is not readable"):
            broken.manifest()

    def test_a_renamed_folder_is_noticed_and_can_still_be_told_apart(self, store):
        one = commit(store)
        shutil.copytree(one.folder, store.folder / "copy-of-it")
        assert {one.id: one.problem for one in store.listing().sets} == {
            set_id(0): "",
            "copy-of-it": f"its folder is not named as its manifest says: {set_id(0)}",
        }

    def test_a_set_without_sums_has_nothing_to_be_held_against(self, store):
        one = commit(store)
        (one.folder / "SHA256SUMS").unlink()
        assert "its SHA256SUMS cannot be read" in store.listing().sets[0].problem

    def test_a_manifest_that_changes_after_it_was_listed_is_not_used(self, store):
        one = commit(store)
        edit(one, environment="production")
        with pytest.raises(Corrupt, match="was changed just now"):
            one.manifest()

    def test_a_store_whose_id_is_unreadable_says_so(self, store):
        commit(store)
        (store.folder / "store.json").write_text("{}")
        with pytest.raises(Corrupt, match="the store's id is not readable"):
            store.listing()


V, R, C, N = Outcome.VERIFIED, Outcome.READ, Outcome.CORRUPT, Outcome.COULD_NOT_CHECK


@pytest.mark.parametrize(
    ("oldest_first", "standing"),
    [
        ([V], V),
        ([R, V], V),
        ([V, C], C),
        ([V, R], V),  # it was restored once, and is still whole
        ([V, N], V),  # a check without an end says nothing
        ([C, R], R),
        ([V, C, R], R),  # whatever was wrong has undone the old proof
        ([R, N], R),
        ([C, N], C),
        ([C, V], V),
        ([N], N),
        ([N, N, R, N], R),
    ],
)
def test_what_several_verifications_say_together(store, oldest_first, standing):
    one = commit(store)
    for day, outcome in enumerate(oldest_first):
        verify(store, one, outcome, after_days=day)
    found = store.find(one.id)
    assert found.outcome is standing
    assert found.verification.outcome is standing
    assert [proof.outcome for proof in store.verifications(one)] == oldest_first[::-1]


def test_a_verification_that_cannot_be_read_proves_nothing(store):
    one = commit(store)
    (one.folder / "verification-20990101T000000.000000Z.json").write_text('{"outcome": "verified"}')
    assert store.find(one.id).outcome is Outcome.UNVERIFIED


class TestFinding:
    def test_an_id_or_its_beginning_or_a_word_finds_a_set(self, store):
        verify(store, commit(store, 0))
        commit(store, 1)
        assert store.find(set_id(0)).id == set_id(0)
        assert store.find("20261102").id == set_id(1)
        assert store.find("newest").id == set_id(1)
        assert store.find("latest-verified").id == set_id(0)

    def test_a_beginning_that_fits_several_is_refused(self, store):
        commit(store, 0)
        commit(store, 1)
        with pytest.raises(BadInput, match="'2026' begins the id of 2 sets"):
            store.find("2026")

    def test_a_misspelt_id_is_answered_with_the_nearest(self, store):
        commit(store, 0)
        with pytest.raises(BadInput) as refusal:
            store.find("20261101T020005Z-0000")
        assert refusal.value.remedy == f"did you mean '{set_id(0)}'?"

    @pytest.mark.parametrize("ref", ["", ".", "..", "../elsewhere", "newest", "latest-verified"])
    def test_what_is_not_there_is_bad_input(self, store, ref):
        store.id  # noqa: B018  (makes the store)
        with pytest.raises(BadInput):
            store.find(ref)

    def test_newest_and_latest_verified_pass_over_what_was_copied_here_or_has_a_problem(self, store, tmp_path):
        verify(store, commit(store, 0))
        edit(verify(store, commit(store, 1)), environment="production")
        elsewhere = Store(tmp_path / "other")
        other = verify(elsewhere, commit(elsewhere, 2))
        shutil.copytree(other.folder, store.folder / other.id)
        assert store.find("newest").id == set_id(0)
        assert store.find("latest-verified").id == set_id(0)
        assert latest_verified(store, "postgres").id == set_id(0)
        assert store.find(set_id(2)).outcome is Outcome.VERIFIED

    def test_where_only_copies_are_the_refusal_says_how_to_use_one(self, store, tmp_path):
        other = commit(Store(tmp_path / "other"))
        shutil.copytree(other.folder, store.folder / other.id)
        with pytest.raises(BadInput, match="copied from another store: name one by its id"):
            store.find("newest")

    def test_the_latest_verified_of_a_service_holds_that_service(self, store):
        verify(store, commit(store, 0, ("postgres", "redis")))
        verify(store, commit(store, 1, ("postgres",)))
        verify(store, commit(store, 2, ("postgres", "redis")), Outcome.READ)
        assert latest_verified(store, "postgres").id == set_id(1)
        assert latest_verified(store, "redis").id == set_id(0)
        assert latest_verified(store, "n8n") is None


class TestDeleting:
    def test_a_deleted_set_is_gone_and_deleting_again_does_nothing(self, store):
        one = commit(store)
        store.delete(one)
        assert not one.folder.exists()
        assert ids(store) == []
        store.delete(one)

    def test_a_set_that_is_being_read_is_not_deleted(self, store):
        one = commit(store)
        with lease(one.folder, "restore"), pytest.raises(Refused, match="is reading it"):
            store.delete(one)
        assert ids(store) == [one.id]

    def test_a_pinned_set_is_not_deleted_even_when_it_was_pinned_after_it_was_listed(self, store):
        one = commit(store)
        store.pin(one, "before the migration", "ada", FIRST)
        with pytest.raises(Refused, match="it is pinned"):
            store.delete(one)
        assert store.find(one.id).pin.reason == "before the migration"
        store.unpin(one)
        store.unpin(one)
        assert store.find(one.id).pin is None
        store.delete(one)

    def test_a_pin_that_cannot_be_read_still_holds(self, store):
        one = commit(store)
        (one.folder / "pin.json").write_text("{")
        assert store.find(one.id).pin.reason == "pin.json cannot be read"
        with pytest.raises(Refused):
            store.delete(one)

    def test_sweeping_removes_what_dead_runs_left_and_nothing_that_it_does_not_know(self, store, tmp_path):
        commit(store, 0)
        store.begin(set_id(1)).path("postgres/x").write_bytes(CONTENT)
        (store.folder / f".deleted-{set_id(2)}").mkdir()
        (store.folder / "no-manifest").mkdir()
        (store.folder / ".snapshots").mkdir()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (store.folder / ".partial-link").symlink_to(elsewhere)
        with store.lock("sweep"):
            assert store.sweep() == [f".deleted-{set_id(2)}", f".partial-{set_id(1)}"]
            assert store.sweep() == []
        assert {path.name for path in store.folder.iterdir()} == {
            set_id(0), "no-manifest", ".snapshots", ".partial-link", ".lock", "store.json",
        }  # fmt: skip
        assert elsewhere.exists()


class TestDisk:
    @pytest.mark.parametrize(
        ("number", "told"),
        [
            (errno.ENOSPC, "the disk is full"),
            (errno.EDQUOT, "the disk quota is used up"),
            (errno.EROFS, "the file system is read-only"),
            (errno.EACCES, "permission is denied"),
            (errno.ENOENT, "the folder does not exist"),
        ],
    )
    def test_what_stops_a_write_is_one_sentence(self, tmp_path, number, told):
        with pytest.raises(OpsError, match=told) as refusal, disk.writing(tmp_path):
            raise OSError(number, os.strerror(number))
        assert str(tmp_path) in refusal.value.where
        assert refusal.value.remedy

    def test_a_full_disk_says_what_is_free(self, tmp_path):
        with pytest.raises(OpsError, match="B free"), disk.writing(tmp_path):
            raise OSError(errno.ENOSPC, "No space left on device")

    def test_errors_of_other_kinds_pass(self, tmp_path):
        with pytest.raises(BrokenPipeError), disk.writing(tmp_path):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    def test_free_bytes_are_asked_of_the_folder_that_will_hold_it(self, tmp_path, monkeypatch):
        asked = []

        def statvfs(path, ask=os.statvfs):
            asked.append(path)
            return ask(path)

        # Twice would not be the same: others write to that disk meanwhile.
        monkeypatch.setattr(disk.os, "statvfs", statvfs)
        assert disk.free_bytes(tmp_path / "not" / "yet") > 0
        assert asked == [tmp_path]

    def test_a_file_is_replaced_whole_or_not_at_all(self, tmp_path, monkeypatch):
        file = tmp_path / "file"
        disk.write_whole(file, b"old")

        def full(path, content):
            path.write_bytes(content[:1])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(disk, "write_through", full)
        with pytest.raises(OpsError, match="the disk is full"):
            disk.write_whole(file, b"new")
        assert file.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [file]

    def test_a_disk_that_fills_up_during_commit_leaves_no_set(self, store, monkeypatch):
        def full(path, content):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(partial, "write_through", full)
        with pytest.raises(OpsError, match="the disk is full"):
            commit(store)
        assert ids(store) == []
        assert not list(store.folder.glob(".partial-*"))
