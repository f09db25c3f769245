"""What is too much: a threshold is a level on a signal, and how long it has to be broken until somebody is told.

`thresholds.yaml` holds those of this program, and a file of the user's own (setting `monitoring.thresholds`) is laid
over it. Prometheus' rules, their tests and the runbooks are generated from them, and the embedded engine evaluates the
same. One that could never fire, such as a level outside its signal's range, is refused when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from sutazai_ops.model import Model
from sutazai_ops.monitoring.duration import Duration, format_duration, parse_duration
from sutazai_ops.monitoring.entries import Entry, read_entries, said_by_the_last, taken_away
from sutazai_ops.monitoring.metrics import Kind, Series, catalogue
from sutazai_ops.monitoring.signals import UNKNOWN, Name, Signal, Unit, read_signals, unknown_signal
from sutazai_ops.monitoring.wording import LEVEL, VALUE, placeholders
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from sutazai_ops.monitoring.metrics import Catalogue
    from sutazai_ops.settings import MonitoringSettings

PACKAGED = Path(__file__).with_name("thresholds.yaml")
DAY_SECONDS = 86_400
CRITICAL = "service_critical"
"""The signal that says whether much stands still without a service: 1 where it does, 0 where not."""
ALL = "all"
"""Among what a threshold inhibits: every other one."""


class Severity(StrEnum):
    """Who is told."""

    PAGE = "page"
    """Somebody is woken."""
    TICKET = "ticket"
    """It can wait for the morning."""
    NONE = "none"
    """Nobody but the address outside that listens for the watchdog."""


class Watcher(StrEnum):
    """Who evaluates a threshold where Prometheus runs."""

    PROMETHEUS = "prometheus"
    EXPORTER = "exporter"
    """For what Prometheus cannot see itself: that it is dead."""


class Side(StrEnum):
    """On which side of its level a threshold is broken; the level itself is on neither."""

    ABOVE = "above"
    BELOW = "below"


def _level(value: object) -> object:
    if isinstance(value, bool):
        msg = f"write a number, not {str(value).lower()}"
        raise ValueError(msg)  # noqa: TRY004  (pydantic tells it as a wrong value)
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except ValueError:
        msg = f"write a number (90 % is 0.9), or a time such as 45s, not {value!r}"
        raise ValueError(msg) from None


Level = Annotated[float, BeforeValidator(_level), Field(allow_inf_nan=False)]


class Condition(Model):
    """A signal and a level that it is held against."""

    signal: str
    above: Level | None = None
    below: Level | None = None

    @model_validator(mode="after")
    def _has_one_level(self) -> Self:
        if (self.above is None) == (self.below is None):
            msg = "say one of above and below"
            raise ValueError(msg)
        return self

    @property
    def side(self) -> Side:
        """On which side of the level it is true."""
        return Side.BELOW if self.above is None else Side.ABOVE

    @property
    def level(self) -> float:
        """What the signal is held against."""
        found = self.below if self.above is None else self.above
        assert found is not None  # noqa: S101  (held by _has_one_level)
        return found

    def is_true_of(self, value: float) -> bool:
        """Whether a value is beyond the level; NaN never is."""
        return value > self.level if self.side is Side.ABOVE else value < self.level


class Runbook(Model):
    """What a person reads who was woken; Markdown."""

    meaning: str
    impact: str
    look: str
    mend: str


class Threshold(Condition):
    """A level on a signal, and what is to happen when it is broken."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: Name
    for_: Duration = Field(alias="for")
    """Seconds that it has to be broken until it fires."""
    keep_firing_for: Duration = 0
    """Seconds that it still fires once it is whole again."""
    while_: Condition | None = Field(default=None, alias="while")
    """Only where this is true as well."""
    severity: Severity
    unless_critical: Severity | None = None
    """The severity for a service without which little stands still, where it is another."""
    watch: Watcher = Watcher.PROMETHEUS
    playbook: Name | Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] | None = None
    """What may mend it by itself."""
    inhibits: tuple[str, ...] = ()
    """Thresholds that say nothing new while this one fires, for the same service; `all` for every other one of it."""
    because: str = ""
    """Why this level and this time, and where that was read."""
    summary: str
    next: str = "sutazai-ops signals"
    """The next command."""
    runbook: Runbook | None = None
    page: Annotated[str, Field(exclude_if=lambda address: not address)] = ""
    """The address of what a person reads instead of a runbook."""

    def silences(self, threshold: str, service: str, *, beside: str) -> bool:
        """Whether an alert of a threshold says nothing new beside one of this that fires; as Alertmanager is told it.

        Args:
            threshold: the other's name.
            service: that it is about; empty where it is about none, as is
            beside: that this one is about.
        """
        if ALL in self.inhibits:
            return threshold != self.name and service == beside
        # What is of no service is silenced by what is of none, too: a service that is down says nothing of the host.
        return threshold in self.inhibits and (not beside or service == beside)


