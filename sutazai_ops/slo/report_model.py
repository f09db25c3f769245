"""The report as a value: everything that a page, a picture or a message about it may say.

`Report` is the contract between what computes and what shows: whoever shows computes nothing, and whoever computes
draws nothing. It is written as JSON and read back as the same value; `docs/slo/report.schema.json` is made from it.

What holds for every number here: a share is between 0 and 1; a moment is in UTC with its zone; what is not known is
null and never 0, and no number is NaN or infinite. A new version number means that something changed its meaning or
went; keys that are added do not change it, so a reader passes over those that it does not know.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from sutazai_ops.model import Model
from sutazai_ops.slo.verdict import Verdict

FORMAT: Literal["sutazai-ops/slo-report"] = "sutazai-ops/slo-report"
VERSION: Literal[1] = 1

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[float, Field(ge=0)]
Minutes = Annotated[float, Field(ge=0)]


class Part(Model):
    """One part of a report: a `Model` that refuses numbers which are none, and passes over keys of newer programs."""

    model_config = ConfigDict(allow_inf_nan=False, extra="ignore", use_attribute_docstrings=True)


class ObjectiveKind(StrEnum):
    """How an objective is measured, which says what its figure is a share of."""

    PROBE = "probe"
    """Of the measured time: the share in which a check from outside was answered."""
    RATIO = "ratio"
    """Of the requests that users sent: the share that was answered well; those lost while it was down are bad."""
    LATENCY = "latency"
    """Of the requests that were answered: the share that was answered within a limit."""
    FRESHNESS = "freshness"
    """Of the measured time: the share in which something was no older than a limit."""


class PeriodKind(StrEnum):
    """What stretch of time a report is of."""

    MONTH = "month"
    WEEK = "week"
    ROLLING = "rolling"
    CUSTOM = "custom"


class LaneKind(StrEnum):
    """What kind of thing happened."""

    DEPLOYMENT = "deployment"
    ROLL_BACK = "roll-back"
    INCIDENT = "incident"
    REMEDIATION = "remediation"
    DRILL = "drill"
    BACKUP = "backup"
    SILENCE = "silence"
    GAP = "gap"
    """A stretch in which nothing was measured at all."""
    OVERRIDE = "override"
    """A deployment that somebody sent past the gate, with the reason."""


class Period(Part):
    """The time that the report is of: whole days in UTC."""

    kind: PeriodKind
    label: str
    """As a person calls it: "October 2026", "week 43 of 2026", "30 days to 12 October 2026"."""
    start: date
    """The first day."""
    end: date
    """The day after the last."""
    ended: bool
    """Whether the last day was over when the newest fact was computed; else every figure is one *so far*."""


class Figures(Part):
    """The figures that a verdict rests on; docs/slo/what-the-figures-mean.md explains each."""

    requests: Share | None = None
    """R: good requests of those that were counted. Blind to a process that is dead, since it counts nothing."""
    probe: Share | None = None
    """P: minutes in which the probe was answered, of those in which it was asked."""
    combined: Share | None = None
    """K: as R, with the requests that could not be made while the probe said *down* counted as bad."""
    coverage: Share
    """C: minutes that were measured, of those of the period up to now."""
    low: Share | None = None
    """The lower end of the 95 % Wilson interval of the figure, where its events are few; null where they are not."""
    high: Share | None = None
    """The upper end."""
    best: Share | None = None
    """The figure, had all that was not measured been good."""
    worst: Share | None = None
    """The figure, had all that was not measured been bad."""


class Counts(Part):
    """What was counted."""

    good: Count = 0
    """Requests that were answered well, for a kind that counts requests."""
    bad: Count = 0
    """Requests that were not."""
    total: Count = 0
    """Both."""
    imputed: Count = 0
    """Requests that would have been made while the probe said *down*, by the same hour of other days."""
    ok_minutes: Minutes = 0
    """The probe was answered (or what has to be fresh was)."""
    down_minutes: Minutes = 0
    """It was not."""
    measured_minutes: Minutes = 0
    """It was asked, and for a kind that counts requests the counters were read, too."""
    unmeasured_minutes: Minutes = 0
    """It was not asked, and should have been."""
    expected_minutes: Minutes = 0
    """Of the period up to now, since the objective was first measured."""


class Budget(Part):
    """What may go wrong in the period, and what of it has gone."""

    total_minutes: Minutes
    """1 - target of the whole period's minutes."""
    spent_minutes: Minutes
    """The same share of them as of the events: a bad hour at night costs little where nobody asks."""
    left_minutes: float
    """Below 0 where more was spent than there was."""
    total_events: Count | None = None
    """1 - target of the whole period's events; of a period that has not ended, as many as it comes to at this pace."""
    spent_events: Count | None = None
    """Bad ones, and imputed ones."""
    left_events: float | None = None
    """Below 0 where more was spent than there was."""
    left_share: float
    """1 at the start, 0 when all is spent, below 0 beyond."""
    burn_rate: Count
    """1 spends exactly the budget in exactly the period, 2 in half of it."""


