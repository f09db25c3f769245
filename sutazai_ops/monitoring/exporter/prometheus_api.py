"""The three questions of Prometheus' HTTP API that this program asks, answered where there is no Prometheus.

In Prometheus' own JSON (https://prometheus.io/docs/prometheus/latest/querying/api/), so that whoever asks need not know
which of the two answers.
"""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.monitoring.evaluation import State, annotations_of, labels_of
from sutazai_ops.monitoring.exporter.alerting import EVERY_SECONDS
from sutazai_ops.monitoring.exporter.serve import Page
from sutazai_ops.monitoring.promql import evaluate
from sutazai_ops.monitoring.rules import alert_labels, runbook_url, told_as, unknown_expression
from sutazai_ops.monitoring.thresholds import Rulebook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sutazai_ops.monitoring.evaluation import Alert
    from sutazai_ops.monitoring.exporter.alerting import Alerting
    from sutazai_ops.monitoring.exporter.serve import Ask
    from sutazai_ops.monitoring.signals import Signal
    from sutazai_ops.monitoring.thresholds import Severity, Threshold

GROUP, BESIDES = "exporter", "besides"
"""The group of the rules of the files, and that of those that stand in no file."""
NOTHING = Rulebook(signals={}, thresholds={})


class PrometheusApi:
    """Answers from the samples and the alerts of this process."""

    def __init__(self, alerting: Alerting, runbooks_url: str, besides: Rulebook = NOTHING) -> None:
        """Answer from now on; `besides` is what of it stands in no file."""
        self._alerting, self._runbooks_url, self._besides = alerting, runbooks_url, besides

    @property
    def pages(self) -> Mapping[str, Ask]:
        """What it answers, by address."""
        return {"/api/v1/query": self.query, "/api/v1/alerts": self.alerts, "/api/v1/rules": self.rules}

    def query(self, query: str) -> Page:
        """An expression, evaluated at one moment: `query` and perhaps `time`."""
        parameters = parse_qs(query)
        try:
            at = _time(parameters.get("time", [""])[0])
            with self._alerting.lock:
                found = evaluate(parameters.get("query", [""])[0], self._alerting.samples, at)
        except BadInput as error:
            return _refused("bad_data", error)
        except OpsError as error:
            return _refused("execution", error)
        result = [{"metric": dict(one.labels), "value": [at, written(one.value)]} for one in found]
        return _success({"resultType": "vector", "result": result})

    def alerts(self, query: str) -> Page:  # noqa: ARG002
        """All alerts that are pending or fire."""
        return _success({"alerts": [self._alert(one) for one in self._alerting.alerts if _is_active(one)]})

    def rules(self, query: str) -> Page:
        """All signals as recording rules, all thresholds as alerting rules; `type=alert` or `record` for one kind."""
        wanted = parse_qs(query).get("type", ["record", "alert"])
        besides, all_of_it = self._besides, self._alerting.rulebook
        files = Rulebook(
            signals={name: one for name, one in all_of_it.signals.items() if name not in besides.signals},
            thresholds={name: one for name, one in all_of_it.thresholds.items() if name not in besides.thresholds},
        )
        groups = [self._group(GROUP, files, wanted)]
        if besides.thresholds:
            groups.append(self._group(BESIDES, besides, wanted))
        return _success({"groups": groups})

    def _group(self, name: str, rulebook: Rulebook, wanted: Sequence[str]) -> dict[str, Any]:
        rules = [*self._recording(rulebook.signals.values())] if "record" in wanted else []
        if "alert" in wanted:
            rules += [rule for one in rulebook.thresholds.values() for rule in self._alerting_rules(one)]
        return {
            "name": name,
            "file": "",
            "interval": EVERY_SECONDS,
            "limit": 0,
            "rules": rules,
            "evaluationTime": self._alerting.seconds,
            "lastEvaluation": self._evaluated(),
        }

    def _evaluated(self) -> str:
        at = self._alerting.evaluated_at
        return NEVER if at is None else moment(at)

    def _recording(self, signals: Iterable[Signal]) -> list[dict[str, Any]]:
        found = []
        for signal in signals:
            found.append(self._recorded(signal.recorded, signal.query.strip(), signal.name, {}))
            if unknown := unknown_expression(signal):
                found.append(self._recorded("signal:unknown", unknown, signal.name, {"signal": signal.name}))
        return found

    def _recorded(self, name: str, query: str, signal: str, labels: Mapping[str, str]) -> dict[str, Any]:
        return {"name": name, "query": query, "labels": dict(labels), **self._health(signal), "type": "recording"}

    def _alerting_rules(self, threshold: Threshold) -> Iterator[dict[str, Any]]:
        """One for each severity that its alerts may have."""
        rulebook = self._alerting.rulebook
        active = [one for one in self._alerting.alerts if one.threshold == threshold.name and _is_active(one)]
        for severity, expr in told_as(threshold, rulebook):
            mine = [one for one in active if labels_of(one, rulebook)["severity"] == severity]
            yield self._alerting_rule(threshold, severity, expr, mine)

    def _alerting_rule(
        self, threshold: Threshold, severity: Severity, expr: str, active: Sequence[Alert]
    ) -> dict[str, Any]:
        states = {one.state for one in active}
        return {
            "state": next((str(one) for one in (State.FIRING, State.PENDING) if one in states), "inactive"),
            "name": threshold.name,
            "query": expr,
            "duration": threshold.for_,
            "keepFiringFor": threshold.keep_firing_for,
            "labels": alert_labels(threshold, severity),
            "annotations": {
                "summary": threshold.summary,
                "next": threshold.next,
                **runbook_url(threshold, self._runbooks_url),
            },
            "alerts": [self._alert(one) for one in active],
            **self._health(threshold.signal),
            "type": "alerting",
        }

    def _health(self, signal: str) -> dict[str, Any]:
        because = self._alerting.failed.get(signal)
        health = "unknown" if self._alerting.evaluated_at is None else "err" if because else "ok"
        error = {"lastError": because} if because else {}
        return {
            "health": health,
            **error,
            "evaluationTime": self._alerting.seconds,
            "lastEvaluation": self._evaluated(),
        }

    def _alert(self, alert: Alert) -> dict[str, Any]:
        rulebook = self._alerting.rulebook
        kept = {"keepFiringSince": moment(alert.whole_since)} if alert.whole_since is not None else {}
        return {
            "labels": labels_of(alert, rulebook),
            "annotations": annotations_of(alert, rulebook, self._runbooks_url),
            "state": str(alert.state),
            "activeAt": moment(alert.active_since),
            **kept,
            "value": with_exponent(alert.value),
        }


