"""What happened while objectives were measured: the ledger's records as the lanes of a report."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sutazai_ops.maintenance import Kind
from sutazai_ops.remediation.situation import HELPED
from sutazai_ops.slo.report_model import Event, Lane, LaneKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from sutazai_ops.ledger import EventEntry, Ledger, OverrideEntry, SetEntry, WindowEntry
    from sutazai_ops.ledger.entries import DeploymentEntry
    from sutazai_ops.ledger.incident_entries import IncidentEntry, RepairEntry
    from sutazai_ops.slo.period import Span

TITLES = {
    LaneKind.DEPLOYMENT: "deployments",
    LaneKind.ROLL_BACK: "roll-backs",
    LaneKind.INCIDENT: "incidents",
    LaneKind.REMEDIATION: "remediation",
    LaneKind.DRILL: "drills",
    LaneKind.BACKUP: "backups",
    LaneKind.SILENCE: "silences",
    LaneKind.GAP: "gaps in measurement",
    LaneKind.OVERRIDE: "overridden gates",
}
BY_THE_LEDGER = frozenset(
    {
        LaneKind.DEPLOYMENT,
        LaneKind.ROLL_BACK,
        LaneKind.BACKUP,
        LaneKind.SILENCE,
        LaneKind.GAP,
        LaneKind.OVERRIDE,
    }
)
"""What this program writes down itself; other lanes are known where their events were copied."""
AROUND = timedelta(hours=1)
"""An event that ended just before a period may have begun what the period suffered."""
GOOD = "good"


def empty() -> list[Lane]:
    """The lanes of a report that no ledger stands beside: nothing is known of any."""
    return [Lane(kind=kind, title=TITLES[kind], recorded=kind is LaneKind.GAP) for kind in LaneKind]


def lanes(ledger: Ledger, span: Span, copied: Collection[LaneKind] = ()) -> list[Lane]:
    """What the ledger knows to have happened in a period, one lane of each kind.

    Args:
        ledger: where it was written down.
        span: the period.
        copied: the lanes that are copied from other programs, whether or not anything ever happened in them.
    """
    start, end = span.start_moment - AROUND, span.end_moment
    found: dict[LaneKind, list[Event]] = {kind: [] for kind in LaneKind}
    for kind, event in _deployments(ledger.deployments_between(start, end)):
        found[kind].append(event)
    found[LaneKind.BACKUP] = [_backup(one) for one in ledger.sets_between(start, end)]
    found[LaneKind.OVERRIDE] = [_override(one) for one in ledger.overrides_between(start, end)]
    # What a deployment opened for itself, its own lane shows already.
    found[LaneKind.SILENCE] = [_silence(one) for one in ledger.windows_since(start) if one.kind != Kind.DEPLOYMENT]
    kept_since = ledger.incidents.kept_since()
    found[LaneKind.INCIDENT] = [_incident(one) for one in ledger.incidents.between(start, end)]
    found[LaneKind.REMEDIATION] = [_repair(one) for one in ledger.incidents.repairs_between(start, end)]
    for entry in ledger.events_between(start, end):
        if entry.lane in set(LaneKind) and not _is_kept(entry, kept_since):
            found[LaneKind(entry.lane)].append(_copied(entry))
    known = BY_THE_LEDGER | set(copied) | {LaneKind(lane) for lane in ledger.known_lanes() if lane in set(LaneKind)}
    if kept_since is not None:
        known |= {LaneKind.INCIDENT, LaneKind.REMEDIATION}
    return [
        Lane(kind=kind, title=TITLES[kind], recorded=kind in known, events=tuple(_by_time(found[kind], span)))
        for kind in LaneKind
    ]


def _by_time(events: Iterable[Event], span: Span) -> Sequence[Event]:
    return sorted(
        (one for one in events if (one.end or one.start) >= span.start_moment - AROUND and one.start < span.end_moment),
        key=lambda one: (one.start, one.id),
    )


def _deployments(entries: Sequence[DeploymentEntry]) -> Iterator[tuple[LaneKind, Event]]:
    for entry in entries:
        start = entry.finished_at - timedelta(seconds=entry.seconds)
        changed = tuple(str(step["service"]) for step in entry.steps if step.get("act") != "unchanged")
        is_back = entry.reason.startswith("roll back")
        yield (
            LaneKind.ROLL_BACK if is_back else LaneKind.DEPLOYMENT,
            Event(
                id=f"{entry.release}-{entry.phase}",
                start=start,
                end=entry.finished_at,
                title=f"release {entry.release} of {entry.phase}",
                detail=entry.note,
                outcome=entry.outcome,
                went_well=entry.outcome == GOOD,
                services=changed,
                link=f"releases/{entry.release}",
            ),
        )
        if entry.put_back_to is not None:
            yield (
                LaneKind.ROLL_BACK,
                Event(
                    id=f"{entry.release}-{entry.phase}-put-back",
                    start=entry.finished_at,
                    title=f"{entry.phase} put back to release {entry.put_back_to}",
                    outcome=GOOD,
                    went_well=True,
                    actor="the gate of the deployment",
                    services=changed,
                    link=f"releases/{entry.release}",
                ),
            )


def _backup(entry: SetEntry) -> Event:
    return Event(
        id=entry.id,
        start=entry.started_at,
        end=entry.finished_at,
        title=f"backup of {', '.join(entry.services)}",
        outcome=entry.outcome,
        went_well=entry.outcome in {"verified", "read"} if entry.outcome != "unverified" else None,
        services=tuple(entry.services),
    )


def _silence(entry: WindowEntry) -> Event:
    return Event(
        id=str(entry.number),
        start=entry.starts_at,
        end=entry.ends_at,
        title=f"{entry.kind} of {', '.join(entry.services) or 'all services'}",
        detail=entry.reason,
        actor=entry.actor,
        services=tuple(entry.services),
    )


def _override(entry: OverrideEntry) -> Event:
    return Event(
        id=entry.at.isoformat(timespec="seconds"),
        start=entry.at,
        title=f"gate overridden: {entry.reason}",
        detail="; ".join(entry.closed_because),
        actor=entry.actor,
        link=f"releases/{entry.release}" if entry.release is not None else "",
    )


def _is_kept(entry: EventEntry, since: datetime | None) -> bool:
    """Whether an alert that was copied from Prometheus stands in the ledger as an incident of its own, too."""
    if entry.lane != LaneKind.INCIDENT or since is None:
        return False
    return entry.ended_at is None or entry.ended_at >= since


def _incident(entry: IncidentEntry) -> Event:
    return Event(
        id=str(entry.number),
        start=entry.opened_at,
        end=entry.ended_at,
        ongoing=entry.ended_at is None,
        title=f"{entry.symptom.replace('_', ' ')} of {entry.target}",
        detail=entry.summary,
        outcome=entry.outcome,
        actor=entry.acknowledged_by,
        services=(entry.service, *entry.followers) if entry.service else (),
    )


def _repair(entry: RepairEntry) -> Event:
    """One that died stands there without an end, and is not taken to go on."""
    return Event(
        id=str(entry.id),
        start=entry.started_at,
        end=entry.ended_at,
        title=f"{entry.action} of {entry.target}",
        detail=f"of incident {entry.incident}" + (f": {entry.note}" if entry.note else ""),
        outcome=entry.outcome,
        went_well=entry.outcome == HELPED if entry.outcome else None,
        actor=entry.actor,
        services=(entry.target,),
    )


def _copied(entry: EventEntry) -> Event:
    return Event(
        id=entry.id,
        start=entry.started_at,
        end=entry.ended_at,
        ongoing=entry.ended_at is None,
        title=entry.title,
        detail=entry.detail,
        outcome=entry.outcome,
        went_well=entry.went_well,
        actor=entry.actor,
        services=tuple(entry.services),
        link=entry.link,
    )


def gaps(measured_by: Sequence[Sequence[tuple[datetime, datetime]]]) -> list[tuple[datetime, datetime]]:
    """The stretches that all of these have in common: when nothing at all was measured.

    Args:
        measured_by: for each objective the stretches in which it was not measured, by time.
    """
    if not measured_by:
        return []
    common = merged(measured_by[0])
    for one in measured_by[1:]:
        common = _crossed(common, merged(one))
    return common


def merged(stretches: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The same stretches by time, each moment once."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _crossed(
    ones: Sequence[tuple[datetime, datetime]], others: Sequence[tuple[datetime, datetime]]
) -> list[tuple[datetime, datetime]]:
    found, i, j = [], 0, 0
    while i < len(ones) and j < len(others):
        start, end = max(ones[i][0], others[j][0]), min(ones[i][1], others[j][1])
        if start < end:
            found.append((start, end))
        if ones[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return found
