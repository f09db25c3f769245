"""Locks and leases: who may, who may not, and that neither outlives its holder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer

import pytest
from shelf import commit

from sutazai_ops.backups.lease import is_leased, lease
from sutazai_ops.backups.store import Store
from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.lock import LOCK, Held, Holder, exclusive, held_by, take


def holding(body: str) -> subprocess.Popen[str]:
    """Another process that has run `body`, which ends in `with …:`, and waits inside of it until it is killed."""
    code = f"""
from pathlib import Path
from sutazai_ops.lock import exclusive
from sutazai_ops.backups.lease import lease
{body}
    print("holding", flush=True)
    input()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    return process


def test_the_second_is_refused_and_told_who_is_first(tmp_path):
    other = holding(f"with exclusive(Path({str(tmp_path)!r}), 'take a backup set'):")
    try:
        told = f"cannot prune: take a backup set \\(process {other.pid} on .*, since 20"
        with pytest.raises(Refused, match=told), exclusive(tmp_path, "prune"):
            pass
    finally:
        other.kill()
        other.communicate()


def test_who_holds_a_lock_is_told_without_taking_it(tmp_path):
    assert held_by(tmp_path / "none") is None
    with exclusive(tmp_path, "deploy"):
        assert held_by(tmp_path).what == "deploy"
        assert held_by(tmp_path).pid == os.getpid()
    # What the file says of the last holder stays there, and is no holder.
    assert held_by(tmp_path) is None


def test_a_lock_dies_with_a_holder_that_is_killed(tmp_path):
    other = holding(f"with exclusive(Path({str(tmp_path)!r}), 'take a backup set'):")
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with exclusive(tmp_path, "prune"):
        pass


def test_a_lock_is_held_against_another_part_of_the_same_process(tmp_path):
    with (
        exclusive(tmp_path, "first"),
        pytest.raises(Refused, match="cannot second: first"),
        exclusive(tmp_path, "second"),
    ):
        pass


def test_a_child_process_does_not_keep_the_lock(tmp_path):
    with exclusive(tmp_path, "first"):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    try:
        with exclusive(tmp_path, "second"):
            pass
    finally:
        child.communicate()


@pytest.mark.parametrize("before", ["", "a dead one"])
def test_who_took_it_just_now_and_has_not_said_so_yet_is_named(tmp_path, before: str):
    """Of two deployers at the same moment the second was told of "another process", or of one that had long ended."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    since = datetime.now(UTC)
    gone = Holder(what="drill", pid=dead.pid, host=socket.gethostname(), since=since)
    here = Holder(what="deploy", pid=os.getpid(), host=socket.gethostname(), since=since)
    file = tmp_path / LOCK
    file.write_text(gone.model_dump_json() if before else "")
    with file.open() as taken:
        assert take(taken.fileno())
        naming = Timer(0.1, lambda: file.write_text(here.model_dump_json()))
        naming.start()
        with pytest.raises(Held, match=f"deploy \\(process {os.getpid()} on") as told, exclusive(tmp_path, "prune"):
            pass
        naming.join()
    assert not told.value.outlived


def test_a_child_that_is_given_the_lock_keeps_it_until_it_ends(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    other = holding(f"""
import subprocess, sys
from sutazai_ops.lock import held
folder = Path({str(tmp_path)!r})
with exclusive(folder, 'deploy'):
    subprocess.Popen(["cat", str(folder / "pipe")], stdout=subprocess.DEVNULL, pass_fds=held(folder))""")
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with pytest.raises(Held, match=r"what deploy .* had started holds the lock") as told, exclusive(tmp_path, "deploy"):
        pass
    assert told.value.outlived
    with (tmp_path / "pipe").open("w"):
        pass
    free(tmp_path)


def free(folder: Path) -> None:
    """Wait until nobody holds the lock any more."""
    for _ in range(200):
        try:
            with exclusive(folder, "deploy"):
                return
        except Held:
            time.sleep(0.05)
    pytest.fail("the lock is still held")


def test_a_lock_can_be_taken_again_after_an_error_inside_of_it(tmp_path):
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, "first"):
        raise ZeroDivisionError
    with exclusive(tmp_path, "second"):
        pass


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OpsError, match="a part of the path is a file"), exclusive(tmp_path / "file" / "store", "prune"):
        pass


def test_many_can_read_a_set_at_once_and_it_is_leased_until_the_last_has_ended(tmp_path):
    one = commit(Store(tmp_path))
    other = holding(f"with lease(Path({str(one.folder)!r}), 'verify'):")
    try:
        with lease(one.folder, "restore"):
            assert is_leased(one.folder)
        assert is_leased(one.folder)
    finally:
        other.kill()
        other.communicate()
    assert not is_leased(one.folder)


def test_asking_for_a_lease_leaves_none(tmp_path):
    one = commit(Store(tmp_path))
    assert not is_leased(one.folder)
    assert not is_leased(one.folder)


def test_a_set_that_has_gone_is_not_leased_and_cannot_be(tmp_path):
    store = Store(tmp_path)
    one = commit(store)
    store.delete(one)
    assert not is_leased(one.folder)
    with pytest.raises(BadInput, match=f"cannot restore: the set {one.id} is not there"), lease(one.folder, "restore"):
        pass
