"""A server is known again by more than its process id."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sutazai_ops.engines import daemons
from sutazai_ops.engines.daemons import Identity, Record
from sutazai_ops.errors import BadInput


@pytest.fixture
def sleeper(tmp_path):
    program = Path(sys.executable).resolve()
    command = [str(program), "-c", "import signal; signal.pause()"]
    identity = daemons.start(command, program, folder=tmp_path, log=tmp_path / "log")
    yield identity
    daemons.end(identity, signal.SIGKILL, patience=5)


def test_a_process_is_known_again(sleeper):
    assert daemons.is_alive(Identity.model_validate_json(sleeper.model_dump_json()))


@pytest.mark.parametrize("other", [{"started": 1.0}, {"executable": "/usr/bin/another"}])
def test_a_recycled_process_id_is_neither_taken_for_the_server_nor_killed(sleeper, other):
    stranger = sleeper.model_copy(update=other)
    assert not daemons.is_alive(stranger)
    daemons.end(stranger, signal.SIGKILL, patience=1)
    assert daemons.is_alive(sleeper)


def test_a_process_that_does_not_listen_to_its_signal_is_killed(tmp_path):
    program = Path(sys.executable).resolve()
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w'); signal.pause()"
    identity = daemons.start([str(program), "-c", deaf], program, folder=tmp_path, log=tmp_path / "log")
    while not (tmp_path / "deaf").exists():
        assert daemons.is_alive(identity)
    daemons.end(identity, signal.SIGTERM, patience=0.2)
    assert not psutil.pid_exists(identity.pid)


def test_a_damaged_record_is_named_and_not_guessed_at(tmp_path):
    file = tmp_path / "server.json"
    file.write_text('{"port": ')
    with pytest.raises(BadInput) as refused:
        daemons.read_record(file)
    assert str(file) in refused.value.where


def test_a_record_comes_back_as_it_was_written(tmp_path):
    record = Record(port=20_001, process=Identity(pid=7, started=3.0, executable="/bin/true"))
    daemons.write_record(tmp_path / "server.json", record)
    assert daemons.read_record(tmp_path / "server.json") == record


def test_a_port_that_somebody_listens_on_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not daemons.is_free(port)
    assert daemons.is_free(port)


def test_a_lock_is_free_again_when_its_holder_was_killed(tmp_path):
    hold = "import sys, signal\nfrom pathlib import Path\nfrom sutazai_ops.engines.daemons import locked\n"
    hold += "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    signal.pause()\n"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        os.kill(holder.pid, signal.SIGKILL)
        with daemons.locked(tmp_path / "lock"):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
