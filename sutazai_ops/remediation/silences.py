"""What is silenced in Alertmanager itself, by its page or by `amtool`: what nobody is told of is left alone.

An incident is covered while every alert of its own that Alertmanager has is silenced; which silence fits which alert
Alertmanager says itself. One that does not answer silences nothing, and its own death is an alarm and an incident.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sutazai_ops import http
from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.notify import alertmanager_address
from sutazai_ops.monitoring.servers import alertmanager_of
from sutazai_ops.remediation.incidents import sight
from sutazai_ops.remediation.situation import Closure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.engines import Engine
    from sutazai_ops.monitoring.thresholds import Rulebook
    from sutazai_ops.platform import Platform

SECONDS = 2.0
"""How long it may take to answer: whoever watches looks every two."""

log = logging.getLogger(__name__)


def silences(platform: Platform, engine: Engine, rulebook: Rulebook) -> list[Closure]:
    """What is silenced there now; nothing where there is no Alertmanager, or where it cannot be asked."""
    service = alertmanager_of(platform)
    if service is None:
        return []
    try:
        address = alertmanager_address(service, engine)
        alerts = _asked(address, "alerts")
        if not any(one["status"]["silencedBy"] for one in alerts):
            return []
        return silenced(alerts, _asked(address, "silences"), rulebook)
    except OpsError as error:
        because = error.what
    except (KeyError, TypeError, ValueError):
        because = f"{service.name} does not tell of its silences as Alertmanager does"
    log.debug("nobody knows what is silenced: %s", because)
    return []


def silenced(
    alerts: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]], rulebook: Rulebook
) -> list[Closure]:
    """By target and symptom what is silenced, out of what Alertmanager says of its alerts and its silences.

    Args:
        alerts: as `/api/v2/alerts` lists them: https://prometheus.io/docs/alerting/latest/clients/.
        known: as `/api/v2/silences` does.
        rulebook: which alerts mean the same.
    """
    by_id = {str(one["id"]): one for one in known}
    groups: dict[tuple[str, str], list[list[Mapping[str, Any]]]] = {}
    for one in alerts:
        if threshold := rulebook.thresholds.get(one["labels"].get("alertname", "")):
            seen = sight(threshold, one["labels"], _moment(one["startsAt"]), fires=True, broken=True)
            its = [by_id[name] for name in one["status"]["silencedBy"] if name in by_id]
            groups.setdefault((seen.target, seen.symptom), []).append(its)
    return [_closure(*key, its) for key, its in groups.items() if all(its)]


def _closure(target: str, symptom: str, of_each: Sequence[Sequence[Mapping[str, Any]]]) -> Closure:
    """Until the first of its alerts is told of again."""
    last_of_each = [max(its, key=lambda one: _moment(one["endsAt"])) for its in of_each]
    first = min(last_of_each, key=lambda one: _moment(one["endsAt"]))
    return Closure(
        kind="silence in Alertmanager",
        reason=f"{first.get('comment', '')}, by {first.get('createdBy', '')}",
        start=_moment(first["startsAt"]),
        end=_moment(first["endsAt"]),
        targets=frozenset({target}),
        symptom=symptom,
    )


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _asked(address: str, what: str) -> list[dict[str, Any]]:
    answer = http.get(f"{address}/api/v2/{what}", seconds=SECONDS, at_most=16 * http.READ_BYTES)
    if answer.status != http.OK:
        raise OpsError(f"Alertmanager answers {answer.status} when it is asked for its {what}", where=address)
    found = json.loads(answer.body)
    if not isinstance(found, list):
        raise TypeError(what)
    return found
