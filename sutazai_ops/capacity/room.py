"""The capacity of an installation: the facts of it, and what follows from them.

Facts come from Prometheus as far as it reaches and stay in the ledger for ever; on the embedded engine the exporter
keeps them itself, out of its own samples, since nobody else has any.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sutazai_ops.capacity import shelf
from sutazai_ops.capacity.measure import due_days, measure_services, measure_values
from sutazai_ops.capacity.values import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from sutazai_ops.capacity.facts import ServiceDay
    from sutazai_ops.capacity.values import DayValue, Subject
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import Ledger
    from sutazai_ops.platform import Service
    from sutazai_ops.progress import Progress
    from sutazai_ops.slo.source import Source


@dataclass(frozen=True)
class Room:
    """What an installation has room for."""

    installation: Installation
    services: Sequence[Service]
    """Those that are meant to run."""

    @property
    def ledger(self) -> Ledger:
        """Where facts are kept."""
        return self.installation.ledger

    @property
    def keeps_itself(self) -> bool:
        """Whether the exporter keeps the facts of this engine, and nobody else could."""
        return self.installation.engine.name == "embedded"

    def source(self) -> Source:
        """The Prometheus of this installation; raises `OpsError` where it has none or it does not run."""
        from sutazai_ops.slo import promises_of

        return promises_of(self.installation, self.services).source()

    def due(self, now: datetime) -> list[date]:
        """The days whose facts are missing or may still change, as far back as Prometheus keeps what it measured."""
        first = now.date() - timedelta(days=self.installation.settings.monitoring.retention_days)
        return due_days(self.ledger.settled_capacity_days(first, now.date()), first, now.date())

    def update(self, days: Sequence[date], now: datetime, progress: Progress) -> dict[date, list[ServiceDay]]:
        """Compute the facts of these days anew, and keep each day's as soon as they are there.

        Returns:
            By day; nothing on the embedded engine, where the exporter keeps them.

        Raises:
            OpsError: when Prometheus cannot be asked; what was kept by then stays.
        """
        if not days or self.keeps_itself:
            return {}
        source = self.source()
        with progress.step(f"facts of {len(days)} days of {len(self.services)} services"):
            return {day: self.measure(day, source, now) for day in sorted(days) if day <= now.date()}

    def measure(self, day: date, source: Source, now: datetime) -> list[ServiceDay]:
        """Ask about one day, and keep what was answered; raises as `update`."""
        names = [service.name for service in self.services if service.external is None]
        days = measure_services(names, day, source, now, self.facts(day, day))
        values = measure_values(MEASURES, day, source, now, self.values(day, day))
        shelf.keep(self.ledger, days, values)
        return days

    def facts(self, first: date, last: date) -> Mapping[tuple[str, date], ServiceDay]:
        """What services used on these days, as it is known."""
        return shelf.service_days(self.ledger, first, last)

    def values(self, first: date, last: date) -> Mapping[tuple[str, Subject, date], DayValue]:
        """What was measured of the host and its work on these days."""
        return shelf.day_values(self.ledger, first, last)
