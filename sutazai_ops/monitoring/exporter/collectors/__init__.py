"""What the exporter measures, one module for each kind of thing, and which of them there are to measure here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.exporter.collectors.backups import BackupsCollector
from sutazai_ops.monitoring.exporter.collectors.certificates import CertificatesCollector, shows_certificates
from sutazai_ops.monitoring.exporter.collectors.clock import ClockCollector
from sutazai_ops.monitoring.exporter.collectors.dagster import DagsterCollector, is_there
from sutazai_ops.monitoring.exporter.collectors.drift import DriftCollector
from sutazai_ops.monitoring.exporter.collectors.engine import EngineCollector
from sutazai_ops.monitoring.exporter.collectors.host import HostCollector
from sutazai_ops.monitoring.exporter.collectors.maintenance import MaintenanceCollector
from sutazai_ops.monitoring.exporter.collectors.models import InferenceCollector, ModelsCollector
from sutazai_ops.monitoring.exporter.collectors.queues import QueuesCollector
from sutazai_ops.monitoring.exporter.collectors.remediation import RemediationCollector
from sutazai_ops.monitoring.exporter.collectors.watched import WatchedCollector, kind_of
from sutazai_ops.monitoring.servers import is_ollama

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sutazai_ops.monitoring.exporter.board import Board
    from sutazai_ops.monitoring.exporter.measured import Collector
    from sutazai_ops.monitoring.exporter.measuring import Watch
    from sutazai_ops.monitoring.exporter.tallies import Tallies
    from sutazai_ops.platform import Service


def collectors_for(
    watch: Watch, services: Callable[[], Sequence[Service]], board: Board, tallies: Tallies
) -> Iterator[Collector]:
    """A collector for each kind of thing that there is here, beside the probes."""
    settings, engine = watch.settings, watch.engine
    interval = settings.monitoring.interval_seconds
    yield EngineCollector(engine, services, tallies, interval=interval)
    yield ClockCollector(interval=interval)
    yield DriftCollector(settings, services, interval=interval)
    yield MaintenanceCollector(settings, services, watch.worked_on, interval=interval)
    yield RemediationCollector(settings, interval=interval)
    if engine.name == "embedded":
        yield HostCollector(settings.home, interval=interval)
    if any(service.queues for service in services()):
        yield QueuesCollector(engine, services, interval=interval)
    if any(service.is_backed_up for service in services()):
        yield BackupsCollector(watch.store, interval=interval, is_scheduled=settings.runs_by_itself)
    if any(map(is_ollama, services())):
        every = settings.monitoring.inference_every_seconds
        yield ModelsCollector(engine, services, tallies, interval=interval)
        yield InferenceCollector(engine, services, tallies, interval=interval, every=every)
    if any(map(shows_certificates, services())):
        yield CertificatesCollector(engine, services, interval=interval)
    if any(map(kind_of, services())):
        yield WatchedCollector(engine, services, board, interval=interval)
    if is_there(settings):
        yield DagsterCollector(settings, interval=interval)
