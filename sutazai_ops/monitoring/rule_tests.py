"""Tests of the generated rules, for `promtool test rules`: each threshold fires when it should, and then alone.

They are made of the example series of the signals. A threshold is driven to a value beyond its level, and its alert has
to come with its whole text, not a moment before its `for` is over; then to a value on the good side, and nothing may
come. What is expected and missing has to be called unknown. Pure: a rulebook comes in, a file's text goes out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutazai_ops.monitoring.duration import format_duration
from sutazai_ops.monitoring.promql import asked_ranges
from sutazai_ops.monitoring.rules import alert_labels, dump, runbook_url
from sutazai_ops.monitoring.signals import ANYTHING, UNKNOWN, Unit
from sutazai_ops.monitoring.thresholds import CRITICAL, Side, Watcher
from sutazai_ops.monitoring.wording import fill_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sutazai_ops.monitoring.signals import ExampleSeries, Signal
    from sutazai_ops.monitoring.thresholds import Condition, Rulebook, Severity, Threshold

STEP_SECONDS = 60
"""Of the series and of the evaluation. Prometheus' own is shorter; a longer one makes the tests of hours quick."""
HOUR = 3600
UNKNOWN_ALERT = "signal_unknown"
HEAD = """# Tests of the generated rules, for `promtool test rules`. Made by `sutazai-ops config generate`; changes are
# overwritten.
"""
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def rule_tests_file(rulebook: Rulebook, rules: str, runbooks_url: str) -> str:
    """The file of tests: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/.

    Args:
        rulebook: the one that the rules were made of.
        rules: where their file lies, from the file of tests on.
        runbooks_url: the one that the rules were made with.
    """
    cases = [case for threshold in exercised(rulebook) for case in cases_of(threshold, rulebook, runbooks_url)]
    unknown = [case for signal in rulebook.signals.values() for case in _unknown_cases(signal)]
    if UNKNOWN_ALERT in rulebook.thresholds:
        unknown.append(_nothing_is_known(rulebook, runbooks_url))
    step = format_duration(STEP_SECONDS)
    return HEAD + dump({"rule_files": [rules], "evaluation_interval": step, "tests": [*cases, *unknown]})


def exercised(rulebook: Rulebook) -> list[Threshold]:
    """The thresholds that Prometheus evaluates and whose signals bring examples, or need none."""
    return [
        threshold
        for threshold in rulebook.thresholds.values()
        if threshold.watch is Watcher.PROMETHEUS
        and threshold.signal != UNKNOWN
        and (rulebook.signal_of(threshold).example or not asked_ranges([rulebook.signal_of(threshold).query]))
    ]


@dataclass(frozen=True, slots=True)
class Case:
    """Series that hold a signal at a value, and when to look."""

    value: float
    series: dict[str, str]
    seconds: float
    labels: dict[str, str]
    """Those of the signal."""


def broken_value(condition: Condition, signal: Signal) -> float:
    """A value well beyond the level, and within the signal's range."""
    low, high = signal.range
    level = condition.level
    if condition.side is Side.BELOW:
        value = _between(level, low) if low is not None else level - max(abs(level) / 2, 1)
    else:
        value = _between(level, high) if high is not None else level + max(abs(level), 1)
    # Between two whole ones, so that an error in the last place does not change how it is written.
    if signal.unit is Unit.SECONDS and abs(value) > STEP_SECONDS:
        return math.floor(value) + 0.5
    if signal.unit is Unit.COUNT and high is not None:
        return high if condition.side is Side.ABOVE else (low if low is not None else value)
    return value


def whole_value(condition: Condition, signal: Signal) -> float | None:
    """A value well on the good side of the level; None where there is none within the signal's range."""
    low, high = signal.range
    level = condition.level
    if condition.side is Side.ABOVE:
        if low is None:
            return level - max(abs(level) / 2, 1)
        return _between(level, low) if level > low else level
    if high is None:
        return level + max(abs(level), 1)
    return _between(level, high) if level < high else level


def _between(one: float, other: float) -> float:
    return (one + other) / 2


def cases_of(threshold: Threshold, rulebook: Rulebook, runbooks_url: str) -> Iterator[dict[str, Any]]:
    """The tests of one threshold: one in which it fires, and where it can be quiet, one in which it is.

    Where its severity depends on the service, there is one more, in which little stands still without that.
    """
    signal = rulebook.signal_of(threshold)
    looks_at = _when(threshold, rulebook)
    broken = _case(threshold, rulebook, broken_value(threshold, signal), looks_at)
    looks = [_look(threshold, looks_at, [_told(threshold, rulebook, broken.labels, broken.value, runbooks_url)])]
    if threshold.for_ > STEP_SECONDS:
        looks.insert(0, _look(threshold, (math.ceil(threshold.for_ / STEP_SECONDS) - 1) * STEP_SECONDS))
    yield _test(f"{threshold.name} fires", broken.series, alert_rule_test=looks)
    if threshold.unless_critical is not None:
        minor = dict(_series(rulebook.signals[CRITICAL], 0, looks_at)) | broken.series
        told = _told(threshold, rulebook, broken.labels, broken.value, runbooks_url, threshold.unless_critical)
        yield _test(f"{threshold.name} is minor", minor, alert_rule_test=[_look(threshold, looks_at, [told])])
    good = whole_value(threshold, signal)
    if signal.example and good is not None:
        quiet = _case(threshold, rulebook, good, looks_at)
        yield _test(f"{threshold.name} is quiet", quiet.series, alert_rule_test=[_look(threshold, looks_at)])


