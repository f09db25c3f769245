"""Alerts on budgets that burn, as rules for Prometheus: two windows for each, so that they come soon and go soon.

Each objective is recorded as what went wrong and what there was at all in five minutes; everything else is the same for
all of them and is said once. A long window is the sum of those, never a mean of ratios, so a busy hour counts for what
it was. Nobody is told of fewer failures than an objective says: at a thousand tasks a day a single one would page.

The pairs of windows are those of *The Site Reliability Workbook* (O'Reilly 2018), chapter 5, table 5-8, with the row of
a day and two hours that its code listing and every tool since has.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutazai_ops.monitoring.duration import format_duration
from sutazai_ops.monitoring.rules import dump
from sutazai_ops.slo.objective import Alerts
from sutazai_ops.slo.questions import identity
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.selectors import edge_matcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.selectors import Selector

HOUR = 3600
STEP = 300
"""Seconds of what is recorded of each objective."""
HEAD = """# What went wrong of each objective, and alerts on budgets that burn, made by `sutazai-ops slo rules`. Changes
# here are overwritten: your own objectives stand in the file that slo.objectives names.
# Made of objectives with the SHA-256 {digest}.
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair of windows: the budget burns this many times too fast in both."""

    factor: float
    long: int
    """Seconds."""
    short: int
    severity: Alerts
    means: str
    """What it means to go on like this, for a person."""

    @property
    def alert(self) -> str:
        """The name of its alert."""
        return f"budget_burns_{self.factor:g}x".replace(".", "_")

    @property
    def windows(self) -> str:
        """Both, for a person."""
        return f"{_spoken(self.long)} and {_spoken(self.short)}"


PAIRS = (
    Pair(14.4, HOUR, STEP, Alerts.PAGE, "a month's budget is gone in two days"),
    Pair(6, 6 * HOUR, HOUR // 2, Alerts.PAGE, "a month's budget is gone in five days"),
    Pair(3, 24 * HOUR, 2 * HOUR, Alerts.TICKET, "a month's budget is gone in ten days"),
    Pair(1, 72 * HOUR, 6 * HOUR, Alerts.TICKET, "the budget will not last the month"),
)
WINDOWS = tuple(sorted({*(pair.short for pair in PAIRS), *(pair.long for pair in PAIRS)}))
SLOW_FROM = 24 * HOUR
"""Windows from this on need not be computed every minute."""
FAST_SECONDS, SLOW_SECONDS = 60, 300
"""How often each group is evaluated."""
GROUPS = ("objectives", "objectives that burn fast", "objectives that burn slowly")
SIGNAL, NEXT = "budget_burn", "sutazai-ops slo status"
BAD, ALL = "objective:bad:5m", "objective:all:5m"
ALLOWED, LEAST, TOLD = "objective:allowed", "objective:least_failures", "objective:told"


def burn_rules_file(objectives: Mapping[str, Objective], page_url: str) -> str:
    """The rule file: https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/.

    Args:
        objectives: those that are told; one with `alerts: none` is recorded all the same.
        page_url: where docs/slo/when-a-budget-burns.md can be read.
    """
    ones = list(objectives.values())
    of_each = [rule for objective in ones for rule in recorded(objective)]
    groups = [
        {"name": GROUPS[0], "interval": format_duration(FAST_SECONDS), "rules": of_each},
        _group(GROUPS[1], FAST_SECONDS, [w for w in WINDOWS if w < SLOW_FROM], page_url),
        _group(GROUPS[2], SLOW_SECONDS, [w for w in WINDOWS if w >= SLOW_FROM], page_url),
    ]
    said = "\n".join(f"{identity(one)} {one.target} {one.told} {one.least_failures}" for one in ones)
    digest = hashlib.sha256(f"{page_url}\n{said}".encode()).hexdigest()
    return HEAD.format(digest=digest) + dump({"groups": groups})


def alert_annotations(pair: Pair, page_url: str) -> dict[str, str]:
    """What a person is told of a pair's alert; `{{ $labels.… }}` is Prometheus' own."""
    return {
        "summary": summary(pair, "{{ $labels.objective }}", f"{pair.factor:g}"),
        "next": NEXT,
        "runbook_url": page_url,
    }


def summary(pair: Pair, objective: str, factor: str) -> str:
    """What a person is told; `objective` and `factor` as whoever evaluates it fills them in."""
    return f"{objective} burns its budget more than {factor} times too fast over {pair.windows}: {pair.means}"


def alert_labels(pair: Pair) -> dict[str, str]:
    """The labels of a pair's alert besides those of the objective."""
    return {"severity": str(pair.severity), "signal": SIGNAL}


def alert_expression(pair: Pair) -> str:
    """The PromQL that has a value, the burn rate of the long window, for each objective that burns so."""
    told = f'{TOLD}{{told="page"}}' if pair.severity is Alerts.PAGE else TOLD
    return (
        f"(\n  {rate_name(pair.long)} > {pair.factor:g}\n"
        f"  and {rate_name(pair.short)} > {pair.factor:g}\n"
        f"  and on (objective) {bad_name(pair.long)} >= on (objective) {LEAST}\n"
        f"  and on (objective) {told}\n)"
    )


def rate_name(seconds: int) -> str:
    """What the burn rate of a window is recorded under."""
    return f"objective:burn_rate:{format_duration(seconds)}"


