"""Signals and thresholds evaluated over samples in memory, where no Prometheus does it, with Prometheus' own meaning.

`measure` reads what the signals are now and what of them is unknown. `advance` moves the alerts on by it: one whose
threshold is broken is pending until its `for` is over, then firing; once it is whole it fires on for `keep_firing_for`
and is then resolved, and kept as such for a while so that whoever tells people can say so. No value is not broken;
that there is none is a value of the signal `unknown`, which has a threshold of its own. Nothing here reads a clock, and
nothing that is given is changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.promql import Sample, Value, evaluate
from sutazai_ops.monitoring.rules import alert_labels, runbook_url
from sutazai_ops.monitoring.signals import ANYTHING, UNKNOWN
from sutazai_ops.monitoring.thresholds import CRITICAL, Severity
from sutazai_ops.monitoring.wording import fill_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sutazai_ops.monitoring.promql import Samples
    from sutazai_ops.monitoring.signals import Signal
    from sutazai_ops.monitoring.thresholds import Rulebook, Threshold

SEVERITY = "severity"
"""The label of an alert that says who is told."""
RESOLVED_SECONDS = 15 * 60
"""How long what is resolved is kept: Prometheus' resolvedRetention, rules/alerting.go."""


class State(StrEnum):
    """Where an alert stands. One that is inactive is not there."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One threshold, broken for one set of labels. Times are seconds since the epoch."""

    threshold: str
    labels: Mapping[str, str]
    """Those of the value, and its severity where that depends on the service; by these it is known."""
    state: State
    value: float
    """When it was broken last."""
    active_since: float
    """When it was found broken first."""
    fired_at: float | None = None
    whole_since: float | None = None
    """Since when it is whole again, while it fires on."""
    resolved_at: float | None = None

    @property
    def key(self) -> Key:
        """What it is known by."""
        return _key(self.threshold, self.labels)


Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the signals are at one moment."""

    values: Mapping[str, Sequence[Value]]
    """By the signal's name, the signal `unknown` among them."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Why a signal could not be computed, by its name."""

    def samples(self) -> Iterator[Sample]:
        """The same as Prometheus records it: `signal:<name>`."""
        for name, values in self.values.items():
            for value in values:
                yield Sample(f"signal:{name}", value.labels, value.value)


def measure(rulebook: Rulebook, samples: Samples, at: float) -> Measured:
    """Compute every signal, and what of them is expected and not there.

    A signal that cannot be computed, since its series do not pair as its query demands, has no value.
    """
    values: dict[str, Sequence[Value]] = {}
    failed: dict[str, str] = {}
    missing: list[Value] = []
    for signal in rulebook.signals.values():
        try:
            values[signal.name] = [_unnamed(value) for value in evaluate(signal.query, samples, at)]
        except OpsError as error:
            values[signal.name], failed[signal.name] = (), error.what
        try:
            missing += _missing(signal, values[signal.name], samples, at)
        except OpsError as error:
            failed[signal.name] = error.what
            missing.append(Value({"signal": signal.name}, 1))
    return Measured({**values, UNKNOWN: missing}, failed)


def advance(rulebook: Rulebook, measured: Measured, alerts: Iterable[Alert], at: float) -> list[Alert]:
    """The alerts as they are at `at`, from those that were before and what is measured now.

    As Prometheus' `AlertingRule.Eval`. Alerts of thresholds that are no longer in the rulebook are gone.
    """
    before = {alert.key: _not_later(alert, at) for alert in alerts}
    now: list[Alert] = []
    for threshold in rulebook.thresholds.values():
        beyond = {
            _key(threshold.name, value.labels): value
            for value in with_severity(threshold, measured, broken(threshold, rulebook, measured))
        }
        for key, value in beyond.items():
            now.append(_still(threshold, before.get(key), value, at))
        for key, alert in before.items():
            if alert.threshold == threshold.name and key not in beyond:
                now += _whole(threshold, alert, at)
    return now


def labels_of(alert: Alert, rulebook: Rulebook) -> dict[str, str]:
    """All labels of an alert, as Prometheus sends them."""
    threshold = rulebook.thresholds[alert.threshold]
    severity = Severity(alert.labels.get(SEVERITY, threshold.severity)) if threshold.unless_critical else None
    return {"alertname": threshold.name, **alert.labels, **alert_labels(threshold, severity)}


