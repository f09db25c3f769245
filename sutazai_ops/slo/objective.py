"""One objective as a value: an indicator, a target and a window, with everything that a new one need not say filled in.

What it asks for are selectors, of which `questions.py` makes PromQL. `objectives.py` reads objectives from files.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from sutazai_ops.model import Model
from sutazai_ops.monitoring.duration import Duration
from sutazai_ops.monitoring.metrics import Metric
from sutazai_ops.platform import Criticality
from sutazai_ops.slo.maths import EVENTS_KINDS, enough_events
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.selectors import Matcher, Selector, read_selector

DAY_SECONDS = 86_400
MAX_WINDOW_DAYS = 90
"""As far back as the status page looks; daily facts reach further, but a budget of a season is nobody's to act on."""
PROBE_STATE = "sutazai_probe_state"
SERVICE_STATE, STOPPED = "sutazai_service_state", "stopped|absent"
"""What does not run has no address that a probe could ask; the signal service_down holds it for down, too."""
REQUESTS = "http_requests_total"
DURATION = "http_request_duration_seconds"
"""What a service that keeps the metric contract serves."""

NEEDED: Mapping[ObjectiveKind, tuple[str, ...]] = {
    ObjectiveKind.PROBE: ("up",),
    ObjectiveKind.RATIO: ("total",),
    ObjectiveKind.LATENCY: ("histogram", "within"),
    ObjectiveKind.FRESHNESS: ("age", "within"),
}
"""Without which keys a kind cannot be measured."""
ALLOWED: Mapping[ObjectiveKind, tuple[str, ...]] = {
    ObjectiveKind.PROBE: ("up", "unknown", "stopped"),
    ObjectiveKind.RATIO: ("total", "good", "bad", "up", "unknown", "stopped"),
    ObjectiveKind.LATENCY: ("histogram", "within", "up", "unknown", "stopped"),
    ObjectiveKind.FRESHNESS: ("age", "within"),
}
"""Which keys of an indicator mean something for a kind."""
INDICATOR = ("up", "unknown", "stopped", "total", "good", "bad", "histogram", "within", "age")


class Alerts(StrEnum):
    """Who is told when a budget burns."""

    PAGE = "page"
    """Somebody is woken when it burns fast; what burns slowly is a ticket."""
    TICKET = "ticket"
    """Nobody is woken."""
    NONE = "none"


class Journey(Model):
    """What a user of the platform does, which the objective speaks for."""

    title: str
    """In a user's words: "Opening the site"."""
    weight: Annotated[float, Field(gt=0)] = 1


