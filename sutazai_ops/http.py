"""Asking something over HTTP: the one place of this program that does.

A question ends within its time even where the server trickles its answer byte by byte, which the time-outs of a socket
alone do not promise. Of an answer no more is read than was asked for. A redirect is followed where it stays with the
same server, and is the answer where it does not. The environment's proxies and ~/.netrc are not looked at: what is
asked here is ours, and a password from another place must not travel to it.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from sutazai_ops import human
from sutazai_ops.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OK = 200
REDIRECT = 300
BAD_REQUEST = 400
NOT_FOUND = 404
READ_BYTES = 1024 * 1024
"""How much of an answer is read; a server that never stops does not fill our memory.

PostgreSQL's exporter says `pg_up` in byte 93,388, and with more databases later; a large host's node exporter answers
several hundred KiB.
"""
REDIRECTS = 5
"""How many redirects are followed: a page of the user's own and its slash make two."""
HEADERS = {
    # A small compressed answer can be made to fill the memory.
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "sutazai-ops",
}
JSON = {"Content-Type": "application/json"}
CHUNK_BYTES = 1024
"""How much of an answer that comes line by line is waited for, where it comes without chunks of its own."""
USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes
    whole: bool = True
    """Whether `body` is all of it, or what was read before the limit."""
    location: str = ""
    """Where it sends us instead, without the query, which may hold a token; empty where it does not."""


