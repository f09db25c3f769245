"""Whether models push each other out of memory, from what the exporter has seen of Ollama over time.

A model that is asked for while the memory is full has another one put out, and whoever asks for that one next waits
until it is read from the disk again. On a machine with one place in memory two agents that use two models have each of
their questions wait so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.prometheus import open_prometheus

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sutazai_ops.installation import Installation

WINDOW = "1d"
OFTEN = 2
"""Once may be a new release, or somebody who tried something."""


@dataclass(frozen=True, slots=True)
class Eviction:
    """How often one model was put out of memory for another one."""

    server: str
    model: str
    by: str
    times: float


@dataclass(frozen=True, slots=True)
class Contention:
    """Two models that do not let each other stay."""

    server: str
    models: tuple[str, str]
    times: int
    users: Sequence[str]
    """The services that use either."""

    def __str__(self) -> str:
        who = f" ({', '.join(self.users)})" if self.users else ""
        return (
            f"{' and '.join(self.models)} put each other out of the memory of {self.server}{who}: {self.times} times in"
            " a day. Have them use one model, or give it room for both (OLLAMA_MAX_LOADED_MODELS, and memory for both)"
        )


def contentions(evictions: Sequence[Eviction], users: Mapping[str, Collection[str]]) -> list[Contention]:
    """The pairs of which each has put the other out, the worst first."""
    times = {(one.server, one.model, one.by): one.times for one in evictions}
    found = []
    for (server, model, by), count in times.items():
        back = times.get((server, by, model), 0)
        together = round(count + back)
        if model < by and count > 0 and back > 0 and together >= OFTEN:
            who = sorted({*users.get(model, ()), *users.get(by, ())})
            found.append(Contention(server, (model, by), together, who))
    return sorted(found, key=lambda one: -one.times)


def evictions(here: Installation) -> list[Eviction]:
    """What the exporter has counted in the last day; raises `OpsError` where nobody can be asked."""
    answer = open_prometheus(here).query(f"increase(sutazai_model_evictions_total[{WINDOW}])")
    return [
        Eviction(one.labels.get("service", ""), one.labels.get("model", ""), one.labels.get("by", ""), one.value)
        for one in answer.values
    ]
