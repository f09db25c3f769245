"""Does one rung for one incident, and nothing that is not due any more when its turn has come.

    lock of the target -> look again -> write down that it begins -> diagnostics -> act -> grace -> see -> write down

What ran before and does not run after it was made worse: that is undone, as far as it can be, and the guard leaves the
target alone for an hour.

The lock goes with the process that holds it, so a repair that is under way in the ledger and whose lock is free has
died: `finish_dead` starts what it left stopped, sees what it came to, and writes that down. Two programs at once: the
ledger takes one repair under way, and the second does nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError, Refused
from sutazai_ops.ledger import IncidentEventEntry, RepairEntry
from sutazai_ops.lock import Held, exclusive, held_by
from sutazai_ops.monitoring.now import RECORDED
from sutazai_ops.monitoring.prometheus import open_prometheus
from sutazai_ops.remediation import curves
from sutazai_ops.remediation.actions import ACTIONS
from sutazai_ops.remediation.actions.services import undo_of
from sutazai_ops.remediation.diagnostics import collect, folder_of
from sutazai_ops.remediation.incidents import broken_services
from sutazai_ops.remediation.observe import observe
from sutazai_ops.remediation.playbooks import playbook_of
from sutazai_ops.remediation.seeing import see
from sutazai_ops.remediation.situation import DID_NOT_HELP, HELPED, NOTHING, WORSE
from sutazai_ops.remediation.surroundings import holds_state, topology_of
from sutazai_ops.remediation.verdict import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.monitoring.prometheus import Value
    from sutazai_ops.monitoring.thresholds import Condition
    from sutazai_ops.remediation.actions.services import Undo
    from sutazai_ops.remediation.observe import Judged, Watched
    from sutazai_ops.remediation.playbook import Rung
    from sutazai_ops.remediation.seeing import Seen

POLL_SECONDS = 10.0
"""Between two looks: as long as the thresholds need to be evaluated anew (Prometheus every 15 s, the exporter 10)."""
NOT_BEGUN = "nothing: "
"""What is said begins so where nothing was begun, and goes on with why."""
LOOKS_FOR_EACH = 3
"""So many looks may pass for each that has to be good, before it is said that it did not help."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How time passes; tests have their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


def carry_out(watched: Watched, number: int, *, actor: str = "guard", run: str = "", clock: Clock | None = None) -> str:
    """Do what is due for an incident now; says in one line what came of it.

    Args:
        watched: the installation with its thresholds and playbooks.
        number: of the incident.
        actor: who asked for it.
        run: the Dagster run that does it.
        clock: how time passes.

    Raises:
        OpsError: when the ledger cannot be asked or written. That the action fails is no error: it is what came of it.
    """
    clock = clock or Clock()
    incident = watched.here.ledger.incidents.find(number)
    if incident is None or incident.closed_at is not None:
        return f"{NOT_BEGUN}the incident is over"
    try:
        with exclusive(lock_of(watched.here, incident.target), f"repair {incident.target}"):
            return _carry_out(watched, number, actor, run, clock)
    except Held as held:
        return f"{NOT_BEGUN}{held.what}"


def lock_of(here: Installation, target: str) -> Path:
    """The folder whose lock whoever repairs a target holds."""
    return here.settings.home / "remediation" / target


def finish_dead(watched: Watched, clock: Clock | None = None) -> list[str]:
    """Bring repairs to an end whose program died; says of each what it came to."""
    clock = clock or Clock()
    return [_finish(watched, one, clock) for one in dead_repairs(watched.here, clock.now())]


def dead_repairs(here: Installation, now: datetime) -> list[RepairEntry]:
    """The repairs that are under way in the ledger and whose lock nobody holds."""
    under_way = [one for one in here.ledger.incidents.repairs_since(now) if one.ended_at is None]
    return [one for one in under_way if held_by(lock_of(here, one.target)) is None]


def _carry_out(watched: Watched, number: int, actor: str, run: str, clock: Clock) -> str:
    here, log = watched.here, watched.here.ledger.incidents
    judged = next((one for one in observe(watched, clock.now()).judged if one.incident.number == number), None)
    if judged is None or judged.verdict.kind is not Kind.ACT:
        because = judged.verdict.reason if judged else "the incident is over"
        log.add_events([IncidentEventEntry(number, clock.now(), "repair", f"looked again, and did nothing: {because}")])
        return f"{NOT_BEGUN}{because}"
    rung = _rung(watched, judged)
    begun = log.begin_repair(_entry(here, judged, rung, actor, run, clock.now()))
    if begun is None:
        return f"{NOT_BEGUN}another repair is under way"
    detail = {"diagnostics": _diagnose(here, judged.incident, begun.attempt), "repair": begun.id}
    curves.keep(here, judged.incident, folder_of(here, number), clock.now())
    log.add_events([IncidentEventEntry(number, clock.now(), "repair", f"{rung.name} begins", detail, actor)])
    return _end(watched, begun, *_act(watched, judged.incident, rung, clock), clock)


def _diagnose(here: Installation, incident: IncidentEntry, attempt: int) -> str:
    """Where they are, or why there are none: a full disk is no reason not to make room on it."""
    try:
        return str(collect(here, incident, attempt))
    except OpsError as error:
        return f"cannot be had: {error.what}"


