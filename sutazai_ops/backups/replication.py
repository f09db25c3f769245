"""The snapshot of a Redis or Valkey server, pulled over one socket the way a replica asks for it.

It shows one moment after the call, needs no file on the server, no shared folder and no client tool, and no more
rights than `+psync +replconf +ping`. A transfer is whole when the length or the mark that the server announced was
reached; anything short of it is an error, never a smaller snapshot. Nothing is written to the server and no more than
a chunk is held here. The wire is Redis' own: https://redis.io/docs/latest/develop/reference/protocol-spec/ for the
replies, `syncWithMaster` and `readSyncBulkPayload` in its replication.c for the order of the talk.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from sutazai_ops.errors import OpsError, Unreachable, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sutazai_ops.engines.base import Account, Server

CHUNK = 1 << 18
"""Bytes asked of the socket at once; the kernel rarely has more than 200 kB ready."""

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
"""A server keeps a waiting replica awake with a newline every 10 s (`repl-ping-replica-period`) and gives up a silent
one after 60 s (`repl-timeout`); we do the same."""

LINE_LIMIT = 1 << 16
"""No reply line of this talk is longer than 200 bytes; what sends more is no Redis."""

_LATER = {"LOADING", "NOMASTERLINK", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN"}
"""Error codes of a server that will answer otherwise when it is asked later."""


@contextmanager
def pull(server: Server, *, timeout: float) -> Iterator[Iterator[bytes]]:
    """Ask for a snapshot; the context's value is the RDB file, chunk by chunk, and leaving it ends the transfer.

    Args:
        server: whom to ask; a replica works as well as a primary.
        timeout: seconds for all of it, from the connection to the last byte.

    Raises:
        Unreachable: when nothing answers, the server is still loading, or the stream ends too early. Also raised while
            the chunks are read.
        Unsupported: when the server does not know PSYNC, as many managed services do not.
        OpsError: when it refuses the login or the right.
    """
    with _told(server), _Wire(server, timeout) as wire:
        _introduce(wire, server)
        wire.send("PSYNC", "?", "-1")
        answer = wire.line()
        if not answer.startswith(b"+FULLRESYNC"):
            raise _refusal(server, answer)
        yield _payload(wire, server)


def until_mark(chunks: Iterable[bytes], mark: bytes) -> Iterator[bytes]:
    """All bytes before the first `mark`, which may straddle chunks; raises `EOFError` when it does not come."""
    held = b""
    for chunk in chunks:
        held += chunk
        end = held.find(mark)
        if end >= 0:
            yield held[:end]
            return
        # The last bytes may be the beginning of the mark.
        safe = max(0, len(held) - len(mark) + 1)
        yield held[:safe]
        held = held[safe:]
    raise EOFError


def exactly(chunks: Iterable[bytes], length: int) -> Iterator[bytes]:
    """The first `length` bytes; raises `EOFError` when there are fewer."""
    missing = length
    if missing == 0:
        return
    for chunk in chunks:
        yield chunk[:missing]
        missing -= min(missing, len(chunk))
        if missing == 0:
            return
    raise EOFError


class _Wire:
    """One connection that ends at its deadline."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._read_ahead = b""
        endpoint = server.endpoint
        self._socket = socket.create_connection((endpoint.host, endpoint.port), min(CONNECT_SECONDS, seconds))
        if endpoint.tls:
            self._socket = _encrypted(self._socket, endpoint.host)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *words: str) -> None:
        """Send one command."""
        encoded = [word.encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)]
        self._wait_at_most()
        self._socket.sendall(b"".join(parts))

    def line(self) -> bytes:
        """The next line that is not one of the newlines that keep the connection awake."""
        while True:
            line, newline, rest = self._read_ahead.partition(b"\n")
            if newline:
                self._read_ahead = rest
                if line.strip():
                    return line.strip()
            elif len(line) > LINE_LIMIT:
                return line[:LINE_LIMIT]
            else:
                self._read_ahead += self._receive() or _end()

    def chunks(self) -> Iterator[bytes]:
        """Everything that follows, as it comes."""
        if self._read_ahead:
            yield self._read_ahead
        while chunk := self._receive():
            yield chunk

    def _receive(self) -> bytes:
        self._wait_at_most()
        return self._socket.recv(CHUNK)

    def _wait_at_most(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(min(left, SILENCE_SECONDS))


def _end() -> bytes:
    raise EOFError


def _encrypted(plain: socket.socket, host: str) -> socket.socket:
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


def _introduce(wire: _Wire, server: Server) -> None:
    if server.account.password is not None:
        wire.send("AUTH", *_login(server.account))
        if wire.line() != b"+OK":
            # The server's words are withheld: one that does not know AUTH repeats its arguments.
            raise _login_refused(server)
    # `rdb-only` (7.0) spares the server the buffer for what is written meanwhile. Older ones refuse the word and that
    # is no harm: the same bytes come.
    for option in (("capa", "eof"), ("rdb-only", "1")):
        wire.send("REPLCONF", *option)
        answer = wire.line()
        if not answer.startswith((b"+OK", b"-ERR")):
            raise _refusal(server, answer)


def _login(account: Account) -> list[str]:
    password = account.password.get_secret_value() if account.password else ""
    return [password] if account.user is None else [account.user, password]


def _payload(wire: _Wire, server: Server) -> Iterator[bytes]:
    with _told(server):
        header = wire.line()
        if header.startswith(b"$EOF:"):
            yield from until_mark(wire.chunks(), header.removeprefix(b"$EOF:"))
        elif header[:1] == b"$" and header[1:].isdigit():
            yield from exactly(wire.chunks(), int(header[1:]))
        else:
            raise _refusal(server, header)


@contextmanager
def _told(server: Server) -> Iterator[None]:
    where = str(server.endpoint)
    try:
        yield
    except EOFError:
        raise Unreachable(
            f"{server.name} broke the transfer of its snapshot off",
            where=where,
            remedy="try again; if it happens again, the server's own log says why",
        ) from None
    except TimeoutError:
        raise Unreachable(
            f"{server.name} did not send its snapshot in time",
            where=where,
            remedy="try again, or allow more with backup.transfer_timeout_seconds",
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise OpsError(
            f"the certificate of {server.name} is not trusted: {error.verify_message}",
            where=where,
            remedy="name the file of its certificate authority in SSL_CERT_FILE, or correct the host name",
        ) from None
    except OSError as error:
        raise Unreachable(
            f"{server.name} cannot be reached: {error.strerror or error}",
            where=where,
            remedy="see whether it runs: sutazai-ops status",
        ) from None


def _refusal(server: Server, answer: bytes) -> OpsError:
    where = str(server.endpoint)
    if answer[:1] != b"-":
        return OpsError(
            f"{server.name} does not answer like a Redis or Valkey server",
            where=where,
            remedy="correct its address; a server that speaks TLS only is written as rediss://",
        )
    words = answer[1:].decode(errors="replace")
    code = words.split(maxsplit=1)[0]
    if code == "NOAUTH":
        return _login_refused(server)
    if code == "NOPERM":
        user = server.account.user or "default"
        return OpsError(
            f"{user} may not pull a snapshot from {server.name}",
            where=where,
            remedy=f"give the right: ACL SETUSER {user} +psync +replconf +ping",
        )
    if code in _LATER:
        return Unreachable(f"{server.name} cannot give a snapshot now: {words}", where=where, remedy="try again later")
    if "unknown command" in words:
        return Unsupported(
            f"{server.name} does not let others replicate from it",
            where=where,
            remedy="allow PSYNC there, or use the backup of whoever runs this server for you",
        )
    return OpsError(f"{server.name} refuses to give a snapshot: {words}", where=where, remedy="see the server's log")


def _login_refused(server: Server) -> OpsError:
    return OpsError(
        f"{server.name} refuses the login",
        where=str(server.endpoint),
        remedy="correct the user or the password file of this service; remove both where the server asks for none",
    )