class Rulebook(Model):
    """All that is measured, and all that is too much."""

    signals: Mapping[str, Signal]
    thresholds: Mapping[str, Threshold]

    def signal_of(self, condition: Condition) -> Signal:
        """The signal that a threshold, or what stands under its `while`, is about."""
        return unknown_signal() if condition.signal == UNKNOWN else self.signals[condition.signal]

    def on(self, exporters: AbstractSet[str]) -> Rulebook:
        """What of it can be measured where there are these exporters, and the thresholds on that."""
        signals = {name: one for name, one in self.signals.items() if one.exporters <= exporters}
        known = {*signals, UNKNOWN}
        there = {
            name: one
            for name, one in self.thresholds.items()
            if one.signal in known and (one.while_ is None or one.while_.signal in known)
        }
        may_be_named = {*there, ALL}
        thresholds = {
            name: one.model_copy(
                update={
                    "inhibits": tuple(other for other in one.inhibits if other in may_be_named),
                    "unless_critical": one.unless_critical if CRITICAL in known else None,
                }
            )
            for name, one in there.items()
        }
        return Rulebook(signals=signals, thresholds=thresholds)

    @property
    def waking(self) -> frozenset[str]:
        """The thresholds that wake somebody, if the service that they are about is critical."""
        return frozenset(name for name, one in self.thresholds.items() if one.severity is Severity.PAGE)

    def not_on(self, exporters: AbstractSet[str]) -> dict[str, list[str]]:
        """The signals that cannot be measured where there are these exporters, each with those that it lacks."""
        lacking = {name: sorted(one.exporters - exporters) for name, one in self.signals.items()}
        return {name: lacks for name, lacks in lacking.items() if lacks}

    def catalogue(self) -> Catalogue:
        """Everything that a rule or a panel may ask for: the metrics, those of a person's own, and what is recorded."""
        own = [series for one in self.signals.values() for series in one.own_series()]
        recorded = [
            Series(name=one.recorded, kind=Kind.GAUGE, labels=frozenset(one.labels), exporter="rules")
            for one in (*self.signals.values(), unknown_signal())
        ]
        return catalogue().with_recorded([*own, *recorded])


def read_rulebook(settings: MonitoringSettings) -> Rulebook:
    """The signals and thresholds of this program, with the user's laid over them.

    Raises:
        BadInput: for whatever is wrong in one of the files; names file and line.
    """
    signals = read_signals(settings.signals)
    thresholds = read_thresholds(signals, settings.thresholds, settings.retention_days * DAY_SECONDS)
    return Rulebook(signals=signals, thresholds=thresholds)


def read_thresholds(
    signals: Mapping[str, Signal], over: Path | None = None, retention_seconds: float = 40 * DAY_SECONDS
) -> dict[str, Threshold]:
    """Every threshold by name, with those of the file `over` laid over the packaged ones.

    Raises:
        BadInput: for an entry that is wrong, or that could never fire; names file and line.
    """
    entries = {name: _with_one_level(entry) for name, entry in read_entries(PACKAGED, over).items()}
    gone = taken_away(over)
    found = {entry.name: _without(entry.as_model(Threshold, "threshold"), gone) for entry in entries.values()}
    for name, threshold in found.items():
        _check(entries[name], threshold, signals, found, retention_seconds)
    return found


def _without(threshold: Threshold, gone: AbstractSet[str]) -> Threshold:
    """It no longer silences those that a file has taken away."""
    return threshold.model_copy(update={"inhibits": tuple(name for name in threshold.inhibits if name not in gone)})


