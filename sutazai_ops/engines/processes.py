"""Tools of this machine as child processes that we feed, read and wait for.

Output is read from a pipe as it comes; complaints are drained beside it, so that a talkative tool never stands still. A
tool inherits nothing of our environment but what it is given, and leaving its context ends it and all that it started.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
from collections import deque
from contextlib import contextmanager, suppress
from functools import cache
from io import BufferedReader
from threading import Thread
from typing import IO, TYPE_CHECKING

from sutazai_ops.engines import toolchain
from sutazai_ops.errors import CommandFailed, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sutazai_ops.engines.base import Tools
    from sutazai_ops.errors import OpsError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C.UTF-8"}
"""All that a process of ours inherits."""
PIPE_BYTES = 1024 * 1024
"""As much as Linux lets an ordinary user ask for (/proc/sys/fs/pipe-max-size): fewer switches between the two ends."""
WRITE_BYTES = 256 * 1024
"""What a tool writes into its pipe at once where coreutils' stdbuf is here. C's own buffer for a pipe holds 4 kB, and
half a million writes of two gigabytes were a quarter of what pg_dump and its reader took of the processor."""
TAIL_LINES = 20
LINE_BYTES = 2000
"""What is kept of a tool's complaints: enough to see the cause, never as much as it likes to write."""
GRACE_SECONDS = 5
"""A tool that is told to end cancels its query on the server first."""
LOST_WORDS = (
    "server closed the connection",
    "could not connect",
    "terminating connection",
    "Connection refused",
    "Connection reset",
    "could not receive data from server",
    "no connection to the server",
    "timeout expired",
    "the database system is starting up",
    "the database system is shutting down",
)
"""In libpq's and the server's words under LC_ALL=C: the connection is gone, and trying again may help."""

# "pg_restore: error: …", "psql:<stdin>:3: ERROR:  …", "FATAL:  …". Workers of pg_restore write at once, so the last
# line may only say that one of them is gone.
_ERROR = re.compile(r"\b(?:error|ERROR|fatal|FATAL): ")


class LocalCommand:
    """A tool under way on this machine."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        assert isinstance(process.stdout, BufferedReader)  # noqa: S101  (`run_tool` asked for a pipe)
        self.stdout = process.stdout
        self._input = process.stdin
        self._process = process
        self._name = name
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._drain = Thread(target=self._read_complaints, name=f"complaints of {name}", daemon=True)
        self._drain.start()

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Write all of `chunks` to its input and close that.

        A tool that has ended takes no more, silently: `finish` tells why. Nobody reads its output meanwhile, so this is
        for tools that write little.
        """
        if self._input is None:
            raise ValueError(f"{self._name} was started without an input")
        with suppress(BrokenPipeError):
            for chunk in chunks:
                self._input.write(chunk)
        self._close_input()

    def finish(self) -> None:
        """Close its input, pass over output that nobody read, and wait for its end.

        Raises:
            Unreachable: when it lost its connection to the server.
            CommandFailed: when it ended with any other error.
        """
        self._close_input()
        while not self.stdout.closed and self.stdout.read(PIPE_BYTES):
            pass
        code = self._process.wait()
        self._drain.join()
        if code != 0:
            raise self._failure(code)

    def end(self) -> None:
        """End the tool and all it started, whether or not it is done."""
        if self._process.poll() is None:
            self._signal_group(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
            self._signal_group(signal.SIGKILL)
            self._process.wait()
        self._close_input()
        self.stdout.close()
        self._drain.join()

    def _failure(self, code: int) -> OpsError:
        tail = "\n".join(self._tail)
        what = f"{self._name} ended with " + (f"signal {-code}" if code < 0 else f"exit code {code}")
        if any(words in tail for words in LOST_WORDS):
            return Unreachable(f"{what}: the connection was lost", where=tail, remedy="see whether the server runs")
        return CommandFailed(f"{what}: {reason(self._tail)}", where=tail)

    def _read_complaints(self) -> None:
        assert self._process.stderr is not None  # noqa: S101
        with self._process.stderr as complaints:
            while line := complaints.readline(LINE_BYTES):
                if text := line.decode(errors="replace").rstrip():
                    self._tail.append(text)

    def _close_input(self) -> None:
        if self._input is not None:
            # What was not written yet no longer matters to a tool that has ended; its own error says why it did.
            with suppress(BrokenPipeError):
                self._input.close()

    def _signal_group(self, how: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)


def reason(complaints: Sequence[str]) -> str:
    """The line that says why a tool ended: its first error, since hints and what follows from it come after it."""
    if not complaints:
        return "it gave no reason"
    return next((line for line in complaints if _ERROR.search(line)), complaints[-1])


@contextmanager
def run_tool(
    tools: Tools,
    argv: Sequence[str],
    *,
    stdin: bool = False,
    environment: Mapping[str, str] | None = None,
    of: str = "",
) -> Iterator[LocalCommand]:
    """Run one of `tools`, such as `["pg_restore", "--list"]`.

    Args:
        tools: among which the program is looked for.
        argv: its name and its arguments; none of them may be a secret.
        stdin: whether it reads what `LocalCommand.feed` is given.
        environment: what it finds in its environment besides PATH and the language.
        of: whose data it works on, for errors.

    Raises:
        ToolMissing: when the program is not among the tools.
    """
    process = subprocess.Popen(
        [*_buffering(), toolchain.binary(tools, argv[0]), *argv[1:]],
        env=ENVIRONMENT | dict(environment or {}),
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    for pipe in (process.stdin, process.stdout):
        _widen(pipe)
    command = LocalCommand(process, f"{argv[0]} on {of}" if of else argv[0])
    try:
        yield command
    finally:
        command.end()


@cache
def _buffering() -> tuple[str, ...]:
    """The command before a tool's own that has it write much at once; none where that does not work."""
    stdbuf = shutil.which("stdbuf", path=PATH)
    if stdbuf is None:
        return ()
    command = (stdbuf, f"--output={WRITE_BYTES}")
    tried = subprocess.run([*command, "true"], env=ENVIRONMENT, capture_output=True, check=False)
    return command if tried.returncode == 0 else ()


def _widen(pipe: IO[bytes] | None) -> None:
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        # Refused where this user's pipes take too much together already; the usual size works, too.
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