class Objective(Model):
    """A promise, and how it is measured."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: str = ""
    """For a heading: "backend answers requests"."""
    description: str = ""
    kind: ObjectiveKind
    service: str | None = None
    """Whose it is; it also says where the indicator is found, for a service that keeps the metric contract."""
    criticality: Criticality = Criticality.NORMAL
    owner: str = ""
    runbook: str = ""
    """Where to read what to do: an address."""
    target: Annotated[float, Field(gt=0, lt=1)]
    """The share that is promised: 0.999 is 99.9 %."""
    window: Duration = 30 * DAY_SECONDS
    """Of the rolling figure, which alerts and the gate look at. Reports are of calendar months and weeks besides."""

    up: str | None = None
    """Selector of a gauge: 1 where a check from outside was answered, 0 where it was not."""
    unknown: str | None = None
    """Selector of a gauge that is 1 where that check could not be made."""
    stopped: str | None = None
    """Selector of a gauge that is 1 where it could not be made because what is checked does not run: that is down."""
    total: str | None = None
    """For a ratio: selector of the counters of all events."""
    good: str | None = None
    """For a ratio: of the good ones, or"""
    bad: str | None = None
    """of the bad ones."""
    histogram: str | None = None
    """For a latency: selector by the base name of a histogram in seconds."""
    within: Duration | None = None
    """For a latency: the limit, which has to be an edge of its buckets. For freshness: the age that is still fresh."""
    age: str | None = None
    """For freshness: selector of a gauge of seconds."""
    events: str = "requests"
    """What the events are called that a ratio or a latency counts: "tasks"."""
    metrics: Mapping[str, Metric] = Field(default_factory=dict)
    """Metrics of your own that the catalogue does not know, as in signals.yaml."""

    every: Duration = 30
    """The longest time between two samples of the gauges; time is measured in steps that surely hold one."""
    since: date | None = None
    """Days before this are not held against it; found by itself where left out."""
    least_events: Annotated[float, Field(ge=1)] | None = None
    """Fewer events, or minutes of time, are too few for a verdict; 1 / (1 - target) where left out."""
    least_failures: Annotated[float, Field(ge=1)] = 5
    """No alert on fewer bad events (or bad samples of a probe): one failed task of forty is no burning budget."""
    alerts: Alerts | None = None
    """`page` for critical and high services, `ticket` for the others, where left out."""
    gate: bool | None = None
    """Whether its budget stops deployments; those of critical services and of journeys do, where left out."""
    journey: Journey | None = None

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> Self:
        odd = [key for key in INDICATOR if getattr(self, key) is not None and key not in ALLOWED[self.kind]]
        if odd:
            msg = f"{odd[0]} means nothing for the kind {self.kind}"
            raise ValueError(msg)
        missing = [key for key in NEEDED[self.kind] if getattr(self, key) is None]
        if missing:
            msg = f"the kind {self.kind} needs {' and '.join(missing)}, or a service to find it by"
            raise ValueError(msg)
        if self.kind is ObjectiveKind.RATIO and (self.good is None) == (self.bad is None):
            msg = "the kind ratio needs one of good and bad"
            raise ValueError(msg)
        if self.unknown is not None and self.up is None:
            msg = "unknown says of up when it is not known, and there is no up"
            raise ValueError(msg)
        if self.stopped is not None and self.unknown is None:
            msg = "stopped says of unknown when it is known all the same, and there is no unknown"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_a_window_of_days(self) -> Self:
        days = self.window / DAY_SECONDS
        if days != round(days) or not 1 <= days <= MAX_WINDOW_DAYS:
            msg = f"the window has to be whole days from 1d to {MAX_WINDOW_DAYS}d: facts are kept by the day"
            raise ValueError(msg)
        if not 1 <= self.every <= DAY_SECONDS:
            msg = "every has to be between 1s and 1d"
            raise ValueError(msg)
        return self

    @property
    def window_days(self) -> int:
        """The rolling window."""
        return round(self.window / DAY_SECONDS)

    @property
    def enough(self) -> float:
        """How many events a verdict needs."""
        return self.least_events or enough_events(self.target)

    @property
    def told(self) -> Alerts:
        """Who is told when its budget burns."""
        if self.alerts is not None:
            return self.alerts
        return Alerts.PAGE if self.criticality in {Criticality.CRITICAL, Criticality.HIGH} else Alerts.TICKET

    @property
    def gates(self) -> bool:
        """Whether its budget stops deployments."""
        if self.gate is not None:
            return self.gate
        return self.criticality is Criticality.CRITICAL or self.journey is not None

    @property
    def counts_events(self) -> bool:
        """Whether its figure is a share of events, and not of time."""
        return self.kind in EVENTS_KINDS

    @property
    def indicator(self) -> str:
        """What is counted as good, in words."""
        from sutazai_ops import human

        match self.kind:
            case ObjectiveKind.PROBE:
                return "measured time in which it was answered from outside"
            case ObjectiveKind.RATIO:
                return f"events of {self.total}" + (
                    f" but those of {self.bad}" if self.bad else f" that are {self.good}"
                )
            case ObjectiveKind.LATENCY:
                return f"answers of {self.histogram} within {_limit(self.within or 0)}"
            case _:
                return f"measured time in which {self.age} was at most {human.duration(self.within or 0)}"

    def selector(self, key: str) -> Selector | None:
        """What a key selects; raises `BadInput` where it is no selector."""
        text = getattr(self, key)
        return None if text is None else read_selector(text)


def _limit(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def usual_indicator(kind: ObjectiveKind, service: str) -> dict[str, str]:
    """Where a service's indicator is found, if nothing else is said: our exporter's probes and the metric contract."""
    of_service = Matcher("service", "=", service)

    def probe(state: str) -> str:
        return str(Selector(PROBE_STATE, (of_service, Matcher("state", "=", state))))

    stopped = Selector(SERVICE_STATE, (of_service, Matcher("state", "=~", STOPPED)))
    usual = {"up": probe("ok"), "unknown": probe("unknown"), "stopped": str(stopped)}
    if kind is ObjectiveKind.RATIO:
        usual["total"] = str(Selector(REQUESTS, (of_service,)))
        usual["bad"] = str(Selector(REQUESTS, (of_service, Matcher("status", "=~", "5.."))))
    if kind is ObjectiveKind.LATENCY:
        usual["histogram"] = str(Selector(DURATION, (of_service,)))
    return {} if kind is ObjectiveKind.FRESHNESS else usual
