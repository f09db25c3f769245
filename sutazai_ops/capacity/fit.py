"""How many more services fit on the host: by what is used, by what is promised, and which of them is the end of it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from sutazai_ops import human

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.capacity.sizing import Advice

MEMORY_SHARE = 0.85
"""Of the host's memory that may be used: the plan's alert."""
CPU_SHARE = 0.80


@dataclass(frozen=True, slots=True)
class Host:
    """What the host has, and at its busiest has used."""

    memory: float
    memory_used: float
    memory_ahead: float
    """What will be used in thirty days at most; the same where there is no forecast."""
    cpus: float
    cpus_used: float
    """The 95th percentile over the days, in cores."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How many more."""

    more: int | None
    """Services like the one below; None where it is not known."""
    memory: float | None = None
    """What such a service uses: the median of all."""
    cpus: float | None = None
    bound_by: str = ""
    sentence: str = ""


def how_many_more(advice: Sequence[Advice], host: Host | None) -> Fit:
    """How many more services of the middling kind fit, should all go on as it does."""
    used = [one for one in advice if one.evidence.memory_p95 is not None and one.evidence.cpu_p95 is not None]
    if host is None or not used:
        missing = "the host" if host is None else "any service"
        return Fit(None, sentence=f"how many more services fit is not known: nothing was measured of {missing}")
    memory = median((one.evidence.memory_p95 or 0) * one.copies for one in used)
    cpus = median((one.evidence.cpu_p95 or 0) * one.copies for one in used)
    limits = [one.now.memory * one.copies for one in advice if one.now.memory]
    room = {
        "memory": (host.memory * MEMORY_SHARE - host.memory_ahead, memory),
        "processors": (host.cpus * CPU_SHARE - host.cpus_used, cpus),
        "the sum of memory limits": (host.memory - sum(limits), median(limits) if limits else 0.0),
    }
    counted = {what: max(0, int(left / each)) for what, (left, each) in room.items() if each > 0}
    if not counted:
        return Fit(None, memory, cpus, sentence="how many more services fit is not known: those there use nothing")
    bound = min(counted, key=lambda what: counted[what])
    such = f"{human.memory(round(memory))} and {cpus:.2f} cores"
    more = human.count(counted[bound], "more service")
    words = f"{more} of the middling kind ({such}) would fit, and then {bound} would be used up"
    return Fit(counted[bound], memory, cpus, bound, words)
