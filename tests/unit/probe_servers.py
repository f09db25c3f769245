"""Small servers on loopback that behave as servers do on bad days, and an engine that only knows where they are."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from sutazai_ops.engines import Account, Endpoint
from sutazai_ops.engines.local import LocalServer
from sutazai_ops.errors import Unreachable
from sutazai_ops.platform import Service

OVER = threading.Event
"""Set when the test is over, so that no behaviour outlives it."""


class Somewhere:
    """An engine that knows addresses and nothing else."""

    def __init__(self, **ports: int) -> None:
        self.ports = ports
        self.asked: list[tuple[str, int | None]] = []

    def endpoint(self, service: str, port: int | None = None) -> Endpoint:
        self.asked.append((service, port))
        if service not in self.ports:
            raise Unreachable(f"{service} does not run", remedy="start it")
        return Endpoint("127.0.0.1", self.ports[service])


class Known(Somewhere):
    """An engine whose services are servers without a password."""

    def server(self, service):
        return LocalServer(service, self.endpoint(service), Account(), Path(), lambda: None)


@contextmanager
def serving(behave):
    """A server that lets `behave(connection, over)` answer whoever connects; yields its port."""
    over = OVER()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            behave(connection, over)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()


def page(status: int = 200, body: bytes | str = b"", **headers: str):
    """Answers every request with this page."""
    body = body.encode() if isinstance(body, str) else body
    lines = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    def behave(connection, over) -> None:
        read_request(connection)
        connection.sendall(f"HTTP/1.1 {status} As Meant\r\n{head}\r\n".encode() + body)

    return behave


def as_json(content: object, status: int = 200):
    return page(status, json.dumps(content), Content_Type="application/json")


def pages(**answers):
    """Answers by path, `root` for "/"; notes nothing else."""

    def behave(connection, over) -> None:
        path = read_request(connection, peek=True).split()[1].decode().partition("?")[0]
        answers[path.strip("/").replace("/", "_").replace("-", "_") or "root"](connection, over)

    return behave


def hang(connection, over) -> None:
    read_request(connection)
    over.wait()


def trickle_headers(connection, over) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(0.02):
        connection.sendall(b"a")


def trickle_body(connection, over) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not over.wait(0.02):
        connection.sendall(b"a")


def flood(connection, over) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not over.is_set():
        connection.sendall(b"{" * 65536)


def reset(connection, over) -> None:
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def gibberish(connection, over) -> None:
    read_request(connection)
    connection.sendall(b"220 mail.example ESMTP\r\n")


def break_off(connection, over) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")


def read_request(connection, *, peek: bool = False) -> bytes:
    return connection.recv(65536, socket.MSG_PEEK if peek else 0)


def service(name: str = "web", **fields) -> Service:
    return Service(name=name, phase="core", file=Path("core.yaml"), **fields)