def _rung(watched: Watched, judged: Judged) -> Rung:
    playbook = playbook_of(watched.playbooks, judged.incident.playbook)
    return next(one for one in playbook.ladder if one.name == judged.verdict.rung)


def _entry(here: Installation, judged: Judged, rung: Rung, actor: str, run: str, now: datetime) -> RepairEntry:
    incident = judged.incident
    service = here.platform.services.get(incident.target)
    return RepairEntry(
        id=0,
        incident=incident.number,
        target=incident.target,
        playbook=incident.playbook,
        rung=rung.name,
        action=rung.act,
        attempt=1 + len(here.ledger.incidents.repairs_of(incident.number)),
        holds_state=service is not None and holds_state(service),
        disrupts=rung.act.disrupts,
        actor=actor,
        started_at=now,
        run=run,
    )


def _act(watched: Watched, incident: IncidentEntry, rung: Rung, clock: Clock) -> tuple[str, str]:
    """Do it and see; returns the outcome and a note."""
    ran = incident.target in see(watched.here, watched.rulebook, clock.now()).running
    try:
        undo = undo_of(watched.here, rung.act, incident)
        note = ACTIONS[rung.act](watched.here, incident)
    except Refused as refused:
        return NOTHING, refused.what
    except OpsError as error:
        return "failed", error.what
    clock.sleep(rung.grace)
    whole = _is_whole(watched, incident, rung, clock)
    seen = see(watched.here, watched.rulebook, clock.now())
    outcome = outcome_of(incident.target, seen, ran=ran, whole=whole)
    return (outcome, f"{note}; {_undone(undo)}") if outcome == WORSE else (outcome, note)


def _undone(undo: Undo) -> str:
    """Put back what ran before, and say what came of that; it changes nothing of the outcome."""
    try:
        return undo()
    except OpsError as error:
        return f"it could not be undone: {error.what}"


def outcome_of(target: str, seen: Seen, *, ran: bool, whole: bool) -> str:
    """What an action came to, from whether its incident was seen whole and its target ran before it."""
    if whole:
        return HELPED
    stopped = ran and not seen.blind and target not in seen.running
    return WORSE if stopped else DID_NOT_HELP


def _is_whole(watched: Watched, incident: IncidentEntry, rung: Rung, clock: Clock) -> bool:
    """Whether it is seen whole so many times in a row; what cannot be seen is not whole.

    Where something that it stands on has broken meanwhile, it cannot become whole: that waits for its turn.
    """
    topology, good = topology_of(watched.here), 0
    for _ in range(rung.polls * LOOKS_FOR_EACH):
        now = clock.now()
        seen = see(watched.here, watched.rulebook, now)
        good = good + 1 if _looks_whole(watched, incident, rung, seen) else 0
        if good >= rung.polls:
            return True
        broken = broken_services([], seen.sightings, now, watched.rulebook.waking)
        if not good and topology.cause(incident.target, broken) is not None:
            return False
        clock.sleep(POLL_SECONDS)
    return False


def _looks_whole(watched: Watched, incident: IncidentEntry, rung: Rung, seen: Seen) -> bool:
    if seen.blind:
        return False
    its = [one for one in seen.sightings if (one.target, one.symptom) == (incident.target, incident.symptom)]
    return not any(one.broken for one in its) and _is_verified(watched, incident, rung)


def _is_verified(watched: Watched, incident: IncidentEntry, rung: Rung) -> bool:
    """Whether what the rung asks for besides is so, of the target's own values; no value is not so."""
    if rung.verify is None:
        return True
    try:
        values = open_prometheus(watched.here).query(f"{RECORDED}{rung.verify.signal}").values
    except OpsError:
        return False
    return is_verified(values, rung.verify, incident.target)


def is_verified(values: Iterable[Value], condition: Condition, target: str) -> bool:
    """Whether a condition is true of all values of a target, and of those of no service; no value is not so."""
    own = [one.value for one in values if one.labels.get("service", target) == target]
    return bool(own) and all(map(condition.is_true_of, own))


def _end(watched: Watched, begun: RepairEntry, outcome: str, note: str, clock: Clock) -> str:
    log = watched.here.ledger.incidents
    ended = replace(begun, ended_at=clock.now(), outcome=outcome, note=note)
    log.end_repair(ended)
    line = f"{ended.rung} {outcome}: {note}"
    log.add_events([IncidentEventEntry(ended.incident, clock.now(), "repair", line, {"repair": ended.id})])
    return line


def _finish(watched: Watched, repair: RepairEntry, clock: Clock) -> str:
    """Start what it left stopped, and see what it came to."""
    here = watched.here
    note = "the program that did it ended half-way"
    if repair.disrupts:
        try:
            here.engine.start(repair.target)
            note += f"; {repair.target} was started where it was not"
        except OpsError as error:
            return _end(watched, repair, "failed", f"{note}, and {repair.target} does not start: {error.what}", clock)
    incident = here.ledger.incidents.find(repair.incident)
    playbook = playbook_of(watched.playbooks, repair.playbook)
    rung = next((one for one in playbook.ladder if one.name == repair.rung), None)
    whole = incident is not None and rung is not None and _is_whole(watched, incident, rung, clock)
    return _end(watched, repair, HELPED if whole else DID_NOT_HELP, note, clock)
