"""Has a snapshot read by the server's own `check-rdb` while it passes, and takes its word for what is in it.

The program that reads is of the product and version that wrote, so what it accepts the server will load. It verifies
the snapshot's checksum, and its counts are exact: they are of the bytes themselves, not of a server that goes on
changing. It reads from a pipe; nothing is written to disk.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

from sutazai_ops.engines.toolchain import binary
from sutazai_ops.errors import CommandFailed, Corrupt

if TYPE_CHECKING:
    from sutazai_ops.engines.base import Tools

LAST_WORDS_SECONDS = 60
"""It reads as fast as it is fed, so after the end of its input it has at most a pipe's 64 kB to go."""

_END = re.compile(r"^\[offset (\d+)\] \\o/ RDB looks OK!", re.MULTILINE)
_COUNT = re.compile(r"^\[info\] (\d+) (keys read|expires)$", re.MULTILINE)
_WRITER = re.compile(r"AUX FIELD (?:redis|valkey)-ver = '([^']+)'")
_FAULT = re.compile(r"^\[offset \d+\] (?!AUX|Selecting|Checking|Check RDB)(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Content:
    """What a snapshot holds."""

    keys: int
    """All of them, those too whose time to live ended before the snapshot and that nobody had yet removed."""
    expiring: int
    """How many of them have a time to live."""
    version: str | None
    """Of the server that wrote it, as it says itself."""


class Check:
    """Reads one snapshot; a context that ends the program, however it is left."""

    def __init__(self, tools: Tools, where: str) -> None:
        self._program = binary(tools, "check-rdb")
        self._where = where
        self._fed = 0

    def __enter__(self) -> Self:
        # A file and not a pipe: nobody reads what it says before it has read everything.
        self._said: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [self._program, "/dev/stdin"], stdin=subprocess.PIPE, stdout=self._said, stderr=subprocess.STDOUT
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._close_input()
        self._process.wait()
        self._said.close()

    def feed(self, chunk: bytes) -> None:
        """Have it read the next bytes; raises `Corrupt` when it has stopped reading."""
        try:
            self._input().write(chunk)
        except BrokenPipeError:
            raise self._fault(self._last_words()) from None
        self._fed += len(chunk)

    def finish(self) -> Content:
        """Tell it that this was all.

        Raises:
            Corrupt: when the snapshot is not whole, is damaged, or is followed by anything.
            CommandFailed: when the program does not come to an end.
        """
        self._close_input()
        said = self._last_words()
        end = _END.search(said)
        if self._process.returncode != 0 or end is None:
            raise self._fault(said)
        if int(end[1]) != self._fed:
            raise Corrupt(f"the snapshot ends at byte {end[1]}, but {self._fed} bytes came", where=self._where)
        counts = {what: int(number) for number, what in _COUNT.findall(said)}
        writer = _WRITER.search(said)
        return Content(counts["keys read"], counts["expires"], writer[1] if writer else None)

    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101  (it was opened with a pipe)
        return self._process.stdin

    def _close_input(self) -> None:
        try:
            self._input().close()
        except BrokenPipeError:
            return  # it stopped reading before the last bytes; what it said will tell why

    def _last_words(self) -> str:
        try:
            self._process.wait(LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"{self._program} did not end", where=self._where, remedy="try again") from None
        self._said.seek(0)
        return self._said.read()

    def _fault(self, said: str) -> Corrupt:
        faults = _FAULT.findall(said)
        why = faults[0] if faults else f"{self._program} ended with {self._process.returncode}"
        return Corrupt(f"the snapshot cannot be read: {why}", where=self._where)
