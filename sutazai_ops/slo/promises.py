"""The objectives of an installation: what is promised, the facts of it, and the report.

Facts come from Prometheus as far as it reaches and stay in the ledger for ever; on the embedded engine the exporter
keeps them itself, out of its own samples, since nobody else has any.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.presence import ON_THE_EMBEDDED_ENGINE
from sutazai_ops.slo import timeline
from sutazai_ops.slo.incidents import fired
from sutazai_ops.slo.measure import measure_days, not_all_answered
from sutazai_ops.slo.objective import MAX_WINDOW_DAYS, Objective
from sutazai_ops.slo.objectives import read_objectives
from sutazai_ops.slo.report import Head, Material, make_report
from sutazai_ops.slo.report_model import LaneKind
from sutazai_ops.slo.shelf import keep, keep_questions, neighbours, take_down, unsettled
from sutazai_ops.slo.told import Asked

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from sutazai_ops.errors import OpsError
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import Ledger
    from sutazai_ops.platform import Service
    from sutazai_ops.progress import Progress
    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.life import AllFacts
    from sutazai_ops.slo.period import Span
    from sutazai_ops.slo.report_model import Report
    from sutazai_ops.slo.source import Source

DAY = timedelta(days=1)
LEDGER = "the ledger of this installation"


@dataclass(frozen=True)
class Promises:
    """What an installation promises."""

    installation: Installation
    services: Sequence[Service]
    """Those that are meant to run."""

    @cached_property
    def objectives(self) -> Mapping[str, Objective]:
        """Every objective, by name; raises `BadInput` for a file that is wrong."""
        present = ON_THE_EMBEDDED_ENGINE if self.keeps_itself else None
        return read_objectives(self.services, self.installation.settings.slo.objectives, present=present)

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
        from sutazai_ops.monitoring.prometheus import open_prometheus
        from sutazai_ops.slo.source import PrometheusSource

        return PrometheusSource(open_prometheus(self.installation).address)

    def facts(self, first: date, last: date, names: Collection[str] | None = None) -> AllFacts:
        """The facts of these days as they are known, of all objectives for None."""
        return take_down(self.ledger, first, last, names)

    def due(self, now: datetime) -> list[date]:
        """The days whose facts are missing or may still change, as far back as Prometheus keeps what it measured."""
        first = now.date() - timedelta(days=self.installation.settings.monitoring.retention_days)
        return unsettled(self.objectives.values(), self.facts(first, now.date()), first, now.date())

    def update(self, days: Sequence[date], now: datetime, progress: Progress) -> dict[date, list[Fact]]:
        """Compute the facts of these days anew, and keep each day's as soon as they are there.

        Returns:
            By day; nothing on the embedded engine, where the exporter keeps them.

        Raises:
            OpsError: when Prometheus cannot be asked, or at the end where it would not answer what some objectives ask;
                what was kept by then stays.
        """
        if not days or self.keeps_itself:
            return {}
        ones = list(self.objectives.values())
        keep_questions(self.ledger, ones, now)
        made: dict[date, list[Fact]] = {}
        with progress.step(f"facts of {len(days)} days of {len(ones)} objectives"):

            def done(day: date, facts: Sequence[Fact]) -> None:
                keep(self.ledger, facts)
                made.setdefault(day, []).extend(facts)

            known, source = neighbours(self.ledger, days, self.objectives), self.source()
            silent: dict[str, OpsError] = {}
            measure_days(ones, days, source, known, now, done, lambda one, error: silent.setdefault(one.name, error))
            start = datetime.combine(min(days), time(), UTC)
            self.ledger.record_events(fired(source, start, now, now))
        if silent:
            raise not_all_answered(silent)
        return made

    def report(self, span: Span) -> Report:
        """The report of a period, out of the ledger alone."""
        first = span.first - timedelta(days=MAX_WINDOW_DAYS)
        asked, gone = self._asked()
        material = Material(
            span=span,
            objectives=self.objectives,
            facts=self.facts(first, span.end - DAY),
            lanes=timeline.lanes(self.ledger, span, () if self.keeps_itself else (LaneKind.INCIDENT,)),
            gone=gone,
            asked=asked,
        )
        return make_report(Head(self.installation.settings.environment, LEDGER), material)

    def _asked(self) -> tuple[dict[str, list[Asked]], dict[str, Objective]]:
        """What was ever asked, and the objectives that it was asked for, as they were last."""
        asked: dict[str, list[Asked]] = {}
        objectives: dict[str, Objective] = {}
        for entry in self.ledger.known_questions():
            asked[entry.question] = [Asked(one["purpose"], one["text"]) for one in entry.asked]
            if entry.objective not in self.objectives:
                objectives[entry.objective] = defined(entry.definition)
        return asked, objectives


def defined(definition: Mapping[str, object]) -> Objective:
    """An objective as it was written down; durations stand there as seconds.

    Raises:
        BadInput: for one that a newer version of this program wrote and that means nothing here.
    """
    from pydantic import ValidationError

    from sutazai_ops.monitoring.duration import format_duration

    durations = {
        key: format_duration(float(str(definition[key]))) for key in ("window", "within", "every") if key in definition
    }
    try:
        return Objective.model_validate({**definition, **durations})
    except ValidationError as error:
        raise BadInput(
            f"the objective {definition.get('name')} in the ledger cannot be read: {error.errors()[0]['msg']}"
        ) from None