def _with_one_level(entry: Entry) -> Entry:
    """Where a file says `below`, an `above` of the file beneath it no longer counts."""
    said = said_by_the_last(entry, (Side.ABOVE, Side.BELOW))
    if not said:
        return entry
    content = {key: value for key, value in entry.content.items() if key not in set(Side) - set(said)}
    return Entry(entry.name, content, entry.files)


def _check(
    entry: Entry,
    threshold: Threshold,
    signals: Mapping[str, Signal],
    thresholds: Mapping[str, Threshold],
    retention_seconds: float,
) -> None:
    signal = check_level(entry, threshold, signals)
    if threshold.while_ is not None:
        beside = check_level(entry, threshold.while_, signals, "while")
        if strange := sorted(set(beside.labels) - set(signal.labels)):
            raise entry.refuse(
                f"the signal {beside.name} has the label {strange[0]}, which {signal.name} lacks", "while", "signal"
            )
    if threshold.unless_critical is not None:
        _check_criticality(entry, signal, signals)
    for key, seconds in (("for", threshold.for_), ("keep_firing_for", threshold.keep_firing_for)):
        if seconds > retention_seconds:
            kept = format_duration(retention_seconds)
            raise entry.refuse(
                f"{key} of the threshold {entry.name} is longer than measurements are kept, {kept}",
                key,
                remedy="shorten it, or raise monitoring.retention_days",
            )
    for i, name in enumerate(threshold.inhibits):
        if name != ALL and name not in thresholds:
            remedy = nearest(name, thresholds) or "remove it"
            raise entry.refuse(f"there is no threshold {name!r} to inhibit", "inhibits", i, remedy=remedy)
    for key, text in (("summary", threshold.summary), ("next", threshold.next)):
        _check_placeholders(entry, key, text, signal)


def _check_criticality(entry: Entry, signal: Signal, signals: Mapping[str, Signal]) -> None:
    if "service" not in signal.labels:
        raise entry.refuse(
            f"the signal {signal.name} is of no service that could be critical", "unless_critical", remedy="remove it"
        )
    if CRITICAL not in signals:
        raise entry.refuse(
            f"there is no signal {CRITICAL!r} that says which service is", "unless_critical", remedy="remove it"
        )


def check_level(entry: Entry, condition: Condition, signals: Mapping[str, Signal], *above: str | int) -> Signal:
    """The signal of a condition that stands below these keys of an entry.

    Raises:
        BadInput: where there is no such signal, or the level says nothing of it; names file and line.
    """
    if condition.signal not in signals and condition.signal != UNKNOWN:
        remedy = nearest(condition.signal, signals) or "docs/signals.md lists them"
        raise entry.refuse(f"there is no signal {condition.signal!r}", *above, "signal", remedy=remedy)
    signal = signals.get(condition.signal) or unknown_signal()
    side, level = condition.side, condition.level
    written: Any = entry.content
    for key in (*above, side):
        written = written[key]
    if isinstance(written, str) and signal.unit is not Unit.SECONDS:
        raise entry.refuse(
            f"{side} is a time, and the signal {signal.name} is a {signal.unit}", *above, side, remedy="write a number"
        )
    low, high = signal.range
    if (
        (low is not None and (level < low or (side is Side.BELOW and level == low)))
        or (high is not None and (level > high or (side is Side.ABOVE and level == high)))
    ):  # fmt: skip
        raise entry.refuse(
            f"{side} {written} says nothing: the signal {signal.name} lies between {_end(low)} and {_end(high)}",
            *above,
            side,
            remedy="choose a level within it",
        )
    return signal


def _end(value: float | None) -> str:
    return "no end" if value is None else f"{value:g}"


def _check_placeholders(entry: Entry, key: str, text: str, signal: Signal) -> None:
    known = (VALUE, LEVEL, *signal.labels)
    try:
        named = placeholders(text)
    except ValueError as error:
        raise entry.refuse(f"{key} of the threshold {entry.name} is wrong: {error}", key) from None
    for name in named:
        if name not in known:
            remedy = nearest(name, known) or f"known are: {', '.join(known)}"
            raise entry.refuse(f"{key} names {{{name}}}, and {signal.name} has no such label", key, remedy=remedy)
