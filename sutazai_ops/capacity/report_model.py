"""The report on capacity and cost as a value: everything that a page, a picture or a message about it may say.

As the report on objectives: whoever shows computes nothing, and whoever computes draws nothing. It is written as JSON
and read back as the same value; `docs/capacity/report.schema.json` is made from it. What is not known is null and never
0, a share is between 0 and 1, memory and disks are in bytes, processors in cores, money in the report's currency.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from sutazai_ops.capacity.kpis import Group, Source, Verdict
from sutazai_ops.capacity.sizing import Confidence, Kind
from sutazai_ops.slo.report_model import Headline, Method, Part, Share

FORMAT: Literal["sutazai-ops/capacity-report"] = "sutazai-ops/capacity-report"
VERSION: Literal[1] = 1

Amount = Annotated[float, Field(ge=0)]


class Period(Part):
    """Whole days in UTC."""

    label: str
    start: date
    end: date
    """The day after the last."""
    ended: bool
    """Whether the last day was over when the newest fact was computed, or is now where there is none; else every figure
    is one *so far*."""


class Metric(Part):
    """One success metric."""

    name: str
    title: str
    group: Group
    kind: Source
    target: str
    """As it is shown: "at least 95 %"."""
    verdict: Verdict
    measured: str
    """As it is shown; empty where nothing is known."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    coverage: Share
    """Of the days so far, those that were measured."""
    sentence: str


class Size(Part):
    """What one container may use, and what is kept for it."""

    memory: int | None = None
    cpus: float | None = None
    reserved_memory: int | None = None
    reserved_cpus: float | None = None


class Day(Part):
    """One service on one day, all its containers together."""

    day: date
    memory_peak: Amount | None = None
    memory_p95: Amount | None = None
    memory_limit: Amount | None = None
    cpu_p95: Amount | None = None
    cpu_limit: Amount | None = None
    oom_kills: int = 0
    coverage: Share


class Finding(Part):
    """One thing to say of a service."""

    kind: Kind
    sentence: str


class Service(Part):
    """What one service used, and what it should be allowed."""

    name: str
    copies: int
    now: Size
    proposed: Size | None = None
    """Null where the data say too little."""
    changes: bool
    confidence: Confidence
    days: tuple[Day, ...]
    """Of the period."""
    days_counted: int
    """Those that the advice rests on."""
    memory_peak: Amount | None = None
    """Of one container, as all figures here."""
    memory_p95: Amount | None = None
    memory_in_band: Share | None = None
    """Of the time with a limit, that in which 50 to 70 % of it were used."""
    cpu_p95: Amount | None = None
    cpu_in_band: Share | None = None
    oom_kills: int = 0
    throttled_seconds: Amount | None = None
    exceeded: Share
    """How likely a further day goes above the highest, by rank alone."""
    because: str
    findings: tuple[Finding, ...] = ()


class Judged(Part):
    """What the limit that the plan asks for agents would have come to."""

    service: str
    limit: int
    holds: bool | None
    days: int
    days_over: int
    sentence: str


class Range(Part):
    """A number, and between which two it lies."""

    low: float
    likely: float
    high: float


class Level(Part):
    """How much was used on one day."""

    day: date
    used: Amount


class Forecast(Part):
    """What is coming of one thing, in bytes."""

    resource: str
    name: str
    used: Amount
    size: Amount | None = None
    days: tuple[Level, ...]
    growth: Range | None = None
    """A day."""
    ahead: Range | None = None
    """In thirty days."""
    earliest: date | None = None
    """When it is full, where that is within a year."""
    likely: date | None = None
    latest: date | None = None
    sentence: str


class Fit(Part):
    """How many more services there is room for."""

    more: int | None = None
    bound_by: str = ""
    sentence: str


class ServiceCost(Part):
    """What one service cost."""

    name: str
    own: Amount
    left_over: Amount
    """Its share of what nobody used."""
    full: Amount
    share: Share
    """Of the host's price."""
    per_request: Amount | None = None


class Each(Part):
    """What one of something cost."""

    name: str
    amount: Amount
    low: Amount | None = None
    high: Amount | None = None
    count: Amount
    total: Amount


class Cost(Part):
    """What the period came to."""

    currency: str
    total: Amount
    host: Amount
    left_over: Amount
    storage: Amount
    egress: Amount
    days: int
    services: tuple[ServiceCost, ...]
    """The dearest first; their full costs add up to the host's price."""
    request: Each | None = None
    agents: tuple[Each, ...] = ()
    """What a task of each cost."""
    models: dict[str, float] = Field(default_factory=dict)


class Step(Part):
    """What to change next."""

    what: str
    effect: str


class Summary(Part):
    """The first screen."""

    verdict: Verdict
    sentence: str
    headlines: Annotated[tuple[Headline, ...], Field(max_length=4)]
    counted: dict[Verdict, int]


class Report(Part):
    """What services used in a month, what they should be allowed, what is coming, and what it all cost."""

    format: Literal["sutazai-ops/capacity-report"] = FORMAT
    version: Literal[1] = VERSION
    title: str
    environment: str
    source: str
    program: str
    period: Period
    facts_as_of: datetime | None = None
    sample: bool = False
    summary: Summary
    metrics: tuple[Metric, ...]
    services: tuple[Service, ...]
    """Those with something to change first."""
    agents: tuple[Judged, ...] = ()
    agent_memory: int
    """The limit that the plan asks for agents."""
    forecasts: tuple[Forecast, ...]
    fit: Fit
    cost: Cost | None = None
    """Null where there are no prices, or the host was not measured."""
    no_cost: str = ""
    """Why."""
    next: tuple[Step, ...]
    unknown: tuple[str, ...]
    methods: tuple[Method, ...]


def schema() -> str:
    """The JSON schema of a report (draft 2020-12), as docs/capacity/report.schema.json holds it."""
    found = Report.model_json_schema(mode="serialization")
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{FORMAT}/{VERSION}", **found}
    return json.dumps(whole, indent=2) + "\n"


def to_json(report: Report) -> str:
    """The report as it is written: the same report gives the same bytes."""
    return report.model_dump_json(indent=1) + "\n"


def from_json(text: str) -> Report:
    """The report that `to_json` wrote; raises `pydantic.ValidationError` for anything else."""
    return Report.model_validate_json(text)
