"""Which metrics exist: every name that the platform's exporters serve, with its kind and its labels.

`metrics.yaml` is that list, and of programs that are not ours `served/` holds all the rest that they serve. Whatever
asks Prometheus for something is held against it, so that no rule and no panel waits for a number that nobody measures;
our own exporter serves what stands there under its name and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping  # noqa: TC003  (pydantic reads these at run time)
from enum import StrEnum
from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.words import nearest

CATALOGUE = Path(__file__).with_name("metrics.yaml")
SERVED = Path(__file__).with_name("served")
# Some thousand lines: libyaml reads them in a tenth of the time.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SCRAPE_LABELS = frozenset({"job", "instance", "service"})
"""What Prometheus adds to every series that it scrapes; the last by our own configuration of it (`scrape.py`)."""
OF_EVERY_SCRAPE = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
"""What Prometheus makes itself of every scrape: https://prometheus.io/docs/concepts/jobs_instances/."""


class Kind(StrEnum):
    """What may be asked of a metric: https://prometheus.io/docs/concepts/metric_types/."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"
    UNTYPED = "untyped"
    """Its exporter does not say."""


class Metric(Model):
    """One metric as its exporter serves it."""

    kind: Kind
    labels: tuple[str, ...] = ()
    """Beside those that every scrape adds."""
    edges: tuple[float, ...] = ()
    """Of a histogram: the upper edges of its buckets, where they are known; a share is exact at these alone."""
    help: str = ""


class Exporter(Model):
    """One program that serves metrics."""

    source: str
    """Where its names were read."""
    images: tuple[str, ...] = ()
    """The last parts of the names of the images that it runs as."""
    labels: tuple[str, ...] = ()
    """What every metric of it has."""
    metrics: Mapping[str, Metric]


EXPORTERS = TypeAdapter(dict[str, Exporter])


class Series(Model):
    """One name that can be asked for, as a query sees it."""

    name: str
    kind: Kind
    """Of the series: the `_bucket`, `_sum` and `_count` of a histogram are counters."""
    labels: frozenset[str]
    exporter: str
    is_bucket: bool = False
    edges: tuple[float, ...] = ()
    """Of a bucket series: the edges of the buckets, where they are known."""


class Catalogue(Model):
    """All series that exist, by name."""

    series: Mapping[str, Series]

    def find(self, name: str) -> Series | None:
        """The series of that name, or None where nobody exports it."""
        return self.series.get(name)

    def names(self) -> list[str]:
        """Every name that can be asked for."""
        return sorted(self.series)

    def nearest(self, name: str) -> str:
        """Ask back with the name most like `name` among those that begin with the same word; empty where none is near.

        Names of one exporter are alike in most of their letters, so one of another is hardly ever what was meant.
        """
        family = name.partition("_")[0] + "_"
        return nearest(name, [one for one in self.series if one.startswith(family)], likeness=0.8)

    def with_recorded(self, recorded: Iterable[Series]) -> Catalogue:
        """This catalogue and what recording rules add to it."""
        return Catalogue(series={**self.series, **{one.name: one for one in recorded}})


@cache
def exporters() -> Mapping[str, Exporter]:
    """Every exporter that is known, by name.

    Raises:
        BadInput: where the catalogue cannot be read; names the entry.
    """
    known = dict(read_exporters(CATALOGUE))
    for file in sorted(SERVED.glob("*.yaml")):
        for name, served in read_exporters(file).items():
            curated = known.get(name)
            known[name] = (
                curated.model_copy(update={"metrics": {**served.metrics, **curated.metrics}}) if curated else served
            )
    return known


@cache
def catalogue() -> Catalogue:
    """Everything that can be asked for, of all exporters."""
    return flatten(exporters())


def read_exporters(path: Path) -> Mapping[str, Exporter]:
    """Read one catalogue file; raises `BadInput` naming the file and the entry."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506  (it is a safe loader)
        return EXPORTERS.validate_python(content)
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"cannot read the catalogue of metrics: {error}", where=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadInput(f"the catalogue of metrics is wrong at {place}: {first['msg']}", where=str(path)) from error


def flatten(known: Mapping[str, Exporter]) -> Catalogue:
    """Every series of these exporters, and what Prometheus makes of every scrape."""
    found = {
        name: Series(name=name, kind=Kind.GAUGE, labels=SCRAPE_LABELS, exporter="prometheus")
        for name in OF_EVERY_SCRAPE
    }
    for exporter, entry in known.items():
        for name, metric in entry.metrics.items():
            labels = frozenset({*metric.labels, *entry.labels, *SCRAPE_LABELS})
            for one in series_of(name, metric, labels, exporter):
                found[one.name] = _both(found.get(one.name), one)
    return Catalogue(series=found)


def _both(first: Series | None, second: Series) -> Series:
    """What two exporters serve under one name has the labels and edges of either."""
    if first is None:
        return second
    return first.model_copy(
        update={
            "labels": first.labels | second.labels,
            "edges": tuple(sorted({*first.edges, *second.edges})) if first.edges and second.edges else (),
        }
    )


def series_of(name: str, metric: Metric, labels: frozenset[str], exporter: str) -> list[Series]:
    """The series that a metric is known by: itself, or the parts of a histogram or summary."""
    kind = metric.kind
    if kind not in {Kind.HISTOGRAM, Kind.SUMMARY}:
        return [Series(name=name, kind=kind, labels=labels, exporter=exporter)]
    parts = [
        Series(name=f"{name}{suffix}", kind=Kind.COUNTER, labels=labels, exporter=exporter)
        for suffix in ("_sum", "_count")
    ]
    if kind is Kind.SUMMARY:
        return [*parts, Series(name=name, kind=Kind.SUMMARY, labels=labels | {"quantile"}, exporter=exporter)]
    bucket = Series(
        name=f"{name}_bucket",
        kind=Kind.COUNTER,
        labels=labels | {"le"},
        exporter=exporter,
        is_bucket=True,
        edges=metric.edges,
    )
    return [*parts, bucket]
