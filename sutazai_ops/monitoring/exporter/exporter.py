"""The exporter as a whole: what it measures, when, and what it says to whoever asks.

It follows what is meant to run: a release that adds a service adds its probes, without a restart.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from sutazai_ops import __version__
from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.board import Board
from sutazai_ops.monitoring.exporter.collectors.engine import EngineCollector
from sutazai_ops.monitoring.exporter.collectors.probes import WatchedProbe, unprobed
from sutazai_ops.monitoring.exporter.families import families
from sutazai_ops.monitoring.exporter.schedule import FIRST_WITHIN, Schedule, Work
from sutazai_ops.monitoring.exporter.serve import Page
from sutazai_ops.monitoring.exporter.tallies import Tallies
from sutazai_ops.monitoring.exporter.watched import Watched
from sutazai_ops.monitoring.probes import ProbeState
from sutazai_ops.monitoring.probes.names import probe_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.core import Metric as Family

    from sutazai_ops.engines import Engine
    from sutazai_ops.monitoring.exporter.measured import Collector
    from sutazai_ops.platform import Probe, Service
    from sutazai_ops.settings import Settings

FOR_EVER = float("inf")
SECOND_LOOK_SECONDS = 3.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """What is to be watched."""

    settings: Settings
    engine: Engine
    meant: Callable[[], Sequence[Service]]
    """What is meant to run now, asked again and again; may raise `OpsError`."""


class Exporter:
    """Measures, from `start` on, until it is stopped."""

    def __init__(self, watch: Watch) -> None:
        self.board = Board()
        self.tallies = Tallies()
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._watch = watch
        self._interval = watch.settings.monitoring.interval_seconds
        self._schedule = Schedule()
        self._services: list[Service] = []
        self._probes: dict[str, WatchedProbe] = {}
        self._collectors = [Watched(one, self.board, self.tallies) for one in self._make_collectors()]

    def start(self) -> None:
        """Begin to measure."""
        self.follow()
        self._schedule.add(Work("what is meant to run", self._interval, self.follow), first_within=self._interval)
        for one in self._collectors:
            self._schedule.add(Work(one.collector.name, one.collector.interval, one.round))
        self._schedule.add(Work("second look", FOR_EVER, self._look_again), first_within=FIRST_WITHIN)
        self._schedule.start()

    def stop(self) -> None:
        """Measure no more."""
        self._schedule.stop()

    def follow(self) -> None:
        """See what is meant to run now; what no longer is leaves nothing behind."""
        try:
            services = list(self._watch.meant())
        except OpsError as error:
            log.error("cannot find out what is meant to run: %s", error.what)  # noqa: TRY400  (a sentence, no traceback)
            return
        if services == self._services:
            return
        log.info("%d services are meant to run", len(services))
        self._services = services
        wanted = {
            (service.name, name): (service, probe)
            for service in services
            for name, probe in zip(probe_names(service.probes), service.probes, strict=True)
        }
        kept: dict[str, WatchedProbe] = {}
        for source, one in self._probes.items():
            key = (one.labels["service"], one.labels["probe"])
            if wanted.get(key) == (one.service, one.probe):
                del wanted[key]
                kept[source] = one
            else:
                self._schedule.remove(source)
                one.forget()
        added = [self._watched(service, probe, name) for (_, name), (service, probe) in wanted.items()]
        self._probes = kept | {one.source: one for one in added}
        for one in added:
            self._schedule.add(Work(one.source, self._interval, one.round))
        bare = [figure for service in services if not service.probes for figure in unprobed(service)]
        self.board.put("services without a probe", bare, FOR_EVER)

    def collect(self) -> Iterator[Family]:
        """What Prometheus' client library asks for, from memory."""
        yield from families(self.board.measured())
        yield from self.tallies.families()

    def ready(self, query: str = "") -> Page:  # noqa: ARG002
        """Whether it sees: everything was measured once, and the engine answers."""
        waiting = [one.collector.name for one in self._collectors if not one.rounds]
        waiting += [source for source, one in self._probes.items() if not one.rounds]
        if waiting:
            return Page(f"not ready: {waiting[0]} has not been measured yet\n", HTTPStatus.SERVICE_UNAVAILABLE)
        engine = self._collectors[0]
        if engine.is_blind:
            because = engine.missing[0] if engine.missing else "nothing was measured lately"
            return Page(f"blind: {because}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        return Page("ready\n")

    def about(self, query: str = "") -> Page:  # noqa: ARG002
        """What this is, for whoever opens it in a browser."""
        settings = self._watch.settings
        lines = [
            f"sutazai-ops exporter {__version__}: {settings.environment} on {self._watch.engine.name}",
            f"{len(self._services)} services, {len(self._probes)} probes, measured every {self._interval:g} s",
            "",
            "/metrics   figures for Prometheus",
            "/-/ready   whether it sees what it should",
        ]
        return Page("\n".join(lines) + "\n")

    def _look_again(self) -> None:
        """Ask once more soon where the first answer was no good one: what was started with us was starting then."""
        time.sleep(SECOND_LOOK_SECONDS)
        for one in self._collectors:
            self._schedule.hasten(one.collector.name)
        for source, probe in self._probes.items():
            if probe.state is not ProbeState.OK:
                self._schedule.hasten(source)
        self._schedule.remove("second look")

    def _make_collectors(self) -> list[Collector]:
        watch = self._watch
        made: list[Collector] = [
            EngineCollector(watch.engine, lambda: self._services, self.tallies, interval=self._interval)
        ]
        if watch.engine.name == "embedded":
            from sutazai_ops.monitoring.exporter.collectors.host import HostCollector

            made.append(HostCollector(watch.settings.home, interval=self._interval))
        return made

    def _watched(self, service: Service, probe: Probe, name: str) -> WatchedProbe:
        return WatchedProbe(service, probe, name, self._watch.engine, self.board, self.tallies, self._interval)
