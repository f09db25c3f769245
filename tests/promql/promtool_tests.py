"""Files for `promtool test rules`, run by this program: over its own evaluator, and with its own meaning of `for`.

What stands in a file's `rule_files` is not read. The rules are those of a rulebook, from which the rule files are made;
so a generated file of tests that passes here and with promtool shows that both mean the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from promql_ours import KEEP_SECONDS, add
from promtool import Series
from promtool_notation import labels, points, seconds, written

from sutazai_ops.monitoring.evaluation import Alert, State, advance, annotations_of, labels_of, measure
from sutazai_ops.monitoring.promql import Samples, evaluate
from sutazai_ops.monitoring.thresholds import Rulebook

MINUTE = 60.0


def failures(text: str, rulebook: Rulebook, runbooks_url: str) -> list[str]:
    """What fails of the tests in a file, in words; nothing when all pass."""
    content = yaml.safe_load(text)
    step = seconds(content.get("evaluation_interval", "1m"))
    return [failure for test in content["tests"] for failure in _failures(test, step, rulebook, runbooks_url)]


def states(rulebook: Rulebook, series: Series, minutes: int) -> list[str | None]:
    """The state of the one alert of a rulebook after each minute's evaluation, from the epoch on."""
    samples = Samples(KEEP_SECONDS)
    add(samples, series, 30.0)
    alerts: Sequence[Alert] = ()
    found: list[str | None] = []
    for minute in range(minutes):
        measured = measure(rulebook, samples, minute * MINUTE)
        alerts = advance(rulebook, measured, alerts, minute * MINUTE)
        active = [alert.state for alert in alerts if alert.state is not State.RESOLVED]
        found.append(str(active[0]) if active else None)
    return found


def _failures(test: Mapping[str, Any], step: float, rulebook: Rulebook, runbooks_url: str) -> Iterator[str]:
    name = test.get("name", "a test without a name")
    series = {one["series"]: points(str(one["values"])) for one in test.get("input_series", ())}
    alert_looks = [(seconds(look["eval_time"]), look) for look in test.get("alert_rule_test", ())]
    expression_looks = [(seconds(look["eval_time"]), look) for look in test.get("promql_expr_test", ())]
    end = max(at for at, _ in [*alert_looks, *expression_looks])
    samples = Samples(KEEP_SECONDS)
    add(samples, series, seconds(test.get("interval", "1m")))
    alerts: Sequence[Alert] = ()
    for number in range(int(end / step) + 1):
        at = number * step
        measured = measure(rulebook, samples, at)
        samples.add(at, measured.samples(), source="recorded")
        alerts = advance(rulebook, measured, alerts, at)
        for when, look in alert_looks:
            # As promtool: the alerts of the last evaluation before the time asked for.
            if at <= when < at + step and (found := _alerts(alerts, look["alertname"], rulebook, runbooks_url)) != (
                expected := _expected_alerts(look)
            ):
                yield f"{name}: {look['alertname']} at {look['eval_time']}: expected {expected}, got {found}"
    for when, look in expression_looks:
        got = {written(dict(sorted(one.labels.items()))): one.value for one in evaluate(look["expr"], samples, when)}
        wanted = {
            written(dict(sorted(labels(one["labels"]).items()))): float(one["value"])
            for one in look.get("exp_samples") or ()
        }
        if got.keys() != wanted.keys() or not all(_same(got[key], wanted[key]) for key in wanted):
            yield f"{name}: {look['expr']} at {look['eval_time']}: expected {wanted}, got {got}"


def _alerts(alerts: Sequence[Alert], name: str, rulebook: Rulebook, runbooks_url: str) -> list[tuple[Any, Any]]:
    """Labels and annotations of what fires under a name."""
    firing = [alert for alert in alerts if alert.threshold == name and alert.state is State.FIRING]
    told = [(labels_of(alert, rulebook), annotations_of(alert, rulebook, runbooks_url)) for alert in firing]
    return sorted(((_sorted(own), _sorted(annotations)) for own, annotations in told), key=repr)


def _expected_alerts(look: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    expected = look.get("exp_alerts") or ()
    named = {"alertname": look["alertname"]}
    return sorted(
        (
            (_sorted({**named, **(one.get("exp_labels") or {})}), _sorted(one.get("exp_annotations") or {}))
            for one in expected
        ),
        key=repr,
    )


def _sorted(of: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(of.items()))


def _same(a: float, b: float) -> bool:
    # As promtool with --fuzzy-compare-floats, which exact fractions need on both sides.
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-12)
