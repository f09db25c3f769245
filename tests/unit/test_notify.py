"""Telling people without an Alertmanager, and handing over to one: what is sent, and that no secret is ever said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default as email_policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from probe_servers import Somewhere

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.alerting import Notice
from sutazai_ops.monitoring.notify import ToAlertmanager, ToReceiver, mail_address, notifiers
from sutazai_ops.monitoring.trial_alert import Arrival, counted, judge
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import AlertSettings, Receiver

SECRET = "T0KEN-that-nobody-may-see"


def notice(threshold: str = "service_down", *, ended: bool = False, severity: str = "page", **labels: str) -> Notice:
    labels = {"service": "shop", **labels}
    return Notice(
        key=f"{threshold}{labels}",
        threshold=threshold,
        labels={"alertname": threshold, "severity": severity, **labels},
        annotations={
            "summary": "shop does not do its work",
            "next": "sutazai-ops probe shop",
            "runbook_url": "https://r",
        },
        begun_at=1795651740.25,
        ended_at=1795651800.0 if ended else None,
        value=1,
    )


@dataclass
class Listener:
    """A server that takes whatever is posted to it."""

    url: str
    status: int = 200
    taken: list[tuple[str, Any]] = field(default_factory=list)


@pytest.fixture
def listener() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            here.taken.append((self.path, json.loads(body)))
            self.send_response(here.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Listener(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield here
    server.shutdown()
    server.server_close()


def receiver(folder: Path, kind: str, url: str, **more: Any) -> ToReceiver:
    file = folder / "url"
    file.write_text(url + "\n")
    return ToReceiver("team", Receiver(kind=kind, url_file=file, **more))


def test_a_webhook_is_sent_alertmanagers_own_json_one_message_a_service(listener, tmp_path):
    to = receiver(tmp_path, "webhook", f"{listener.url}/hook")
    to.tell([notice(), notice("http_slow"), notice(service="pages", ended=True)], [])
    (_, shop), (_, pages) = listener.taken
    assert shop["version"] == "4"
    assert (shop["groupLabels"], shop["commonLabels"]) == ({"service": "shop"}, {"service": "shop", "severity": "page"})
    assert [alert["labels"]["alertname"] for alert in shop["alerts"]] == ["service_down", "http_slow"]
    assert shop["alerts"][0]["startsAt"] == "2026-11-26T00:09:00.250Z"
    assert (shop["status"], pages["status"]) == ("firing", "resolved")
    assert pages["alerts"][0]["endsAt"] == "2026-11-26T00:10:00.000Z"


def test_a_chat_reads_what_happened_the_next_command_and_the_runbook(listener, tmp_path):
    receiver(tmp_path, "slack", f"{listener.url}/services/x").tell([notice()], [])
    ((_, content),) = listener.taken
    for words in (
        "FIRING shop: service_down",
        "shop does not do its work",
        "next: sutazai-ops probe shop",
        "https://r",
    ):
        assert words in content["text"]


@pytest.mark.parametrize("answer", [None, 500, 302, 404])
def test_what_was_not_delivered_is_said_and_the_address_is_not(listener, tmp_path, answer):
    url = "http://127.0.0.1:1" if answer is None else listener.url
    listener.status = answer or 200
    with pytest.raises(OpsError, match="team could not be told") as refused:
        receiver(tmp_path, "webhook", f"{url}/{SECRET}").tell([notice()], [])
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value.__context__)


def test_it_is_told_of_its_severities_alone(tmp_path):
    to = receiver(tmp_path, "webhook", "http://127.0.0.1:1", severities=("ticket",))
    assert to.wants(notice(severity="ticket"))
    assert not to.wants(notice(severity="page"))
    assert not to.wants(notice("watchdog", severity="none"))


class Mailbox:
    """Keeps what is delivered to it."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802  (the library's name for it)
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=email_policy)))
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=0)
    # Of port 0 the controller would not say which one it became.
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        server.port = free.getsockname()[1]
    server.start()
    yield box, server.port
    server.stop()


