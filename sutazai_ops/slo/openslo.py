"""Objectives as OpenSLO v1 (https://github.com/OpenSLO/OpenSLO), written and read.

Written, an objective is an SLO of its own with the indicator in it, whole and valid by itself; what OpenSLO has no word
for stands in annotations of ours, so that it is read back as it was. Read from elsewhere, a ratio of two rates of
counters becomes a ratio, a latency or an error count; what cannot be told exactly from a query is refused by name and
never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import promql_parser as promql
import yaml

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.duration import format_duration, parse_duration
from sutazai_ops.monitoring.promql import parse
from sutazai_ops.platform.compose_file import ComposeDumper
from sutazai_ops.slo.objective import DAY_SECONDS
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.selectors import edge_matcher, of_tree, read_selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.selectors import Selector

API = "openslo/v1"
OURS = "sutazai-ops/"
"""Before the names of our annotations; the specification asks for a prefix."""
KEPT = (
    "title", "description", "kind", "criticality", "owner", "runbook", "up", "unknown", "stopped", "total",
    "good", "bad", "histogram", "within", "age", "events", "every", "since", "least_events", "least_failures", "alerts",
    "gate", "journey",
)  # fmt: skip
"""What is written as an annotation, where it is not said otherwise."""
UNITS = {"m": 60, "h": 3600, "d": DAY_SECONDS, "w": 7 * DAY_SECONDS, "M": 30 * DAY_SECONDS}
"""OpenSLO's shorthand; a month is taken for thirty days."""
WINDOW = "5m"
OCCURRENCES = "Occurrences"


def write(objectives: Iterable[Objective]) -> str:
    """Objectives as OpenSLO documents, one after the other."""
    documents = (_document(objective) for objective in objectives)
    return yaml.dump_all(documents, Dumper=ComposeDumper, sort_keys=False, width=120, allow_unicode=True)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """What a file of OpenSLO documents says, as entries of an objectives file, by name.

    Raises:
        BadInput: where it cannot be read, is no OpenSLO v1, or asks for what cannot be told exactly.
    """
    try:
        documents = [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one is not None]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path.name} cannot be read: {getattr(error, 'strerror', 'it is no text')}", where=str(path)
        ) from None
    except yaml.YAMLError as error:
        raise BadInput(f"{path.name} is not YAML: {str(error).splitlines()[0]}", where=str(path)) from None
    for one in documents:
        if not isinstance(one, dict) or one.get("apiVersion") != API:
            raise BadInput(
                f"{path.name} holds something that is not {API}", where=str(path), remedy="convert it with oslo first"
            )
    shared = _Shared(_specs(documents, "SLI", path), _specs(documents, "DataSource", path))
    slos = [one for one in documents if one.get("kind") == "SLO"]
    found = dict(entry for one in slos for entry in _entries(one, shared, path))
    if not found:
        raise BadInput(f"{path.name} holds no SLO", where=str(path))
    return found


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the SLOs of a file refer to, by name."""

    indicators: Mapping[str, Any]
    sources: Mapping[str, Any]


def _specs(documents: Iterable[Mapping[str, Any]], kind: str, path: Path) -> dict[str, Any]:
    try:
        return {str(one["metadata"]["name"]): one["spec"] for one in documents if one.get("kind") == kind}
    except (KeyError, TypeError) as error:
        raise BadInput(f"an object of the kind {kind} lacks {error}", where=str(path)) from None


def to_entries(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Entries as an objectives file of ours."""
    return yaml.dump(dict(entries), Dumper=ComposeDumper, sort_keys=False, width=120, allow_unicode=True)


def _document(objective: Objective) -> dict[str, Any]:
    fields = objective.model_dump(mode="json", exclude_defaults=True)
    kept = {f"{OURS}{key}": _text(fields[key]) for key in KEPT if key in fields}
    is_sliced = not objective.counts_events
    threshold: dict[str, Any] = {"displayName": objective.title or objective.name}
    if objective.kind is ObjectiveKind.PROBE:
        threshold |= {"op": "gte", "value": 1}
    elif objective.kind is ObjectiveKind.FRESHNESS:
        threshold |= {"op": "lte", "value": objective.within}
    threshold["target"] = objective.target
    if is_sliced:
        threshold |= {"timeSliceTarget": 1.0, "timeSliceWindow": "1m"}
    return {
        "apiVersion": API,
        "kind": "SLO",
        "metadata": {"name": objective.name, "displayName": objective.title or objective.name, "annotations": kept},
        "spec": {
            "description": objective.description or objective.indicator,
            "service": objective.service or "platform",
            "indicator": {"metadata": {"name": f"{objective.name}-indicator"}, "spec": _indicator(objective)},
            "timeWindow": [{"duration": f"{objective.window_days}d", "isRolling": True}],
            "budgetingMethod": "Timeslices" if is_sliced else OCCURRENCES,
            "objectives": [threshold],
        },
    }


