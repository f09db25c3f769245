"""Expressions in the files that people keep them in: Prometheus' rule files, and Grafana's dashboards.

Of a file of rules every rule is read, also of the custom resource that the Prometheus operator takes them from; of a
dashboard every query of every panel. What a rule records is known to the others. A finding that is meant is allowed by
a comment beside the rule, so that the exception and its reason are read together:

    # lint: allow up-as-availability: the scrape itself is what this is about
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.promql.lint import NAMES, lint
from sutazai_ops.monitoring.promql.parse import parse
from sutazai_ops.words import nearest
from sutazai_ops.yaml_file import read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.monitoring.promql.lint import Finding, Known
    from sutazai_ops.yaml_file import YamlFile

REMEDY = "a file of rules begins with groups:, a dashboard has panels"
ALLOW = re.compile(r"#\s*lint:\s*allow\s+(?P<rule>[a-z-]+)(?:\s*:\s*(?P<reason>.+))?")
_VARIABLE = re.compile(r"\$__(?:rate_interval|interval_ms|interval|range_s|range_ms|range)\b|\$\{__\w+\}")
"""What Grafana fills in where a duration stands."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and where it stands."""

    file: Path
    line: int
    group: str
    """Of rules; of a dashboard its title."""
    name: str
    """What the rule records or alerts, or the title of the panel."""
    expression: str
    records: str = ""
    labels: frozenset[str] = frozenset()
    """Labels that the rule adds."""
    allowed: frozenset[str] = frozenset()
    """Rules of the lint that are not applied to it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, and the expression that it is about."""

    query: Query
    finding: Finding


def lint_files(paths: Iterable[Path], known: Known) -> tuple[list[Query], list[Found]]:
    """Every expression of these files, and what is wrong with them.

    Raises:
        BadInput: where a file cannot be read, or is neither rules nor a dashboard; names the line.
    """
    queries = [query for path in paths for query in read_queries(path)]
    informed = replace(known, recorded={**known.recorded, **recorded(queries, known)})
    found = [
        Found(query, finding)
        for query in queries
        for finding in lint(query.expression, informed)
        if finding.rule not in query.allowed
    ]
    return queries, found


def read_queries(path: Path) -> list[Query]:
    """Every expression of a file, in its order."""
    file = read_yaml_file(path, REMEDY)
    content = file.content
    if isinstance(content.get("spec"), dict) and "groups" in content["spec"]:
        return list(_rules(file, content["spec"]["groups"], ("spec", "groups")))
    if "groups" in content:
        return list(_rules(file, content["groups"], ("groups",)))
    inner: tuple[str, ...] = ("dashboard",) if isinstance(content.get("dashboard"), dict) else ()
    dashboard = content["dashboard"] if inner else content
    if isinstance(dashboard.get("panels"), list):
        return list(_panels(file, dashboard["panels"], (*inner, "panels"), str(dashboard.get("title", path.name))))
    raise BadInput(f"{path.name} holds neither rules nor panels", where=str(path), remedy=REMEDY)


def recorded(queries: Sequence[Query], known: Known) -> Mapping[str, frozenset[str] | None]:
    """The labels of what is recorded, by name; None where they cannot be told."""
    names = {query.records for query in queries if query.records}
    labels: dict[str, frozenset[str] | None] = dict.fromkeys(names)
    # Rules may be recorded from what others record; as often as the longest such chain.
    for _ in range(3):
        informed = replace(known, recorded={**known.recorded, **labels})
        now: dict[str, frozenset[str] | None] = {}
        for query in queries:
            if query.records:
                own = _labels(query, informed)
                before = now.get(query.records, frozenset())
                now[query.records] = None if own is None or before is None else own | before
        labels = now
    return labels


def _labels(query: Query, known: Known) -> frozenset[str] | None:
    try:
        own = known.labels(parse(query.expression))
    except BadInput:
        return None
    return None if own is None else own | query.labels


def _rules(file: YamlFile, groups: Any, place: tuple[str, ...]) -> Iterator[Query]:  # noqa: ANN401  (what a file holds)
    found: list[tuple[tuple[str | int, ...], str, dict[str, Any]]] = [
        ((*place, i, "rules", j), str(group.get("name", "")), rule)
        for i, group in enumerate(_list(file, groups or (), place))
        for j, rule in enumerate(_list(file, group.get("rules") or (), (*place, i, "rules")))
    ]
    allowed = _allowed(file, [file.line(*at) for at, _, _ in found])
    for (at, group, rule), allows in zip(found, allowed, strict=True):
        if not isinstance(rule.get("expr"), str | int | float):
            raise BadInput("the rule has no expr", where=file.where(*at), remedy="write expr: and PromQL")
        records = str(rule.get("record", ""))
        yield Query(
            file=file.path,
            line=file.line(*at, "expr"),
            group=group,
            name=records or str(rule.get("alert", "")),
            expression=str(rule["expr"]),
            records=records,
            labels=frozenset(map(str, rule.get("labels") or ())),
            allowed=allows,
        )


def _allowed(file: YamlFile, begins: Sequence[int]) -> list[frozenset[str]]:
    """What is allowed by the comments right above or within each of the rules that begin in these lines."""
    lines = file.path.read_text(encoding="utf-8-sig").splitlines()
    starts = []
    for begin in begins:
        start = begin - 1
        while start > 0 and lines[start - 1].lstrip().startswith("#"):
            start -= 1
        starts.append(start)
    return [frozenset(_allowed_in(file, lines, start, end)) for start, end in pairwise([*starts, len(lines)])]


def _allowed_in(file: YamlFile, lines: Sequence[str], start: int, end: int) -> Iterator[str]:
    for number in range(start, end):
        said = ALLOW.search(lines[number])
        if said is None:
            continue
        where, rule = f"{file.path}:{number + 1}", said["rule"]
        if rule not in NAMES:
            raise BadInput(f"the lint has no rule {rule}", where=where, remedy=nearest(rule, NAMES) or ", ".join(NAMES))
        if not said["reason"]:
            raise BadInput(f"nothing says why {rule} is allowed", where=where, remedy=f"write {rule}: and the reason")
        yield rule


def _panels(file: YamlFile, panels: Any, place: tuple[str | int, ...], title: str) -> Iterator[Query]:  # noqa: ANN401
    for i, panel in enumerate(_list(file, panels, place)):
        name = str(panel.get("title", "")) or f"panel {panel.get('id', i)}"
        targets = panel.get("targets") or ()
        for j, target in enumerate(_list(file, targets, (*place, i, "targets"))):
            if isinstance(target.get("expr"), str) and target["expr"].strip():
                line = file.line(*place, i, "targets", j, "expr")
                yield Query(file.path, line, title, name, _VARIABLE.sub("5m", target["expr"]))
        # Rows that are folded hold their panels.
        if panel.get("panels"):
            yield from _panels(file, panel["panels"], (*place, i, "panels"), title)


def _list(file: YamlFile, items: Any, place: tuple[str | int, ...]) -> list[dict[str, Any]]:  # noqa: ANN401
    if not isinstance(items, list | tuple) or not all(isinstance(item, dict) for item in items):
        raise BadInput(f"{place[-1]} is no list of mappings", where=file.where(*place), remedy=REMEDY)
    return list(items)
