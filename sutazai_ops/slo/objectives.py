"""Reads what is promised: the packaged objectives, those of a person's own file over them, and one for every service.

Whatever could never be measured or never alert is refused when it is read, with file and line: a metric that nobody
exports, an edge that a histogram lacks, a target so low that no burn could reach the alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.entries import Entry, read_entries
from sutazai_ops.monitoring.metrics import Kind, catalogue, series_of
from sutazai_ops.monitoring.presence import exporters_of
from sutazai_ops.platform import Criticality
from sutazai_ops.slo.objective import Alerts, Objective, usual_indicator
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sutazai_ops.monitoring.metrics import Catalogue, Series
    from sutazai_ops.platform import Service
    from sutazai_ops.slo.selectors import Selector

PACKAGED = Path(__file__).with_name("objectives.yaml")
PAGE_FACTOR = 14.4
"""The highest burn rate that an alert waits for; see burn.py."""
TICKET_FACTOR = 3.0
"""The highest one of a ticket."""
EACH, EXCEPT = "each", "except"


@dataclass(frozen=True, slots=True)
class Read:
    """An objective, and the entry of a file that says it."""

    objective: Objective
    entry: Entry


def read_objectives(
    services: Iterable[Service], over: Path | None = None, *, present: frozenset[str] | None = None
) -> dict[str, Objective]:
    """Every objective by name, in the order of the files.

    What only the packaged file says and nobody here could measure, since the platform has no such service or nothing
    that exports its metrics, is no objective of this platform.

    Args:
        services: those that are meant to run, each of which has an objective.
        over: a file of the user's own, laid over the packaged one.
        present: the exporters that there are; those of `services` where left out.

    Raises:
        BadInput: for an entry that is wrong; names file and line.
    """
    ones = list(services)
    entries = read_entries(PACKAGED, over)
    names, there = {service.name for service in ones}, exporters_of(ones) if present is None else present
    read = _read(entries, ones, catalogue())
    return {
        name: objective
        for name, objective in read.items()
        if over in _said_by(entries.get(name)) or _is_of_here(objective, names, there)
    }


def _said_by(entry: Entry | None) -> set[Path]:
    """The files that say something of an entry; none for one that was made of a template."""
    return {file.path for file in entry.files} if entry else set()


def _is_of_here(objective: Objective, services: Collection[str], exporters: Collection[str]) -> bool:
    if objective.service is not None and objective.service not in services:
        return False
    known = catalogue()
    selectors = (objective.selector(key) for key in ("up", "total", "good", "bad", "age", "histogram"))
    asked = (known.find(one.name) or known.find(f"{one.name}_bucket") for one in selectors if one)
    return all(series is None or series.exporter in exporters for series in asked)


def read_objectives_file(path: Path) -> dict[str, Objective]:
    """The objectives of one file alone, for a Prometheus that is not this platform's: any metric may exist there."""
    return _read(read_entries(path, None), [], None)


def _read(entries: Mapping[str, Entry], services: Sequence[Service], known: Catalogue | None) -> dict[str, Objective]:
    by_name = {service.name: service for service in services}
    templates = {name: entry for name, entry in entries.items() if EACH in entry.content}
    made = {entry.name: entry for template in templates.values() for entry in _one_each(template, entries, services)}
    found = {}
    for entry in (*made.values(), *(e for name, e in entries.items() if name not in {*templates, *made})):
        objective = _objective(entry, by_name)
        _refuse_unasked(Read(objective, entry), known)
        _refuse_silent(Read(objective, entry))
        found[objective.name] = objective
    return found


def _one_each(template: Entry, entries: Mapping[str, Entry], services: Sequence[Service]) -> Iterator[Entry]:
    """What a template makes of each service, with the entry of that name laid over it."""
    if template.content[EACH] != "service":
        raise template.refuse(f"each of {template.name} is none of ours", EACH, remedy="write each: service")
    left_out = template.content.get(EXCEPT) or []
    if not isinstance(left_out, list):
        raise template.refuse(f"except of {template.name} is no list", EXCEPT, remedy="write except: [SERVICE, …]")
    names = [service.name for service in services]
    for name in left_out:
        if services and name not in names:
            raise template.refuse(f"there is no service {name} to leave out", EXCEPT, remedy=nearest(str(name), names))
    common = {key: value for key, value in template.content.items() if key not in {EACH, EXCEPT}}
    for service in services:
        if service.name in left_out:
            continue
        name = f"{service.name}-{template.name}".lower()
        texts = {key: str(common[key]).replace("{service}", service.name) for key in ("title",) if key in common}
        content = {**common, **texts, "service": service.name}
        own = entries.get(name)
        if own:
            yield replace(own, content={**content, **own.content})
        else:
            yield _Made(name=name, content=content, files=template.files, template=template.name)


@dataclass(frozen=True, slots=True)
class _Made(Entry):
    """An entry that a template made: its places are those of the template."""

    template: str = ""

    def where(self, *keys: str | int) -> str:
        saying = (file for file in self.files if keys and keys[0] in file.content[self.template])
        return next(saying, self.files[0]).where(self.template, *keys)


