"""The pull of a snapshot, against servers that say exactly what a test wants said."""

import socket
import ssl
import subprocess
import threading
import tracemalloc
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from shutil import which

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from sutazai_ops.backups.replication import exactly, pull, until_mark
from sutazai_ops.engines.base import Account, Endpoint
from sutazai_ops.errors import OpsError, Unreachable, Unsupported

MARK = b"0123456789abcdef0123456789abcdef01234567"
SECRET = "correct-horse-battery"
NOBODY = Account()
OK = b"+OK\r\n"
RESYNC = b"+FULLRESYNC 8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb 0\r\n"


@dataclass
class Spoken:
    """As much of a `Server` as a pull asks of it."""

    endpoint: Endpoint
    account: Account
    name: str = "cache"


@contextmanager
def a_server_that_answers(*answers, account=NOBODY, tls=None):
    """Listens once, and gives one answer to each command; an answer may be a list of pieces sent apart."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        try:
            with tls.wrap_socket(connection, server_side=True) if tls else connection as wire:
                for answer in answers:
                    heard.append(wire.recv(65536))
                    for piece in answer if isinstance(answer, list) else [answer]:
                        wire.sendall(piece)
        except OSError:
            pass

    heard = []
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Spoken(Endpoint("127.0.0.1", listener.getsockname()[1], tls=tls is not None), account), heard
    finally:
        listener.close()
        thread.join()


def pulled(server, timeout=10.0):
    with pull(server, timeout=timeout) as chunks:
        return b"".join(chunks)


def cut(whole, places):
    edges = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges)]


@given(st.binary(max_size=300), st.binary(max_size=100), st.lists(st.integers(0, 10_000)), st.integers(0, 40))
def test_what_stands_before_the_mark_comes_out_however_the_stream_is_cut(before, after, places, almost):
    before += MARK[:almost]
    whole = before + MARK + after
    assert b"".join(until_mark(cut(whole, places), MARK)) == whole[: whole.find(MARK)]


@given(st.binary(max_size=300), st.lists(st.integers(0, 10_000)), st.integers(0, 39))
def test_a_stream_that_ends_before_its_mark_is_never_taken_for_whole(content, places, almost):
    with pytest.raises(EOFError):
        list(until_mark(cut(content + MARK[:almost], places), MARK))


@given(st.binary(max_size=300), st.binary(max_size=50), st.lists(st.integers(0, 10_000)))
def test_exactly_the_announced_length_comes_out_however_the_stream_is_cut(content, after, places):
    assert b"".join(exactly(cut(content + after, places), len(content))) == content


@given(st.binary(max_size=300), st.lists(st.integers(0, 10_000)), st.integers(1, 50))
def test_a_stream_shorter_than_its_announced_length_is_never_taken_for_whole(content, places, missing):
    with pytest.raises(EOFError):
        list(exactly(cut(content, places), len(content) + missing))


def test_the_mark_is_found_in_memory_that_does_not_grow_with_the_stream():
    chunk = bytes(1 << 18)
    tracemalloc.start()
    passed = sum(map(len, until_mark(chain(repeat(chunk, 400), [MARK]), MARK)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert passed == 400 * len(chunk)
    assert peak < 8 * len(chunk)


@pytest.mark.parametrize(
    "payload",
    [
        b"$EOF:" + MARK + b"\r\nREDIS0011-data" + MARK,
        b"$14\r\nREDIS0011-data",
        [b"\n", b"\n", b"$EOF:" + MARK[:10], MARK[10:] + b"\r", b"\nREDIS0011", b"-data" + MARK[:20], MARK[20:]],
        [b"\n\n\n$14\r\nREDIS0011-data*1\r\n$4\r\nPING\r\n"],
    ],
    ids=["mark", "length", "in pieces", "with traffic behind it"],
)
def test_a_snapshot_arrives_whole_in_either_form(payload):
    pieces = [b"\n", RESYNC, *(payload if isinstance(payload, list) else [payload])]
    with a_server_that_answers(OK, OK, pieces) as (server, _):
        assert pulled(server) == b"REDIS0011-data"


def test_a_server_that_does_not_know_rdb_only_is_pulled_all_the_same():
    with a_server_that_answers(OK, b"-ERR Unrecognized REPLCONF option: rdb-only\r\n", RESYNC + b"$3\r\nRDB") as (s, _):
        assert pulled(s) == b"RDB"


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (Account(password=SecretStr(SECRET)), b"*2\r\n$4\r\nAUTH\r\n$21\r\n" + SECRET.encode() + b"\r\n"),
        (
            Account("backup", SecretStr(SECRET)),
            b"*3\r\n$4\r\nAUTH\r\n$6\r\nbackup\r\n$21\r\n" + SECRET.encode() + b"\r\n",
        ),
    ],
)
def test_the_login_names_the_user_only_where_there_is_one(account, words):
    with a_server_that_answers(OK, OK, OK, RESYNC + b"$0\r\n", account=account) as (server, heard):
        assert pulled(server) == b""
    assert heard[0] == words


@pytest.mark.parametrize(
    "payload",
    [b"", b"$EOF:" + MARK + b"\r\nREDIS0011" + MARK[:39], b"$14\r\nREDIS", b"$14", b"\n\n"],
    ids=["nothing", "mark", "length", "header", "keep-alives"],
)
def test_a_transfer_that_ends_too_early_may_be_tried_again_and_names_the_service(payload):
    with a_server_that_answers(OK, OK, RESYNC + payload) as (server, _), pytest.raises(Unreachable, match="cache"):
        pulled(server)


def test_a_server_that_only_keeps_the_connection_awake_is_left_at_the_deadline():
    with (
        a_server_that_answers(OK, OK, [RESYNC], [b"never asked for"]) as (server, _),
        pytest.raises(Unreachable, match="in time") as refused,
    ):
        pulled(server, timeout=0.3)
    assert "transfer_timeout_seconds" in refused.value.remedy


@pytest.mark.parametrize(
    "answer",
    [
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
        b"-MASTERDOWN Link with MASTER is down\r\n",
    ],
)
def test_a_server_that_cannot_give_a_snapshot_yet_may_be_asked_again(answer):
    with a_server_that_answers(OK, OK, answer) as (server, _), pytest.raises(Unreachable, match="cannot give") as told:
        pulled(server)
    assert told.value.retryable


def test_a_missing_right_is_named_with_the_command_that_grants_it():
    account = Account("backup", SecretStr(SECRET))
    answer = b"-NOPERM User backup has no permissions to run the 'psync' command\r\n"
    with a_server_that_answers(OK, OK, OK, answer, account=account) as (server, _), pytest.raises(OpsError) as refused:
        pulled(server)
    assert refused.value.remedy == "give the right: ACL SETUSER backup +psync +replconf +ping"
    assert not refused.value.retryable


def test_a_server_that_asks_for_a_password_says_so():
    with (
        a_server_that_answers(b"-NOAUTH Authentication required.\r\n") as (server, _),
        pytest.raises(OpsError, match="refuses the login") as refused,
    ):
        pulled(server)
    assert not refused.value.retryable


@pytest.mark.parametrize(
    "answer",
    [
        b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        b"-ERR unknown command 'AUTH', with args beginning with: '" + SECRET.encode() + b"' \r\n",
    ],
)
def test_a_refused_password_is_not_tried_again_and_stands_in_no_message(answer):
    account = Account(password=SecretStr(SECRET))
    with a_server_that_answers(answer, account=account) as (server, _), pytest.raises(OpsError) as refused:
        pulled(server)
    assert not refused.value.retryable
    assert SECRET not in f"{refused.value} {refused.value.args} {refused.value.__context__} {refused.value.__cause__}"


def test_a_server_without_replication_is_unsupported():
    answer = b"-ERR unknown command 'PSYNC', with args beginning with: '?' '-1' \r\n"
    with a_server_that_answers(OK, OK, answer) as (server, _), pytest.raises(Unsupported):
        pulled(server)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(200_000), b"+PONG\r\n"])
def test_what_is_not_a_redis_server_is_called_that(answer):
    with (
        a_server_that_answers(answer, OK, answer) as (server, _),
        pytest.raises(OpsError, match="does not answer like a Redis"),
    ):
        pulled(server)


def test_a_port_where_nobody_listens_may_be_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match="cannot be reached"):
        pulled(Spoken(Endpoint("127.0.0.1", port), NOBODY))


@pytest.fixture
def certificate(tmp_path):
    if which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_password_is_sent(certificate):
    _, context = certificate
    with (
        a_server_that_answers(OK, OK, tls=context, account=Account(password=SecretStr(SECRET))) as (server, heard),
        pytest.raises(OpsError, match="certificate of cache is not trusted") as refused,
    ):
        pulled(server)
    assert heard == []
    assert not refused.value.retryable


def test_a_trusted_certificate_lets_the_snapshot_through(certificate, monkeypatch):
    file, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with a_server_that_answers(OK, OK, RESYNC + b"$3\r\nRDB", tls=context) as (server, _):
        assert pulled(server) == b"RDB"