def _indicator(objective: Objective) -> dict[str, Any]:
    match objective.kind:
        case ObjectiveKind.PROBE:
            return {"thresholdMetric": _metric(f"min({objective.up})")}
        case ObjectiveKind.FRESHNESS:
            return {"thresholdMetric": _metric(f"max({objective.age})")}
        case ObjectiveKind.LATENCY:
            histogram = read_selector(objective.histogram or "")
            fast = histogram.called(f"{histogram.name}_bucket").and_(edge_matcher(objective.within or 0))
            total = histogram.called(f"{histogram.name}_count")
            return {"ratioMetric": {"counter": True, "good": _metric(_rate(fast)), "total": _metric(_rate(total))}}
        case _:
            part = "good" if objective.good else "bad"
            return {
                "ratioMetric": {
                    "counter": True,
                    part: _metric(_rate(read_selector(objective.good or objective.bad or ""))),
                    "total": _metric(_rate(read_selector(objective.total or ""))),
                }
            }


def _metric(query: str) -> dict[str, Any]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


def _rate(selector: Selector) -> str:
    return f"sum(rate({selector}[{WINDOW}]))"


def _text(value: Any) -> str:  # noqa: ANN401
    return (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
    )


def _entries(document: Mapping[str, Any], shared: _Shared, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        name = str(document["metadata"]["name"])
        where = f"{path}, SLO {name}"
        spec = document["spec"]
        indicator = spec["indicator"]["spec"] if "indicator" in spec else shared.indicators[spec["indicatorRef"]]
        objectives = spec["objectives"]
    except (KeyError, TypeError) as error:
        raise BadInput(f"an SLO lacks {error}", where=str(path)) from None
    annotations = document["metadata"].get("annotations") or {}
    ours = {key.removeprefix(OURS): value for key, value in annotations.items() if key.startswith(OURS)}
    for number, one in enumerate(objectives):
        entry = _common(document, spec, one, where)
        entry |= _ours(ours) if "kind" in ours else _theirs(spec, indicator, one, _Reader(shared, where))
        yield (name if len(objectives) == 1 else f"{name}-{number + 1}"), entry


def _common(document: Mapping[str, Any], spec: Mapping[str, Any], one: Mapping[str, Any], where: str) -> dict[str, Any]:
    # 99.95 / 100 is not 0.9995 to a computer.
    target = one.get("target", round(one["targetPercent"] / 100, 10) if "targetPercent" in one else None)
    if target is None:
        raise BadInput("an objective has neither target nor targetPercent", where=where)
    title = document["metadata"].get("displayName")
    entry: dict[str, Any] = {"title": title} if title else {}
    if spec.get("service") not in {None, "platform"}:
        entry["service"] = spec["service"]
    windows = spec.get("timeWindow") or []
    if windows:
        entry["window"] = format_duration(_shorthand(str(windows[0].get("duration")), where))
    return {**entry, "target": target}


def _ours(annotations: Mapping[str, str]) -> dict[str, Any]:
    """What we wrote ourselves, read back; durations as a person writes them."""
    texts = {"title", "description", "kind", "criticality", "owner", "runbook", "up", "unknown", "stopped", "total",
             "good", "bad", "histogram", "age", "events", "alerts", "since"}  # fmt: skip
    found: dict[str, Any] = {}
    for key, value in annotations.items():
        found[key] = value if key in texts else yaml.safe_load(value)
        if key in {"within", "every"}:
            found[key] = format_duration(float(value))
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the queries of one SLO."""

    shared: _Shared
    where: str

    def query(self, metric: Mapping[str, Any] | None) -> str:
        """What is asked of Prometheus; raises `BadInput` where it is asked of anybody else."""
        source = (metric or {}).get("metricSource") or {}
        spec = source.get("spec") or {}
        query = (spec.get("query") or spec.get("promql")) if isinstance(spec, dict) else spec
        if self._type(source).lower() != "prometheus" or not isinstance(query, str):
            raise BadInput("only queries of Prometheus can be read", where=self.where)
        # What tools write for the window that they fill in.
        return re.sub(r"\[\s*(\{\{[^}]*\}\}|\$\w+)\s*\]", f"[{WINDOW}]", query)

    def _type(self, source: Mapping[str, Any]) -> str:
        """What is asked: it may be left out where the source is an object of its own."""
        referred = self.shared.sources.get(str(source.get("metricSourceRef"))) or {}
        return str(source.get("type") or referred.get("type") or "prometheus")


def _theirs(
    spec: Mapping[str, Any], indicator: Mapping[str, Any], one: Mapping[str, Any], reader: _Reader
) -> dict[str, Any]:
    method = spec.get("budgetingMethod", OCCURRENCES)
    if "ratioMetric" in indicator:
        if method != OCCURRENCES:
            raise BadInput(
                f"{method} of a ratio counts slices of time, and not what happened in them",
                where=reader.where,
                remedy=f"budgetingMethod: {OCCURRENCES}",
            )
        return _ratio(indicator["ratioMetric"], reader)
    if one.get("timeSliceTarget", 1) != 1:
        raise BadInput(
            "a slice of time that may be bad in part is not told apart here",
            where=reader.where,
            remedy="timeSliceTarget: 1.0",
        )
    query, op, value = reader.query(indicator.get("thresholdMetric")), one.get("op"), one.get("value")
    selector = _gauge(query, reader.where)
    if op in {"gte", "gt"} and value == 1 - (op == "gt"):
        return {"kind": "probe", "up": selector}
    if op in {"lte", "lt"} and isinstance(value, int | float) and value > 0:
        return {"kind": "freshness", "age": selector, "within": format_duration(value)}
    raise BadInput(
        f"the threshold {op} {value} is neither a probe (gte 1) nor an age (lte SECONDS)",
        where=reader.where,
        remedy="write it as a probe or freshness of ours: docs/slo/write-an-objective.md",
    )


def _ratio(metric: Mapping[str, Any], reader: _Reader) -> dict[str, Any]:
    if "raw" in metric:
        raise BadInput(
            "a ratio that is stored as one number cannot be added up over a month",
            where=reader.where,
            remedy="give good or bad, and total, as counters",
        )
    total = _counter(reader.query(metric.get("total")), reader.where)
    part = "good" if "good" in metric else "bad"
    counted = _counter(reader.query(metric.get(part)), reader.where)
    edge = next((one for one in counted.matchers if one.label == "le"), None)
    if part == "good" and edge and counted.name.endswith("_bucket"):
        base = counted.name.removesuffix("_bucket")
        rest = tuple(one for one in counted.matchers if one is not edge)
        histogram = type(counted)(base, rest)
        if str(total) == str(histogram.called(f"{base}_count")):
            limit = float(re.split(r"\||\\", edge.value)[0])
            return {"kind": "latency", "histogram": str(histogram), "within": format_duration(limit)}
    return {"kind": "ratio", "total": str(total), part: str(counted)}


def _counter(query: str, where: str) -> Selector:
    """The counter of `sum(rate(COUNTER[…]))`; raises `BadInput` for any other query."""
    tree = parse(query)
    while isinstance(tree, promql.ParenExpr):
        tree = tree.expr
    if isinstance(tree, promql.AggregateExpr) and str(tree.op) == "sum" and tree.modifier is None:
        tree = tree.expr
    if isinstance(tree, promql.Call) and tree.func.name in {"rate", "increase"}:
        inner = tree.args[0]
        if isinstance(inner, promql.MatrixSelector):
            return of_tree(inner.vector_selector, query)
    if isinstance(tree, promql.VectorSelector):
        return of_tree(tree, query)
    raise BadInput(
        f"{query} is no rate of one counter, so what it counts cannot be told exactly",
        where=where,
        remedy="write it as sum(rate(COUNTER{…}[5m]))",
    )


def _gauge(query: str, where: str) -> str:
    tree = parse(query)
    while isinstance(tree, promql.ParenExpr | promql.AggregateExpr):
        tree = tree.expr
    if not isinstance(tree, promql.VectorSelector):
        raise BadInput(f"{query} is more than a gauge", where=where, remedy="write it as min(GAUGE{…})")
    return str(of_tree(tree, query))


def _shorthand(text: str, where: str) -> float:
    found = re.fullmatch(r"(\d+)([mhdwM])", text)
    if found:
        return int(found[1]) * float(UNITS[found[2]])
    try:
        return parse_duration(text)
    except ValueError:
        raise BadInput(f"the window {text} is not read here", where=where, remedy="write it in days: 30d") from None