class Rolling(Part):
    """The same objective over the window that alerts and the gate look at, up to the period's end."""

    days: int
    figure: Share | None = None
    verdict: Verdict
    budget_left_share: float | None = None
    coverage: Share


class DayState(StrEnum):
    """What a cell of the calendar says, in a word that stands beside its colour."""

    MET = "met"
    MISSED = "missed"
    """The day's own figure is below the target; the period may be met all the same."""
    PARTLY = "partly measured"
    """Met, as far as was measured: less than 99 % was."""
    QUIET = "no events"
    """Measured, and nobody asked anything."""
    UNKNOWN = "not measured"
    """Less than 90 % was measured, and nothing bad was seen in it that would miss the target by itself."""
    BEFORE = "before it was there"
    GONE = "no longer there"
    AHEAD = "not yet"


class Day(Part):
    """One UTC day of one objective."""

    day: date
    state: DayState
    figure: Share | None = None
    coverage: Share | None = None
    good: Count = 0
    total: Count = 0
    imputed: Count = 0
    down_minutes: Minutes = 0
    unmeasured_minutes: Minutes = 0
    budget_share: Count = 0
    """Of the period's budget, what this day spent: 0.25 is a quarter of it."""
    p95_seconds: Annotated[float, Field(ge=0)] | None = None
    """For a latency: 95 % were answered within about this; null where that is slower than the last bucket's edge."""
    warnings: tuple[str, ...] = ()


class Curve(Part):
    """The budget left at even steps through the period; a null is a step in which nothing was measured."""

    start: datetime
    """The beginning of the first step; a value stands for the end of its step."""
    step_seconds: int
    left_share: tuple[float | None, ...]


class EventReference(Part):
    """An event of one of the lanes."""

    lane: LaneKind
    id: str
    """Unique in its lane."""


class Dip(Part):
    """One stretch of time that spent budget."""

    start: datetime
    end: datetime
    minutes: Minutes
    """That users went without, as the budget counts minutes."""
    bad: Count = 0
    imputed: Count = 0
    down_minutes: Minutes = 0
    budget_share: Count
    """Of the period's budget: 0.25 is a quarter of it."""
    sentence: str
    """What happened in it, and what was near: "no answer for 45 min, 3 min after release 41 of backend"."""
    event: EventReference | None = None
    """The nearest event, where one is near enough to have to do with it."""
    distance_seconds: int | None = None
    """From that event's beginning to the dip's; below 0 where the event came after."""


class Latency(Part):
    """How fast answers were; the share is exact, the 95th percentile is read off the buckets and is colour."""

    threshold_seconds: Annotated[float, Field(gt=0)]
    share: Share | None = None
    """Of the answers, those within the threshold."""
    p95_seconds: Annotated[float, Field(ge=0)] | None = None
    """Interpolated inside its bucket, as `histogram_quantile` does."""
    p95_between: tuple[float, float | None] | None = None
    """The edges of that bucket: what is known for sure. The upper is null for the last one, which has none."""


class Question(Part):
    """How a number was asked for."""

    purpose: str
    """Such as "requests" or "probe, each minute"."""
    text: str
    """The PromQL, as it was sent."""
    first_day: date
    last_day: date
    """Between them, this was the question; two with one purpose mean that it was changed on the way."""


class ObjectiveReport(Part):
    """One objective over the period."""

    name: str
    title: str
    """For a heading: "backend answers requests"."""
    kind: ObjectiveKind
    service: str | None = None
    criticality: str = "normal"
    description: str = ""
    indicator: str
    """What is counted as good, in words."""
    owner: str = ""
    runbook: str = ""
    """An address, or nothing."""
    target: Annotated[float, Field(gt=0, lt=1)]
    verdict: Verdict
    figure: Share | None = None
    """What the verdict is about: K for a ratio, R for a latency, P for a probe and for freshness."""
    sentence: str
    """Why, in one sentence."""
    first_day: date | None = None
    """Its first measured day where that lies within the period; earlier days are not held against it."""
    last_day: date | None = None
    """Its last day where it is no longer an objective."""
    figures: Figures
    counts: Counts
    budget: Budget | None = None
    """Null where there is nothing to make one of."""
    rolling: Rolling | None = None
    days: tuple[Day, ...]
    curve: Curve | None = None
    dips: tuple[Dip, ...] = ()
    """What spent the budget, the dearest first."""
    other_dips_share: Count = 0
    """What all that is not listed spent together, of the period's budget."""
    latency: Latency | None = None
    questions: tuple[Question, ...] = ()
    unknown: tuple[str, ...] = ()
    """What is not known of it, in sentences."""
    warnings: tuple[str, ...] = ()


