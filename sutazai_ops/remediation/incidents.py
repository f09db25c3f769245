"""What an incident is: from the alerts that are seen now to what has become of each incident.

There is one incident for a target and a symptom while it lasts; whatever else fires of the same joins it, and so does
what fires of services that stand on its target, as long as that is why they fail. It ends once it has been whole for
`QUIET`, and not before, so that what flaps stays one incident that says so. Pure: nothing here asks or writes, and no
clock is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from sutazai_ops.ledger import IncidentEntry, IncidentEventEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from sutazai_ops.monitoring.thresholds import Threshold
    from sutazai_ops.remediation.playbook import Playbook

QUIET = timedelta(minutes=15)
"""Longer than the ten minutes between two faults of a flap that people live with: a fault that comes back sooner is the
same one, and what was tried for it is not tried again."""
REMEMBERED = timedelta(minutes=30)
"""How long a turn from whole to broken or back is kept: as long as flapping looks back."""
SETTLING = timedelta(minutes=2)
"""How long after a service is whole what depends on it is still left alone: Docker waits up to a minute before it
starts once more what has ended, and that takes its time, too."""
NAMED = 3
"""How many services that fail because of another are named in one sentence."""
HOST = "host"
"""The target of whatever is about the machine, or the platform as a whole."""
BREAKS = frozenset({"opened", "broken"})
"""The kinds of events since which an incident is broken."""
_WORSE_FIRST = ("page", "ticket", "none")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One alert as it is seen now."""

    threshold: str
    target: str
    symptom: str
    playbook: str
    severity: str
    summary: str
    labels: Mapping[str, str]
    since: datetime
    """When it was found broken first."""
    fires: bool
    """False while it is broken for less than its time."""
    broken: bool
    """Whether it is beyond its level at this moment, and does not merely fire on."""

    @property
    def is_of_a_service(self) -> bool:
        """Whether it names one."""
        return "service" in self.labels


@dataclass(frozen=True, slots=True)
class Move:
    """What has become of an incident, and the lines of its timeline that say why."""

    entry: IncidentEntry
    """Its number is 0 where it is new."""
    events: Sequence[IncidentEventEntry] = field(default_factory=tuple)


def sight(
    threshold: Threshold,
    labels: Mapping[str, str],
    since: datetime,
    *,
    fires: bool,
    broken: bool,
    summary: str = "",
    severity: str = "",
) -> Sighting:
    """One alert of a threshold, as incidents see it; labels are those of its signal, the severity is the alert's."""
    return Sighting(
        threshold=threshold.name,
        target=labels.get("service") or HOST,
        symptom=threshold.playbook or threshold.name,
        playbook=threshold.playbook or "",
        severity=severity or threshold.severity,
        summary=summary or threshold.name.replace("_", " "),
        labels=labels,
        since=since,
        fires=fires,
        broken=broken,
    )


def advance(
    lasting: Collection[IncidentEntry],
    seen: Iterable[Sighting],
    now: datetime,
    helped: Iterable[int] = (),
    cause_of: Callable[[str, str], str | None] = lambda *_: None,
) -> list[Move]:
    """What has become of the incidents; those of which nothing is new are left out.

    Where the monitoring is blind, nobody may call this: what is not seen is not whole.

    Args:
        lasting: those that are open.
        seen: every alert that fires or is broken, of whichever incident.
        now: timezone-aware.
        helped: numbers of the incidents that an action was seen to help.
        cause_of: the broken service because of which a target fails in the way of a playbook; None where it fails by
            itself.
    """
    groups: dict[tuple[str, str], list[Sighting]] = {}
    for one in seen:
        groups.setdefault((one.target, one.symptom), []).append(one)
    own = [(entry, groups.pop((entry.target, entry.symptom), [])) for entry in lasting]
    # What only fires on is whole: it was an incident, or nobody looked while it was one.
    new = [group for group in groups.values() if any(one.fires and one.broken for one in group)]
    opened, following = _apart(new, {one.target for one in lasting}, cause_of)
    mended = set(helped)
    moves = []
    for entry, group in sorted(own, key=lambda pair: _WORSE_FIRST.index(pair[0].severity)):
        followers = following.pop(entry.target, [])
        if move := _go_on(entry, group, followers, now, helped=entry.number in mended):
            moves.append(move)
    return [*moves, *(_open(group, following.pop(group[0].target, []), now) for group in opened)]


def broken_services(
    lasting: Iterable[IncidentEntry],
    seen: Iterable[Sighting],
    now: datetime,
    waking: Collection[str],
    lingers: float = 0.0,
) -> dict[str, str]:
    """The services that do not do their work now, or did not until a moment ago, and why.

    Whatever would wake somebody of a critical service counts, of each service, also while it is not broken for long
    enough to fire.

    Args:
        lasting: the incidents that are open.
        seen: every alert that fires or is broken.
        now: timezone-aware.
        waking: the thresholds that would wake somebody.
        lingers: for how many seconds what they did to others is still told of those, after they are whole.
    """
    settling = SETTLING + timedelta(seconds=lingers)
    found = {one.target: one.summary for one in seen if one.broken and one.threshold in waking and one.is_of_a_service}
    for entry in lasting:
        settled = entry.whole_since is not None and now - entry.whole_since >= settling
        if entry.service and not settled and any(one["threshold"] in waking for one in entry.own_alerts):
            found.setdefault(entry.service, entry.summary)
    return found


