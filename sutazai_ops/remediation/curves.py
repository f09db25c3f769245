"""How the signals of an incident went, kept beside its diagnostics, so that its page needs no Prometheus later.

They are read of whoever evaluates the thresholds, from a little before it broke until now or its end, each time that
something is written down of the incident. What is not remembered there any more is taken from what was kept before, and
what was not measured is none: no value is carried on across a gap.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, TypeAdapter, ValidationError

from sutazai_ops.disk import write_whole, writing
from sutazai_ops.errors import OpsError
from sutazai_ops.model import Model
from sutazai_ops.monitoring.prometheus import open_prometheus
from sutazai_ops.monitoring.signals import Unit
from sutazai_ops.monitoring.thresholds import Side, read_rulebook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.monitoring.prometheus import Prometheus

FILE = "signals.json"
BEFORE = timedelta(minutes=5)
"""Of the time before it broke that is shown."""
POINTS = 60
"""Each is a question; a picture of a thousandth of a page each would be no clearer."""
SHORTEST_STEP = 10.0
MEASURED_WITHIN = "1m"
"""How old a value may be and still be one of its moment: rules are evaluated four times as often."""
MOST = 4
"""Curves of an incident: whatever else joined it says the same."""


class Curve(Model):
    """One signal over time, and the level that broke."""

    threshold: str
    labels: dict[str, str]
    unit: Unit
    side: Side
    level: float
    start: datetime
    step: Annotated[float, Field(gt=0)]
    """Seconds from one value to the next."""
    values: list[float | None]
    """None where nothing was measured."""

    def at(self, moment: datetime) -> float | None:
        """The value that is nearest to a moment; None where there is none within a step."""
        place = round((moment - self.start).total_seconds() / self.step)
        return self.values[place] if 0 <= place < len(self.values) else None

    def moment(self, place: int) -> datetime:
        """Of a value."""
        return self.start + timedelta(seconds=place * self.step)


CURVES = TypeAdapter(list[Curve])


def keep(here: Installation, incident: IncidentEntry, folder: Path, now: datetime) -> list[Curve]:
    """Read them, add what was kept before, and keep both in the folder; returns them.

    Where nobody can be asked, what was kept is returned as it is.
    """
    kept = _kept(folder / FILE)
    try:
        read = _read(here, incident, now)
    except OpsError:
        return kept
    found = [merged(one, next((old for old in kept if _is_same(one, old)), None)) for one in read]
    found = [one for one in found if any(value is not None for value in one.values)]
    if not found:
        return kept
    # A picture is worth less than the repair before which it is kept.
    with suppress(OpsError), writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(folder / FILE, CURVES.dump_json(found))
    return found


def merged(new: Curve, old: Curve | None) -> Curve:
    """The new one, with values of the old where the new has none any more."""
    if old is None:
        return new
    values = [old.at(new.moment(n)) if value is None else value for n, value in enumerate(new.values)]
    return new.model_copy(update={"values": values})


def _is_same(one: Curve, other: Curve) -> bool:
    return (one.threshold, one.labels) == (other.threshold, other.labels)


def _kept(file: Path) -> list[Curve]:
    try:
        return CURVES.validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return []


def _read(here: Installation, incident: IncidentEntry, now: datetime) -> list[Curve]:
    rulebook = read_rulebook(here.settings.monitoring)
    prometheus = open_prometheus(here)
    begun = min(incident.opened_at, incident.broken_since or incident.opened_at).astimezone(UTC) - BEFORE
    end = incident.closed_at or now
    step = max(SHORTEST_STEP, (end - begun).total_seconds() / POINTS)
    # So that the last value is that of the end.
    count = math.ceil((end - begun).total_seconds() / step)
    moments = [end - timedelta(seconds=n * step) for n in range(count, -1, -1)]
    found = []
    for alert in list(incident.alerts)[:MOST]:
        threshold = rulebook.thresholds.get(alert["threshold"])
        signal = rulebook.signals.get(threshold.signal) if threshold else None
        if threshold is None or signal is None:
            continue
        labels = {name: text for name, text in alert["labels"].items() if name in signal.labels}
        found.append(
            Curve(
                threshold=threshold.name,
                labels=labels,
                unit=signal.unit,
                side=threshold.side,
                level=threshold.level,
                start=moments[0],
                step=step,
                values=_values(prometheus, expression(signal.recorded, labels), moments),
            )
        )
    return found


def expression(name: str, labels: Mapping[str, str]) -> str:
    """What asks for a value that was measured lately.

    >>> expression("signal:service_down", {"service": "backend"})
    'last_over_time(signal:service_down{service="backend"}[1m])'
    """
    matchers = ",".join(f"{label}={json.dumps(text, ensure_ascii=False)}" for label, text in labels.items())
    return f"last_over_time({name}{{{matchers}}}[{MEASURED_WITHIN}])"


def _values(prometheus: Prometheus, asked: str, moments: Sequence[datetime]) -> Sequence[float | None]:
    return [_value([one.value for one in prometheus.query(asked, at.timestamp()).values]) for at in moments]


def _value(found: Sequence[float]) -> float | None:
    """What is worst where several series answer is not known here; one that is no number is none."""
    finite = [value for value in found if math.isfinite(value)]
    return max(finite, default=None)
