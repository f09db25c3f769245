"""Asking Prometheus: an expression, what alerts there are, which rules and which targets it has.

On the embedded engine the exporter answers the first three as Prometheus does, so whoever asks need not know which of
them it is. Every question ends within its time; whatever keeps an answer from coming is one sentence; the server's own
warnings stay with what they are about.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from sutazai_ops import http
from sutazai_ops.errors import BadInput, OpsError, Unreachable, Unsupported
from sutazai_ops.monitoring.servers import exporter_of, port_of, prometheus_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sutazai_ops.installation import Installation

T = TypeVar("T")
SECONDS = 10.0
ANSWER_BYTES = 32 * 1024 * 1024
UNAVAILABLE = 503
NEVER = "0001-01-01"
"""How Go writes a moment that has not been."""


@dataclass(frozen=True, slots=True)
class Value:
    """One series of an answer."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What an expression came to."""

    values: tuple[Value, ...]
    warnings: tuple[str, ...] = ()
    """The server's own; what it says for information alone is left out."""


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """One alert that fires, or will once its time is over."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    """`firing` or `pending`."""
    since: datetime | None

    @property
    def name(self) -> str:
        """Of its threshold."""
        return self.labels.get("alertname", "")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, and what became of it last."""

    name: str
    kind: str
    """`recording` or `alerting`."""
    query: str
    evaluated_at: datetime | None
    error: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One address that is scraped."""

    labels: Mapping[str, str]
    health: str
    """`up`, `down` or `unknown`."""
    error: str = ""


class Prometheus:
    """A Prometheus, or an exporter that answers as one."""

    def __init__(self, address: str, name: str = "prometheus", *, seconds: float = SECONDS) -> None:
        """Nothing is asked yet.

        Args:
            address: such as http://127.0.0.1:9090.
            name: of the service, for messages.
            seconds: for each question.
        """
        self.address, self.name = address.rstrip("/"), name
        self._seconds = seconds

    def query(self, expression: str, at: float | None = None) -> Answer:
        """Evaluate an expression at a moment in seconds since 1970, or now.

        Raises:
            Unreachable: when it gives no answer.
            BadInput: when it refuses the expression.
        """
        asked = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
        content = self._ask("query", asked)
        return self._read(
            lambda: Answer(tuple(_values(content["data"])), tuple(map(str, content.get("warnings") or ())))
        )

    def alerts(self) -> list[ActiveAlert]:
        """Every alert that is pending or fires; raises as `query`."""
        found = self._ask("alerts")
        return self._read(lambda: [_alert(one) for one in found["data"]["alerts"]])

    def rules(self) -> list[Rule]:
        """Every rule that is loaded; raises as `query`."""
        found = self._ask("rules")
        return self._read(
            lambda: [_rule(one, group.get("name", "")) for group in found["data"]["groups"] for one in group["rules"]]
        )

    def targets(self) -> list[Target]:
        """Every target that is scraped; raises as `query`, and where the exporter answers, which scrapes nobody."""
        found = self._ask("targets", {"state": "active"})
        return self._read(lambda: [_target(one) for one in found["data"]["activeTargets"]])

    def _ask(self, what: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
        url = f"{self.address}/api/v1/{what}" + (f"?{urlencode(parameters)}" if parameters else "")
        try:
            answer = http.get(url, seconds=self._seconds, at_most=ANSWER_BYTES)
        except Unreachable as error:
            raise Unreachable(
                f"{self.name} cannot be asked: {error.what}",
                where=self.address,
                remedy=f"sutazai-ops probe {self.name}",
            ) from None
        try:
            content: dict[str, Any] = json.loads(answer.body)
            if content["status"] == "success":
                return content
            said = str(content.get("error") or "")
        except (ValueError, KeyError, TypeError):
            raise self._is_none(f"it answers {answer.status}") from None
        if answer.status == UNAVAILABLE:
            raise Unreachable(f"{self.name} cannot answer now: {said}", where=self.address)
        raise BadInput(f"{self.name} refuses the question: {said}", where=(parameters or {}).get("query", url))

    def _read(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except (KeyError, TypeError, ValueError) as error:
            raise self._is_none(f"its answer lacks what one of Prometheus has ({error})") from None

    def _is_none(self, because: str) -> OpsError:
        return OpsError(f"what answers as {self.name} is no Prometheus: {because}", where=self.address)


def open_prometheus(here: Installation) -> Prometheus:
    """Whoever knows the signals and alerts of an installation: its Prometheus, or on the embedded engine the exporter.

    Raises:
        Unsupported: where the platform has none.
        Unreachable: when it does not run.
    """
    is_alone = here.engine.name == "embedded"
    service = exporter_of(here.platform) if is_alone else prometheus_of(here.platform)
    if service is None:
        raise Unsupported(
            f"the platform has no {'exporter' if is_alone else 'Prometheus'}, so nobody knows its signals and alerts",
            where=str(here.platform.folder),
            remedy="the packaged platform's monitoring.yaml shows one",
        )
    return Prometheus(
        f"http://{here.engine.endpoint(service.name, None if is_alone else port_of(service))}", service.name
    )


def _values(data: Mapping[str, Any]) -> Iterable[Value]:
    if data["resultType"] == "scalar":
        return [Value({}, float(data["result"][1]))]
    return [Value(dict(one["metric"]), float(one["value"][1])) for one in data["result"]]


def _alert(one: Mapping[str, Any]) -> ActiveAlert:
    return ActiveAlert(dict(one["labels"]), dict(one.get("annotations") or {}), one["state"], _moment(one["activeAt"]))


def _rule(one: Mapping[str, Any], group: str) -> Rule:
    evaluated = _moment(one.get("lastEvaluation") or NEVER)
    labels = dict(one.get("labels") or {})
    return Rule(one["name"], one["type"], one["query"], evaluated, str(one.get("lastError") or ""), labels, group)


def _target(one: Mapping[str, Any]) -> Target:
    return Target(dict(one["labels"]), one["health"], str(one.get("lastError") or ""))


def _moment(text: str) -> datetime | None:
    """A moment as Go writes it, whose nanoseconds Python cuts to microseconds; None for one that has not been."""
    if text.startswith(NEVER):
        return None
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(UTC)