def _objective(entry: Entry, services: Mapping[str, Service]) -> Objective:
    content = dict(entry.content)
    service = services.get(str(content.get("service")))
    content = {**_of_service(service), **content}
    if "target" in content:
        content["target"] = _target(entry, content)
    kind = content.get("kind")
    if content.get("service") and kind in set(ObjectiveKind):
        content = {**_usual(ObjectiveKind(kind), content), **content}
    content.setdefault("title", entry.name.replace("-", " "))
    return replace(entry, content=content).as_model(Objective, "objective")


def _of_service(service: Service | None) -> dict[str, Any]:
    return {"owner": service.owner, "criticality": service.criticality} if service else {}


def _usual(kind: ObjectiveKind, content: Mapping[str, Any]) -> dict[str, str]:
    """What need not be said of a service; whoever says how it is counted says all of that."""
    usual = usual_indicator(kind, str(content["service"]))
    for group in (("up", "unknown", "stopped"), ("total", "good", "bad"), ("histogram",)):
        if any(key in content for key in group):
            usual = {key: value for key, value in usual.items() if key not in group}
    return usual


def _target(entry: Entry, content: Mapping[str, Any]) -> Any:  # noqa: ANN401  (pydantic judges it)
    target = content["target"]
    if isinstance(target, Mapping):
        criticality = content.get("criticality", Criticality.NORMAL)
        if criticality not in target:
            raise entry.refuse(
                f"the target of {entry.name} says nothing of {criticality} services",
                "target",
                remedy=f"say all of {', '.join(Criticality)}",
            )
        return target[criticality]
    if isinstance(target, int | float) and not isinstance(target, bool) and target >= 1:
        raise entry.refuse(
            f"the target {target:g} of {entry.name} cannot be kept or is a percentage",
            "target",
            remedy=f"write {target / 100:g}" if 1 < target < 100 else "write a share below 1, such as 0.999",  # noqa: PLR2004
        )
    return target


def _refuse_silent(read: Read) -> None:
    """Refuse an objective whose alerts could not fire if everything failed."""
    objective = read.objective
    factor = {Alerts.PAGE: PAGE_FACTOR, Alerts.TICKET: TICKET_FACTOR, Alerts.NONE: 0.0}[objective.told]
    if factor * (1 - objective.target) >= 1:
        lowest = 1 - 1 / factor
        told = "ticket" if 1 - objective.target < 1 / TICKET_FACTOR else "none"
        raise read.entry.refuse(
            f"{objective.name} could never alert: its {objective.told} waits for a burn rate of {factor:g}, which is"
            f" {factor * (1 - objective.target):.0%} of failures at a target of {objective.target:g}",
            "target",
            remedy=f"promise more than {lowest:.2%}, or write alerts: {told}",
        )


def _refuse_unasked(read: Read, known: Catalogue | None) -> None:
    """Refuse what cannot be asked: no selector, no such metric, another kind of metric, no such label or edge."""
    objective = read.objective
    if known is not None:
        own = (
            series
            for name, metric in objective.metrics.items()
            for series in series_of(name, metric, frozenset({*metric.labels, "job", "instance", "service"}), "yours")
        )
        known = known.with_recorded(own)
    for key, kind in (
        ("up", Kind.GAUGE), ("unknown", Kind.GAUGE), ("stopped", Kind.GAUGE), ("total", Kind.COUNTER),
        ("good", Kind.COUNTER), ("bad", Kind.COUNTER), ("age", Kind.GAUGE), ("histogram", Kind.HISTOGRAM),
    ):  # fmt: skip
        try:
            selector = objective.selector(key)
        except BadInput as error:
            raise read.entry.refuse(f"{key} of {objective.name}: {error.what}", key, remedy=error.remedy) from None
        if selector is not None and known is not None:
            _refuse_unknown(read, key, selector, kind, known)


def _refuse_unknown(read: Read, key: str, selector: Selector, kind: Kind, known: Catalogue) -> None:
    name = f"{selector.name}_bucket" if kind is Kind.HISTOGRAM else selector.name
    series = known.find(name)
    if series is None:
        raise read.entry.refuse(
            f"{key} of {read.objective.name} asks for {selector.name}, which nobody exports",
            key,
            remedy=known.nearest(name) or "if an application of yours does, say so under metrics:",
        )
    is_right = series.is_bucket if kind is Kind.HISTOGRAM else series.kind is kind
    if not is_right:
        raise read.entry.refuse(
            f"{key} of {read.objective.name} has to be a {kind}, and {selector.name} is a {series.kind}", key
        )
    for label in selector.labels():
        if label not in series.labels and label != "__name__":
            raise read.entry.refuse(
                f"{key} of {read.objective.name} asks for the label {label}, which {selector.name} lacks",
                key,
                remedy=nearest(label, series.labels) or f"it has: {', '.join(sorted(series.labels))}",
            )
    if kind is Kind.HISTOGRAM:
        _refuse_no_edge(read, series)


def _refuse_no_edge(read: Read, series: Series) -> None:
    within = read.objective.within or 0
    if series.edges and not any(abs(edge - within) < 1e-9 for edge in series.edges):  # noqa: PLR2004
        raise read.entry.refuse(
            f"{read.objective.name} counts answers within {within:g} s, and {series.name} has no bucket with that edge:"
            " a share between two edges would be a guess",
            "within",
            remedy=f"its edges are: {', '.join(f'{edge:g}' for edge in series.edges)}; take one, or add {within:g}",
        )
