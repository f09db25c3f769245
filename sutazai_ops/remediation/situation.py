"""All that the guard looks at: one incident, and the world around it as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from sutazai_ops.ledger import IncidentEntry, RepairEntry
    from sutazai_ops.remediation.playbook import Playbook
    from sutazai_ops.remediation.verdict import Mode

HELPED = "helped"
"""The outcome of a repair after which what was broken is whole."""
DID_NOT_HELP = "did not help"
NOTHING = "nothing to do"
"""The outcome of one that found nothing that it could do: it has cost nothing, and counts in no cap."""
WORSE = "made it worse"
"""The outcome of a repair after which what ran before does not run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How careful to be. The numbers are those of research, table B3: with them a crash loop costs six actions a day at
    most and is escalated within the hour, where other tools restart it 24 to 1,440 times.
    """

    flaps: int = 4
    """So many turns from whole to broken or back …"""
    flaps_within: timedelta = timedelta(minutes=30)
    """… within this time are flapping."""
    patience: timedelta = timedelta(minutes=30)
    """After which an incident that lasts is given to a person, whatever is being tried."""
    cool_down: timedelta = timedelta(minutes=5)
    """After the first repair of a target; each further one within a day doubles it."""
    longest_cool_down: timedelta = timedelta(hours=1)
    an_hour: int = 3
    """Repairs of one target."""
    a_day: int = 6
    platform_an_hour: int = 5
    """Repairs of all targets together."""
    share: float = 0.2
    """Of all services, that may be repaired within an hour; one always may."""
    breaker: timedelta = timedelta(hours=1)
    """How long a target is left alone after a repair that made it worse."""
    backup_age: timedelta = timedelta(hours=26)
    """How old the newest verified backup of what holds state may be: a day, and the time that a night takes."""
    a_person_takes: timedelta = timedelta(minutes=30)
    """Until a person has mended it: what a repair saves is what is lost until then."""


@dataclass(frozen=True, slots=True)
class Closure:
    """A time in which targets are left alone: maintenance, a silence, a deployment or a drill under way."""

    kind: str
    reason: str
    start: datetime
    end: datetime | None = None
    """None while nobody knows."""
    targets: AbstractSet[str] | None = None
    """None for all."""
    symptom: str | None = None
    """None for all."""

    def covers(self, target: str, symptom: str, now: datetime) -> bool:
        """Whether it holds for a target and a symptom of it now."""
        is_of_it = (self.targets is None or target in self.targets) and self.symptom in {None, symptom}
        return is_of_it and self.start <= now and not self.is_over(now)

    def is_over(self, now: datetime) -> bool:
        """Whether it has ended."""
        return self.end is not None and self.end <= now


@dataclass(frozen=True, slots=True)
class Topology:
    """What services there are, and what each of them stands on."""

    depends_on: Mapping[str, Sequence[str]]
    """Of every service that the engine runs; one that somebody else runs is only ever what others depend on."""
    holds_state: AbstractSet[str] = frozenset()
    grace: Mapping[str, timedelta] = field(default_factory=dict)
    """How long a service may take after its start, where it says so."""

    def beneath(self, service: str) -> list[str]:
        """All that a service stands on, directly or not, the nearest first."""
        found: dict[str, None] = {}
        waiting = list(self.depends_on.get(service, ()))
        while waiting:
            one = waiting.pop(0)
            if one not in found and one != service:
                found[one] = None
                waiting.extend(self.depends_on.get(one, ()))
        return list(found)

    def cause(self, service: str, broken: Container[str]) -> str | None:
        """What that is broken keeps a service from its work: of all such the farthest that stands on no other."""
        beneath = [one for one in self.beneath(service) if one in broken]
        return next((one for one in reversed(beneath) if not {*self.beneath(one)} & {*beneath}), None)

    def causes(self, broken: Callable[[str], Container[str]]) -> Callable[[str, str], str | None]:
        """The cause by a service and the playbook of its incident; `broken` says what counts as that for a playbook."""
        return lambda service, playbook: self.cause(service, broken(playbook))


USUAL_GRACE = timedelta(seconds=30)
"""Of a service whose health check says nothing of it."""


@dataclass(frozen=True, slots=True)
class World:
    """What is the same for every incident that is looked at in one round."""

    now: datetime
    """Timezone-aware."""
    mode: Mode
    topology: Topology
    repairs: Sequence[RepairEntry] = ()
    """Everything that was done within the last day or is under way, on any target, and whatever lies ahead of a clock
    that was set back."""
    closures: Sequence[Closure] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    """Services that do not do their work now or did not until a moment ago, and why; whether or not anything fires."""
    blind: str = ""
    """Why the monitoring cannot be relied on; empty where it can."""
    started_at: Mapping[str, datetime] = field(default_factory=dict)
    """Since when services run, where that is known."""
    backup_age: Mapping[str, timedelta] = field(default_factory=dict)
    """Of the newest verified backup of each service that has one."""
    may_disrupt: AbstractSet[str] = frozenset()
    """Services that hold state and that somebody has said may be disrupted without being asked."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Situation:
    """One incident in the world."""

    incident: IncidentEntry
    playbook: Playbook
    """`NO_PLAYBOOK` where none is known."""
    world: World
    approved: AbstractSet[str] = frozenset()
    """Rungs that a person has agreed to for this incident."""
    failed_checks: AbstractSet[str] = frozenset()
    """What rungs ask for beforehand (`Check`) and is not so."""
    loss: float | None = None
    """The share of the target's work that is lost now, where it is measured."""
