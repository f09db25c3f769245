"""Which sets stay and which go: a pure plan with a reason for each, and the short act of following it.

Only a set that was restored (`verified`) counts. All ages are counted back from the newest verified set and not from
now, as restic's `--keep-within` does, so a pipeline that has stopped never empties the store. Every rule is applied for
each service by itself, because a set may hold only some of them, and a set stays as long as one of its services needs
it. Where a plan has any doubt it prunes nothing at all and says why (`RetentionPlan.refused`).

No plan ever deletes the newest verified set of a service, nor one that is pinned, being read, copied from elsewhere, or
has something wrong with it that a person should see.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sutazai_ops import human
from sutazai_ops.backups.lease import is_leased
from sutazai_ops.backups.manifest import Outcome
from sutazai_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime, tzinfo

    from sutazai_ops.backups.store import BackupSet, Listing, Store
    from sutazai_ops.settings import BackupSettings, Settings


@dataclass(frozen=True, slots=True)
class SetFacts:
    """All that retention wants to know of a set."""

    id: str
    taken_at: datetime | None
    """None where its manifest cannot be read; there is a `problem` then."""
    services: frozenset[str]
    outcome: Outcome
    stored_bytes: int
    pinned: bool = False
    leased: bool = False
    foreign: bool = False
    problem: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is one of this store's own sets with nothing wrong in its files."""
        return not self.foreign and not self.problem

    @property
    def verified(self) -> bool:
        """Whether it is one that others may be deleted for."""
        return self.counts and self.outcome is Outcome.VERIFIED


@dataclass(frozen=True, slots=True)
class Decision:
    """The fate of one set."""

    set: str
    keep: bool
    because: str
    """For the table a person reads: "one of the 3 newest verified of postgres"."""


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """The fate of every set, newest first."""

    decisions: tuple[Decision, ...]
    refused: str = ""
    """Why nothing may be pruned; every decision keeps its set then. Empty when the plan may be followed."""

    @property
    def deletes(self) -> tuple[str, ...]:
        """The ids of the sets that go, newest first."""
        return tuple(decision.set for decision in self.decisions if not decision.keep)


@dataclass(frozen=True, slots=True)
class Night:
    """What the deciding moment looks like, beside the sets themselves."""

    now: datetime
    zone: tzinfo
    """Whose days, weeks and months are counted."""
    complete: bool = True
    """Whether the listing shows everything there is."""
    new_set: str | None = None
    """The set that was just made and is why others can go; None when somebody prunes on another occasion."""


def plan_retention(sets: Sequence[SetFacts], policy: BackupSettings, night: Night) -> RetentionPlan:
    """Decide the fate of every set. Touches nothing."""
    newest_first = sorted(sets, key=_age, reverse=True)
    refused = _refusal(newest_first, policy, night)
    if refused:
        kept = tuple(Decision(one.id, keep=True, because=f"nothing is pruned: {refused}") for one in newest_first)
        return RetentionPlan(kept, refused)
    needs = _Needs(newest_first, policy, night.zone)
    return RetentionPlan(tuple(needs.decide(one) for one in newest_first))


def plan(store: Store, settings: Settings, now: datetime, new_set: str | None = None) -> RetentionPlan:
    """The plan for a store as it stands; `now` is timezone-aware, `new_set` is as in `Night`."""
    listing = store.listing()
    night = Night(now, ZoneInfo(settings.timezone), listing.complete, new_set)
    return plan_retention(facts(listing), settings.backup, night)


def facts(listing: Listing) -> list[SetFacts]:
    """What retention wants to know of every set in a listing."""
    return [_facts(one) for one in listing.sets]


def apply(plan: RetentionPlan, store: Store) -> list[str]:
    """Delete what the plan does not keep, and return what is gone; the caller holds the lock. Safe to run again.

    A set that somebody has begun to read, or has pinned, since the plan was made stays.

    Raises:
        OpsError: when the store cannot be changed.
    """
    doomed = set(plan.deletes)
    gone = []
    for one in store.listing().sets if doomed else ():
        if one.id not in doomed:
            continue
        try:
            store.delete(one)
        except Refused:
            continue
        gone.append(one.id)
    return gone