def broken_for(
    playbooks: Mapping[str, Playbook],
    lasting: Iterable[IncidentEntry],
    seen: Iterable[Sighting],
    now: datetime,
    waking: Collection[str],
) -> Callable[[str], Mapping[str, str]]:
    """By the name of a playbook the services that are broken, as they count for what it is for.

    Where its signals look back, they tell of others for so much longer that those were broken. What follows is as for
    `broken_services`.
    """
    after = cache(lambda lingers: broken_services(lasting, seen, now, waking, lingers))
    return lambda name: after(playbooks[name].lingers if name in playbooks else 0.0)


def worst(severities: Iterable[str]) -> str:
    """The most urgent of some severities."""
    return min(severities, key=_WORSE_FIRST.index)


def with_followers(incident: IncidentEntry) -> str:
    """What broke, and what fails because of it."""
    named, more = incident.followers[:NAMED], len(incident.followers) - NAMED
    if not named:
        return incident.summary
    return f"{incident.summary}; because of it also {', '.join(named)}{f' and {more} more' if more > 0 else ''}"


def broken_stretches(events: Iterable[IncidentEventEntry]) -> list[tuple[datetime, datetime | None]]:
    """From when to when an incident was broken, by its events in their order; None for what has not ended."""
    found: list[tuple[datetime, datetime | None]] = []
    since: datetime | None = None
    for event in events:
        if event.kind in BREAKS:
            since = since or broke_at(event)
        elif event.kind in {"whole", "closed"} and since is not None:
            found.append((since, event.at))
            since = None
    return [*found, (since, None)] if since is not None else found


def broke_at(event: IncidentEventEntry) -> datetime:
    """When it broke by an event that says so: before its alert fired, by as long as its threshold waits."""
    since = event.detail.get("since")
    return datetime.fromisoformat(since) if isinstance(since, str) else event.at


def _apart(
    new: Iterable[list[Sighting]], known: Collection[str], cause_of: Callable[[str, str], str | None]
) -> tuple[list[list[Sighting]], dict[str, list[Sighting]]]:
    """What becomes incidents of its own, and by its cause what joins the incident of that, where there is one."""
    caused = [(group, cause_of(group[0].target, group[0].playbook)) for group in new]
    there = {*known, *(group[0].target for group, cause in caused if cause is None)}
    opened: list[list[Sighting]] = []
    following: dict[str, list[Sighting]] = {}
    for group, cause in caused:
        if cause is not None and cause in there:
            following.setdefault(cause, []).extend(group)
        else:
            opened.append(group)
    return opened, following


def _open(group: Sequence[Sighting], followers: Sequence[Sighting], now: datetime) -> Move:
    group = sorted(group, key=lambda one: (_WORSE_FIRST.index(one.severity), one.since, one.threshold))
    first = group[0]
    since = min(min(one.since, now) for one in group if one.broken)
    entry = IncidentEntry(
        number=0,
        target=first.target,
        symptom=first.symptom,
        playbook=first.playbook,
        severity=first.severity,
        summary=first.summary,
        alerts=[_alert(one) for one in group],
        opened_at=now,
        broken_since=since,
        changes=[since],
    )
    detail = {"alerts": [*entry.alerts], "since": since.isoformat()}
    opened = IncidentEventEntry(0, now, "opened", first.summary, detail)
    after, events = _attach(entry, followers, now)
    return Move(after, [opened, *events])


def _go_on(
    entry: IncidentEntry, group: Sequence[Sighting], followers: Sequence[Sighting], now: datetime, *, helped: bool
) -> Move | None:
    # After a jump back no moment lies ahead, or nobody would ever be told that it lasts.
    begun = replace(entry, opened_at=now) if entry.opened_at > now else entry
    after, events = _attach(begun, [*group, *followers], now)
    after, turned = _turn(after, group, now)
    events += turned
    if not group and after.whole_since is not None and now - after.whole_since >= QUIET:
        outcome = "by a repair" if helped else "by itself"
        after = replace(after, closed_at=now, outcome=outcome)
        events.append(IncidentEventEntry(entry.number, now, "closed", f"whole for good, {outcome}"))
    return None if after == entry else Move(after, events)


def _attach(
    entry: IncidentEntry, group: Sequence[Sighting], now: datetime
) -> tuple[IncidentEntry, list[IncidentEventEntry]]:
    known = [*entry.alerts]
    new = [one for one in group if one.fires and _alert(one) not in known]
    events = [IncidentEventEntry(entry.number, now, "attached", one.summary, _alert(one)) for one in new]
    if not new:
        return entry, events
    severity = worst([entry.severity, *(one.severity for one in new)])
    return replace(entry, alerts=[*known, *map(_alert, new)], severity=severity), events


def _turn(
    entry: IncidentEntry, group: Sequence[Sighting], now: datetime
) -> tuple[IncidentEntry, list[IncidentEventEntry]]:
    """Whole or broken, and since when; no moment of it lies ahead, so that after a jump back nothing waits for ever."""
    broken = any(one.broken for one in group)
    was_broken = entry.broken_since is not None
    if broken is was_broken:
        since = entry.broken_since or entry.whole_since
        return (entry if since and since <= now else _standing(entry, now, broken=broken)), []
    changes = [min(one, now) for one in entry.changes if now - one < REMEMBERED]
    after = replace(_standing(entry, now, broken=broken), changes=[*changes, now])
    word = "broken" if broken else "whole"
    return after, [IncidentEventEntry(entry.number, now, word, f"{word} again")]


def _standing(entry: IncidentEntry, since: datetime, *, broken: bool) -> IncidentEntry:
    return replace(entry, broken_since=since if broken else None, whole_since=None if broken else since)


def _alert(one: Sighting) -> dict[str, object]:
    return {"threshold": one.threshold, "labels": dict(one.labels)}
