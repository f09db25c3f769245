"""An alert that is none, sent the way of the real ones, and what became of it at each receiver.

Where the platform has an Alertmanager it is handed to that, which counts what it sends to whom and what was refused;
elsewhere this program sends it itself. Whatever has not been seen to arrive was not told.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from sutazai_ops import http
from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.monitoring.alertmanager import TRIAL
from sutazai_ops.monitoring.exporter.alerting import Notice
from sutazai_ops.monitoring.notify import ToAlertmanager, ToReceiver, alertmanager_address
from sutazai_ops.monitoring.servers import alertmanager_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.engines import Engine
    from sutazai_ops.installation import Installation
    from sutazai_ops.platform import Service
    from sutazai_ops.settings import AlertSettings

WAIT_SECONDS = 45
PAUSE_SECONDS = 0.5
LASTS_SECONDS = 30
REQUESTS = "alertmanager_notification_requests"
"""What Alertmanager sends to whom, each try by itself; by receiver since it is started with that feature."""
FAILED = "alertmanager_notification_requests_failed"


class Arrival(StrEnum):
    """What became of a test alert at one receiver."""

    TOLD = "told"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Told:
    """What became of it at one receiver."""

    receiver: str
    arrival: Arrival
    because: str = ""


def send_trial(here: Installation) -> list[Told]:
    """Send a test alert to every receiver of the settings.

    Raises:
        BadInput: where there is no receiver.
        OpsError: when Alertmanager does not take it.
    """
    alerts = here.settings.alerts
    if not alerts.receivers:
        raise BadInput(
            "nobody is told of alerts: there is no receiver to test",
            remedy="add one: docs/monitoring.md, under Be told",
        )
    alertmanager = alertmanager_of(here.platform) if here.engine.name != "embedded" else None
    if alertmanager is None:
        return [_send_directly(ToReceiver(name, receiver)) for name, receiver in alerts.receivers.items()]
    return _send_by(alertmanager, here.engine, alerts)


def judge(receivers: list[str], before: Mapping[str, Counted], after: Mapping[str, Counted]) -> list[Told]:
    """What became of it, from what Alertmanager had counted before and has counted since."""
    none = Counted(0, 0)
    found = []
    for name in receivers:
        was, now = before.get(name, none), after.get(name, none)
        sent, failed = now.sent - was.sent, now.failed - was.failed
        if sent <= 0:
            found.append(Told(name, Arrival.UNKNOWN, f"Alertmanager sent nothing within {WAIT_SECONDS} s"))
        elif failed >= sent:
            found.append(Told(name, Arrival.FAILED, "it was refused or could not be reached; Alertmanager tries again"))
        else:
            found.append(Told(name, Arrival.TOLD))
    return found


@dataclass(frozen=True, slots=True)
class Counted:
    """What Alertmanager has sent to one receiver, and how much of it was refused."""

    sent: float
    failed: float


def counted(metrics: str) -> dict[str, Counted]:
    """By receiver, what Alertmanager says of itself."""
    sums: dict[str, dict[str, float]] = {REQUESTS: {}, FAILED: {}}
    for family in text_string_to_metric_families(metrics):
        if family.name in sums:
            for sample in family.samples:
                name = sample.labels.get("receiver_name", "")
                sums[family.name][name] = sums[family.name].get(name, 0) + sample.value
    return {name: Counted(sent, sums[FAILED].get(name, 0)) for name, sent in sums[REQUESTS].items()}


def _send_by(alertmanager: Service, engine: Engine, alerts: AlertSettings) -> list[Told]:
    address = alertmanager_address(alertmanager, engine)
    receivers = list(alerts.receivers)
    before = _ask(address)
    ToAlertmanager(alertmanager, engine).tell([_trial(ended=True)], [])
    deadline = time.monotonic() + WAIT_SECONDS
    told = judge(receivers, before, _ask(address))
    while any(one.arrival is Arrival.UNKNOWN for one in told) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        told = judge(receivers, before, _ask(address))
    return told


def _send_directly(to: ToReceiver) -> Told:
    try:
        to.tell([_trial()], [])
    except OpsError as error:
        return Told(to.name, Arrival.FAILED, error.what)
    return Told(to.name, Arrival.TOLD)


def _ask(address: str) -> dict[str, Counted]:
    answer = http.get(f"{address}/metrics", seconds=5)
    if answer.status != http.OK:
        raise OpsError(f"Alertmanager does not say what it has sent: it answers {answer.status}", where=address)
    return counted(answer.body.decode(errors="replace"))


def _trial(*, ended: bool = False) -> Notice:
    """The alert. Alertmanager is given its end with it, which then lies in the time to come."""
    now = time.time()
    return Notice(
        key=f"{TRIAL}{{}}",
        threshold=TRIAL,
        labels={"alertname": TRIAL, "severity": "ticket", "sent_at": f"{now:.3f}"},
        annotations={"summary": "This is a test: nothing is wrong", "next": "nothing", "runbook_url": ""},
        begun_at=now,
        ended_at=now + LASTS_SECONDS if ended else None,
        value=1,
    )