def annotations_of(alert: Alert, rulebook: Rulebook, runbooks_url: str) -> dict[str, str]:
    """What a person is told of an alert, as Prometheus sends it."""
    threshold = rulebook.thresholds[alert.threshold]
    signal = rulebook.signal_of(threshold)
    texts = {"summary": threshold.summary, "next": threshold.next}
    told = {name: fill_in(text, signal, alert.labels, alert.value, threshold.level) for name, text in texts.items()}
    return told | runbook_url(threshold, runbooks_url)


def _missing(signal: Signal, values: Sequence[Value], samples: Samples, at: float) -> list[Value]:
    """As `rules.unknown_expression`: NaN is no value."""
    if signal.expected is None:
        return []
    known = [value for value in values if not math.isnan(value.value)]
    if signal.expected == ANYTHING:
        return [] if known else [Value({"signal": signal.name}, 1)]
    there = {_on(signal.labels, value.labels) for value in known}
    return [
        Value({**_unnamed(value).labels, "signal": signal.name}, value.value)
        for value in evaluate(signal.expected, samples, at)
        if _on(signal.labels, value.labels) not in there
    ]


def broken(threshold: Threshold, rulebook: Rulebook, measured: Measured) -> list[Value]:
    """The values beyond the level of a threshold, where what stands under its `while` is true as well."""
    values = [one for one in measured.values.get(threshold.signal, ()) if threshold.is_true_of(one.value)]
    beside = threshold.while_
    if beside is None:
        return values
    on = rulebook.signal_of(beside).labels
    true = {_on(on, one.labels) for one in measured.values.get(beside.signal, ()) if beside.is_true_of(one.value)}
    return [one for one in values if _on(on, one.labels) in true]


def with_severity(threshold: Threshold, measured: Measured, values: Iterable[Value]) -> list[Value]:
    """The values with their severity as a label, where that depends on the service; as `rules.told_as`."""
    if threshold.unless_critical is None:
        return list(values)
    minor = {one.labels.get("service") for one in measured.values.get(CRITICAL, ()) if one.value < 1}

    def severity(one: Value) -> str:
        return str(threshold.unless_critical if one.labels.get("service") in minor else threshold.severity)

    return [Value({**one.labels, SEVERITY: severity(one)}, one.value) for one in values]


def _still(threshold: Threshold, alert: Alert | None, value: Value, at: float) -> Alert:
    if alert is None or alert.state is State.RESOLVED:
        alert = Alert(threshold.name, dict(value.labels), State.PENDING, value.value, active_since=at)
    alert = replace(alert, value=value.value, whole_since=None)
    if alert.state is State.PENDING and at - alert.active_since >= threshold.for_:
        return replace(alert, state=State.FIRING, fired_at=at)
    return alert


def _whole(threshold: Threshold, alert: Alert, at: float) -> list[Alert]:
    """What becomes of an alert whose threshold is not broken: nothing is left of one that never fired."""
    if alert.state is State.PENDING:
        return []
    if alert.resolved_at is not None:
        return [alert] if at - alert.resolved_at <= RESOLVED_SECONDS else []
    since = at if alert.whole_since is None else alert.whole_since
    if threshold.keep_firing_for and at - since < threshold.keep_firing_for:
        return [replace(alert, whole_since=since)]
    return [replace(alert, state=State.RESOLVED, whole_since=since, resolved_at=at)]


def _not_later(alert: Alert, at: float) -> Alert:
    """The alert with none of its times after `at`: where the clock was set back, its waiting starts anew, not later."""
    if max(alert.active_since, alert.fired_at or at, alert.whole_since or at, alert.resolved_at or at) <= at:
        return alert
    return replace(
        alert,
        active_since=min(alert.active_since, at),
        fired_at=None if alert.fired_at is None else min(alert.fired_at, at),
        whole_since=None if alert.whole_since is None else min(alert.whole_since, at),
        resolved_at=None if alert.resolved_at is None else min(alert.resolved_at, at),
    )


def _unnamed(value: Value) -> Value:
    labels = {name: text for name, text in value.labels.items() if name != "__name__"}
    return Value(labels, value.value)


def _on(names: Iterable[str], labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in names)


def _key(threshold: str, labels: Mapping[str, str]) -> Key:
    return threshold, tuple(sorted(labels.items()))
