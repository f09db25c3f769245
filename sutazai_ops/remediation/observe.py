"""One round: look at the alerts, bring the incidents up to date, and decide about each of them.

All of it is written into the ledger, what was decided too, each time that it has changed; nothing else is done here.
Two programs that do this at once disturb nothing: of one target and symptom the ledger takes one incident.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sutazai_ops.ledger import IncidentEventEntry, VerdictEntry
from sutazai_ops.monitoring.configuration import rulebook_of
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.remediation.guard import DAY, decide
from sutazai_ops.remediation.incidents import advance, broken_for
from sutazai_ops.remediation.playbooks import playbook_of, read_playbooks
from sutazai_ops.remediation.seeing import see
from sutazai_ops.remediation.silences import silences
from sutazai_ops.remediation.situation import HELPED, Situation, World
from sutazai_ops.remediation.surroundings import (
    backup_ages,
    closures_of,
    failed_checks,
    mode_of,
    refuse_strangers,
    topology_of,
)
from sutazai_ops.remediation.verdict import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.ledger.incident_log import IncidentLog
    from sutazai_ops.monitoring.thresholds import Rulebook
    from sutazai_ops.remediation.playbook import Playbook
    from sutazai_ops.remediation.seeing import Seen
    from sutazai_ops.remediation.situation import Topology
    from sutazai_ops.remediation.verdict import Mode, Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """An incident that lasts, and what was decided about it."""

    incident: IncidentEntry
    verdict: Verdict
    is_new: bool
    """Whether it differs from what was decided before."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to."""

    at: datetime
    mode: Mode
    blind: str
    judged: Sequence[Judged]
    closed: Sequence[IncidentEntry] = ()
    """Incidents that ended in this round."""
    under_way: bool = False
    """Whether a repair is under way, or died so."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is the same in every round: read once."""

    here: Installation
    rulebook: Rulebook
    playbooks: Mapping[str, Playbook]

    @classmethod
    def of(cls, here: Installation) -> Watched:
        """Of an installation; raises `BadInput` for thresholds, playbooks or settings that are wrong."""
        refuse_strangers(here)
        rulebook = rulebook_of(here.settings, here.platform, here.engine.name)
        monitoring = here.settings.monitoring
        own = here.settings.remediation.playbooks
        # Held against all signals: a playbook is no wrong one where a signal that it asks for cannot be measured.
        known = read_rulebook(monitoring)
        return cls(here, rulebook, read_playbooks(known, here.platform.services, own, monitoring.thresholds))


def observe(watched: Watched, now: datetime) -> Round:
    """Look, write down what has become of the incidents, and decide about each that lasts.

    Raises:
        OpsError: when the ledger or the platform cannot be read. That nothing can be seen is no error: the verdicts say
            so, and no incident ends.
    """
    log = watched.here.ledger.incidents
    seen = see(watched.here, watched.rulebook, now)
    topology = topology_of(watched.here)
    closed = _bring_up_to_date(watched, log, seen, topology, now)
    lasting = log.open_ones()
    world = _world(watched, log, lasting, seen, topology, now)
    broken = broken_for(watched.playbooks, lasting, seen.sightings, now, watched.rulebook.waking)
    before, approved = log.last_verdicts(), log.approvals()
    judged = []
    for one in lasting:
        around = replace(world, broken=broken(one.playbook))
        agreed = frozenset(approved.get(one.number, ()))
        judged.append(_judge(watched, one, around, seen, agreed, before.get(one.number)))
    _write_down(log, [one for one in judged if one.is_new], world)
    under_way = any(one.ended_at is None for one in world.repairs)
    return Round(now, world.mode, seen.blind, judged, closed, under_way)


def _bring_up_to_date(
    watched: Watched, log: IncidentLog, seen: Seen, topology: Topology, now: datetime
) -> list[IncidentEntry]:
    """Write down what is new; returns the incidents that ended. While it is blind, only what it is blind by counts."""
    lasting = log.open_ones()
    if seen.blind:
        seen_now = {(one.target, one.symptom) for one in seen.sightings}
        lasting = [one for one in lasting if (one.target, one.symptom) in seen_now]
    repairs = log.repairs_since(min((one.opened_at for one in lasting), default=now))
    helped = [one.incident for one in repairs if one.outcome == HELPED]
    broken = broken_for(watched.playbooks, lasting, seen.sightings, now, watched.rulebook.waking)
    closed = []
    for move in advance(lasting, seen.sightings, now, helped, topology.causes(broken)):
        if not move.entry.number:
            log.open_incident(move.entry, move.events)
        elif log.update_incident(move.entry, move.events) and move.entry.closed_at is not None:
            closed.append(move.entry)
    return closed


def _world(
    watched: Watched,
    log: IncidentLog,
    lasting: Sequence[IncidentEntry],
    seen: Seen,
    topology: Topology,
    now: datetime,
) -> World:
    here = watched.here
    return World(
        now=now,
        mode=mode_of(log),
        topology=topology,
        repairs=log.repairs_since(now - DAY),
        # Nobody is asked every two seconds what is silenced where nothing is broken.
        closures=[
            *closures_of(here, now),
            *(silences(here.platform, here.engine, watched.rulebook) if lasting else ()),
        ],
        blind=seen.blind,
        started_at=seen.started_at,
        backup_age=backup_ages(here, lasting, now),
        may_disrupt=frozenset(here.settings.remediation.may_disrupt),
    )


def _judge(
    watched: Watched,
    incident: IncidentEntry,
    world: World,
    seen: Seen,
    approved: frozenset[str],
    before: VerdictEntry | None,
) -> Judged:
    situation = Situation(
        incident,
        playbook_of(watched.playbooks, incident.playbook),
        world,
        approved=approved,
        failed_checks=failed_checks(watched.here, incident.target, seen, world.now),
    )
    verdict = decide(situation)
    said = (verdict.kind, verdict.reason, verdict.rung)
    return Judged(incident, verdict, before is None or said != (before.kind, before.reason, before.rung))


def _write_down(log: IncidentLog, new: Sequence[Judged], world: World) -> None:
    """All of them in one transaction: where the whole platform breaks at once they are many."""
    verdicts = [
        VerdictEntry(
            incident=one.incident.number,
            at=world.now,
            mode=world.mode,
            kind=one.verdict.kind,
            reason=one.verdict.reason,
            rung=one.verdict.rung,
            until=one.verdict.until,
            facts=dict(one.verdict.facts),
        )
        for one in new
    ]
    events = [
        IncidentEventEntry(one.incident.number, world.now, "verdict", say(one.verdict), dict(one.verdict.facts))
        for one in new
    ]
    log.record_verdicts(verdicts, events)
