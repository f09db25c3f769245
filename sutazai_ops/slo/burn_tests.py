"""Tests of the burn alerts, for `promtool test rules`: each pair of windows fires when it should, and only then.

An objective is driven at twice the rate that its alert waits for, at half of it, back to health, and with too few
failures to be told of: one through all pairs, and one of each other kind through the first, since all that comes after
five minutes is the same for all. Pure: objectives come in, a file's text goes out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutazai_ops.monitoring.duration import format_duration
from sutazai_ops.monitoring.rules import dump
from sutazai_ops.slo.burn import GROUPS, PAIRS, STEP, alert_annotations, alert_labels
from sutazai_ops.slo.objective import Alerts
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.selectors import Matcher, edge_matcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sutazai_ops.slo.burn import Pair
    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.selectors import Selector

PER_MINUTE = 1000.0
MINUTE = 60
HEAD = """# Tests of the alerts on budgets that burn, for `promtool test rules`. Made by `sutazai-ops slo rules`; what
# is changed here is overwritten.
"""
REPLACED = ((r"\.\*", "x"), (r"\.\+", "x"), (r"\.", "0"), (r"\\\\", ""))
"""What makes a text out of the regular expressions that people write, from the longest to the shortest."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which a share of all goes wrong."""

    seconds: int
    share: float
    per_minute: float = PER_MINUTE


def burn_tests_file(objectives: Mapping[str, Objective], rules: str, page_url: str) -> str:
    """The file of tests: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/.

    Args:
        objectives: those that the rules were made of.
        rules: where their file lies, from the file of tests on.
        page_url: the one that the rules were made with.
    """
    ones = exercised(objectives.values())
    through_all = next((one for one in ones if one.counts_events and one.told is Alerts.PAGE), None)
    tests = [
        test
        for objective in ones
        for pair in _pairs_of(objective, through_all)
        for test in _tests(objective, pair, page_url)
    ]
    head = {
        "rule_files": [rules],
        "evaluation_interval": format_duration(STEP),
        # In an order that is drawn, otherwise.
        "group_eval_order": list(GROUPS),
    }
    return HEAD + dump({**head, "tests": tests})


def exercised(objectives: Iterable[Objective]) -> list[Objective]:
    """The first objective of each kind that somebody is told of, and whose series can be made up."""
    found: dict[tuple[ObjectiveKind, Alerts], Objective] = {}
    for objective in objectives:
        if objective.told is not Alerts.NONE and series_of(objective, [Phase(STEP, 0)]):
            found.setdefault((objective.kind, objective.told), objective)
    return list(found.values())


def series_of(objective: Objective, phases: list[Phase]) -> dict[str, str] | None:
    """Series in promtool's notation, a minute apart, of which a share goes wrong; None where none can be made up."""
    match objective.kind:
        case ObjectiveKind.PROBE:
            up = _example(objective.selector("up"))
            return None if up is None else {up: _gauge(phases, lambda share: 1 - share)}
        case ObjectiveKind.FRESHNESS:
            age, within = _example(objective.selector("age")), objective.within or 0
            return None if age is None else {age: _gauge(phases, lambda share: within * (2 if share else 0.5))}
        case ObjectiveKind.LATENCY:
            histogram = objective.selector("histogram")
            assert histogram is not None  # noqa: S101  (the kind has one)
            count = _example(histogram.called(f"{histogram.name}_count"))
            edge = edge_matcher(objective.within or 0)
            fast = Matcher("le", "=", edge.value.partition("|")[0])
            bucket = _example(histogram.called(f"{histogram.name}_bucket").and_(fast))
            return _counters([(count, phases, False), (bucket, phases, True)])
        case _:
            return _of_ratio(objective, phases)


def _of_ratio(objective: Objective, phases: list[Phase]) -> dict[str, str] | None:
    total, bad, good = (objective.selector(key) for key in ("total", "bad", "good"))
    failing = [Phase(one.seconds, 1 - one.share, one.per_minute) for one in phases]
    others = _example(total)
    if bad is not None:
        marked = _example(_both(total, bad))
        return _counters([(others, phases, True), (marked, failing, True)]) if others != marked else None
    marked = _example(_both(total, good))
    return _counters([(others, failing, True), (marked, phases, True)]) if others != marked else None


