"""The capacity of an installation: the facts of it, and what follows from them.

Facts come from Prometheus as far as it reaches and stay in the ledger for ever; on the embedded engine the exporter
keeps them itself, out of its own samples, since nobody else has any.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from sutazai_ops.capacity import shelf
from sutazai_ops.capacity.changes import size_of
from sutazai_ops.capacity.kpis import measures_of, read_kpis
from sutazai_ops.capacity.measure import due_days, measure_services, measure_values
from sutazai_ops.capacity.monthly import (
    DAY,
    Known,
    Sized,
    advice_of,
    by_service,
    first_day,
    judge_all,
    monthly_report,
)
from sutazai_ops.capacity.prices import read_prices
from sutazai_ops.capacity.report import Head
from sutazai_ops.capacity.sizing import MIB
from sutazai_ops.capacity.values import MEASURES
from sutazai_ops.platform import Tier
from sutazai_ops.platform.copies import copies

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date, datetime

    from sutazai_ops.capacity.facts import ServiceDay
    from sutazai_ops.capacity.kpis import Kpi
    from sutazai_ops.capacity.prices import Prices
    from sutazai_ops.capacity.report_model import Report
    from sutazai_ops.capacity.sizing import Advice, Judgement
    from sutazai_ops.capacity.values import DayValue, Measure, Subject
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import Ledger, ScalingEntry
    from sutazai_ops.platform import Service
    from sutazai_ops.progress import Progress
    from sutazai_ops.slo.period import Span
    from sutazai_ops.slo.source import Source


LEDGER = "the ledger of this installation"
OWN_SETTINGS = "what holds state has memory settings of its own, such as maxmemory, that have to fit below it"


@dataclass(frozen=True)
class Room:
    """What an installation has room for."""

    installation: Installation
    services: Sequence[Service]
    """Those that are meant to run."""

    @cached_property
    def kpis(self) -> Mapping[str, Kpi]:
        """The success metrics; raises `BadInput` for a file that is wrong."""
        return read_kpis(self.installation.settings.capacity.kpis)

    @property
    def measures(self) -> list[Measure]:
        """All that is asked about every day beside services."""
        return [*MEASURES, *measures_of(self.kpis.values())]

    @property
    def prices(self) -> Prices | None:
        """What things cost; None where nobody wrote it down. Raises `BadInput` for a file that is wrong."""
        path = self.installation.settings.capacity.prices
        return None if path is None else read_prices(path)

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
        values = measure_values(self.measures, day, source, now, self.values(day, day))
        shelf.keep(self.ledger, days, values)
        return days

    @cached_property
    def phases(self) -> Sequence[str]:
        """The phases that are rolled out as a whole, whose overlays are in force."""
        from sutazai_ops.deployment.release import Releases

        release = Releases(self.installation.settings.releases).current()
        return release.whole if release else ()

    def advice(self, first: date, last: date, names: Collection[str] | None = None) -> list[Advice]:
        """What each service should be allowed, by what it used on these days; of all services for None."""
        return advice_of(self.sized(names), by_service(self.facts(first, last)))

    def judge(self, limit: int, first: date, last: date, names: Collection[str] | None = None) -> list[Judgement]:
        """What a memory limit for one container of each service would have come to on these days."""
        return judge_all(self.sized(names), by_service(self.facts(first, last)), limit)

    def report(self, span: Span, now: datetime) -> Report:
        """The report of a month, out of the ledger alone; `now` says which days have begun."""
        first, last = first_day(span), min(span.end - DAY, now.date())
        journeys, coverage = self._journeys(span)
        known = Known(
            services=self.sized(),
            facts=self.facts(first, last),
            values=self.values(first, last),
            kpis=self.kpis,
            prices=self.prices,
            agent_memory=self.installation.settings.capacity.agent_memory_megabytes * MIB,
            journeys=journeys,
            journeys_coverage=coverage,
            today=last,
            is_over=now.date() >= span.end,
        )
        return monthly_report(Head(self.installation.settings.environment, LEDGER), span, known)

    def sized(self, names: Collection[str] | None = None) -> list[Sized]:
        """The services that a limit can be put on, those of these names or all: of others' services none is ours.

        Raises:
            BadInput: for a name that is none, and for limits that are no numbers.
        """
        platform = self.installation.platform
        wanted = None if names is None else {platform.service(name).name for name in names}
        return [
            self._sized(one) for one in self.services if one.external is None and (wanted is None or one.name in wanted)
        ]

    @cached_property
    def _scalings(self) -> Mapping[str, ScalingEntry]:
        """By service the last time that its number of containers was changed without its file."""
        return {name: one for name, one in self.ledger.standing_scalings().items() if one.before != one.after}

    def _sized(self, service: Service) -> Sized:
        definition = self.installation.platform.definition(service.name, self.phases)
        released = max(1, copies(definition))
        scaled = self._scalings.get(service.name)
        # Once its file says another number than it said then, that holds again.
        stands = scaled is not None and scaled.released == released
        return Sized(
            name=service.name,
            now=size_of(definition),
            copies=scaled.after if scaled and stands else released,
            scaled_on=scaled.at.date() if scaled else None,
            keeps_memory=OWN_SETTINGS if service.tier is Tier.STATEFUL else "",
            runs_models=any(probe.kind == "ollama" for probe in service.probes),
        )

    def _journeys(self, span: Span) -> tuple[float | None, float]:
        """What users had of their journeys, and how much of the time that was measured."""
        from sutazai_ops.slo import promises_of

        report = promises_of(self.installation, self.services).report(span)
        if report.platform is None or report.platform.journeys is None:
            return None, 0.0
        named = {one.objective for one in report.journeys}
        counts = [one.counts for one in report.objectives if one.name in named]
        expected = sum(one.expected_minutes for one in counts)
        return report.platform.journeys, sum(one.measured_minutes for one in counts) / expected if expected else 0.0

    def facts(self, first: date, last: date) -> Mapping[tuple[str, date], ServiceDay]:
        """What services used on these days, as it is known."""
        return shelf.service_days(self.ledger, first, last)

    def values(self, first: date, last: date) -> Mapping[tuple[str, Subject, date], DayValue]:
        """What was measured of the host and its work on these days."""
        return shelf.day_values(self.ledger, first, last)
