"""Success metrics: what the plan wants to reach, where its number comes from, and what it came to.

Each names its source, and what nobody measures is *unknown*, with what to export. A number that rests on too little is
*insufficient*, and a share of votes is taken at the lower end of its interval: ten friends are no proof. Pure but for
reading the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from sutazai_ops.capacity.values import HOST_CPU, HOST_CPU_SIZE, HOST_MEMORY, HOST_MEMORY_SIZE, Kind, Measure
from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.monitoring.entries import read_entries
from sutazai_ops.slo.maths import interval
from sutazai_ops.slo.selectors import read_selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from sutazai_ops.capacity.cost import Each
    from sutazai_ops.capacity.values import DayValue, Subject
    from sutazai_ops.monitoring.entries import Entry

PACKAGED = Path(__file__).with_name("kpis.yaml")
PAGE = "docs/capacity/success-metrics.md"
FEWEST = 30
"""Votes, tasks or answers, below which a share says nothing."""
COVERED = 0.5
"""Of the days so far, how many have to be measured."""
MONTH_DAYS = 30


class Source(StrEnum):
    """Where the number comes from."""

    OBJECTIVES = "objectives"
    SHARE = "share"
    MEAN = "mean"
    PER_DAY = "per_day"
    VOTES = "votes"
    ESTIMATE = "estimate"
    HOST = "host"
    COST = "cost"


NEEDS: Mapping[Source, tuple[str, ...]] = {
    Source.OBJECTIVES: (),
    Source.SHARE: ("good", "total"),
    Source.MEAN: ("sum", "count"),
    Source.PER_DAY: ("count",),
    Source.VOTES: ("up", "down"),
    Source.ESTIMATE: ("count", "minutes_each"),
    Source.HOST: ("of", "band"),
    Source.COST: ("currency",),
}
COUNTERS = ("good", "total", "sum", "count", "up", "down")


class Group(StrEnum):
    """As the plan groups them."""

    PERFORMANCE = "performance"
    RESOURCES = "resources"
    BUSINESS = "business"


class Kpi(Model):
    """One success metric."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: str
    group: Group
    kind: Source
    export: str
    """What to do where nothing is measured."""
    good: str | None = None
    total: str | None = None
    sum: str | None = None
    count: str | None = None
    up: str | None = None
    down: str | None = None
    minutes_each: float | None = Field(default=None, gt=0)
    of: Annotated[str, Field(pattern="^(cpu|memory)$")] | None = None
    band: tuple[float, float] | None = None
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        missing = [key for key in NEEDS[self.kind] if getattr(self, key) is None]
        if missing:
            msg = f"a metric of the kind {self.kind} has to say {' and '.join(missing)}"
            raise ValueError(msg)
        if (self.at_least is None) == (self.at_most is None):
            msg = "say one of at_least and at_most"
            raise ValueError(msg)
        return self

    @property
    def target(self) -> float:
        """What it is held against."""
        return self.at_least if self.at_least is not None else self.at_most or 0.0

    def measures(self) -> list[Measure]:
        """What has to be asked every day for it."""
        return [
            Measure(
                name=measure_name(self.name, key), kind=Kind.COUNT, query=f"sum(increase({getattr(self, key)}[1h]))"
            )
            for key in COUNTERS
            if getattr(self, key) is not None
        ]

    def is_reached(self, value: float) -> bool:
        """Whether a number is at the target or on its good side."""
        return value >= self.at_least if self.at_least is not None else value <= self.target


class Verdict(StrEnum):
    """What is said of one."""

    MET = "met"
    MISSED = "missed"
    INSUFFICIENT = "insufficient"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Result:
    """What one came to."""

    kpi: Kpi
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    high: float | None = None
    coverage: float = 0.0
    """Of the days so far, those that were measured."""
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """What success metrics are told from, of one period."""

    days: Sequence[date]
    """Those that have begun."""
    values: Mapping[tuple[str, Subject, date], DayValue]
    journeys: float | None = None
    """What users had of their journeys."""
    journeys_coverage: float = 0.0
    per_request: Each | None = None
    currency: str = ""
    """Of the prices; empty where there are none."""