def _both(one: Selector | None, other: Selector | None) -> Selector | None:
    """Series that fulfil the conditions of both."""
    if one is None or other is None:
        return None
    told = {matcher.label for matcher in other.matchers}
    return other.and_(*(matcher for matcher in one.matchers if matcher.label not in told))


def _counters(wanted: list[tuple[str | None, list[Phase], bool]]) -> dict[str, str] | None:
    """Counters that grow by what goes well, or where `well` is false by everything."""
    made = {}
    for name, phases, well in wanted:
        if name is None:
            return None
        parts, value = [], 0.0
        for phase in phases:
            step = phase.per_minute * (1 - phase.share if well else 1)
            steps = phase.seconds // MINUTE
            parts.append(f"{value:g}+{step:g}x{steps - 1}")
            value += step * steps
        made[name] = " ".join(parts)
    return made


def _gauge(phases: list[Phase], value: Any) -> str:  # noqa: ANN401  (a function of a share)
    return " ".join(f"{value(phase.share):g}+0x{phase.seconds // MINUTE - 1}" for phase in phases)


def _example(selector: Selector | None) -> str | None:
    """One series that a selector finds; None where none comes to mind."""
    if selector is None:
        return None
    labels = {}
    for matcher in selector.matchers:
        value = _value(matcher)
        if value is None:
            return None
        if value:
            labels[matcher.label] = value
    inner = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{selector.name}{{{inner}}}" if inner else selector.name


def _value(matcher: Matcher) -> str | None:
    """A value of a label that fulfils a condition; empty where the label's absence does."""
    if matcher.symbol == "=":
        return matcher.value
    if matcher.symbol in {"!=", "!~"}:
        is_fine = matcher.value != "" if matcher.symbol == "!=" else re.fullmatch(matcher.value, "") is None
        return "" if is_fine else None
    text = matcher.value.partition("|")[0]
    for pattern, instead in REPLACED:
        text = re.sub(pattern, instead, text)
    return text if re.fullmatch(matcher.value, text) else None


def _pairs_of(objective: Objective, through_all: Objective | None) -> list[Pair]:
    told = [pair for pair in PAIRS if objective.told is Alerts.PAGE or pair.severity is Alerts.TICKET]
    return told if objective is through_all else told[:1]


def _tests(objective: Objective, pair: Pair, page_url: str) -> Iterator[dict[str, Any]]:
    allowed = 1 - objective.target
    fast, slow = min(1.0, 2 * pair.factor * allowed), pair.factor * allowed / 2
    at = 2 * pair.short + STEP
    if not objective.counts_events:
        # Twice as many samples as somebody is to be told of.
        fast = min(1.0, max(fast, 2 * objective.least_failures * objective.every / at))
    labels = {"objective": objective.name} | ({"service": objective.service} if objective.service else {})
    told = {
        "exp_labels": labels | alert_labels(pair),
        "exp_annotations": _filled(alert_annotations(pair, page_url), labels),
    }
    yield _test(objective, pair, "fires", [Phase(at + STEP, fast)], at, told)
    back = [Phase(at, fast), Phase(2 * pair.short + STEP, 0)]
    yield _test(objective, pair, "ends when the short window is well", back, at + pair.short + 2 * STEP)
    if objective.kind is not ObjectiveKind.FRESHNESS:
        yield _test(objective, pair, "lets a slow burn pass", [Phase(at + STEP, slow)], at)
    if objective.counts_events:
        # One event a minute, of which fewer fail in all than somebody is to be told of.
        few = [Phase(at + STEP, min(1.0, 0.5 * objective.least_failures / (at / MINUTE)), 1.0)]
        if few[0].share > pair.factor * allowed:
            yield _test(objective, pair, "is silent on few failures", few, at)


def _test(
    objective: Objective, pair: Pair, what: str, phases: list[Phase], at: int, told: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    series = series_of(objective, phases) or {}
    return {
        "name": f"{pair.alert} of {objective.name} {what}",
        "interval": format_duration(MINUTE),
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"alertname": pair.alert, "eval_time": format_duration(at), "exp_alerts": [dict(told)] if told else []}
        ],
    }


def _filled(annotations: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    return {name: text.replace("{{ $labels.objective }}", labels["objective"]) for name, text in annotations.items()}