def mail(port: int, **more: Any) -> Receiver:
    return Receiver(
        kind="mail", to="ops@example.com", sender="alerts@example.com", smarthost=f"127.0.0.1:{port}", tls=False, **more
    )


def test_a_mail_reaches_its_mailbox_with_the_same_words(mailbox):
    box, port = mailbox
    ToReceiver("mail", mail(port)).tell([notice()], [])
    ((to, content),) = box.mails
    assert to == ["ops@example.com"]
    assert "alerts@example.com" in content["From"]
    assert content["Subject"] == "FIRING shop: service_down"
    assert "next: sutazai-ops probe shop" in content.get_body(("plain",)).get_content()


def test_a_mail_server_that_is_not_there_is_said_without_the_password(tmp_path, caplog):
    (tmp_path / "password").write_text(SECRET)
    to = ToReceiver("mail", mail(1, user="alerts", password_file=tmp_path / "password"))
    assert SECRET in mail_address(to.receiver)
    with pytest.raises(OpsError, match="mail could not be told") as refused:
        to.tell([notice()], [])
    assert SECRET not in str(refused.value) + caplog.text


def test_what_is_no_address_is_said_and_not_shown(tmp_path):
    with pytest.raises(OpsError, match="holds no address") as refused:
        receiver(tmp_path, "webhook", f"nonsense://{SECRET}").tell([notice()], [])
    assert SECRET not in str(refused.value)


def test_alertmanager_is_handed_all_that_fires_and_what_has_ended_but_not_its_own_death(listener, tmp_path):
    (tmp_path / "core.yaml").write_text("services: {teller: {image: prom/alertmanager:v0.34.0}}")
    service = read_platform(tmp_path).service("teller")
    to = ToAlertmanager(service, Somewhere(teller=int(listener.url.rpartition(":")[2])))
    assert not to.wants(notice("alertmanager_blind"))
    assert to.forgets
    to.tell([notice("http_slow", ended=True)], [notice()])
    ((path, alerts),) = listener.taken
    assert path == "/api/v2/alerts"
    assert [alert["labels"]["alertname"] for alert in alerts] == ["service_down", "http_slow"]
    assert alerts[1]["endsAt"] == "2026-11-26T00:10:00.000Z"
    assert alerts[0]["endsAt"] > "2026-11-26"


def test_where_there_is_an_alertmanager_receivers_hear_of_its_death_alone(tmp_path):
    (tmp_path / "core.yaml").write_text("services: {teller: {image: prom/alertmanager:v0.34.0}}")
    alerts = AlertSettings(receivers={"mail": mail(25)})
    engine = Somewhere()
    engine.name = "compose"
    first, second = notifiers(alerts, read_platform(tmp_path), engine)
    assert (first.name, second.name) == ("teller", "mail")
    assert second.wants(notice("alertmanager_blind"))
    assert not second.wants(notice())
    engine.name = "embedded"
    (alone,) = notifiers(alerts, read_platform(tmp_path), engine)
    assert alone.wants(notice())


METRICS = """
# TYPE alertmanager_notification_requests_total counter
alertmanager_notification_requests_total{integration="webhook",receiver_name="team"} %d
alertmanager_notification_requests_total{integration="email",receiver_name="mail"} 4
alertmanager_notification_requests_total{integration="slack",receiver_name="chat"} %d
# TYPE alertmanager_notification_requests_failed_total counter
alertmanager_notification_requests_failed_total{integration="slack",receiver_name="chat"} %d
"""


def test_what_became_of_a_test_alert_is_read_from_what_alertmanager_has_counted_since():
    before, after = counted(METRICS % (1, 0, 0)), counted(METRICS % (2, 3, 3))
    told = {one.receiver: one.arrival for one in judge(["team", "mail", "chat"], before, after)}
    assert told == {"team": Arrival.TOLD, "mail": Arrival.UNKNOWN, "chat": Arrival.FAILED}
