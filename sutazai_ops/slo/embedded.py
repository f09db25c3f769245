"""Facts where there is no Prometheus: kept by the exporter, out of the samples that it has in memory.

It remembers little more than an hour, so what it can still tell is written down every few minutes; each hour stands in
the ledger as it was measured best, and an exporter that is started again goes on where it was.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.promql import asked_ranges, evaluate
from sutazai_ops.slo.burn import HOUR
from sutazai_ops.slo.facts import DAY_MINUTES, HOURS, Side, combined
from sutazai_ops.slo.maths import NOTHING
from sutazai_ops.slo.measure import measure_days
from sutazai_ops.slo.questions import questions
from sutazai_ops.slo.shelf import keep, keep_questions, neighbours
from sutazai_ops.slo.source import Answer, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date

    from sutazai_ops.monitoring.promql import Samples
    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.life import AllFacts
    from sutazai_ops.slo.promises import Promises

EVERY_SECONDS = 120.0
REMEMBERED = HOUR + 600
"""Seconds: the hour that runs whole, and some time to be late in."""
YESTERDAY_FOR = timedelta(minutes=10)
"""So long after midnight the day before is still written."""

log = logging.getLogger(__name__)


class SamplesSource:
    """Answers from samples in memory as Prometheus would, as far back as they reach."""

    where = "the exporter's own samples"

    def __init__(self, samples: Samples, lock: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        self._samples, self._lock = samples, lock
        self.since = 0
        """Before this moment nothing is answered."""

    def over(self, query: str, start: int, end: int, step: int) -> Answer:
        """The query at every step that memory may reach."""
        points: dict[tuple[tuple[str, str], ...], list[tuple[int, float]]] = {}
        first = start + max(0, -(-(self.since - start) // step)) * step
        for moment in range(first, end + 1, step):
            with self._lock():
                found = evaluate(query, self._samples, moment)
            for one in found:
                if one.value == one.value:
                    points.setdefault(tuple(sorted(one.labels.items())), []).append((moment, one.value))
        return Answer(tuple(Line(dict(labels), found) for labels, found in points.items()))

    def at(self, query: str, moment: int) -> Answer:
        """The query at one moment."""
        return self.over(query, moment, moment, 1) if moment >= self.since else Answer(())


class Keeper:
    """Writes the facts of now down, again and again."""

    def __init__(
        self,
        promises: Callable[[], Promises],
        samples: Samples,
        lock: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Nothing is asked yet.

        Args:
            promises: what is promised now: services come and go.
            samples: of whoever measures.
            lock: to be held while they are read.
        """
        self._promises = promises
        self._source = SamplesSource(samples, lock)
        self._told = ""
        self._before: dict[str, dict[date, Fact]] = {}
        """What is known of the hour that runs from before this process, and of all other hours."""
        samples.keep_longer(self.reaches())

    def reaches(self) -> Mapping[str, float]:
        """How many seconds back each metric is asked for."""
        texts = [one.text for objective in self._promises().objectives.values() for one in questions(objective).all()]
        return dict.fromkeys(asked_ranges(texts), float(REMEMBERED))

    def keep(self, now: datetime | None = None) -> None:
        """Compute today's facts as far as memory reaches, and write them down; what keeps it from that is logged."""
        try:
            self._keep(now or datetime.now(UTC))
        except OpsError as error:
            if error.what != self._told:
                log.warning("facts: %s", error.what)
            self._told = error.what
        else:
            self._told = ""

    def _keep(self, now: datetime) -> None:
        promises = self._promises()
        ones = list(promises.objectives.values())
        days = [now.date()]
        if (now - YESTERDAY_FOR).date() != now.date():
            days.insert(0, (now - YESTERDAY_FOR).date())
        self._source.since = int(now.timestamp()) - REMEMBERED
        keep_questions(promises.ledger, ones, now)
        self._remember(neighbours(promises.ledger, days, promises.objectives), days)
        made = measure_days(
            ones, days, self._source, self._before, now, lambda _day, facts: keep(promises.ledger, facts)
        )
        for name, facts in made.items():
            for day, fact in facts.items():
                self._settle(name, day, fact, now)

    def _remember(self, known: AllFacts, days: Sequence[date]) -> None:
        """Take what the ledger holds of a day, once: from then on it holds what this process has measured itself."""
        for name, facts in known.items():
            for day in days:
                if day in facts:
                    self._before.setdefault(name, {}).setdefault(day, facts[day])
        for facts in self._before.values():
            for day in [day for day in facts if day not in days]:
                del facts[day]

    def _settle(self, name: str, day: date, fact: Fact, now: datetime) -> None:
        """What has been measured is known from before now, but for the hour that runs: that is measured whole again."""
        mine = self._before.setdefault(name, {})
        if day == now.date():
            empty = replace(fact, hours=(NOTHING,) * HOURS, dips=(), gaps=((0, DAY_MINUTES),))
            sides = [Side.NEW if hour < now.hour else Side.OLD for hour in range(HOURS)]
            fact = combined(mine.get(day, empty), fact, sides)
        mine[day] = fact
