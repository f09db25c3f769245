"""What the signals are now, each held against its thresholds: ok, broken or unknown, since when, and measured when.

It is read from whoever evaluates the rules, by three questions. What it has not computed lately is unknown, and so is a
signal whose rule it does not have or cannot compute: a last value that has stood still is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.alertmanager import WATCHDOG
from sutazai_ops.monitoring.evaluation import Measured, broken
from sutazai_ops.monitoring.promql import Value
from sutazai_ops.monitoring.signals import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sutazai_ops.monitoring.prometheus import ActiveAlert, Prometheus, Rule
    from sutazai_ops.monitoring.signals import Signal
    from sutazai_ops.monitoring.thresholds import Rulebook, Threshold

LATE_SECONDS = 120
"""After which what was computed last says nothing of now."""
RECORDED = "signal:"
EVERYTHING = f'{{__name__=~"{RECORDED}.+"}}'
NAME = "__name__"


class Standing(StrEnum):
    """How a value stands to a threshold."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """One value of one signal, held against one threshold, where it has any."""

    signal: Signal
    labels: Mapping[str, str]
    value: float | None
    """None where it is unknown."""
    threshold: Threshold | None
    standing: Standing
    since: datetime | None
    """When the threshold was found broken first."""
    measured_at: datetime | None
    because: str = ""
    """Why it is unknown."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was read of whoever evaluates the rules."""

    values: Sequence[Value]
    """Of everything that is recorded, with its name as a label."""
    rules: Sequence[Rule]
    alerts: Sequence[ActiveAlert]
    warnings: Sequence[str] = ()


def look(prometheus: Prometheus) -> Look:
    """Ask for what is recorded, for the rules and for the alerts; raises `OpsError` where it cannot be asked."""
    answer = prometheus.query(EVERYTHING)
    values = [Value(one.labels, one.value) for one in answer.values]
    return Look(values, prometheus.rules(), prometheus.alerts(), answer.warnings)


def rows(rulebook: Rulebook, seen: Look, now: datetime) -> list[Row]:
    """Every value and everything that is unknown: what is broken first, then the unknown, then the rest.

    Args:
        rulebook: what is measured there.
        seen: what was read.
        now: timezone-aware.
    """
    # What fires always is there to be missed, and says nothing of the platform.
    always = {one.signal for one in rulebook.thresholds.values() if one.name == WATCHDOG}
    signals = (signal for name, signal in rulebook.signals.items() if name not in always)
    made = [row for signal in signals for row in _of_signal(signal, rulebook, seen, now)]
    order = [Standing.BROKEN, Standing.UNKNOWN, Standing.OK]
    return sorted(made, key=lambda row: order.index(row.standing))


def without_value(rulebook: Rulebook, found: Iterable[Row]) -> list[str]:
    """The signals that have no value and need none now, such as the time that requests take where there are none."""
    there = {row.signal.name for row in found}
    there |= {one.signal for one in rulebook.thresholds.values() if one.name == WATCHDOG}
    return [name for name in rulebook.signals if name not in there]


def _of_signal(signal: Signal, rulebook: Rulebook, seen: Look, now: datetime) -> Iterator[Row]:
    rule = next((one for one in seen.rules if one.kind == "recording" and one.name == signal.recorded), None)
    measured_at = rule.evaluated_at if rule else None
    thresholds: list[Threshold | None] = [one for one in rulebook.thresholds.values() if one.signal == signal.name]
    if because := _why_unknown(rule, now):
        for threshold in thresholds or [None]:
            yield Row(signal, {}, None, threshold, Standing.UNKNOWN, None, measured_at, because)
        return
    measured = measured_of(seen.values)
    known = [one for one in measured.values.get(signal.name, ()) if not math.isnan(one.value)]
    for threshold in thresholds or [None]:
        beyond = [one.labels for one in broken(threshold, rulebook, measured)] if threshold else []
        for one in known:
            standing = Standing.BROKEN if one.labels in beyond else Standing.OK
            since = _since(threshold, one.labels, seen.alerts)
            yield Row(signal, one.labels, one.value, threshold, standing, since, measured_at)
        for labels in _unknown(signal, measured):
            yield Row(signal, labels, None, threshold, Standing.UNKNOWN, None, measured_at, "it has no value")


def _why_unknown(rule: Rule | None, now: datetime) -> str:
    if rule is None:
        return "its rule is not loaded"
    if rule.error:
        return f"it cannot be computed: {rule.error}"
    if rule.evaluated_at is None or (now - rule.evaluated_at).total_seconds() > LATE_SECONDS:
        return "it was not computed lately"
    return ""


def measured_of(values: Iterable[Value]) -> Measured:
    """What was read of the signals, as the evaluation of thresholds knows it."""
    found: dict[str, list[Value]] = {}
    for one in values:
        name = one.labels.get(NAME, "").removeprefix(RECORDED)
        labels = {label: text for label, text in one.labels.items() if label != NAME}
        found.setdefault(name, []).append(Value(labels, one.value))
    return Measured(found)


def _unknown(signal: Signal, measured: Measured) -> list[Mapping[str, str]]:
    return [
        {label: text for label, text in one.labels.items() if label != "signal"}
        for one in measured.values.get(UNKNOWN, ())
        if one.labels.get("signal") == signal.name
    ]


def _since(threshold: Threshold | None, labels: Mapping[str, str], alerts: Iterable[ActiveAlert]) -> datetime | None:
    if threshold is None:
        return None
    its = (one for one in alerts if one.name == threshold.name and labels.items() <= one.labels.items())
    return next((one.since for one in its), None)