NEVER = "0001-01-01T00:00:00Z"
"""As Go writes a moment that has not been."""


def written(value: float) -> str:
    """A value as Prometheus writes it in an answer: Go's format `f`, the fewest digits that tell it from all others.

    >>> [written(value) for value in (1.0, 0.25, 1e21, math.inf, -math.inf, math.nan)]
    ['1', '0.25', '1000000000000000000000', '+Inf', '-Inf', 'NaN']
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def with_exponent(value: float) -> str:
    """A value as Prometheus writes it in an alert: Go's format `e`, the fewest digits that tell it from all others.

    >>> [with_exponent(value) for value in (1.0, 0.25, 1234.5, 0.0)]
    ['1e+00', '2.5e-01', '1.2345e+03', '0e+00']
    """
    if not math.isfinite(value):
        return written(value)
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).lstrip("0") or "0"
    power = int(exponent) + len(text) - 1 if text != "0" else 0
    text = text.rstrip("0") or "0"
    return (
        f"{'-' if sign else ''}{text[0]}{'.' if text[1:] else ''}{text[1:]}e{'-' if power < 0 else '+'}{abs(power):02d}"
    )


def moment(at: float) -> str:
    """A moment as RFC 3339 has it, in UTC.

    >>> moment(1795651740.25)
    '2026-11-26T00:09:00.250000Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _time(text: str) -> float:
    if not text:
        return time.time()
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise BadInput(f'invalid parameter "time": cannot parse "{text}" to a valid timestamp') from None


def _is_active(alert: Alert) -> bool:
    return alert.state is not State.RESOLVED


def _success(data: Mapping[str, Any]) -> Page:
    return Page(json.dumps({"status": "success", "data": data}), kind="application/json")


def _refused(kind: str, error: OpsError) -> Page:
    status = HTTPStatus.BAD_REQUEST if kind == "bad_data" else HTTPStatus.UNPROCESSABLE_ENTITY
    body = json.dumps({"status": "error", "errorType": kind, "error": error.what})
    return Page(body, status, "application/json")
