"""What a stream becomes on its way into a set and out of it, and what damage on the way back is noticed."""

from __future__ import annotations

import hashlib
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.backups.stream import CHUNK, Writer, read_chunks, sha256_of
from sutazai_ops.errors import Corrupt
from sutazai_ops.settings import BackupSettings

SETTINGS = BackupSettings()
CHECKSUM_FLAG = 1 << 2
"""In a frame header's descriptor, the byte after the magic number (RFC 8878, 3.1.1.1.1)."""


def store(path, raw: bytes, settings=SETTINGS):
    advanced = []
    with Writer(path, settings) as writer:
        writer.copy(io.BufferedReader(io.BytesIO(raw)), advanced.append)
        stored = writer.finish()
    assert sum(advanced) == stored.raw_bytes == len(raw)
    return stored


@given(
    size=st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 17]),
    level=st.sampled_from([1, 3, 9]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_what_is_stored_comes_back_and_is_hashed_as_it_lies_on_the_disk(tmp_path_factory, size, level, threads, seed):
    path = tmp_path_factory.mktemp("stream") / "artifact.zst"
    raw = random.Random(seed).randbytes(size // 2) * 2 + b"x" * (size % 2)
    stored = store(path, raw, BackupSettings(compression_level=level, compression_threads=threads))
    assert b"".join(read_chunks(path)) == raw
    content = path.read_bytes()
    assert (stored.stored_bytes, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert sha256_of(path) == stored.sha256


def test_a_frame_carries_a_checksum(tmp_path):
    """Neither zstd's bindings nor pg_dump's own compression write one by default, and a flip then restores as a row."""
    store(tmp_path / "artifact.zst", b"a row\n" * 1000)
    assert (tmp_path / "artifact.zst").read_bytes()[4] & CHECKSUM_FLAG


@pytest.mark.parametrize("offset", range(0, 400, 13))
def test_a_flipped_bit_is_noticed(tmp_path, offset):
    path = tmp_path / "artifact.zst"
    store(path, random.Random(1).randbytes(400))
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << offset % 8
    path.write_bytes(content)
    with pytest.raises(Corrupt):
        list(read_chunks(path))


@pytest.mark.parametrize("kept", [0, 1, 5, 200, -1])
def test_a_stream_that_is_cut_is_noticed(tmp_path, kept):
    path = tmp_path / "artifact.zst"
    store(path, random.Random(1).randbytes(400))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(Corrupt, match="cut short"):
        list(read_chunks(path))


def test_bytes_after_the_end_are_noticed(tmp_path):
    path = tmp_path / "artifact.zst"
    store(path, b"a row\n")
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(Corrupt, match="after its end"):
        list(read_chunks(path))


def test_a_writer_that_ends_by_an_error_leaves_no_file(tmp_path):
    path = tmp_path / "artifact.zst"

    def half():
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError), Writer(path, SETTINGS) as writer:
        any(map(writer.write, half()))
    assert not path.exists()