def read_kpis(over: Path | None = None) -> dict[str, Kpi]:
    """Every success metric by name, with those of the file `over` laid over the packaged ones.

    Raises:
        BadInput: for an entry that is wrong; names file and line.
    """
    return {name: _read(entry) for name, entry in read_entries(PACKAGED, over, PAGE).items()}


def measures_of(kpis: Iterable[Kpi]) -> list[Measure]:
    """What has to be asked every day for all of them."""
    return [measure for kpi in kpis for measure in kpi.measures()]


def measure_name(kpi: str, key: str) -> str:
    """What the values of one counter are kept under."""
    return f"kpi/{kpi}/{key}"


def judge(kpi: Kpi, material: Material) -> Result:
    """What one came to."""
    match kpi.kind:
        case Source.OBJECTIVES:
            return _of_journeys(kpi, material)
        case Source.COST:
            return _of_cost(kpi, material)
        case Source.HOST:
            return _of_host(kpi, material)
        case _:
            return _of_counters(kpi, material)


def _read(entry: Entry) -> Kpi:
    kpi = entry.as_model(Kpi, "success metric")
    for key in COUNTERS:
        text = getattr(kpi, key)
        if text is not None:
            try:
                read_selector(text)
            except BadInput as error:
                raise entry.refuse(f"{key} of the success metric {kpi.name} is wrong: {error.what}", key) from None
    return kpi


def _of_journeys(kpi: Kpi, material: Material) -> Result:
    if material.journeys is None:
        return _unknown(kpi, "no journey was measured")
    days = round(material.journeys_coverage * len(material.days))
    return _judged(kpi, material.journeys, days, material, "by the journeys of the objectives")


def _of_cost(kpi: Kpi, material: Material) -> Result:
    if not material.currency:
        return _unknown(kpi, "there are no prices")
    if material.currency != kpi.currency:
        words = f"prices are in {material.currency} and the target is in {kpi.currency}"
        return Result(kpi, Verdict.UNKNOWN, sentence=f"{words}: write both in one, nothing is converted")
    cost = material.per_request
    if cost is None:
        return _unknown(kpi, "no request was counted on a day on which the host was measured")
    coverage = cost.days / len(material.days) if material.days else 0.0
    if cost.low is None or cost.high is None:
        words = f"{cost.days} days have no interval, and a week has one"
        return Result(kpi, Verdict.INSUFFICIENT, cost.amount, coverage=coverage, sentence=words)
    reached = {kpi.is_reached(end) for end in (cost.low, cost.high)}
    verdict = Verdict.INSUFFICIENT if len(reached) > 1 else Verdict.MET if reached == {True} else Verdict.MISSED
    words = f"at 95 % it lies between {cost.low:.3g} and {cost.high:.3g} {material.currency}, everything counted"
    return Result(kpi, verdict, cost.amount, cost.low, cost.high, coverage, words)


def _of_host(kpi: Kpi, material: Material) -> Result:
    whole, size = (HOST_CPU, HOST_CPU_SIZE) if kpi.of == "cpu" else (HOST_MEMORY, HOST_MEMORY_SIZE)
    low, high = kpi.band or (0.0, 1.0)
    shares = []
    days = set()
    for day in material.days:
        used, of = material.values.get((whole.name, (), day)), material.values.get((size.name, (), day))
        if used is None or of is None:
            continue
        pairs = zip(used.hours, of.hours, strict=True)
        found = [one / all_ for one, all_ in pairs if one is not None and all_]
        shares += found
        days |= {day} if found else set()
    if not shares:
        return _unknown(kpi, "the host was not measured")
    value = sum(low <= one <= high for one in shares) / len(shares)
    mean = sum(shares) / len(shares)
    side = "below" if mean < low else "above" if mean > high else "within"
    words = f"on average {mean * 100:.0f} % were used, {side} {low * 100:.0f} to {high * 100:.0f} %"
    return _judged(kpi, value, len(days), material, words)


