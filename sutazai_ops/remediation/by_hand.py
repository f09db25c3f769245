"""What a person asks for: agreeing to a rung that is proposed, and having the next one done now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput, Refused
from sutazai_ops.ledger import IncidentEventEntry
from sutazai_ops.ledger.incident_log import APPROVED, WITHDRAWN
from sutazai_ops.remediation.follow import ACTING
from sutazai_ops.remediation.guard import NEXT
from sutazai_ops.remediation.incidents import HOST
from sutazai_ops.remediation.observe import observe
from sutazai_ops.remediation.repair import NOT_BEGUN, carry_out
from sutazai_ops.remediation.surroundings import mode_of
from sutazai_ops.remediation.verdict import Kind, Reason, say
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.ledger.incident_log import IncidentLog
    from sutazai_ops.remediation.observe import Judged, Watched


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of what a person asked for."""

    incident: int
    rung: str
    said: str


def agree(log: IncidentLog, incident: IncidentEntry, now: datetime, who: str) -> str:
    """Write down that somebody agrees to the rung that is proposed; returns its name.

    Raises:
        Refused: where none is proposed.
    """
    last = log.last_verdicts().get(incident.number)
    if last is None or last.reason != Reason.APPROVAL:
        raise Refused(
            f"nothing is proposed for incident {incident.number}" + (f": {last.kind}, {last.reason}" if last else ""),
            remedy=f"sutazai-ops incidents show {incident.number}",
        )
    _agree(log, incident.number, last.rung, now, who)
    return last.rung


def run_by_hand(watched: Watched, playbook: str, target: str, who: str, *, dry_run: bool) -> Asked:
    """Do the next rung of a playbook for the incident of it that lasts at a target, or say what would be done.

    Raises:
        BadInput: for a playbook or a service that there is not.
        Refused: where no incident of it lasts there, or nothing may be done about it, by the mode or by the guard.
    """
    if playbook not in watched.playbooks:
        remedy = nearest(playbook, watched.playbooks) or "sutazai-ops remediation playbooks shows them"
        raise BadInput(f"there is no playbook {playbook!r}", remedy=remedy)
    judged = _judged(watched, playbook, target)
    number, verdict = judged.incident.number, judged.verdict
    if dry_run:
        return Asked(number, verdict.rung, f"incident {number}: {say(verdict)}")
    log = watched.here.ledger.incidents
    if mode_of(log) not in ACTING:
        raise Refused(
            f"the mode is {mode_of(log)}, in which nothing is done", remedy="sutazai-ops remediation mode propose"
        )
    rung = verdict.rung or str(verdict.facts.get(NEXT, ""))
    # It waits for a person, is with one, or costs more than it saves: that person has come.
    agrees = bool(rung) and verdict.kind in {Kind.WAIT, Kind.SKIP} and rung not in log.approvals().get(number, ())
    if agrees:
        _agree(log, number, rung, datetime.now(UTC), who)
    said = carry_out(watched, number, actor=who)
    if said.startswith(NOT_BEGUN):
        if agrees:
            _withdraw(log, number, rung, datetime.now(UTC), who)
        raise Refused(f"incident {number}: {said}", remedy=f"sutazai-ops incidents show {number}")
    return Asked(number, rung, f"incident {number}: {said}")


def _judged(watched: Watched, playbook: str, target: str) -> Judged:
    found = observe(watched, datetime.now(UTC)).judged
    its = (one for one in found if (one.incident.playbook, one.incident.target) == (playbook, target))
    judged = next(its, None)
    if judged is None:
        known = [*watched.here.platform.services, HOST]
        if target not in known:
            raise BadInput(
                f"there is no service {target!r}", remedy=nearest(target, known) or "sutazai-ops status names them"
            )
        raise Refused(
            f"no incident of {playbook} lasts at {target}, so there is nothing to mend",
            remedy="sutazai-ops incidents list",
        )
    return judged


def _agree(log: IncidentLog, number: int, rung: str, now: datetime, who: str) -> None:
    log.add_events([IncidentEventEntry(number, now, APPROVED, f"{who} agrees to {rung}", {"rung": rung}, who)])


def _withdraw(log: IncidentLog, number: int, rung: str, now: datetime, who: str) -> None:
    """Asked for now is not agreed to for an hour in which nobody looks."""
    text = f"{who} does not agree to {rung} any more, since nothing could be done now"
    log.add_events([IncidentEventEntry(number, now, WITHDRAWN, text, {"rung": rung}, who)])
