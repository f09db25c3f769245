"""Answers over HTTP, from memory: the metrics, whether the exporter sees, and what it is.

A client that reads slowly has a thread of its own and a time; nobody else waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol, Self
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client.exposition import ThreadingWSGIServer

from sutazai_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CLIENT_SECONDS = 10
"""How long a client may be silent while it asks or reads."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    body: str
    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/plain; charset=utf-8"


class Ask(Protocol):
    """Answers one address."""

    def __call__(self, query: str) -> Page:
        """The page, for what stands behind the question mark."""


class Server:
    """The exporter's HTTP server; closes when its context ends."""

    def __init__(self, address: str, port: int, pages: Mapping[str, Ask]) -> None:
        """Listen already, answer from `__enter__` on.

        Raises:
            OpsError: when somebody else listens there, or nobody may.
        """
        try:
            self._server: Any = make_server(
                address, port, _application(pages), ThreadingWSGIServer, handler_class=_Handler
            )
        except OSError as error:
            raise OpsError(
                f"cannot listen on {address}:{port}: {(error.strerror or str(error)).lower()}",
                remedy="give another port: sutazai-ops exporter --port, or monitoring.port in sutazai.toml",
            ) from None
        self.port: int = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, name="server", daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Answer nobody more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: a line for each scrape would hide all others."""


def _application(pages: Mapping[str, Ask]) -> WSGIApplication:
    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/") or "/"
        ask = pages.get(path)
        page = ask(environ.get("QUERY_STRING", "")) if ask else _unknown(path)
        body = page.body.encode()
        head = [("Content-Type", page.kind), ("Content-Length", str(len(body)))]
        start_response(f"{page.status.value} {page.status.phrase}", head)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

    return answer


def _unknown(path: str) -> Page:
    return Page(f"there is nothing at {path[:80]}; / says what there is\n", HTTPStatus.NOT_FOUND)
