"""What people and programs are told of alerts where there is no Alertmanager to tell them: one message a service.

A chat and a mail get the same words as from Alertmanager, a webhook the same JSON, so that whoever listens need not
know which of them speaks: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Pure.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sutazai_ops.monitoring.exporter.alerting import Notice

NOT_YET = "0001-01-01T00:00:00Z"
"""How Alertmanager writes the end of what still fires."""


def by_service(notices: Iterable[Notice]) -> list[list[Notice]]:
    """The notices in groups of one service, in the order in which they came."""
    groups: dict[str, list[Notice]] = {}
    for notice in notices:
        groups.setdefault(notice.service, []).append(notice)
    return list(groups.values())


def title(notices: Sequence[Notice]) -> str:
    """The line that a person sees first.

    >>> title([notice_of("service_down", service="shop")])
    'FIRING shop: service_down'
    """
    status = "FIRING" if any(notice.ended_at is None for notice in notices) else "RESOLVED"
    service = f"{notices[0].service}: " if notices[0].service else ""
    return f"{status} {service}{', '.join(notice.threshold for notice in notices)}"


def text(notices: Sequence[Notice]) -> str:
    """What happened, since when, and what to do next."""
    return "".join(_words(notice) for notice in notices)


def webhook(notices: Sequence[Notice], receiver: str) -> dict[str, Any]:
    """The JSON that Alertmanager sends to a webhook."""
    alerts = [_alert(notice) for notice in notices]
    service = notices[0].service
    return {
        "version": "4",
        "groupKey": f'{{}}:{{service="{service}"}}',
        "truncatedAlerts": 0,
        "status": "firing" if any(notice.ended_at is None for notice in notices) else "resolved",
        "receiver": receiver,
        "groupLabels": {"service": service} if service else {},
        "commonLabels": _common([notice.labels for notice in notices]),
        "commonAnnotations": _common([notice.annotations for notice in notices]),
        "externalURL": "",
        "alerts": alerts,
    }


def posted(notices: Iterable[Notice], ends_at: float) -> list[dict[str, Any]]:
    """What Alertmanager itself is told (its API v2, POST /alerts).

    Args:
        notices: what fires and what has ended.
        ends_at: until when it may take for firing what it is not told of again, in seconds since 1970.
    """
    return [
        {
            "labels": dict(notice.labels),
            "annotations": dict(notice.annotations),
            "startsAt": _moment(notice.begun_at),
            "endsAt": _moment(ends_at if notice.ended_at is None else notice.ended_at),
        }
        for notice in notices
    ]


def _words(notice: Notice) -> str:
    told = notice.annotations
    begun = _shown(notice.begun_at)
    if notice.ended_at is not None:
        return (
            f"resolved {notice.threshold}: {told.get('summary', '')}\n  from {begun} to {_shown(notice.ended_at)} UTC\n"
        )
    return (
        f"{notice.severity} {notice.threshold}: {told.get('summary', '')}\n  since {begun} UTC\n"
        f"  next: {told.get('next', '')}\n  runbook: {told.get('runbook_url', '')}\n"
    )


def _alert(notice: Notice) -> dict[str, Any]:
    return {
        "status": "firing" if notice.ended_at is None else "resolved",
        "labels": dict(notice.labels),
        "annotations": dict(notice.annotations),
        "startsAt": _moment(notice.begun_at),
        "endsAt": NOT_YET if notice.ended_at is None else _moment(notice.ended_at),
        "generatorURL": "",
        "fingerprint": hashlib.sha256(notice.key.encode()).hexdigest()[:16],
    }


def _common(all_of_them: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = all_of_them
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