def _case(threshold: Threshold, rulebook: Rulebook, value: float, looks_at: float) -> Case:
    signal = rulebook.signal_of(threshold)
    series = dict(_series(signal, value, looks_at))
    if threshold.while_ is not None:
        beside = rulebook.signal_of(threshold.while_)
        # What the signal itself says of a series counts: the same requests make its failures and their share.
        series = dict(_series(beside, broken_value(threshold.while_, beside), looks_at)) | series
    return Case(value, series, looks_at, _labels(signal))


def _labels(signal: Signal) -> dict[str, str]:
    """The labels that the signal has in its example."""
    found = {name: value for one in signal.example for name, value in _LABEL.findall(one.series)}
    return {name: found[name] for name in signal.labels if name in found}


def _when(threshold: Threshold, rulebook: Rulebook) -> float:
    """Once its range is full and its `for` is over."""
    conditions = [threshold, *([threshold.while_] if threshold.while_ else [])]
    over = threshold.for_ + max(_longest_range(rulebook.signal_of(one)) for one in conditions)
    return (math.ceil(over / STEP_SECONDS) + 2) * STEP_SECONDS


def _longest_range(signal: Signal) -> float:
    """How long it takes until its ranges are full; a straight line through hours is one through two, too."""
    return min(max(asked_ranges([signal.query]).values(), default=0), 2 * HOUR)


def _series(signal: Signal, value: float, looks_at: float) -> Iterator[tuple[str, str]]:
    for one in signal.example:
        steps = math.ceil(looks_at / STEP_SECONDS)
        name = one.series.replace("{value}", f"{value:.15g}")
        yield name, _values(one, value, steps, looks_at)


def _values(one: ExampleSeries, value: float, steps: int, looks_at: float) -> str:
    if one.rate is not None:
        return f"0+{_at(one.rate, value) * STEP_SECONDS:.15g}x{steps}"
    number = _at(one.gauge, value) if one.gauge is not None else looks_at + _at(one.timestamp or 0, value)
    return f"{number:.15g}x{steps}"


def _at(line: float | Sequence[float], value: float) -> float:
    if isinstance(line, int | float):
        return line
    start, end = line
    return start + (end - start) * value


def _test(name: str, series: dict[str, str], **looks: list[dict[str, Any]]) -> dict[str, Any]:
    given = [{"series": one, "values": values} for one, values in series.items()]
    return {"name": name, "interval": format_duration(STEP_SECONDS), "input_series": given, **looks}


def _told(
    threshold: Threshold,
    rulebook: Rulebook,
    labels: dict[str, str],
    value: float,
    runbooks_url: str,
    severity: Severity | None = None,
) -> dict[str, Any]:
    """An alert as it is expected: all of its labels and all that is told."""
    signal = rulebook.signal_of(threshold)
    texts = {"summary": threshold.summary, "next": threshold.next}
    told = {name: fill_in(text, signal, labels, value, threshold.level) for name, text in texts.items()}
    return {
        "exp_labels": labels | alert_labels(threshold, severity),
        "exp_annotations": told | runbook_url(threshold, runbooks_url),
    }


def _look(threshold: Threshold, seconds: float, told: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {
        "eval_time": format_duration(seconds),
        "alertname": threshold.name,
        "exp_alerts": list(told),
    }


def _unknown_cases(signal: Signal) -> Iterator[dict[str, Any]]:
    """That it is unknown without any of its series, or with those alone that say what is expected."""
    if signal.expected is None or not signal.example:
        return
    expecting = set(asked_ranges([signal.expected]))
    if signal.expected != ANYTHING and expecting & set(asked_ranges([signal.query])):
        return
    alone = [one for one in signal.example if _name(one) in expecting]
    if signal.expected != ANYTHING and {_name(one) for one in alone} != expecting:
        return
    at = 2 * STEP_SECONDS
    every = dict(_series(signal, 1, at))
    present = {name: values for name, values in every.items() if any(name.startswith(_name(one)) for one in alone)}
    asked = f'signal:{UNKNOWN}{{signal="{signal.name}"}} >= bool 1'
    labels = {name: value for name, value in _labels(signal).items() if signal.expected != ANYTHING}
    named = ", ".join(f'{name}="{value}"' for name, value in {**labels, "signal": signal.name}.items())
    missing = {"expr": asked, "eval_time": format_duration(at), "exp_samples": [{"labels": f"{{{named}}}", "value": 1}]}
    yield _test(f"{signal.name} is unknown when it is missing", present, promql_expr_test=[missing])
    there = {**missing, "exp_samples": []}
    yield _test(f"{signal.name} is known", every, promql_expr_test=[there])


def _nothing_is_known(rulebook: Rulebook, runbooks_url: str) -> dict[str, Any]:
    """Without any series, each signal that always has to have a value is told of by itself."""
    threshold = rulebook.thresholds[UNKNOWN_ALERT]
    labels = [{"signal": one.name} for one in rulebook.signals.values() if one.expected == ANYTHING]
    told = [_told(threshold, rulebook, each, 1, runbooks_url) for each in labels]
    at = (math.ceil(threshold.for_ / STEP_SECONDS) + 1) * STEP_SECONDS
    return _test("nothing is known", {}, alert_rule_test=[_look(threshold, at, told)])


def _name(one: ExampleSeries) -> str:
    found = _SELECTOR.match(one.series)
    return found["name"] if found else one.series
