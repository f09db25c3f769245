"""Telling people: by the platform's Alertmanager where it has one, else directly the receivers of the settings.

A webhook and a chat are sent to over HTTP. Mail goes by the Apprise library, and so does everything that Apprise knows
an address for, such as Telegram or Matrix, where the file of a receiver holds one
(https://github.com/caronc/apprise/wiki). Nothing here tries again or counts: that does whoever calls. No address, which
may hold a token, stands in any message.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from sutazai_ops import http
from sutazai_ops.errors import BadInput, OpsError, Unreachable
from sutazai_ops.monitoring import message
from sutazai_ops.monitoring.servers import alertmanager_of, port_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sutazai_ops.engines import Engine
    from sutazai_ops.monitoring.exporter.alerting import Notice
    from sutazai_ops.monitoring.exporter.telling import Notifier
    from sutazai_ops.platform import Platform, Service
    from sutazai_ops.settings import AlertSettings, Receiver

SECONDS = 10.0
ALERTMANAGER_DEAD = "alertmanager_blind"
"""The one alert that Alertmanager cannot be told of."""
FORGETS_AFTER_SECONDS = 120
"""How long Alertmanager takes for firing what it is not told of again, which it is every ten seconds.

An exporter that is started again looks for up to a minute before it judges. In a container, whose home folder it cannot
write, it does not know what the one before it told: nothing but this ends what has ended meanwhile, such as a window of
maintenance."""
HTTP = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class ToReceiver:
    """One receiver of the settings, told by this program itself."""

    name: str
    receiver: Receiver
    only: frozenset[str] = frozenset()
    """The alerts that it is told of alone; all of its severities where none is named."""
    forgets: bool = False

    def wants(self, notice: Notice) -> bool:
        """Whether this one is for it at all."""
        return notice.severity in self.receiver.severities and (not self.only or notice.threshold in self.only)

    def tell(self, news: Sequence[Notice], firing: Sequence[Notice]) -> None:  # noqa: ARG002
        """Deliver, in one message a service.

        Raises:
            OpsError: when one was not delivered.
        """
        for group in message.by_service(news):
            self._send(group)

    def _send(self, group: Sequence[Notice]) -> None:
        if self.receiver.kind == "mail":
            _send_by_apprise(self.name, mail_address(self.receiver), group)
            return
        url = _read(self.receiver.url_file, self.name)
        if urlsplit(url).scheme not in HTTP:
            _send_by_apprise(self.name, url, group)
        elif self.receiver.kind == "slack":
            _post(self.name, url, {"text": f"*{message.title(group)}*\n{message.text(group)}"})
        else:
            _post(self.name, url, message.webhook(group, self.name))


@dataclass(frozen=True, slots=True)
class ToAlertmanager:
    """The platform's Alertmanager, which groups, silences and tells."""

    service: Service
    engine: Engine
    forgets: bool = True

    @property
    def name(self) -> str:
        """The service's."""
        return self.service.name

    def wants(self, notice: Notice) -> bool:
        """Whether it can hear of it: not of its own death."""
        return notice.threshold != ALERTMANAGER_DEAD

    def tell(self, news: Sequence[Notice], firing: Sequence[Notice]) -> None:
        """Hand over what fires and what has ended; raises `OpsError` when it does not take it."""
        ended = [notice for notice in news if notice.ended_at is not None]
        address = alertmanager_address(self.service, self.engine)
        _post(
            self.name,
            f"{address}/api/v2/alerts",
            message.posted([*firing, *ended], time.time() + FORGETS_AFTER_SECONDS),
        )


def notifiers(alerts: AlertSettings, platform: Platform, engine: Engine) -> list[Notifier]:
    """Whom the exporter tells: Alertmanager, and beside it the receivers of its death alone; else all receivers."""
    alertmanager = alertmanager_of(platform) if engine.name != "embedded" else None
    if alertmanager is None:
        return [ToReceiver(name, receiver) for name, receiver in alerts.receivers.items()]
    only = frozenset({ALERTMANAGER_DEAD})
    receivers: list[Notifier] = [ToReceiver(name, receiver, only) for name, receiver in alerts.receivers.items()]
    return [ToAlertmanager(alertmanager, engine), *receivers]


def alertmanager_address(service: Service, engine: Engine) -> str:
    """Where it answers; raises `OpsError` where it does not run."""
    return f"http://{engine.endpoint(service.name, port_of(service))}"


def mail_address(receiver: Receiver) -> str:
    """The receiver as Apprise writes one of mail; it holds the password.

    Raises:
        BadInput: when the password cannot be read.
    """
    account = quote(receiver.user, safe="") if receiver.user else ""
    if receiver.password_file:
        account += f":{quote(_read(receiver.password_file, 'mail'), safe='')}"
    asked = {"from": receiver.sender or "", "to": receiver.to or "", "mode": "starttls" if receiver.tls else "insecure"}
    if receiver.smarthost:
        asked["smtp"] = receiver.smarthost.partition(":")[0]
    scheme = "mailtos" if receiver.tls else "mailto"
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items())
    return f"{scheme}://{account}{'@' if account else ''}{receiver.smarthost}?{query}"


def _post(name: str, url: str, content: object) -> None:
    try:
        answer = http.post(url, content, seconds=SECONDS)
    except Unreachable as error:
        # Its host, which the words name, and not its path, which may be the secret.
        raise Unreachable(f"{name} could not be told: {error.what}") from None
    if answer.status >= http.REDIRECT:
        raise OpsError(f"{name} could not be told: it answers {answer.status}", remedy="see the address in its file")


def _send_by_apprise(name: str, address: str, group: Sequence[Notice]) -> None:
    # It loads a hundred services, which takes a second and 40 MB: only where somebody is told by it.
    import logging

    from apprise import Apprise, NotifyFormat

    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    sender = Apprise()
    if not sender.add(address):
        raise BadInput(
            f"the file of the receiver {name} holds no address that can be told", remedy="see docs/monitoring.md"
        )
    if not sender.notify(title=message.title(group), body=message.text(group), body_format=NotifyFormat.TEXT):
        raise Unreachable(f"{name} could not be told: {urlsplit(address).scheme} did not take it")


def _read(file: Path | None, name: str) -> str:
    if file is None:
        raise BadInput(f"the receiver {name} names no file")
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadInput(f"cannot read the file of the receiver {name}: {error.strerror}", where=str(file)) from None
