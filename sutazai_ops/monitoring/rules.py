"""Prometheus' rules, generated: each signal recorded under its name, what is unknown, and an alert for each threshold.

There is a group or two for each exporter, in which the signals come first, then what of them is unknown, and then the
alerts, so that an alert sees what was recorded in the same moment. Groups and rules stand in a fixed order: what has
not changed is written the same. Pure: a rulebook comes in, a file's text goes out.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import yaml

from sutazai_ops.monitoring.duration import format_duration
from sutazai_ops.monitoring.signals import ANYTHING, UNKNOWN
from sutazai_ops.monitoring.thresholds import CRITICAL, Side, Watcher
from sutazai_ops.monitoring.wording import as_template
from sutazai_ops.platform.compose_file import ComposeDumper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sutazai_ops.monitoring.signals import Signal
    from sutazai_ops.monitoring.thresholds import Condition, Rulebook, Severity, Threshold

SYMBOL = {Side.ABOVE: ">", Side.BELOW: "<"}
HEAD = """# The signals and thresholds of this platform as rules, made by `sutazai-ops config generate`. Changes here
# are overwritten: your own stand in the files that monitoring.signals and monitoring.thresholds name.
# Made of sources with the SHA-256 {digest}.
"""


def rules_file(rulebook: Rulebook, runbooks_url: str) -> str:
    """The rule file: https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/.

    Args:
        rulebook: of what is measured here.
        runbooks_url: where the pages of docs/runbooks can be read.
    """
    content = {"groups": [_group(name, rulebook, runbooks_url) for name in _groups(rulebook)]}
    digest = hashlib.sha256(f"{runbooks_url}\n{rulebook.model_dump_json()}".encode()).hexdigest()
    return HEAD.format(digest=digest) + dump(content)


def expression(threshold: Threshold, rulebook: Rulebook) -> str:
    """The PromQL that has a value for each label set of which the threshold is broken."""
    broken = _beyond(threshold, rulebook)
    if threshold.while_ is None:
        return broken
    beside = rulebook.signal_of(threshold.while_)
    return f"{broken} and on ({', '.join(beside.labels)}) {_beyond(threshold.while_, rulebook)}"


def told_as(threshold: Threshold, rulebook: Rulebook) -> list[tuple[Severity, str]]:
    """Each severity of its alerts, and the PromQL of where it is that: two where not every service is critical.

    Where nobody knows whether a service is, its alert has the first.
    """
    broken = expression(threshold, rulebook)
    if threshold.unless_critical is None:
        return [(threshold.severity, broken)]
    minor = f"on (service) (signal:{CRITICAL} < 1)"
    return [
        (threshold.severity, f"({broken}) unless {minor}"),
        (threshold.unless_critical, f"({broken}) and {minor}"),
    ]


def unknown_expression(signal: Signal) -> str | None:
    """The PromQL that has a value for each label set that is expected and is not there; None where none is expected."""
    if signal.expected is None:
        return None
    # NaN is no value: it is not even above -Inf.
    known = f"({signal.recorded} >= -Inf)"
    if signal.expected == ANYTHING:
        return f"{ANYTHING} unless on () {known}"
    return f"({signal.expected.strip()}) unless on ({', '.join(signal.labels)}) {known}"


def alert_labels(threshold: Threshold, severity: Severity | None = None) -> dict[str, str]:
    """The labels of an alert besides those of its signal; of the severity that is first said where none is given."""
    labels = {"severity": str(severity or threshold.severity)}
    # What is unknown names the signal that it is about by itself.
    if threshold.signal != UNKNOWN:
        labels["signal"] = threshold.signal
    if threshold.playbook:
        labels["playbook"] = threshold.playbook
    return labels


def runbook_url(threshold: Threshold, runbooks_url: str) -> dict[str, str]:
    """The annotation that leads to the page of the threshold, where it has one."""
    address = threshold.page or (runbook_of(threshold.name, runbooks_url) if threshold.runbook else "")
    return {"runbook_url": address} if address else {}


def runbook_of(threshold: str, runbooks_url: str) -> str:
    """Where the page of a threshold of that name is read."""
    return f"{runbooks_url.rstrip('/')}/{threshold}.md"


def dump(content: dict[str, Any]) -> str:
    """YAML for people: texts of several lines as they are, everything in the order in which it was made."""
    return yaml.dump(content, Dumper=ComposeDumper, sort_keys=False, width=120, allow_unicode=True)


def _groups(rulebook: Rulebook) -> list[str]:
    return [*sorted({*map(_group_of, rulebook.signals.values())}), UNKNOWN]


def _group_of(signal: Signal) -> str:
    """Few groups, and none of which the evaluation takes long: what there is of every service is apart."""
    exporters = "+".join(sorted(signal.exporters)) or "always"
    return f"{exporters} by service" if "service" in signal.labels else exporters


def _group(name: str, rulebook: Rulebook, runbooks_url: str) -> dict[str, Any]:
    signals = [signal for signal in rulebook.signals.values() if _group_of(signal) == name]
    recorded = [{"record": signal.recorded, "expr": signal.query.strip()} for signal in signals]
    return {"name": name, "rules": [*recorded, *_unknown(signals), *_alerts(name, rulebook, runbooks_url)]}


def _unknown(signals: list[Signal]) -> Iterator[dict[str, Any]]:
    for signal in signals:
        unknown = unknown_expression(signal)
        if unknown is not None:
            yield {"record": f"signal:{UNKNOWN}", "expr": unknown, "labels": {"signal": signal.name}}


def _alerts(group: str, rulebook: Rulebook, runbooks_url: str) -> Iterator[dict[str, Any]]:
    for threshold in rulebook.thresholds.values():
        home = UNKNOWN if threshold.signal == UNKNOWN else _group_of(rulebook.signal_of(threshold))
        if home == group and threshold.watch is Watcher.PROMETHEUS:
            for severity, expr in told_as(threshold, rulebook):
                yield _alert(threshold, rulebook, runbooks_url, severity, expr)


def _alert(
    threshold: Threshold, rulebook: Rulebook, runbooks_url: str, severity: Severity, expr: str
) -> dict[str, Any]:
    signal = rulebook.signal_of(threshold)
    rule: dict[str, Any] = {"alert": threshold.name, "expr": expr}
    if threshold.for_:
        rule["for"] = format_duration(threshold.for_)
    if threshold.keep_firing_for:
        rule["keep_firing_for"] = format_duration(threshold.keep_firing_for)
    texts = {"summary": threshold.summary, "next": threshold.next}
    told = {name: as_template(text, signal, threshold.level) for name, text in texts.items()}
    rule["labels"] = alert_labels(threshold, severity)
    rule["annotations"] = {**told, **runbook_url(threshold, runbooks_url)}
    return rule


def _beyond(condition: Condition, rulebook: Rulebook) -> str:
    level = f"{condition.level:.15g}"
    return f"{rulebook.signal_of(condition).recorded} {SYMBOL[condition.side]} {level}"