class _Needs:
    """Which set is needed for which service, and why."""

    def __init__(self, newest_first: Sequence[SetFacts], policy: BackupSettings, zone: tzinfo) -> None:
        self._policy = policy
        self._within = timedelta(days=policy.keep_within_days)
        self._newest: dict[str, datetime] = {}
        self._reasons: dict[str, str] = {}
        verified = [one for one in newest_first if one.verified]
        for service in sorted({service for one in verified for service in one.services}):
            mine = [(one.id, _taken(one)) for one in verified if service in one.services]
            self._newest[service] = mine[0][1]
            for set_id, because in _needed(mine, policy, zone):
                self._reasons.setdefault(set_id, f"{because} of {service}")

    def decide(self, one: SetFacts) -> Decision:
        because = self._reason_to_keep(one)
        if because:
            return Decision(one.id, keep=True, because=because)
        older = f"older than {self._policy.keep_within_days} days before the newest verified set"
        if one.verified:
            return Decision(one.id, keep=False, because=f"{older}, and no rule needs it")
        return Decision(one.id, keep=False, because=f"{one.outcome}, not verified, and {older}")

    def _reason_to_keep(self, one: SetFacts) -> str:
        if one.foreign:
            return "copied from another store"
        if one.problem:
            return f"a person has to look at it: {one.problem}"
        if one.pinned:
            return "pinned"
        if one.leased:
            return "being read just now"
        if one.id in self._reasons:
            return self._reasons[one.id]
        return "" if one.verified else self._reason_to_wait(one)

    def _reason_to_wait(self, one: SetFacts) -> str:
        """Why a set that nobody could verify is still there: it may be looked into, or be all there is."""
        for service in sorted(one.services):
            newest = self._newest.get(service)
            if newest is None:
                return f"{one.outcome}; but no verified set holds {service}"
            if _taken(one) >= newest - self._within:
                return f"{one.outcome}; kept for {self._policy.keep_within_days} days"
        return ""


def _needed(mine: Sequence[tuple[str, datetime]], policy: BackupSettings, zone: tzinfo) -> Iterator[tuple[str, str]]:
    """The sets that one service needs and why, from its verified sets as (id, taken at), newest first."""
    newest = mine[0][1]
    yield mine[0][0], "newest verified"
    for set_id, taken_at in mine:
        if taken_at < newest - timedelta(days=policy.keep_within_days):
            break
        yield set_id, f"within {policy.keep_within_days} days of the newest verified"
    for set_id, _ in mine[: policy.keep_verified]:
        yield set_id, f"one of the {policy.keep_verified} newest verified"
    periods: list[tuple[int, str, Callable[[datetime], str]]] = [
        (policy.keep_daily, "day", lambda at: f"{at:%Y-%m-%d}"),
        (policy.keep_weekly, "week", lambda at: f"{at:%G-W%V}"),
        (policy.keep_monthly, "month", lambda at: f"{at:%Y-%m}"),
    ]
    for count, unit, name in periods:
        seen: set[str] = set()
        for set_id, taken_at in mine:
            if len(seen) == count:
                break
            period = name(taken_at.astimezone(zone))
            if period not in seen:
                seen.add(period)
                yield set_id, f"newest verified in the {unit} {period}"


def _refusal(newest_first: Sequence[SetFacts], policy: BackupSettings, night: Night) -> str:
    """Why nothing may be pruned; empty when there is no doubt."""
    if not night.complete:
        return "part of the store could not be looked into"
    if not any(one.verified for one in newest_first):
        return "there is no verified set"
    newest = next(one for one in newest_first if one.counts)
    if night.now < _taken(newest):
        return f"the clock stands at {night.now:%Y-%m-%d %H:%M %Z}, before the newest set {newest.id} was taken"
    return _refusal_of_new(newest_first, policy, night.new_set) if night.new_set else ""


def _refusal_of_new(newest_first: Sequence[SetFacts], policy: BackupSettings, new_set: str) -> str:
    new = next((one for one in newest_first if one.id == new_set), None)
    if new is None:
        return f"the new set {new_set} is not in the store"
    if not new.verified:
        return f"the new set {new_set} is {new.outcome}, not verified"
    before = next(
        (one for one in newest_first if one.verified and _age(one) < _age(new) and one.services == new.services), None
    )
    if before and new.stored_bytes < policy.shrink_limit * before.stored_bytes:
        return (
            f"the new set {new_set} has {human.size(new.stored_bytes)}, less than {policy.shrink_limit:.0%} "
            f"of the {human.size(before.stored_bytes)} of {before.id}"
        )
    return ""


def _taken(one: SetFacts) -> datetime:
    if one.taken_at is None:
        msg = f"set {one.id} has no time and no problem"
        raise ValueError(msg)
    return one.taken_at


def _age(one: SetFacts) -> tuple[float, str]:
    return (one.taken_at.timestamp() if one.taken_at else 0.0, one.id)


def _facts(one: BackupSet) -> SetFacts:
    summary = one.summary
    return SetFacts(
        id=one.id,
        taken_at=summary.taken_at if summary else None,
        services=frozenset(summary.services) if summary else frozenset(),
        outcome=one.outcome,
        stored_bytes=summary.stored_bytes if summary else 0,
        pinned=one.pin is not None,
        leased=is_leased(one.folder),
        foreign=one.foreign,
        problem=one.problem,
    )
