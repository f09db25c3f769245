"""Bytes on their way into a set and out of it: zstd, sha256, fsync.

A `Writer` puts a stream into one zstd frame **with a checksum** (which neither zstd's Python bindings nor pg_dump's
own compression write by default, so that a flipped bit would restore as a wrong row), hashes what it stores, and
returns only when the file is on disk. Reading back refuses a frame that is cut, flipped, or followed by anything.
Memory is bounded by zstd's window and workers, never by the data.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING, Self

from sutazai_ops.disk import writing
from sutazai_ops.errors import Corrupt

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from types import TracebackType

    from sutazai_ops.settings import BackupSettings

CHUNK = 1 << 18
"""Bytes moved at once. A quarter of what a pipe holds, so that its writer need not wait for us, and small enough to
stay in a processor's cache between the copy out of the pipe and the one into zstd."""

JOB = 1 << 20
"""Bytes that a worker of zstd takes at once. Beside two MB it holds 10 MB less with two workers, at the same speed and
within 0.4 % of the size; zstd's own choice, eight MB, held some 50 MB more than that."""

TUNED_LEVEL = 2
TUNED = {int(zstd.CompressionParameter.min_match): 7}
"""Level 2 that looks for seven bytes in place of six, since a dump is full of digits that match by chance and cost
more to say as a match than as they are. Measured beside zstd's own level 3, with one worker: half of the processor time
or less; in size 0.95 for embeddings and for JSON with hashes, 1.05 for source code.

A smaller table of matches (hash_log 10 to 14) saves a fortieth of a dump's time at most, and takes 3 to 20 % more room
for words. A larger one, or levels 3 to 6 with seven bytes, takes 2 % less at best, for a third more of the compressor's
time up to three times as much."""

# A frame that asks for more than zstd's own command line would allow (`zstd -d` without --long) is not one of ours.
WINDOW_LOG_MAX = 27


@dataclass(frozen=True, slots=True)
class Stored:
    """What came to rest in a file."""

    stored_bytes: int
    raw_bytes: int
    sha256: str


class Writer:
    """Compresses, hashes and stores one stream; a context that leaves no file behind when it ends by an error."""

    def __init__(self, path: Path, settings: BackupSettings) -> None:
        self._path = path
        options: dict[int, int] = {
            zstd.CompressionParameter.compression_level: settings.compression_level,
            zstd.CompressionParameter.nb_workers: settings.compression_threads,
            zstd.CompressionParameter.checksum_flag: 1,
            zstd.CompressionParameter.job_size: JOB,
        }
        if settings.compression_level == TUNED_LEVEL:
            options |= TUNED
        self._compressor = zstd.ZstdCompressor(options=options)
        self._hash = hashlib.sha256()
        self._file: IO[bytes] | None = None
        self.raw_bytes = 0
        self.stored: Stored | None = None

    def __enter__(self) -> Self:
        with writing(self._path):
            self._file = self._path.open("xb", buffering=0)
        return self

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the stream; raises `OpsError` when the disk is full."""
        self.raw_bytes += len(chunk)
        self._store(self._compressor.compress(chunk))

    def copy(self, source: BufferedReader, advance: Callable[[int], None]) -> None:
        """Take all that `source` has, telling `advance` how many bytes come.

        Through one buffer: a new one for each chunk has the kernel hand out, and clear, as many pages as the stream is
        long, which was a tenth of the processor time of a dump.
        """
        buffer = memoryview(bytearray(CHUNK))
        while count := source.readinto(buffer):
            self.write(buffer[:count])
            advance(count)

    def finish(self) -> Stored:
        """End the frame and wait until everything is on disk."""
        self._store(self._compressor.flush())
        file = self._open_file()
        with writing(self._path):
            os.fsync(file.fileno())
        self.stored = Stored(file.tell(), self.raw_bytes, self._hash.hexdigest())
        return self.stored

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open_file().close()
        if self.stored is None:
            self._path.unlink(missing_ok=True)

    def _store(self, compressed: bytes) -> None:
        self._hash.update(compressed)
        file = self._open_file()
        with writing(self._path):
            view = memoryview(compressed)
            while view:
                view = view[file.write(view) :]

    def _open_file(self) -> IO[bytes]:
        if self._file is None:
            raise RuntimeError("Writer is used outside its context")
        return self._file


def read_chunks(path: Path) -> Iterator[bytes]:
    """Decompress a stored stream, chunk by chunk.

    Raises:
        Corrupt: when the frame is cut short, a bit of it was flipped, or bytes follow it.
    """
    decompressor = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX})
    with path.open("rb", buffering=0) as file:
        while not decompressor.eof:
            compressed = file.read(CHUNK) if decompressor.needs_input else b""
            if decompressor.needs_input and not compressed:
                raise Corrupt(f"{path.name} is cut short", where=str(path))
            try:
                chunk = decompressor.decompress(compressed, CHUNK)
            except zstd.ZstdError as error:
                raise Corrupt(f"{path.name} cannot be decompressed: {error}", where=str(path)) from None
            if chunk:
                yield chunk
        if decompressor.unused_data or file.read(1):
            raise Corrupt(f"{path.name} has bytes after its end", where=str(path))


def sha256_of(path: Path) -> str:
    """The hash of a file as stored, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def spooled(path: Path, folder: Path) -> Iterator[Path]:
    """A stored stream decompressed into a throw-away file of `folder`, for tools that have to seek.

    Raises:
        Corrupt: as `read_chunks`.
        OpsError: when the disk of `folder` is full.
    """
    with writing(folder), NamedTemporaryFile(dir=folder, prefix="spool-") as file:
        for chunk in read_chunks(path):
            file.write(chunk)
        file.flush()
        yield Path(file.name)
