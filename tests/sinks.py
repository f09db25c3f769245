"""Where alerts arrive in tests: a webhook and a mail server on an address that containers reach."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Webhook:
    """What a webhook was told; `status` is what it answers from now on."""

    address: str
    status: int = 200
    posts: list[Mapping[str, object]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    """At which each of them arrived."""
    others: list[Webhook] = field(default_factory=list)
    """Those who hear the same, but of nothing that came before them."""

    def hear(self, path: str, post: Mapping[str, object]) -> None:
        """Take what arrived."""
        for one in (self, *self.others):
            one.posts.append(post)
            one.paths.append(path)

    def from_now(self) -> Webhook:
        """What arrives from now on, for one of several who wait side by side."""
        self.others.append(one := Webhook(self.address))
        return one

    def alerts(self, name: str, **labels: str) -> list[Mapping[str, object]]:
        """Every alert of that name and with those labels that arrived, oldest first."""
        wanted = {"alertname": name, **labels}
        return [
            alert
            for post in self.posts
            for alert in post["alerts"]  # type: ignore[attr-defined]
            if wanted.items() <= alert["labels"].items()
        ]

    def fired(self, name: str, **labels: str) -> bool:
        """Whether one arrived that fires."""
        return any(alert["status"] == "firing" for alert in self.alerts(name, **labels))

    def resolved(self, name: str, **labels: str) -> bool:
        """Whether the last that arrived has ended."""
        return any(alert["status"] == "resolved" for alert in self.alerts(name, **labels)[-1:])

    def forget(self) -> None:
        """Begin anew."""
        self.posts.clear()
        self.paths.clear()


@contextmanager
def webhook(host: str) -> Iterator[Webhook]:
    """Listen at `host` until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if one.status == 200:
                one.hear(self.path, json.loads(body))
            self.send_response(one.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    one = Webhook(f"http://{host}:{server.server_port}/secret-path-of-the-webhook")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    """What mails arrived: the subject and the text of each."""

    address: str = ""
    mails: list[str] = field(default_factory=list)

    def has(self, *words: str) -> bool:
        """Whether one mail holds all of these words."""
        return any(all(word in mail for word in words) for mail in self.mails)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content or b""
        mail = message_from_bytes(content if isinstance(content, bytes) else content.encode(), policy=policy.default)
        texts = [str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text"]
        self.mails.append("\n".join([str(mail["Subject"]), *texts]))
        return "250 OK"


@contextmanager
def mailbox(host: str, port: int) -> Iterator[Mailbox]:
    """A mail server at `host` until the context ends."""
    one = Mailbox(f"{host}:{port}")
    controller = Controller(one, hostname=host, port=port)
    controller.start()
    try:
        yield one
    finally:
        controller.stop()