def _of_counters(kpi: Kpi, material: Material) -> Result:
    sums = {key: _sum(kpi, key, material) for key in COUNTERS if getattr(kpi, key) is not None}
    known = [days for _, days in sums.values() if days]
    # No vote against is none against; no bucket below the limit is a histogram without that edge.
    needs_both = kpi.kind in {Source.SHARE, Source.MEAN}
    if not known or (needs_both and len(known) < len(sums)):
        return _unknown(kpi, "nothing of it was measured")
    days = max(known)
    counts = {key: count for key, (count, _) in sums.items()}
    match kpi.kind:
        case Source.VOTES:
            return _of_votes(kpi, counts["up"], counts["down"], days, material)
        case Source.SHARE:
            return _of_ratio(kpi, counts["good"], counts["total"], days, material)
        case Source.MEAN:
            return _of_ratio(kpi, counts["sum"], counts["count"], days, material)
        case _:
            return _of_days(kpi, counts["count"], days, material)


def _of_days(kpi: Kpi, count: float, days: int, material: Material) -> Result:
    """What came to an end a day, or would have taken a person so many hours in a month."""
    passed = _passed(kpi, material)
    if passed < 1:
        words = f"{count:,.0f} so far, and less than a day says nothing of a day"
        return Result(kpi, Verdict.INSUFFICIENT, coverage=_covered(days, material), sentence=words)
    if kpi.kind is not Source.ESTIMATE:
        return _judged(kpi, count / passed, days, material, f"{count:,.0f} in {passed:.3g} days")
    each = kpi.minutes_each or 0.0
    words = f"an estimate: {count:,.0f} tasks in {passed:.3g} days, if each takes a person {each:g} minutes"
    return _judged(kpi, count / passed * MONTH_DAYS * each / 60, days, material, words)


def _of_votes(kpi: Kpi, up: float, down: float, days: int, material: Material) -> Result:
    votes = up + down
    bounds = interval(up, votes)
    coverage = _covered(days, material)
    if votes < FEWEST:
        words = f"{votes:,.0f} votes, and fewer than {FEWEST} say nothing"
        return Result(kpi, Verdict.INSUFFICIENT, up / votes if votes else None, coverage=coverage, sentence=words)
    verdict = (
        Verdict.MET
        if kpi.is_reached(bounds.worst)
        else Verdict.INSUFFICIENT
        if kpi.is_reached(bounds.best)
        else Verdict.MISSED
    )
    words = f"{up:,.0f} of {votes:,.0f} votes; the true share lies between {bounds.worst:.1%} and {bounds.best:.1%}"
    return Result(kpi, verdict, up / votes, bounds.worst, bounds.best, coverage, words.replace("%", " %"))


def _of_ratio(kpi: Kpi, part: float, whole: float, days: int, material: Material) -> Result:
    if whole < FEWEST:
        words = f"{whole:,.0f} were counted, and fewer than {FEWEST} say nothing"
        return Result(kpi, Verdict.INSUFFICIENT, coverage=_covered(days, material), sentence=words)
    value = part / whole
    return _judged(
        kpi,
        min(1.0, value) if kpi.kind is Source.SHARE else value,
        days,
        material,
        f"of {whole:,.0f} that were counted",
    )


def _judged(kpi: Kpi, value: float, days: int, material: Material, words: str) -> Result:
    coverage = _covered(days, material)
    if coverage < COVERED:
        said = f"{days} of {len(material.days)} days were measured; {words}"
        return Result(kpi, Verdict.INSUFFICIENT, value, coverage=coverage, sentence=said)
    verdict = Verdict.MET if kpi.is_reached(value) else Verdict.MISSED
    return Result(kpi, verdict, value, coverage=coverage, sentence=words)


def _sum(kpi: Kpi, key: str, material: Material) -> tuple[float, int]:
    """All that one counter counted, and on how many days it was there."""
    known = [value.value for value in _known(kpi, key, material) if value.value is not None]
    return sum(known), len(known)


def _passed(kpi: Kpi, material: Material) -> float:
    """How many days the tasks were counted in: of the one that has not ended, as much as had passed of it."""
    return sum(value.passed for value in _known(kpi, "count", material))


def _known(kpi: Kpi, key: str, material: Material) -> list[DayValue]:
    name = measure_name(kpi.name, key)
    found = [material.values[name, (), day] for day in material.days if (name, (), day) in material.values]
    return [value for value in found if value.known]


def _covered(days: int, material: Material) -> float:
    return days / len(material.days) if material.days else 0.0


def _unknown(kpi: Kpi, because: str) -> Result:
    return Result(kpi, Verdict.UNKNOWN, sentence=f"{because}: {kpi.export}")