def get(
    url: str,
    *,
    seconds: float,
    at_most: int = READ_BYTES,
    redirects: int = REDIRECTS,
    name: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask for a page.

    Args:
        url: without user and password.
        seconds: for everything together, redirects too.
        at_most: bytes of the answer that are read.
        redirects: how many are followed, to the same scheme, host and port alone.
        name: over TLS, whom to ask for at that address, and whom its certificate has to be of; the host's own if None.
        headers: sent beside our own, such as the key of whoever asks.

    Raises:
        Unreachable: when no whole answer came: refused, reset, not HTTP, or not in time.
    """
    end = time.monotonic() + seconds
    given = dict(headers or {})
    answer, target = _ask(url, seconds, at_most, given, name=name)
    for _ in range(redirects):
        left = end - time.monotonic()
        if not target or _origin(target) != _origin(url):
            break
        if left <= 0:
            raise Unreachable(_late(url, seconds), where=_shown(url))
        answer, target = _ask(target, left, at_most, given, name=name)
    return answer


def post(url: str, content: object, *, seconds: float, at_most: int = READ_BYTES) -> Answer:
    """Send `content` as JSON; a redirect is the answer. Otherwise as `get`."""
    return _ask(url, seconds, at_most, JSON, json.dumps(content), method="POST")[0]


def delete(url: str, content: object, *, seconds: float, at_most: int = READ_BYTES) -> Answer:
    """Ask for something to be removed, with `content` as JSON. Otherwise as `post`."""
    return _ask(url, seconds, at_most, JSON, json.dumps(content), method="DELETE")[0]


@dataclass(frozen=True, slots=True)
class Lines:
    """An answer that comes line by line, while it comes."""

    status: int
    lines: Iterator[bytes]
    """Each without its end; raises `Unreachable` where the server falls silent or hangs up within the answer."""


@contextmanager
def posting(url: str, content: object, *, silence: float, at_most: int = READ_BYTES) -> Iterator[Lines]:
    """Send `content` as JSON and read the answer as it comes; leaving the context hangs up.

    Args:
        url: without user and password.
        content: what is sent.
        silence: seconds for which nothing may come.
        at_most: bytes of one line.

    Raises:
        Unreachable: as `get`, but for the time that the whole answer takes, which has no end.
    """
    with _session(_Deadline(), None) as session:
        with _speaking(url, silence):
            response = session.request(
                "POST", url, data=json.dumps(content), headers=JSON, timeout=silence, stream=True, allow_redirects=False
            )
        # Closed by its end, too: a server that works for whoever listens has to learn that nobody does any more.
        with response:
            yield Lines(response.status_code, _lines(response, url, silence, at_most))


def _lines(response: requests.Response, url: str, silence: float, at_most: int) -> Iterator[bytes]:
    waiting = b""
    with _speaking(url, silence):
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=True):
            *whole, waiting = (waiting + chunk).split(b"\n")
            yield from whole
            if len(waiting) > at_most:
                raise Unreachable(f"{_server(url)} sends a line without an end", where=_shown(url))
        if waiting:
            yield waiting


@contextmanager
def _speaking(url: str, silence: float) -> Iterator[None]:
    try:
        yield
    except (requests.Timeout, ReadTimeoutError):
        raise Unreachable(f"{_server(url)} says nothing for {human.duration(silence)}", where=_shown(url)) from None
    except ProtocolError:
        raise Unreachable(f"{_server(url)} hangs up within its answer", where=_shown(url)) from None
    except (requests.RequestException, HTTPError, OSError) as error:
        raise Unreachable(_why(url, error), where=_shown(url)) from None


def _ask(
    url: str,
    seconds: float,
    at_most: int,
    headers: Mapping[str, str],
    sent: str | None = None,
    *,
    name: str | None = None,
    method: str = "GET",
) -> tuple[Answer, str]:
    """One answer, and in full where it sends us."""
    deadline = _Deadline()
    try:
        with (
            deadline.running(seconds),
            _session(deadline, name) as session,
            session.request(
                method, url, data=sent, headers=headers, timeout=seconds, stream=True, allow_redirects=False
            ) as response,
        ):
            body = response.raw.read(at_most + 1, decode_content=True)
    except (requests.RequestException, HTTPError, OSError) as error:
        late = deadline.over or isinstance(error, requests.Timeout)
        raise Unreachable(_late(url, seconds) if late else _why(url, error), where=_shown(url)) from None
    if deadline.over:
        # Without a length, an answer that was cut off looks like one that has ended.
        raise Unreachable(_late(url, seconds), where=_shown(url))
    target = urljoin(url, response.headers["Location"]) if response.is_redirect else ""
    return Answer(response.status_code, body[:at_most], len(body) <= at_most, _shown(target)), target


@dataclass(slots=True)
class _Deadline:
    """Ends the wait for sockets when the time is over, however often a byte arrives."""

    sockets: list[socket.socket] = field(default_factory=list)
    over: bool = False

    @contextmanager
    def running(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def watch(self, one: socket.socket) -> None:
        self.sockets.append(one)
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        for one in self.sockets:
            with suppress(OSError):
                # Not the TLS socket's own way, which takes its state away from under the thread that reads it.
                socket.socket.shutdown(one, socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Gives every socket that it opens to a deadline."""

    def __init__(self, deadline: _Deadline, name: str | None = None) -> None:
        self._name = name
        super().__init__()
        self._deadline = deadline

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        if self._name:
            kwargs["server_hostname"] = self._name
        super().init_poolmanager(*args, **kwargs)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        deadline = self._deadline

        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                deadline.watch(self.sock)

        pool.ConnectionCls = Connection
        return pool


def _session(deadline: _Deadline, name: str | None) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers.update(HEADERS)
    session.mount("http://", _Adapter(deadline))
    session.mount("https://", _Adapter(deadline, name))
    if name:
        session.headers["Host"] = name
    session.verify = _trusted() or True
    return session


@cache
def _trusted() -> str | None:
    """The file or folder of whom this machine trusts; None where it has none, and a package's list has to do."""
    paths = ssl.get_default_verify_paths()
    has_folder = paths.capath is not None and any(Path(paths.capath).glob("*.0"))
    return paths.cafile or (paths.capath if has_folder else None)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """What has to be the same for two addresses to be of one server (RFC 6454, section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or USUAL_PORTS.get(parts.scheme)


def _shown(url: str) -> str:
    """The address without user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if url else ""


def _late(url: str, seconds: float) -> str:
    return f"{_server(url)} gives no whole answer within {human.duration(seconds)}"


def _why(url: str, error: BaseException) -> str:
    """What kept an answer from coming, from the first cause in the chain that requests and urllib3 have made of it."""
    chain = [error]
    while cause := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(cause)
    refused = next((one for one in chain if isinstance(one, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return f"the certificate of {_server(url)} is not taken: {refused.verify_message}"
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        return f"{_server(url)} refuses the connection"
    if any(isinstance(one, ConnectionResetError | BrokenPipeError) for one in chain):
        return f"{_server(url)} closes the connection without an answer"
    if any(isinstance(one, socket.gaierror) for one in chain):
        return f"the name of {_server(url)} is not known"
    if isinstance(chain[-1], OSError) and chain[-1].strerror:
        return f"{_server(url)} cannot be reached: {chain[-1].strerror.lower()}"
    return f"{_server(url)} does not answer as HTTP demands"


def _server(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