class Journey(Part):
    """Something that a user of the platform does, and the objective that speaks for it."""

    name: str
    title: str
    """In a user's words: "Asking in the chat"."""
    objective: str
    weight: Annotated[float, Field(gt=0)]
    figure: Share | None = None
    verdict: Verdict


class PlatformFigure(Part):
    """The platform as a whole, two ways; the first is the honest one."""

    journeys: Share | None = None
    """The mean over the journeys that are known, by their weights."""
    known_weight: Share
    """How much of the weight those carry."""
    services: Share | None = None
    """The mean over the services, by their criticality: says how much of the platform worked, not what users had."""
    verdict: Verdict
    """The worst over the journeys."""
    sentence: str


class Event(Part):
    """One thing that happened."""

    id: str
    start: datetime
    end: datetime | None = None
    """Null for what took no time, or has not ended."""
    ongoing: bool = False
    """Whether it had not ended when the newest fact was computed."""
    title: str
    detail: str = ""
    outcome: str = ""
    """Such as "good", "failed", "verified"."""
    went_well: bool | None = None
    """What that outcome comes to; null where it is no question, as for a silence."""
    actor: str = ""
    """Who or what did it."""
    services: tuple[str, ...] = ()
    link: str = ""
    """Where more stands: an address, or a path below the home folder; nothing where there is no such place."""


class Lane(Part):
    """All events of one kind in the period, by time."""

    kind: LaneKind
    title: str
    recorded: bool
    """Whether anything writes such events down here; else an empty lane says nothing."""
    events: tuple[Event, ...] = ()


class RemediationCost(Part):
    """What mending by itself has cost and saved; every number null where nothing records it."""

    recorded: bool
    actions: int | None = None
    succeeded: int | None = None
    minutes: Minutes | None = None
    """Budget minutes that the actions themselves spent: a restart is an outage, too."""
    budget_share: Count | None = None
    """Of the hardest-hit objective's budget."""
    sentence: str


class Unknown(Part):
    """Something that the report cannot say."""

    what: str
    """A sentence."""
    objectives: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None


class Notice(Part):
    """A warning of the measurement itself, once however often it came."""

    text: str
    objectives: tuple[str, ...] = ()
    days: tuple[date, ...] = ()


class Method(Part):
    """How one number is got."""

    name: str
    meaning: str
    formula: str
    source: str = ""
    """Where it is from: a paper, a book, a page."""


class Headline(Part):
    """One of the figures of the first screen."""

    label: str
    value: str
    """As it is shown, with its unit: "99.93 %"."""
    note: str = ""


class Summary(Part):
    """The first screen."""

    verdict: Verdict
    """The worst over all objectives."""
    sentence: str
    """Why, in one sentence."""
    headlines: Annotated[tuple[Headline, ...], Field(max_length=4)]
    counted: dict[Verdict, int]
    """How many objectives have each verdict; those that none has are left out."""


class Report(Part):
    """What users had in a period, held against what was promised."""

    format: Literal["sutazai-ops/slo-report"] = FORMAT
    version: Literal[1] = VERSION
    title: str
    environment: str
    source: str
    """Where the facts come from: the ledger of an installation, or the address of a Prometheus, without user."""
    program: str
    """Name and version of the program that made it."""
    period: Period
    facts_as_of: datetime | None = None
    """When the newest fact in it was computed; null where there is none. A report says nothing of the time it was made
    itself, so that the same facts give the same bytes."""
    sample: bool = False
    """Whether it is of a made-up month; whoever shows it has to say so."""
    summary: Summary
    platform: PlatformFigure | None = None
    """Null where no journey is defined."""
    journeys: tuple[Journey, ...] = ()
    objectives: tuple[ObjectiveReport, ...]
    """The worst first."""
    lanes: tuple[Lane, ...]
    """One of each kind, always in the same order."""
    remediation: RemediationCost
    unknown: tuple[Unknown, ...] = ()
    warnings: tuple[Notice, ...] = ()
    methods: tuple[Method, ...]

    def objective(self, name: str) -> ObjectiveReport:
        """The objective of that name; raises `KeyError` for one that the report does not hold."""
        return {one.name: one for one in self.objectives}[name]

    def event(self, reference: EventReference) -> Event:
        """The event that a dip refers to; raises `KeyError` for one that the report does not hold."""
        return {(lane.kind, event.id): event for lane in self.lanes for event in lane.events}[
            reference.lane, reference.id
        ]


def schema() -> str:
    """The JSON schema of a report (draft 2020-12), as docs/slo/report.schema.json holds it."""
    found = Report.model_json_schema(mode="serialization")
    return (
        json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": f"{FORMAT}/{VERSION}",
                **found,
            },
            indent=2,
        )
        + "\n"
    )


def to_json(report: Report) -> str:
    """The report as it is written: the same report gives the same bytes."""
    return report.model_dump_json(indent=1) + "\n"


def from_json(text: str) -> Report:
    """The report that `to_json` wrote; raises `pydantic.ValidationError` for anything else."""
    return Report.model_validate_json(text)
