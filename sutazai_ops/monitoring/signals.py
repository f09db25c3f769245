"""What is measured: a signal is a number, in PromQL, that a threshold can be put on.

`signals.yaml` holds those of this program, and a file of the user's own (setting `monitoring.signals`) is laid over
it. Each is recorded as `signal:<name>`, and what should have a value and has none as `signal:unknown`: a number that is
not there is never taken for a good one. A signal whose metrics nobody in a platform exports is not measured there.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.monitoring.entries import read_entries
from sutazai_ops.monitoring.metrics import OF_EVERY_SCRAPE, Exporter, Metric, catalogue, flatten
from sutazai_ops.monitoring.promql import asked_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sutazai_ops.monitoring.entries import Entry
    from sutazai_ops.monitoring.metrics import Catalogue, Series

PACKAGED = Path(__file__).with_name("signals.yaml")
UNKNOWN = "unknown"
"""The signal that is made of all others: what was expected and is not there."""
APPLICATION = "application"
"""In the catalogue, whoever keeps the metric contract and is no exporter that is known by its image."""
ANYTHING = "vector(1)"
"""What is expected of a signal that does not say it: at least one value."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Unit(StrEnum):
    """What a signal counts, for people."""

    RATIO = "ratio"
    SECONDS = "seconds"
    BYTES = "bytes"
    COUNT = "count"
    PER_SECOND = "per_second"


class ExampleSeries(Model):
    """One series that makes a signal the number v, for the tests of the thresholds on it.

    Of `gauge`, `rate` and `timestamp` there is one: two numbers for v = 0 and v = 1, between and beyond which runs a
    straight line, or a single number that stays.
    """

    series: str
    """As PromQL selects it; `{value}` in it is v."""
    gauge: float | tuple[float, float] | None = None
    """Its value."""
    rate: float | tuple[float, float] | None = None
    """Of a counter: how much a second it grows."""
    timestamp: float | tuple[float, float] | None = None
    """Its value is a moment, in seconds from when the test looks."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if sum(kind is not None for kind in (self.gauge, self.rate, self.timestamp)) != 1:
            msg = "say one of gauge, rate and timestamp"
            raise ValueError(msg)
        return self


class Signal(Model):
    """A number that is measured, of each set of its labels."""

    name: Name
    description: str = ""
    """One sentence for a person who meets it for the first time."""
    unit: Unit = Unit.COUNT
    range: tuple[float | None, float | None] = (None, None)
    """What it can be at all; None where there is no end."""
    labels: tuple[str, ...] = ()
    """What tells its values apart."""
    query: str
    expected: str | None = ANYTHING
    """PromQL: the label sets that must have a value; None where none need have one."""
    metrics: Mapping[str, Metric] = Field(default_factory=dict)
    """Metrics that an application of yours exports and that the catalogue does not know."""
    example: tuple[ExampleSeries, ...] = ()
    """Series that make it a given number, for tests."""

    @property
    def recorded(self) -> str:
        """The name that Prometheus records it under."""
        return f"signal:{self.name}"

    @property
    def exporters(self) -> frozenset[str]:
        """Who has to export something for it to be measured, by the names of the catalogue."""
        known = self.catalogue()
        found = (known.find(name) for name in asked_ranges([self.query]))
        return frozenset(series.exporter for series in found if series)

    def catalogue(self) -> Catalogue:
        """The metrics that it may ask for: those of the catalogue and its own."""
        return catalogue().with_recorded(self.own_series()) if self.metrics else catalogue()

    def own_series(self) -> list[Series]:
        """The series that its own metrics are, with those labels that every scrape adds."""
        found = flatten({APPLICATION: Exporter(source=self.name, metrics=self.metrics)}).series
        return [found[name] for name in found.keys() - set(OF_EVERY_SCRAPE)]


def unknown_signal() -> Signal:
    """The signal that is made of all others: 1 and more for each value that is expected and is not there."""
    return Signal(
        name=UNKNOWN,
        description="What is expected to have a value and has none",
        range=(0, None),
        labels=("signal",),
        query=f"signal:{UNKNOWN}",
        expected=None,
    )


def read_signals(over: Path | None = None) -> dict[str, Signal]:
    """Every signal by name, with those of the file `over` laid over the packaged ones.

    Raises:
        BadInput: for an entry that is wrong; names file and line.
    """
    return {entry.name: _read(entry) for entry in read_entries(PACKAGED, over).values()}


def _read(entry: Entry) -> Signal:
    signal = entry.as_model(Signal, "signal")
    if signal.name == UNKNOWN:
        raise entry.refuse(f"the name {UNKNOWN} is taken: it is the signal of all that has no value")
    low, high = signal.range
    if low is not None and high is not None and low >= high:
        raise entry.refuse(f"the range of the signal {signal.name} is empty", "range", remedy="write [low, high]")
    for key in ("query", "expected"):
        expression = getattr(signal, key)
        if expression is None:
            continue
        try:
            names = asked_ranges([expression])
        except BadInput as error:
            raise entry.refuse(f"{key} of the signal {signal.name} is {error.what}", key) from None
        _refuse_unknown_metrics(entry, key, names, signal)
    return signal


def _refuse_unknown_metrics(entry: Entry, key: str, names: Iterable[str], signal: Signal) -> None:
    known = signal.catalogue()
    for name in names:
        if known.find(name) is None:
            remedy = known.nearest(name) or "if an application of yours exports it, say so under metrics:"
            raise entry.refuse(f"nobody exports {name}, which the signal {signal.name} asks for", key, remedy=remedy)