def bad_name(seconds: int) -> str:
    """What went wrong in a window is recorded under."""
    return f"objective:bad:{format_duration(seconds)}"


def bad_expression(objective: Objective) -> str:
    """What went wrong in five minutes: events, or samples of a gauge."""
    window = f"[{format_duration(STEP)}]"
    samples = STEP / objective.every
    match objective.kind:
        case ObjectiveKind.PROBE:
            up = _given(objective, "up")
            measured = _measured_share(objective, window)
            answered = f"min(avg_over_time({up}{window}))"
            return f"{samples:g} * clamp_min({measured} - {answered}, 0)"
        case ObjectiveKind.FRESHNESS:
            age = _given(objective, "age")
            return f"{samples:g} * (max(max_over_time({age}{window})) > bool {objective.within:g})"
        case ObjectiveKind.LATENCY:
            histogram = _given(objective, "histogram")
            counted = f"sum(increase({histogram.called(histogram.name + '_count')}{window}))"
            bucket = histogram.called(f"{histogram.name}_bucket").and_(edge_matcher(objective.within or 0))
            return f"clamp_min({counted} - sum(increase({bucket}{window})), 0)"
        case _:
            total = f"sum(increase({_given(objective, 'total')}{window}))"
            bad, good = objective.selector("bad"), objective.selector("good")
            if bad is not None:
                # No failure yet is no series of failures.
                return f"sum(increase({bad}{window})) or 0 * {total}"
            return f"clamp_min({total} - (sum(increase({good}{window})) or 0 * {total}), 0)"


def all_expression(objective: Objective) -> str:
    """What there was at all in five minutes: events, or samples of a gauge."""
    window = f"[{format_duration(STEP)}]"
    samples = STEP / objective.every
    match objective.kind:
        case ObjectiveKind.PROBE:
            up = _given(objective, "up")
            return f"{samples:g} * {_measured_share(objective, window)} * (min(avg_over_time({up}{window})) >= bool 0)"
        case ObjectiveKind.FRESHNESS:
            return f"{samples:g} * (max(max_over_time({_given(objective, 'age')}{window})) >= bool 0)"
        case ObjectiveKind.LATENCY:
            histogram = _given(objective, "histogram")
            return f"sum(increase({histogram.called(histogram.name + '_count')}{window}))"
        case _:
            return f"sum(increase({_given(objective, 'total')}{window}))"


def _measured_share(objective: Objective, window: str) -> str:
    unknown, stopped = objective.selector("unknown"), objective.selector("stopped")
    if unknown is None:
        return "1"
    not_made = f"(max(avg_over_time({unknown}{window})) or vector(0))"
    if stopped is None:
        return f"(1 - {not_made})"
    return f"(1 - clamp_min({not_made} - (sum(avg_over_time({stopped}{window})) or vector(0)), 0))"


def _given(objective: Objective, key: str) -> Selector:
    selector = objective.selector(key)
    assert selector is not None  # noqa: S101  (the model holds it: a kind has what it needs)
    return selector


def recorded(objective: Objective) -> Iterator[dict[str, Any]]:
    """The recording rules of one objective."""
    labels = {"objective": objective.name} | ({"service": objective.service} if objective.service else {})
    yield {"record": BAD, "expr": bad_expression(objective), "labels": labels}
    yield {"record": ALL, "expr": all_expression(objective), "labels": labels}
    yield {"record": ALLOWED, "expr": f"vector({1 - objective.target:.10g})", "labels": labels}
    yield {"record": LEAST, "expr": f"vector({objective.least_failures:g})", "labels": labels}
    if objective.told is not Alerts.NONE:
        yield {"record": TOLD, "expr": "vector(1)", "labels": {**labels, "told": str(objective.told)}}


def _group(name: str, seconds: int, windows: Iterable[int], page_url: str) -> dict[str, Any]:
    ones = list(windows)
    rules = [rule for window in ones for rule in of_window(window)]
    alerts = [_alert(pair, page_url) for pair in PAIRS if pair.long in ones]
    return {"name": name, "interval": format_duration(seconds), "rules": [*rules, *alerts]}


def of_window(seconds: int) -> Iterator[dict[str, Any]]:
    """The recording rules of one window, of all objectives at once."""
    bad, there = _sum(BAD, seconds), _sum(ALL, seconds)
    if seconds != STEP:
        yield {"record": bad_name(seconds), "expr": bad}
    # Nobody asked: no rate, and not one of 0 / 0, which would stay for the length of the window.
    yield {"record": rate_name(seconds), "expr": f"{bad} / ({there} > 0) / {ALLOWED}"}


def _sum(recorded: str, seconds: int) -> str:
    """What was recorded every five minutes, added up."""
    return (
        recorded
        if seconds == STEP
        else f"sum_over_time({recorded}[{format_duration(seconds)}:{format_duration(STEP)}])"
    )


def _alert(pair: Pair, page_url: str) -> dict[str, Any]:
    return {
        "alert": pair.alert,
        "expr": alert_expression(pair),
        "labels": alert_labels(pair),
        "annotations": alert_annotations(pair, page_url),
    }


def _spoken(seconds: int) -> str:
    from sutazai_ops import human

    return human.duration(seconds)
