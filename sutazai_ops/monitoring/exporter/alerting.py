"""The thresholds, evaluated here: all of them where there is no Prometheus, elsewhere those that it cannot see itself.

Each time, all that is measured is added to the samples as one snapshot, the signals are computed over them, and the
alerts move on by that. What the alerts are is kept in a file, so that an exporter that is started again goes on where
it was and nobody is told twice.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring import evaluation
from sutazai_ops.monitoring.evaluation import State, annotations_of, labels_of
from sutazai_ops.monitoring.promql import Sample, Samples, asked_ranges, evaluate
from sutazai_ops.monitoring.thresholds import ALL, CRITICAL, Rulebook, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sutazai_ops.monitoring.evaluation import Alert, Measured
    from sutazai_ops.monitoring.exporter.kept import KeptAlerts

EVERY_SECONDS = 10.0
"""With figures that are half a minute old at most and half a minute of `for`, what is unknown is told within two
minutes."""
KEEP_SECONDS = 300.0
"""How long a sample is kept of which no signal asks for more."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recording:
    """What an expression is, kept under a name of its own: a recording rule."""

    name: str
    expression: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert as people and programs are told of it."""

    key: str
    """By which it is known again."""
    threshold: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    begun_at: float
    """Seconds since 1970."""
    ended_at: float | None
    """None while it fires."""
    value: float

    @property
    def severity(self) -> str:
        """Who is to be told."""
        return self.labels.get("severity", "")

    @property
    def service(self) -> str:
        """Of which service it is; empty where it is of none."""
        return self.labels.get("service", "")


class Alerting:
    """Samples, signals and alerts, moved on by `evaluate`."""

    def __init__(
        self,
        rulebook: Rulebook,
        snapshot: Callable[[], Iterable[Sample]],
        kept: KeptAlerts,
        runbooks_url: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.rulebook = rulebook
        self.samples = Samples(KEEP_SECONDS, _reaches(rulebook))
        self.evaluated_at: float | None = None
        """When all was computed last."""
        self.seconds = 0.0
        """How long that took."""
        self.failed: Mapping[str, str] = {}
        """Why a signal could not be computed, by its name."""
        self.lock = Lock()
        """Held by whoever reads or adds samples."""
        self._snapshot, self._kept = snapshot, kept
        self._runbooks_url, self._now = runbooks_url, now
        self._ended: float | None = None
        self._recordings: Sequence[Sequence[Recording]] = ()
        self._alerts: list[Alert] = kept.alerts(rulebook)

    @property
    def alerts(self) -> list[Alert]:
        """All alerts as they were last: pending, firing, and for a while those that are resolved."""
        return self._alerts

    def record(self, stages: Sequence[Sequence[Recording]]) -> None:
        """Compute these from now on before the signals, in the place of those before; a stage sees those before it."""
        texts = [one.expression for recordings in stages for one in recordings]
        with self.lock:
            self.samples.keep_longer(asked_ranges(texts))
            self._recordings = stages

    def evaluate(self) -> None:
        """Take a snapshot, compute the signals, and move the alerts on."""
        begun = time.monotonic()
        at = self._now()
        with self.lock:
            self.samples.add(at, self._snapshot())
            for number, recordings in enumerate(self._recordings):
                self.samples.add(at, list(self._recorded(recordings, at)), source=f"recordings {number}")
            measured = evaluation.measure(self.rulebook, self.samples, at)
            self.samples.add(at, measured.samples(), source="signals")
        before, self._alerts = self._alerts, evaluation.advance(self.rulebook, measured, self._alerts, at)
        self._kept.keep_alerts(self._alerts)
        self._log(before, measured)
        self._ended = time.monotonic()
        self.evaluated_at, self.seconds = at, self._ended - begun

    def age(self) -> float:
        """Seconds since the last evaluation, by the clock that nobody sets; infinite before the first."""
        return float("inf") if self._ended is None else time.monotonic() - self._ended

    def notices(self) -> list[Notice]:
        """What fires and what has just ended, as whoever is told needs it."""
        return [self._notice(alert) for alert in self._alerts if alert.state is not State.PENDING]

    def pending(self) -> set[str]:
        """The keys of what is broken and does not fire yet."""
        return {_known_by(alert) for alert in self._alerts if alert.state is State.PENDING}

    def _recorded(self, recordings: Iterable[Recording], at: float) -> Iterator[Sample]:
        for one in recordings:
            try:
                values = evaluate(one.expression, self.samples, at)
            except OpsError as error:
                log.debug("%s cannot be computed: %s", one.name, error.what)
                continue
            for value in values:
                kept = {label: text for label, text in value.labels.items() if label != "__name__"}
                yield Sample(one.name, {**kept, **one.labels}, value.value)

    def _notice(self, alert: Alert) -> Notice:
        return Notice(
            key=_known_by(alert),
            threshold=alert.threshold,
            labels=labels_of(alert, self.rulebook),
            annotations=annotations_of(alert, self.rulebook, self._runbooks_url),
            begun_at=alert.active_since,
            ended_at=alert.resolved_at,
            value=alert.value,
        )

    def _log(self, before: list[Alert], measured: Measured) -> None:
        for name, because in measured.failed.items():
            if name not in self.failed:
                log.warning("the signal %s cannot be computed: %s", name, because)
        self.failed = measured.failed
        was = {alert.key: alert.state for alert in before}
        for alert in self._alerts:
            if alert.state is not was.get(alert.key) and alert.state is not State.PENDING:
                log.warning("%s %s %s", alert.state, alert.threshold, " ".join(alert.labels.values()))


def _known_by(alert: Alert) -> str:
    name, labels = alert.key
    return f"{name}{{{','.join(f'{label}={text!r}' for label, text in labels)}}}"


def watched_here(rulebook: Rulebook, exporters: frozenset[str], *, engine: str) -> Rulebook:
    """What of the rulebook the exporter evaluates on an engine: everything where it is the only one."""
    there = rulebook.on(exporters)
    if engine == "embedded":
        return there
    mine = {name: one for name, one in there.thresholds.items() if one.watch is Watcher.EXPORTER}
    asked = {one.signal for one in mine.values()} | {one.while_.signal for one in mine.values() if one.while_}
    asked |= {CRITICAL for one in mine.values() if one.unless_critical}
    return Rulebook(
        signals={name: one for name, one in there.signals.items() if name in asked},
        thresholds={
            name: one.model_copy(update={"inhibits": tuple({ALL} & {*one.inhibits})}) for name, one in mine.items()
        },
    )


def _reaches(rulebook: Rulebook) -> dict[str, float]:
    signals = rulebook.signals.values()
    return asked_ranges(text for one in signals for text in (one.query, one.expected) if text)
