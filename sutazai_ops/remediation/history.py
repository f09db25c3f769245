"""The trace of what has happened here: the incidents of the ledger, as `simulate` runs the guard over them.

When something was broken is in the ledger; what it would have needed is not. So what a repair was seen to help is
helped by that repair alone, and lasts for as long as a person takes without it; what nothing was seen to help ends when
it ended. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sutazai_ops.monitoring.duration import format_duration
from sutazai_ops.remediation.incidents import broken_stretches
from sutazai_ops.remediation.situation import HELPED, USUAL_GRACE, Limits
from sutazai_ops.remediation.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from sutazai_ops.ledger import IncidentEntry, IncidentEventEntry, RepairEntry, VerdictEntry, WindowEntry
    from sutazai_ops.monitoring.thresholds import Rulebook
    from sutazai_ops.remediation.playbook import Action
    from sutazai_ops.remediation.situation import Topology
    from sutazai_ops.remediation.verdict import Mode


@dataclass(frozen=True, slots=True)
class Remembered:
    """One incident, and all that the ledger has of it."""

    incident: IncidentEntry
    events: Sequence[IncidentEventEntry]
    verdicts: Sequence[VerdictEntry] = ()
    repairs: Sequence[RepairEntry] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """What has happened between two moments, both timezone-aware."""

    since: datetime
    until: datetime
    incidents: Sequence[Remembered]
    windows: Sequence[WindowEntry] = ()


@dataclass(frozen=True, slots=True)
class Premises:
    """What the platform is like, as far as the guard asks."""

    topology: Topology
    backed_up: AbstractSet[str] = frozenset()
    """Services that have a verified backup: each night is taken to have made one."""
    may_disrupt: AbstractSet[str] = frozenset()
    released_lately: AbstractSet[str] = frozenset()
    """Services that had a release to go back to when something of them broke."""
    measure: AbstractSet[str] = frozenset()


def as_trace(
    past: Past, premises: Premises, rulebook: Rulebook, mode: Mode, assumed: Collection[Action] = ()
) -> dict[str, Any]:
    """The trace of what has happened, as its file would hold it.

    Args:
        past: what has happened.
        premises: what the platform is like.
        rulebook: the thresholds as they are now; one that is there no more is left out.
        mode: how much the guard may do.
        assumed: what is taken to mend for good whatever no repair was tried on.
    """
    windows = [one for one in past.windows if one.starts_at < one.ends_at]
    gone = {name for one in windows for name in one.services} | {
        each.incident.service for each in past.incidents if each.incident.service
    }
    named = [*premises.topology.depends_on, *sorted(gone - premises.topology.depends_on.keys())]
    return {
        "lasts": _after(past, past.until),
        "mode": mode.value,
        "services": {name: _service(name, premises) for name in named},
        "broken": [one for each in past.incidents for one in _broken(each, past, rulebook, assumed)],
        # One that was closed before it began never held.
        "closed": [_closed(one, past) for one in windows],
        "blind": [one for each in past.incidents for one in _blind(each, past)],
    }


def _service(name: str, premises: Premises) -> dict[str, Any]:
    topology = premises.topology
    return {
        "needs": [one for one in topology.depends_on.get(name, ()) if one in topology.depends_on],
        "holds_state": name in topology.holds_state,
        "may_disrupt": name in premises.may_disrupt,
        "grace": format_duration(topology.grace.get(name, USUAL_GRACE).total_seconds()),
        "released_lately": name in premises.released_lately,
        "measures": name in premises.measure,
        **({"backup_age": "0s", "backed_up_every": "1d"} if name in premises.backed_up else {}),
    }


def _broken(each: Remembered, past: Past, rulebook: Rulebook, assumed: Collection[Action]) -> Iterator[dict[str, Any]]:
    """One entry for each time that it was broken without a pause, and each threshold that said so."""
    incident = each.incident
    about = {"service": incident.service} if incident.service else {}
    for start, end, helped in _stretches(each, past):
        mending = [helped.action] if helped else [] if each.repairs else assumed
        for name, at in _said_by(each):
            if name not in rulebook.thresholds:
                continue
            begun = max(start, at)
            if at <= incident.opened_at and start <= incident.opened_at:
                begun = _first_seen(incident, rulebook.thresholds[name].for_)
            if end is None or begun < end:
                yield {
                    "threshold": name,
                    **about,
                    "from": _after(past, begun),
                    **({} if end is None else {"until": _after(past, end)}),
                    "mended_by": {str(action): "for good" for action in mending},
                }


def _stretches(each: Remembered, past: Past) -> Iterator[tuple[datetime, datetime | None, RepairEntry | None]]:
    """From when to when it would have been broken, and what would have ended that."""
    found = broken_stretches(each.events)
    for (start, end), (again, _) in pairwise([*found, (past.until, None)]):
        during = [one for one in each.repairs if one.started_at >= start and (end is None or one.started_at <= end)]
        helped = during[-1] if end is not None and during and during[-1].outcome == HELPED else None
        without = min(end + Limits().a_person_takes, again) if end is not None and helped else end
        yield start, without, helped


def _said_by(each: Remembered) -> list[tuple[str, datetime]]:
    """The thresholds whose alerts it has, and since when each has belonged to it."""
    own = each.incident.own_alerts
    joined = {e.detail["threshold"]: e.at for e in reversed(each.events) if e.kind == "attached" and e.detail in own}
    names = dict.fromkeys(str(one["threshold"]) for one in own)
    return [(name, joined.get(name, each.incident.opened_at)) for name in names]


def _first_seen(incident: IncidentEntry, waits: float) -> datetime:
    """When it was found broken first: before it opened, by as long as its threshold waits where nothing says it."""
    earliest = min(incident.changes, default=incident.opened_at)
    return earliest if earliest < incident.opened_at else incident.opened_at - timedelta(seconds=waits)


def _closed(window: WindowEntry, past: Past) -> dict[str, Any]:
    return {
        "kind": str(window.kind),
        "because": window.reason,
        "from": _after(past, window.starts_at),
        "until": _after(past, window.ends_at),
        **({"services": list(window.services)} if window.services else {}),
    }


def _blind(each: Remembered, past: Past) -> Iterator[dict[str, Any]]:
    """From each verdict that says so to the next."""
    end = each.incident.closed_at or past.until
    moments = [(one.at, one.reason) for one in each.verdicts]
    for (at, reason), (until, _) in pairwise([*moments, (end, "")]):
        # Where the clock was set back meanwhile, nobody knows for how long.
        if reason == Reason.BLIND and at < until:
            yield {"from": _after(past, at), "until": _after(past, until)}


def _after(past: Past, moment: datetime) -> str:
    return format_duration(max(0.0, (moment - past.since).total_seconds()))
