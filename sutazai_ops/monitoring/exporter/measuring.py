"""What is measured, and when: a probe and a collector for each thing that there is to measure, and nothing else.

It follows what is meant to run: a release that adds a service adds its probes, without a restart, and what is no longer
meant to run leaves no figure behind.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sutazai_ops import __version__
from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter import text
from sutazai_ops.monitoring.exporter.board import Board
from sutazai_ops.monitoring.exporter.collectors import collectors_for
from sutazai_ops.monitoring.exporter.collectors.engine import Kills
from sutazai_ops.monitoring.exporter.collectors.probes import Asked, WatchedProbe, unprobed
from sutazai_ops.monitoring.exporter.families import families
from sutazai_ops.monitoring.exporter.measured import Measured
from sutazai_ops.monitoring.exporter.schedule import FIRST_WITHIN, Schedule, Work
from sutazai_ops.monitoring.exporter.tallies import Tallies
from sutazai_ops.monitoring.exporter.watched import Watched
from sutazai_ops.monitoring.probes import ProbeState
from sutazai_ops.monitoring.probes.names import probe_names
from sutazai_ops.platform.needs import needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric as Family

    from sutazai_ops.backups import Store
    from sutazai_ops.engines import Engine
    from sutazai_ops.platform import Service
    from sutazai_ops.settings import Settings

FOR_EVER = float("inf")
SECOND_LOOK_SECONDS = 3.0
AGAIN_SECONDS = 10.0
"""After how long what has turned bad is looked at once more. What passes by itself is gone from the board before it is
scraped twice, so that no threshold has to wait for the next interval to know chance from an outage."""
CAUSE_SECONDS = 5.5
"""How long the answer of what a failing service stands on is waited for: as long as a probe takes that hangs."""
POLL_SECONDS = 0.05
KILLS_SECONDS = 5.0
"""After how long the engine's events are followed again where they came to an end."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """What is to be watched."""

    settings: Settings
    engine: Engine
    store: Store
    meant: Callable[[], Sequence[Service]]
    """What is meant to run now, asked again and again; may raise `OpsError`."""
    worked_on: Callable[[float], Iterable[Sequence[str]]] = lambda _: ()
    """Of which services nobody is told at a moment, beside what the ledger says; none means all."""


