"""Servers as processes of this machine: started apart from us, known again later, ended without an orphan.

A server outlives the process that started it. What is known of it stands in one small file, and it is known again by
its process id, its start time and its executable together, so that a recycled process id is never taken for it. A lock
that dies with its holder stands around every start and stop.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from pydantic import ValidationError

from sutazai_ops.engines.processes import ENVIRONMENT
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.model import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

LOOPBACK = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Below the ports that Linux gives to outgoing connections (32768 on), so that none of those takes ours meanwhile."""
LOG_LIMIT = 16 * 1024 * 1024
"""Bytes after which a server's log is put aside as `.1` at its next start."""
SERVER_PROGRAMS = frozenset({"postgres", "initdb", "valkey-server", "redis-server", "redis-check-rdb"})
"""Names of the executables that we start; Debian's redis-server is a link to redis-check-rdb."""

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those that we started ourselves, so that their ends are collected and no zombie stays."""


class Identity(Model):
    """Which process it is, even when its process id has been given to another since."""

    pid: int
    started: float
    """Clock ticks since boot on Linux, where the wall clock can be set; seconds since 1970 elsewhere."""
    executable: str


class Record(Model):
    """What is kept of a server between one process of ours and the next."""

    port: int
    process: Identity | None = None
    """None once it was stopped."""


def make_folder(path: Path, mode: int = 0o755) -> Path:
    """Make a folder of ours with all above it; raises `OpsError` where that may not be written."""
    try:
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
    except OSError as error:
        raise OpsError(
            f"cannot make the folder: {(error.strerror or str(error)).lower()}",
            where=str(path),
            remedy="set home (SUTAZAI_HOME) to a folder that you may write to",
        ) from None
    return path


def read_record(path: Path) -> Record | None:
    """What is known of a server; None when nothing is. Raises `BadInput` for a file that somebody damaged."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValidationError, OSError) as error:
        raise BadInput(
            "cannot read what is known of the server",
            where=f"{path}: {str(error).splitlines()[0]}",
            remedy="stop the server if it runs, then delete this file; it gets a new port",
        ) from None


def write_record(path: Path, record: Record) -> None:
    """Keep what is known of a server; whole or not at all."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(record.model_dump_json(indent=2))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of `path` (flock(2)): waits for whoever holds it, and is free again when its holder dies."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def start(
    argv: Sequence[str], executable: Path, *, folder: Path, log: Path, environment: Mapping[str, str] | None = None
) -> Identity:
    """Start a server in a session of its own, with `folder` as its working folder and its output in `log`.

    Args:
        argv: the command, with whatever changes its account before it.
        executable: the program that remains once that has happened.
        folder: its working folder.
        log: what it writes, after what others wrote.
        environment: what it finds in its environment beside PATH and the language.
    """
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            cwd=folder,
            env=ENVIRONMENT | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _children[child.pid] = child
    return Identity(pid=child.pid, started=_start_time(child.pid), executable=str(executable.resolve()))


def is_alive(identity: Identity | None) -> bool:
    """Whether this very process still runs."""
    if identity is None:
        return False
    if child := _children.get(identity.pid):
        child.poll()
    try:
        process = psutil.Process(identity.pid)
        if process.status() == psutil.STATUS_ZOMBIE or _start_time(identity.pid) != identity.started:
            return False
        return str(Path(process.exe()).resolve()) in {
            identity.executable,
            str(Path(shutil.which("setpriv") or "").resolve()),
        }
    except psutil.AccessDenied:
        # Root without CAP_SYS_PTRACE, as in Docker, may not ask; id and start time have matched.
        return True
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False


def started_at(identity: Identity) -> datetime | None:
    """When the process was started, by the wall clock; None when it has ended."""
    try:
        return datetime.fromtimestamp(psutil.Process(identity.pid).create_time(), UTC)
    except psutil.NoSuchProcess:
        return None


def end(identity: Identity, how: signal.Signals, patience: float) -> None:
    """Send the process `how`; kill it and its children when they are still there after `patience` seconds."""
    if not is_alive(identity):
        return
    family = [psutil.Process(identity.pid), *psutil.Process(identity.pid).children(recursive=True)]
    _signal(family[0], how)
    psutil.wait_procs(family[:1], timeout=patience)
    if is_alive(identity):
        _signal(family[0], signal.SIGKILL)
    _kill_survivors(family)
    _children.pop(identity.pid, None)


def await_orphans(folder: Path) -> None:
    """Wait for the processes that still work below `folder` when their server was killed; kill those that stay."""
    _kill_survivors(_inhabitants(folder), patience=10)


def kill_inhabitants(folder: Path) -> None:
    """Kill every server that works below `folder`."""
    _kill_survivors(_inhabitants(folder), patience=0)


def _inhabitants(folder: Path) -> list[psutil.Process]:
    """The server processes whose working folder is `folder` or below it; a person's shell there is none."""
    found = []
    for process in psutil.process_iter():
        # What may not be looked into is not ours, and what has ended meanwhile needs nothing.
        with suppress(psutil.Error, OSError):
            if Path(process.exe()).name in SERVER_PROGRAMS and Path(process.cwd()).is_relative_to(folder.resolve()):
                found.append(process)
    return found


def free_port(taken: Collection[int] = ()) -> int:
    """A port on loopback that nobody listens on, and that is not `taken` by a server that is stopped now."""
    for port in random.sample(PORTS, len(PORTS)):
        if port not in taken and is_free(port):
            return port
    raise OpsError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free on {LOOPBACK}")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log, at most `count` of them and at most 64 KiB."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def _start_time(pid: int) -> float:
    facts = Path(f"/proc/{pid}/stat")
    if facts.exists():
        # Field 22 (proc(5)); the program's name before it is in brackets and may hold anything.
        return float(facts.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    return psutil.Process(pid).create_time()


def _kill_survivors(processes: Sequence[psutil.Process], patience: float = 2) -> None:
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def _signal(process: psutil.Process, how: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(how)
