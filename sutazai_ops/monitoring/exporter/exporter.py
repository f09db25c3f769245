"""The exporter as a whole: it measures, judges what it has measured, tells people, and answers whoever asks."""

from __future__ import annotations

import socket
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from sutazai_ops import __version__
from sutazai_ops.monitoring.exporter import alerting, text
from sutazai_ops.monitoring.exporter.alerting import Alerting, watched_here
from sutazai_ops.monitoring.exporter.kept import KeptAlerts
from sutazai_ops.monitoring.exporter.measuring import Measuring
from sutazai_ops.monitoring.exporter.prometheus_api import NOTHING, PrometheusApi
from sutazai_ops.monitoring.exporter.schedule import Work
from sutazai_ops.monitoring.exporter.serve import Page
from sutazai_ops.monitoring.exporter.telling import Teller
from sutazai_ops.monitoring.exporter.watchdog import EVERY_SECONDS, Watchdog
from sutazai_ops.monitoring.presence import ON_THE_EMBEDDED_ENGINE, OURS
from sutazai_ops.monitoring.promql import Sample
from sutazai_ops.monitoring.thresholds import Rulebook, read_rulebook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.core import Metric as Family

    from sutazai_ops.monitoring.exporter.measuring import Watch
    from sutazai_ops.monitoring.exporter.serve import Ask
    from sutazai_ops.monitoring.exporter.telling import Notifier

PATIENCE_SECONDS = 60.0
"""How long the first evaluation waits until everything has been measured once."""
LATE_EVALUATIONS = 3
"""After how many evaluations that did not come nobody is watching any more."""


class Exporter:
    """Everything that it does, from `start` until `stop`."""

    def __init__(self, watch: Watch, notifiers: Sequence[Notifier] = (), besides: Rulebook = NOTHING) -> None:
        """Make it ready.

        Args:
            watch: what is measured.
            notifiers: who is told.
            besides: what is evaluated here besides the signals and thresholds of the files, on what `alerting.record`
                is given.

        Raises:
            BadInput: for thresholds that are wrong.
        """
        settings = watch.settings
        self.settings = settings
        self._watch, self._began = watch, time.monotonic()
        self._is_alone = watch.engine.name == "embedded"
        self.measuring = Measuring(watch)
        exporters = ON_THE_EMBEDDED_ENGINE if self._is_alone else frozenset({OURS})
        rulebook = watched_here(read_rulebook(settings.monitoring), exporters, engine=watch.engine.name)
        kept = KeptAlerts(settings.home / "exporter")
        self._beside_the_files = besides
        rulebook = Rulebook(
            signals={**rulebook.signals, **besides.signals}, thresholds={**rulebook.thresholds, **besides.thresholds}
        )
        self.alerting = Alerting(rulebook, self._snapshot, kept, settings.alerts.runbooks_url)
        repeat = settings.alerts.repeat_hours * 3600
        self._besides: list[Work] = []
        self._pages: dict[str, Ask] = {}
        self._notes: list[str] = []
        self._tellers = [Teller(one, rulebook, kept, self.measuring.tallies, repeat) for one in notifiers]

    @property
    def pages(self) -> Mapping[str, Ask]:
        """What it answers, by address."""
        own = {"/": self.about, "/metrics": self.metrics, "/-/ready": self.ready, **self._pages}
        if not self._is_alone:
            return own
        api = PrometheusApi(self.alerting, self.settings.alerts.runbooks_url, self._beside_the_files)
        return own | dict(api.pages)

    def add(self, work: Work, pages: Mapping[str, Ask]) -> None:
        """Do something besides, out of what is measured, and answer at some addresses more; before `start`."""
        self._besides.append(work)
        self._pages |= pages

    def note(self, sentence: str) -> None:
        """Say something more of what it does or does not, for whoever opens it in a browser."""
        self._notes.append(sentence)

    def start(self) -> None:
        """Begin."""
        self.measuring.start()
        schedule = self.measuring.schedule
        schedule.add(Work("thresholds", alerting.EVERY_SECONDS, self._judge))
        for work in self._besides:
            schedule.add(work)
        for teller in self._tellers:
            schedule.add(Work(_telling(teller), alerting.EVERY_SECONDS, partial(self._tell, teller)))
        file = self._watch.settings.alerts.watchdog_url_file
        if self._is_alone and file is not None:
            schedule.add(Work("watchdog", EVERY_SECONDS, Watchdog(file, self.is_watching).call))

    def stop(self) -> None:
        """End."""
        self.measuring.stop()

    def is_watching(self) -> bool:
        """Whether thresholds are held against what is measured now."""
        is_judged = self.alerting.age() <= LATE_EVALUATIONS * alerting.EVERY_SECONDS
        return is_judged and not self.measuring.blindness()

    def collect(self) -> Iterator[Family]:
        """All figures that there are now, from memory."""
        return self.measuring.families()

    def metrics(self, query: str = "") -> Page:  # noqa: ARG002
        """The same as Prometheus reads it."""
        return Page(self.measuring.text(), kind=text.CONTENT_TYPE)

    def ready(self, query: str = "") -> Page:  # noqa: ARG002
        """Whether it sees: everything was measured once, and the engine answers."""
        if waiting := self.measuring.waiting():
            return Page(f"not ready: {waiting} has not been measured yet\n", HTTPStatus.SERVICE_UNAVAILABLE)
        if because := self.measuring.blindness():
            return Page(f"blind: {because}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        return Page("ready\n")

    def about(self, query: str = "") -> Page:  # noqa: ARG002
        """What this is, for whoever opens it in a browser."""
        settings, measuring = self._watch.settings, self.measuring
        every = settings.monitoring.interval_seconds
        lines = [
            f"sutazai-ops exporter {__version__}: {settings.environment} on {self._watch.engine.name}",
            f"{len(measuring.services)} services, {len(measuring.probes)} probes, measured every {every:g} s",
            f"{len(self.alerting.rulebook.thresholds)} thresholds are evaluated here",
            *self._notes,
            "",
            "/metrics         figures for Prometheus",
            "/-/ready         whether it sees what it should",
        ]
        lines += [f"{address:<16} for whoever uses the platform" for address in self._pages if address.endswith("/")]
        lines += [f"{address:<16} as Prometheus answers it" for address in self.pages if address.startswith("/api")]
        return Page("\n".join(lines) + "\n")

    def _judge(self) -> None:
        # What has not been measured once is no news, and what fired before we were started must not end for that.
        if self.measuring.waiting() and time.monotonic() - self._began < PATIENCE_SECONDS:
            return
        self.alerting.evaluate()
        for teller in self._tellers:
            self.measuring.schedule.hasten(_telling(teller))

    def _tell(self, teller: Teller) -> None:
        if self.alerting.evaluated_at is not None:
            teller.tell(self.alerting.notices(), self.alerting.pending())

    def _snapshot(self) -> Iterator[Sample]:
        """All figures with the labels that a scrape by Prometheus would give them (`honor_labels` for `service`)."""
        node = {"job": "node-exporter", "instance": socket.gethostname(), "service": "node-exporter"}
        own = {"job": "exporter", "instance": socket.gethostname(), "service": "exporter"}
        for family in self.collect():
            target = node if family.name.startswith("node_") else own
            for sample in family.samples:
                yield Sample(sample.name, {**target, **sample.labels}, sample.value)


def _telling(teller: Teller) -> str:
    return f"tell {teller.notifier.name}"
