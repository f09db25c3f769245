"""Alerts on budgets that burn, where there is no Prometheus: of the pairs of windows those that memory reaches.

The exporter remembers little more than an hour, so the fastest pair is evaluated, by the same expressions that are
generated for Prometheus. The others are never guessed at: they are named as not evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter.alerting import Recording
from sutazai_ops.monitoring.signals import Signal
from sutazai_ops.monitoring.thresholds import Rulebook, Severity, Threshold
from sutazai_ops.slo.burn import NEXT, PAIRS, SIGNAL, alert_expression, of_window, recorded, summary
from sutazai_ops.slo.embedded import REMEMBERED
from sutazai_ops.slo.objective import Alerts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sutazai_ops.slo.objective import Objective

HERE, *_TOO_LONG = PAIRS
"""The pair that is evaluated."""
assert HERE.long <= REMEMBERED < min(pair.long for pair in _TOO_LONG)  # noqa: S101  (constants of two modules)
NOT_EVALUATED = tuple(f"{pair.alert} ({pair.windows})" for pair in _TOO_LONG)


def rulebook(page_url: str) -> Rulebook:
    """The one alert, on what `recordings` records; `page_url` says where docs/slo/when-a-budget-burns.md is read."""
    signal = Signal(
        name=SIGNAL,
        description="How many times too fast an objective burns its budget",
        range=(0, None),
        labels=("objective", "service"),
        query=alert_expression(HERE),
        # What does not burn has no value.
        expected=None,
    )
    threshold = Threshold(
        name=HERE.alert,
        signal=SIGNAL,
        above=HERE.factor,
        for_=0,
        severity=Severity(HERE.severity),
        summary=summary(HERE, "{objective}", "{level}"),
        next=NEXT,
        page=page_url,
    )
    return Rulebook(signals={SIGNAL: signal}, thresholds={HERE.alert: threshold})


def recordings(objectives: Iterable[Objective]) -> list[list[Recording]]:
    """What is recorded of those of which somebody may be told by it, stage by stage."""
    told = [one for one in objectives if one.told is Alerts.PAGE]
    stages = [
        [rule for one in told for rule in recorded(one)],
        [*of_window(HERE.short), *of_window(HERE.long)],
    ]
    return [[Recording(one["record"], one["expr"], one.get("labels", {})) for one in rules] for rules in stages]


def sentence() -> str:
    """What is evaluated here and what is not."""
    return f"alerts on budgets: {HERE.alert} is evaluated here; not evaluated: {', '.join(NOT_EVALUATED)}"
