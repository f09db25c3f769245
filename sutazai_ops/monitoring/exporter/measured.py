"""What collectors hand over: figures under the names of `metrics.yaml`, and what they could not measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure."""

    name: str
    """As in `metrics.yaml`."""
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of a collector came to."""

    measured: tuple[Measured, ...] = ()
    missing: tuple[str, ...] = ()
    """What could not be measured, one sentence each: lower case, no full stop, never with a secret in it."""
    bad: tuple[str, ...] = ()
    """What was measured and is bad, such as a service that does not run, by its name."""
    away: tuple[str, ...] = ()
    """What could not be measured since the service that tells it does not answer: its own alarm says so, and nothing is
    counted here."""


class Collector(Protocol):
    """One kind of thing that is measured again and again."""

    @property
    def name(self) -> str:
        """Its word in the exporter's own figures and in its log."""

    @property
    def interval(self) -> float:
        """Seconds from one round to the next."""

    @property
    def seconds(self) -> float:
        """How long a round may take; after that it is given up, and nothing of it counts."""

    def collect(self) -> Round:
        """Measure all of it once.

        Raises:
            OpsError: when nothing can be measured.
            OSError: the same.
        """


def states(name: str, words: Iterable[str], now: str, **labels: str) -> list[Measured]:
    """One state as figures: 1 for the word that holds now, 0 for each of the others."""
    return [Measured(name, float(word == now), {**labels, "state": word}) for word in words]