class Measuring:
    """Measures, from `start` on, until it is stopped."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.board = Board()
        self.tallies = Tallies()
        self.schedule = Schedule()
        self.services: Sequence[Service] = ()
        self._needs: Mapping[str, frozenset[str]] = {}
        self.probes: dict[str, WatchedProbe] = {}
        self.collectors: dict[str, Watched] = {}
        self._interval = watch.settings.monitoring.interval_seconds
        self.board.put("this program", [Measured("sutazai_exporter_info", 1, {"version": __version__})], FOR_EVER)

    def start(self) -> None:
        """Begin to measure."""
        self.follow()
        self.schedule.add(Work("what is meant to run", self._interval, self.follow), first_within=self._interval)
        if self.watch.engine.name != "embedded":
            self.schedule.add(Work("kills", KILLS_SECONDS, Kills(self.watch.engine, self.tallies).follow))
        self.schedule.add(Work("second look", FOR_EVER, self._look_again), first_within=FIRST_WITHIN)
        self.schedule.start()

    def stop(self) -> None:
        """Measure no more."""
        self.schedule.stop()

    def follow(self) -> None:
        """See what is meant to run now, and measure that."""
        try:
            services = tuple(self.watch.meant())
        except OpsError as error:
            log.error("cannot find out what is meant to run: %s", error.what)  # noqa: TRY400  (a sentence, no traceback)
            return
        if services == self.services and self.collectors:
            return
        log.info("%d services are meant to run", len(services))
        for gone in {one.name for one in self.services} - {one.name for one in services}:
            self.tallies.forget(service=gone)
        self.services, self._needs = services, needs(services)
        self.board.put("criticality", [_criticality(one) for one in services], FOR_EVER)
        self._follow_probes()
        self._follow_collectors()

    def families(self) -> Iterator[Family]:
        """All figures that there are now, as Prometheus' client library wants them."""
        yield from families(self.board.measured())
        yield from self.tallies.families()

    def text(self) -> str:
        """The same as Prometheus reads it."""
        return text.page([*self.board.lines(), *self.tallies.lines()])

    def waiting(self) -> str:
        """What has never been measured yet; empty when everything has been."""
        names = [one.collector.name for one in self.collectors.values() if not one.rounds]
        names += [source for source, one in self.probes.items() if not one.rounds]
        return names[0] if names else "" if self.collectors else "what is meant to run"

    def blindness(self) -> str:
        """Why nothing is seen of the services; empty where the engine shows them."""
        engine = self.collectors.get("engine")
        if engine is None or not engine.is_blind:
            return ""
        return engine.missing[0] if engine.missing else "nothing was measured lately"

    def _follow_probes(self) -> None:
        wanted = {
            (service.name, name): (service, probe)
            for service in self.services
            for name, probe in zip(probe_names(service.probes), service.probes, strict=True)
        }
        kept: dict[str, WatchedProbe] = {}
        for source, one in self.probes.items():
            key = (one.labels["service"], one.labels["probe"])
            if wanted.get(key) == (one.asked.service, one.asked.probe):
                del wanted[key]
                kept[source] = one
            else:
                self.schedule.remove(source)
                one.forget()
        added = [
            WatchedProbe(
                Asked(service, probe, name, self.watch.engine, self._interval),
                self.board,
                self.tallies,
                ask_causes=partial(self._ask_what_it_stands_on, service.name),
            )
            for (_, name), (service, probe) in wanted.items()
        ]
        self.probes = kept | {one.source: one for one in added}
        for one in added:
            self.schedule.add(Work(one.source, self._interval, partial(self._look, one.source, one)))
        bare = [figure for service in self.services if not service.probes for figure in unprobed(service)]
        self.board.put("services without a probe", bare, FOR_EVER)

    def _follow_collectors(self) -> None:
        wanted = {one.name: one for one in collectors_for(self.watch, lambda: self.services, self.board, self.tallies)}
        for name in self.collectors.keys() - wanted.keys():
            self.schedule.remove(name)
            self.collectors[name].forget()
        added = {
            name: Watched(one, self.board, self.tallies) for name, one in wanted.items() if name not in self.collectors
        }
        self.collectors = {name: one for name, one in self.collectors.items() if name in wanted} | added
        for name, one in added.items():
            self.schedule.add(Work(name, one.collector.interval, partial(self._look, name, one)))
        intervals = {name: one.collector.interval for name, one in self.collectors.items()} | {"probes": self._interval}
        figures = [
            Measured("sutazai_exporter_cycle_interval_seconds", interval, {"collector": name})
            for name, interval in intervals.items()
        ]
        self.board.put("intervals", figures, FOR_EVER)

    def _look(self, name: str, one: WatchedProbe | Watched) -> None:
        """A round, and one more soon after where something has turned bad."""
        one.round()
        if one.has_turned_bad:
            self.schedule.hasten(name, after=AGAIN_SECONDS)

    def _ask_what_it_stands_on(self, service: str, since: float) -> None:
        """Have found out how that is, and wait until it is known: what hangs is known to once its time is over."""
        below = {
            source: one for source, one in self.probes.items() if one.labels["service"] in self._needs.get(service, ())
        }
        until = time.monotonic() + CAUSE_SECONDS
        while time.monotonic() < until:
            unasked = [source for source, one in below.items() if one.state is ProbeState.OK and one.asked_at < since]
            if not unasked:
                return
            # Again and again: one that is being asked already is not asked for us, and may have been well a moment ago.
            for source in unasked:
                self.schedule.hasten(source)
            time.sleep(POLL_SECONDS)

    def _look_again(self) -> None:
        """Ask once more soon where the first answer was no good one: what was started with us was starting then."""
        time.sleep(SECOND_LOOK_SECONDS)
        for name in self.collectors:
            self.schedule.hasten(name)
        for source, probe in self.probes.items():
            if probe.state is not ProbeState.OK:
                self.schedule.hasten(source)
        self.schedule.remove("second look")


def _criticality(service: Service) -> Measured:
    labels = {"service": service.name, "criticality": str(service.criticality)}
    return Measured("sutazai_service_criticality", 1, labels)
