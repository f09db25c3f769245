"""The HTTP service that every application is: routes, metrics, faults, and an end that loses no request.

On SIGTERM it stops accepting, answers what was asked already, closes the connections that wait for a next question, and
ends with status 0.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from faults import FAULTS, SLOW_SECONDS
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

VERSION = os.environ.get("VERSION", "unversioned")
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10)
"""Seconds, with an edge at 0.2, which is the objective: a share can only be counted at an edge."""

REQUESTS = Counter("http_requests_total", "Requests answered.", ["method", "endpoint", "status"])
DURATION = Histogram("http_request_duration_seconds", "Time to answer.", ["method", "endpoint"], buckets=EDGES)
IN_PROGRESS = Gauge("http_requests_in_progress", "Requests being answered.")
Gauge("build_info", "The version that runs.", ["version"]).labels(VERSION).set(1)


@dataclass(frozen=True)
class Answer:
    """What a route returns; a mapping is sent as JSON with the version in it."""

    body: dict[str, object] | str
    status: int = 200
    content_type: str = "text/html; charset=utf-8"


Route = Callable[..., Answer]


@dataclass
class Application:
    """Routes by method and path, where `{id}` is a whole number that the route is given."""

    routes: dict[tuple[str, str], Route] = field(default_factory=dict)

    def start(self) -> None:
        """Begin what goes on beside the requests."""

    def stop(self) -> None:
        """End what goes on beside the requests, finished where it was begun."""

    def route(self, method: str, path: str) -> tuple[str, Callable[..., Answer]] | None:
        """The route for a request, by its own name, bound to what its path holds."""
        for (asked, pattern), route in self.routes.items():
            found = re.fullmatch(pattern.replace("{id}", r"(\d+)"), path)
            if asked == method and found:
                numbers = [int(number) for number in found.groups()]
                return pattern, lambda *rest, _route=route, _numbers=numbers: _route(*_numbers, *rest)
        return None


def run(application: Application, port: int, stopping: threading.Event) -> None:
    """Serve until `stopping` is set, then end cleanly."""
    server = _Server(("0.0.0.0", port), application)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    application.start()
    print(f"{type(application).__name__.lower()} {VERSION} on port {port}", flush=True)
    stopping.wait()
    server.shutdown()
    server.close_idle()
    # Waits for the threads of the requests that are being answered.
    server.server_close()
    application.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        super().__init__(address, _Handler)
        self.application = application
        self.closing = False
        self.idle: set[socket.socket] = set()
        self.lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close_idle(self) -> None:
        """Close what waits for a next question; who is being answered is told so in the answer."""
        with self.lock:
            self.closing = True
            for connection in self.idle:
                connection.shutdown(socket.SHUT_RD)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Head and body leave together: apart, the second would wait for the first to be acknowledged.
    wbufsize = -1

    def version_string(self) -> str:
        return f"stand-in (sutazai {VERSION})"

    def handle_one_request(self) -> None:
        with self.server.lock:
            if self.server.closing:
                self.close_connection = True
                return
            self.server.idle.add(self.connection)
        super().handle_one_request()

    def parse_request(self) -> bool:
        with self.server.lock:
            self.server.idle.discard(self.connection)
        return super().parse_request()

    def finish(self) -> None:
        with self.server.lock:
            self.server.idle.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._body()
            self._send(200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST)
        elif (self.command, path) == ("POST", "/faults"):
            self._set_fault(self._body())
        else:
            with IN_PROGRESS.track_inprogress():
                self._measured(path, self._body())

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815  (the names that http.server asks for)

    def _measured(self, path: str, body: dict[str, object]) -> None:
        method = "GET" if self.command == "HEAD" else self.command
        found = self.server.application.route(method, path)
        # One series a route: a path as it was asked for would make one a task.
        endpoint, route = found or ("unknown", lambda *_: Answer({"error": "not found"}, 404))
        began = time.perf_counter()
        FAULTS.delay()
        answer = self._answer(route, body)
        REQUESTS.labels(method, endpoint, str(answer.status)).inc()
        DURATION.labels(method, endpoint).observe(time.perf_counter() - began)
        self._send_answer(answer)

    def _answer(self, route: Route, body: dict[str, object]) -> Answer:
        if FAULTS.present == "fail":
            return Answer({"error": "told to fail"}, 500)
        try:
            return route(body)
        # The front door of a service: whatever goes wrong in a route is the answer to its request.
        except Exception as error:  # noqa: BLE001
            return Answer({"error": f"{type(error).__name__}: {str(error).strip()}"}, 503)

    def _set_fault(self, body: dict[str, object]) -> None:
        kind = body.get("fault")
        if kind == "crash":
            self._send_answer(Answer({"fault": kind}))
            self.wfile.flush()
        try:
            FAULTS.begin(None if kind is None else str(kind), float(str(body.get("slow_seconds", SLOW_SECONDS))))
        except ValueError as error:
            self._send_answer(Answer({"error": str(error)}, 400))
        else:
            self._send_answer(Answer({"fault": FAULTS.present}))

    def _body(self) -> dict[str, object]:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            read = json.loads(text or b"{}")
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}

    def _send_answer(self, answer: Answer) -> None:
        if isinstance(answer.body, str):
            self._send(answer.status, answer.body.encode(), answer.content_type)
        else:
            content = json.dumps({"version": VERSION, **answer.body}, default=str).encode()
            self._send(answer.status, content, "application/json")

    def _send(self, status: int, content: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Version", VERSION)
        if self.server.closing:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing: `/metrics` counts."""
