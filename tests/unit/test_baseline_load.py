"""The real Locust, against a server of ours on loopback."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from sutazai_ops.baseline.load import Bounds, ask
from sutazai_ops.errors import CommandFailed, ToolMissing


class Shop(BaseHTTPRequestHandler):
    """Shows pages, takes orders that are written well, and hides the rest."""

    seen: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/page" else 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(201 if body == {"tea": "green"} and self.headers["X-Shop"] == "1" else 400)

    def answer(self, status: int) -> None:
        self.seen[f"{self.command} {self.path}"] += 1
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Takes everybody in who comes at once: a user whom nobody takes in is cut off."""

    request_queue_size = 128


@pytest.fixture
def shop():
    Shop.seen.clear()
    with Server(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def request(name: str, url: str, **other: object) -> dict[str, object]:
    usual = {"method": "GET", "body": None, "headers": {}, "weight": 1, "status": [200]}
    return {"name": name, "url": url, **usual, **other}


def test_what_is_asked_is_answered_counted_and_bounded(shop):
    looks = []
    order = {"method": "POST", "body": {"tea": "green"}, "headers": {"X-Shop": "1"}, "status": [201]}
    answers = ask(
        [
            request("page", f"{shop}/page", weight=2),
            request("lost", f"{shop}/lost"),
            request("order", f"{shop}/order", **order),
            request("away", "http://127.0.0.1:1/"),
        ],
        Bounds(rate=20, seconds=5),
        lambda: looks.append(1),
    )
    assert looks
    assert set(answers) == {"page", "lost", "order", "away"}
    assert (dict(answers["page"].failures), dict(answers["order"].failures)) == ({}, {})
    assert dict(answers["lost"].failures) == {"status 404": len(answers["lost"].seconds)}
    assert list(answers["away"].failures) == ["ConnectionRefusedError"]
    asked = {"page": "GET /page", "lost": "GET /lost", "order": "POST /order"}
    assert {name: len(answers[name].seconds) for name in asked} == {name: Shop.seen[one] for name, one in asked.items()}
    assert sum(len(one.seconds) for one in answers.values()) <= 20 * 5 * 1.2
    assert all(0 < seconds < 30 for one in answers.values() for seconds in one.seconds)


def test_an_order_that_locust_cannot_carry_out_ends_with_its_words(shop):
    with pytest.raises(CommandFailed, match=r"Locust did not run: .*weight"):
        ask([{"name": "page", "url": shop}], Bounds(rate=1, seconds=5), lambda: None)


def test_without_locust_what_to_install_is_said(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ToolMissing, match="Locust is not installed") as told:
        ask([], Bounds(rate=1, seconds=5), lambda: None)
    assert "--extra load" in told.value.remedy
