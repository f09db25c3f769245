"""Sets what the guard would have done about the ledger's own history beside what was decided.

`remember` reads the past and what the platform is like, and changes nothing; `beside` is pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.remediation.history import Past, Premises, Remembered
from sutazai_ops.remediation.simulate import START
from sutazai_ops.remediation.surroundings import measures, topology_of, was_released_lately
from sutazai_ops.remediation.verdict import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.platform import Service
    from sutazai_ops.remediation.simulate import Decision, Outcome

Said = tuple[float, str]
"""When, in seconds from the beginning, and what."""
Nothing = tuple[None, str]


@dataclass(frozen=True, slots=True)
class Beside:
    """What was decided about an incident, and what would be: the same, or one of the two alone."""

    incident: int
    """As the ledger numbers it."""
    target: str
    symptom: str
    was_after: float | None
    """Seconds from the beginning; None where nothing was decided that matches."""
    was: str
    would_after: float | None
    would: str


def remember(here: Installation, since: datetime, until: datetime) -> tuple[Past, Premises]:
    """What has happened, and what the platform is like now.

    Raises:
        OpsError: when the ledger or the platform cannot be read.
    """
    log = here.ledger.incidents
    incidents = [
        Remembered(one, log.events_of(one.number), log.verdicts_of(one.number), log.repairs_of(one.number))
        for one in log.between(since, until)
    ]
    windows = [one for one in here.ledger.windows_since(since) if one.starts_at < until]
    return Past(since, until, incidents, windows), _premises(here, [one.incident for one in incidents])


def beside(past: Past, outcome: Outcome) -> list[Beside]:
    """Both, aligned incident by incident: what is the same in both stands in one row."""
    rows = []
    would = _by_incident(past, outcome)
    for each in past.incidents:
        incident = each.incident
        was = [((one.at - past.since).total_seconds(), say(one)) for one in each.verdicts if one.at >= past.since]
        for before, now in _aligned(was, [(one.elapsed, say(one.verdict)) for one in would[incident.number]]):
            rows.append(Beside(incident.number, incident.target, incident.symptom, *before, *now))
    return rows


def _by_incident(past: Past, outcome: Outcome) -> dict[int, list[Decision]]:
    """What would be decided, by the ledger's number of the incident that it is about."""
    found: dict[int, list[Decision]] = {each.incident.number: [] for each in past.incidents}
    simulated = {one.number: one for one in outcome.incidents}
    for decision in outcome.decisions:
        made_up = simulated[decision.incident]
        found[_nearest(past, made_up, (made_up.opened_at - START).total_seconds())].append(decision)
    return found


def _nearest(past: Past, made_up: IncidentEntry, elapsed: float) -> int:
    """The recorded incident that a simulated one stands for; its symptom may be called otherwise by now."""

    def distance(one: IncidentEntry) -> tuple[bool, bool, float]:
        apart = abs((one.opened_at - past.since).total_seconds() - elapsed)
        return one.target != made_up.target, one.symptom != made_up.symptom, apart

    return min((each.incident for each in past.incidents), key=distance).number


def _aligned(was: Sequence[Said], would: Sequence[Said]) -> Iterator[tuple[Said | Nothing, Said | Nothing]]:
    matcher = SequenceMatcher(None, [line for _, line in was], [line for _, line in would], autojunk=False)
    for _, from_was, to_was, from_would, to_would in matcher.get_opcodes():
        yield from zip_longest(was[from_was:to_was], would[from_would:to_would], fillvalue=(None, ""))


def _premises(here: Installation, incidents: Sequence[IncidentEntry]) -> Premises:
    topology = topology_of(here)
    services = [one for one in here.platform if one.name in topology.depends_on]
    released = {
        one.target
        for one in incidents
        if one.target in topology.depends_on
        and was_released_lately(here, here.platform.service(one.target), one.opened_at)
    }
    return Premises(
        topology=topology,
        backed_up=frozenset(one.name for one in services if _is_backed_up(here, one)),
        may_disrupt=frozenset(here.settings.remediation.may_disrupt),
        released_lately=frozenset(released),
        measure=frozenset(one.name for one in services if measures(one)),
    )


def _is_backed_up(here: Installation, service: Service) -> bool:
    from sutazai_ops.backups import latest_verified

    if not service.is_backed_up:
        return False
    try:
        return latest_verified(here.store, service.name) is not None
    except OpsError:
        return False
