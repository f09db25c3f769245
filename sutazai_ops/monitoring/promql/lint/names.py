"""Names: metrics that nothing exports, and labels that a metric does not have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import promql_parser as promql

from sutazai_ops.monitoring.promql.lint.finding import Finding, short
from sutazai_ops.monitoring.promql.lint.known import label_matchers
from sutazai_ops.monitoring.promql.lint.places import places, selectors
from sutazai_ops.monitoring.promql.parse import NotSupported, metric_name
from sutazai_ops.monitoring.promql.samples import NAME
from sutazai_ops.monitoring.promql.selectors import pattern
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sutazai_ops.monitoring.promql.lint.known import Known

_NOT_CADVISOR = "cAdvisor does not run here"
INSTEAD = {
    r"container_memory_(usage|working_set|rss)": (
        f"{_NOT_CADVISOR}, and its usage counts the page cache, which the kernel gives back: what a service needs is "
        "sutazai_service_memory_working_set_bytes, and what it may have sutazai_service_memory_limit_bytes"
    ),
    r"container_spec_memory_limit": f"{_NOT_CADVISOR}: sutazai_service_memory_limit_bytes, absent without a limit",
    r"container_cpu_usage": f"{_NOT_CADVISOR}: rate(sutazai_service_cpu_seconds_total[5m])",
    r"container_(last_seen|start_time)": (
        f'{_NOT_CADVISOR}: sutazai_service_state{{state="running"}}, and sutazai_service_started_timestamp_seconds'
    ),
    r"container_oom": f"{_NOT_CADVISOR}: increase(sutazai_service_oom_kills_total[15m])",
    r"container_": f"{_NOT_CADVISOR}: what is known of a container is in sutazai_service_*",
    r"probe_ssl_earliest_cert_expiry": "our probes say sutazai_certificate_expiry_timestamp_seconds",
    r"probe_duration": "our probes say sutazai_probe_duration_seconds",
    r"probe_": 'our probes say sutazai_probe_state{state="ok"}',
    r"node_(network_(receive|transmit)|netstat|sockstat)_": (
        "the node exporter of this platform does not ask for it: in a container it would be the container's own network"
    ),
    r"kube_": "there is no Kubernetes here: what is known of a service is in sutazai_service_*",
    r"ollama_": "Ollama exports nothing: llm_* of the application that asks it, or sutazai_inference_last_seconds",
}
"""What to ask for instead of what the rules of other platforms ask for, by how the name begins."""
NO_SUCH_METRIC = "ask for a metric that exists, or name its exporter's metrics with --metrics or --scrape"


def metrics_are_exported(tree: Any, known: Known) -> Iterator[Finding]:  # noqa: ANN401  (nodes have no common type)
    """What nothing exports is never there, and an alert on it never fires."""
    for place in selectors(tree):
        name = metric_name(place.node)
        if name is not None and not known.exists(name):
            instead = next((said for start, said in INSTEAD.items() if re.match(start, name)), "")
            yield Finding(
                "nobody-exports",
                f"nothing exports {name}, so there is never an answer, and an alert on it never fires",
                instead or known.catalogue.nearest(name) or NO_SUCH_METRIC,
            )


def labels_exist(tree: Any, known: Known) -> Iterator[Finding]:  # noqa: ANN401
    """A label that a metric does not have is as if it were empty, of which hardly anybody thinks."""
    for place in places(tree):
        match place.node:
            case promql.VectorSelector():
                yield from _matched(place.node, known)
                yield from _edges(place.node, known)
            case promql.AggregateExpr() if place.node.modifier is not None:
                if place.node.modifier.type == promql.AggModifierType.By:
                    yield from _lacking(place.node.modifier.labels, place.node.expr, "by", known)
            case promql.BinaryExpr() if place.node.modifier is not None:
                yield from _paired(place.node, place.node.modifier, known)
            case _:
                pass


def _matched(node: promql.VectorSelector, known: Known) -> Iterator[Finding]:
    labels = known.labels(node)
    for matcher in label_matchers(node) if labels is not None else ():
        # That it is empty is what one says who knows that it may not be there.
        if labels is not None and matcher.name not in labels and not _says_empty(matcher):
            effect = "leaves nothing out" if _takes_absent(matcher) else "finds nothing"
            yield Finding(
                "no-such-label",
                f"{metric_name(node)} has no label {matcher.name}, so {matcher} {effect}",
                _labels_there_are(matcher.name, labels),
            )


def _edges(node: promql.VectorSelector, known: Known) -> Iterator[Finding]:
    series = known.series(metric_name(node) or "")
    if series is None or not series.edges:
        return
    for matcher in label_matchers(node):
        if matcher.name == "le" and matcher.op == promql.MatchOp.Equal and not _is_edge(matcher.value, series.edges):
            yield Finding(
                "no-such-label",
                f"{series.name} has no bucket with the edge {matcher.value}, so {matcher} finds nothing",
                f"its edges are {', '.join(f'{edge:.15g}' for edge in series.edges)} and +Inf",
            )


def _says_empty(matcher: promql.Matcher) -> bool:
    return bool(matcher.op == promql.MatchOp.Equal and not matcher.value)


def _takes_absent(matcher: promql.Matcher) -> bool:
    """Whether a matcher takes series that do not have its label, which is as if it were empty."""
    if matcher.op == promql.MatchOp.Equal:
        return not matcher.value
    if matcher.op == promql.MatchOp.NotEqual:
        return bool(matcher.value)
    try:
        matches = pattern(matcher.value).fullmatch("") is not None
    except NotSupported:
        matches = False
    return matches if matcher.op == promql.MatchOp.Re else not matches


def _is_edge(text: str, edges: tuple[float, ...]) -> bool:
    try:
        return text == "+Inf" or float(text) in edges
    except ValueError:
        return False


def _paired(node: promql.BinaryExpr, modifier: promql.BinModifier, known: Known) -> Iterator[Finding]:
    if modifier.matching is not None and modifier.matching.type == promql.LabelModifierType.Include:
        for side in (node.lhs, node.rhs):
            yield from _lacking(modifier.matching.labels, side, "on", known)
    if modifier.group_labels:
        is_left = modifier.card == promql.VectorMatchCardinality.ManyToOne
        word, one = ("group_left", node.rhs) if is_left else ("group_right", node.lhs)
        yield from _lacking(modifier.group_labels, one, word, known)


def _lacking(labels: Sequence[str], node: Any, word: str, known: Known) -> Iterator[Finding]:  # noqa: ANN401
    there = known.labels(node)
    for label in labels:
        if there is not None and label not in there and label != NAME:
            yield Finding(
                "no-such-label",
                f"{short(node)} has no label {label}, which {word} ({', '.join(labels)}) names",
                _labels_there_are(label, there),
            )


def _labels_there_are(label: str, there: frozenset[str]) -> str:
    if not there:
        return "it has no labels"
    return nearest(label, there) or f"its labels are {', '.join(sorted(there))}"
