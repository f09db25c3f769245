"""Decides what is to happen about an incident, from plain values alone: the same situation, the same verdict.

`RULES` stands in the order in which they are asked; the first that has something to say decides, and where none has,
the next rung of the playbook is due. docs/remediation/how-it-decides.md says the same in plain words. Nothing here
asks, writes, or reads a clock. Where the clock was set back, what lies ahead counts as if it were now: no cap is
forgotten by that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from sutazai_ops.remediation.incidents import QUIET
from sutazai_ops.remediation.playbook import NO_PLAYBOOK
from sutazai_ops.remediation.situation import NOTHING, USUAL_GRACE, WORSE, Situation
from sutazai_ops.remediation.verdict import Kind, Mode, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sutazai_ops.ledger import RepairEntry
    from sutazai_ops.remediation.playbook import Rung

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NEXT = "next"
"""Among the facts of what a person has: the rung that is done if that person agrees."""
Rule = Callable[[Situation], Verdict | None]


def decide(situation: Situation, rules: Sequence[Rule] | None = None) -> Verdict:
    """The verdict about an incident; `rules` are all of them unless a test leaves one out."""
    for rule in RULES if rules is None else rules:
        if verdict := rule(situation):
            return verdict
    rung = next_rung(situation)
    return Verdict(Kind.ACT, Reason.DUE, {"attempt": len(_tried(situation)) + 1}, rung.name if rung else "")


def next_rung(s: Situation) -> Rung | None:
    """The first rung that was not tried for this incident and whose conditions hold; None where none is left."""
    tried = {one.rung for one in _tried(s)}
    for rung in s.playbook.ladder:
        if rung.name not in tried and _applies(rung, s):
            return rung
    return None


def _applies(rung: Rung, s: Situation) -> bool:
    """Whether it can be done to this target at all, and what it asks for beforehand is so."""
    target = s.incident.target
    if rung.targets and target not in rung.targets:
        return False
    within_reach = rung.act.is_of_the_host or target in s.world.topology.depends_on
    return within_reach and not any(check in s.failed_checks for check in rung.when)


# The rules, in their order.


def off(s: Situation) -> Verdict | None:
    """Whoever switched it off wants nothing to happen."""
    return _skip(Reason.OFF) if s.world.mode is Mode.OFF else None


def known(s: Situation) -> Verdict | None:
    """What nobody wrote a playbook for is left to the people that its alert tells."""
    return _skip(Reason.NO_PLAYBOOK, {"symptom": s.incident.symptom}) if s.playbook is NO_PLAYBOOK else None


def with_a_person(s: Situation) -> Verdict | None:
    """Whoever took it over is not to be worked against; what that person agrees to is done all the same."""
    since = s.incident.acknowledged_at or s.incident.escalated_at
    if since is None:
        return None
    rung = next_rung(s)
    if rung is not None and rung.name in s.approved:
        return None
    facts = {"since": since.isoformat(), "who": s.incident.acknowledged_by or "nobody yet"}
    return _skip(Reason.WITH_A_PERSON, facts | ({NEXT: rung.name} if rung else {}))


def blind(s: Situation) -> Verdict | None:
    """Who cannot see does not touch."""
    if not s.world.blind or s.playbook.works_blind:
        return None
    return _skip(Reason.BLIND, {"because": s.world.blind})


def covered(s: Situation) -> Verdict | None:
    """Somebody is at work there, or has said that it is not to be touched."""
    target, symptom = s.incident.target, s.incident.symptom
    closure = next((one for one in s.world.closures if one.covers(target, symptom, s.world.now)), None)
    if closure is None:
        return None
    return Verdict(Kind.SKIP, Reason.COVERED, {"by": closure.kind, "because": closure.reason}, until=closure.end)


def dependency(s: Situation) -> Verdict | None:
    """A service whose database is down is not mended by restarting the service."""
    cause = s.world.topology.cause(s.incident.target, s.world.broken)
    if cause is None:
        return None
    return _skip(Reason.DEPENDENCY, {"dependency": cause, "because": s.world.broken[cause]})


def flapping(s: Situation) -> Verdict | None:
    """What comes and goes by itself is not mended by what is done while it happens to be gone.

    Turns since the target was last repaired count alone: those before may be of what was mended.
    """
    limits, now = s.world.limits, s.world.now
    repaired = max((one.ended_at or one.started_at for one in _of_target(s)), default=None)
    turns = [one for one in s.incident.changes if now - one < limits.flaps_within]
    turns = [one for one in turns if repaired is None or one > repaired]
    if len(turns) < limits.flaps:
        return None
    return _escalate(Reason.FLAPPING, {"turns": len(turns), "within_seconds": limits.flaps_within.total_seconds()})


def recovering(s: Situation) -> Verdict | None:
    """It is whole, though it may still fire."""
    since = s.incident.whole_since
    if s.incident.broken_since is not None:
        return None
    return _wait(Reason.RECOVERING, {"since": since and since.isoformat()}, (since or s.world.now) + QUIET)


def persistence(s: Situation) -> Verdict | None:
    """Most of what breaks for a moment mends itself."""
    since = s.incident.broken_since or s.world.now
    needed = timedelta(seconds=s.playbook.persists)
    broken_for = max(s.world.now - since, timedelta())
    if broken_for >= needed:
        return None
    facts = {"broken_seconds": broken_for.total_seconds(), "needed_seconds": needed.total_seconds()}
    return _wait(Reason.PERSISTENCE, facts, since + needed)


def unmended(s: Situation) -> Verdict | None:
    """A person hears of what lasts, whatever is still being tried or waited for."""
    lasts = s.world.now - s.incident.opened_at
    if lasts < s.world.limits.patience or s.incident.escalated_at is not None:
        return None
    return _escalate(Reason.UNMENDED, {"open_seconds": lasts.total_seconds()})


def starting(s: Situation) -> Verdict | None:
    """What is still starting is not broken yet; restarting it then is how a restart loop is made."""
    started = s.world.started_at.get(s.incident.target)
    usual = s.world.topology.grace.get(s.incident.target, USUAL_GRACE)
    own = s.playbook.grace
    grace = usual if own is None else timedelta(seconds=own)
    if started is not None and started - s.world.now > grace:
        # It started before the clock was set back, or nobody would mend it until that hour has come again.
        started = s.incident.broken_since
    if started is None or s.world.now - started >= grace:
        return None
    facts = {"started_at": started.isoformat(), "grace_seconds": grace.total_seconds()}
    return _wait(Reason.STARTING, facts, started + grace)


def breaker(s: Situation) -> Verdict | None:
    """After a repair that made it worse the target is left alone for a while, and then gets one more try."""
    last = next(reversed(_of_target(s)), None)
    if last is None or last.outcome != WORSE or s.world.now - _ended(last) >= s.world.limits.breaker:
        return None
    return _escalate(Reason.BREAKER, {"rung": last.rung, "outcome": last.outcome, "at": _ended(last).isoformat()})


def ladder(s: Situation) -> Verdict | None:
    """A repair that did not help is not repeated; of one that is under way nobody knows yet."""
    if next_rung(s) is not None or any(one.ended_at is None for one in _tried(s)):
        return None
    return _escalate(Reason.LADDER_ENDED, {"tried": [one.rung for one in _tried(s)]})


def cool_down(s: Situation) -> Verdict | None:
    """Time to see what the last one did; twice as long after each."""
    done = _within(_of_target(s), s.world.now, DAY)
    if not done:
        return None
    limits = s.world.limits
    # 2**10 times five minutes is longer than the longest already.
    needed = min(limits.cool_down * 2 ** min(len(done) - 1, 10), limits.longest_cool_down)
    over = _ended(done[-1]) + needed
    if s.world.now >= over:
        return None
    return _wait(Reason.COOL_DOWN, {"repairs": len(done), "needed_seconds": needed.total_seconds()}, over)


def an_hour(s: Situation) -> Verdict | None:
    """So many repairs within an hour mend nothing, they hide it."""
    return _cap(Reason.HOUR, _of_target(s), s, HOUR, s.world.limits.an_hour)


def a_day(s: Situation) -> Verdict | None:
    """The same for a day."""
    return _cap(Reason.DAY, _of_target(s), s, DAY, s.world.limits.a_day)


def busy(s: Situation) -> Verdict | None:
    """One repair at a time, on the whole platform."""
    under_way = next((one for one in s.world.repairs if one.ended_at is None), None)
    if under_way is None:
        return None
    return _wait(Reason.BUSY, {"target": under_way.target, "rung": under_way.rung, "incident": under_way.incident})


def platform_an_hour(s: Situation) -> Verdict | None:
    """Where so much breaks, the cause is elsewhere."""
    return _cap(Reason.PLATFORM_HOUR, _done(s), s, HOUR, s.world.limits.platform_an_hour)


def share(s: Situation) -> Verdict | None:
    """A mistake of ours never reaches more than a part of the platform."""
    targets = {one.target for one in _within(_done(s), s.world.now, HOUR)} | {s.incident.target}
    allowed = max(1, math.floor(s.world.limits.share * len(s.world.topology.depends_on)))
    return (
        None if len(targets) <= allowed else _escalate(Reason.SHARE, {"targets": sorted(targets), "allowed": allowed})
    )


def one_stateful(s: Situation) -> Verdict | None:
    """Of two databases one stays as it is."""
    if not _touches_state(s):
        return None
    lately = _within(_done(s), s.world.now, HOUR)
    other = next((one for one in reversed(lately) if one.holds_state and one.target != s.incident.target), None)
    if other is None:
        return None
    return _wait(Reason.ONE_STATEFUL, {"other": other.target}, other.started_at + HOUR)


def backup(s: Situation) -> Verdict | None:
    """What holds state is not disrupted without a proof that its data could be had back, whoever asks for it."""
    if not _touches_state(s):
        return None
    age, limit = s.world.backup_age.get(s.incident.target), s.world.limits.backup_age
    # A set of the future says that a clock is wrong, and nothing of how old it is.
    if age is not None and timedelta() <= age <= limit:
        return None
    known_age = "none" if age is None else age.total_seconds()
    return _escalate(Reason.NO_BACKUP, {"backup_age_seconds": known_age, "limit_seconds": limit.total_seconds()})


def approval(s: Situation) -> Verdict | None:
    """A person is asked in the mode `propose`, where the rung says so, and before disrupting what holds state."""
    rung = next_rung(s)
    if rung is None or rung.name in s.approved:
        return None
    why = {
        "the mode is propose": s.world.mode is Mode.PROPOSE,
        "its playbook says so": rung.approval,
        "it holds state": _touches_state(s) and s.incident.target not in s.world.may_disrupt,
    }
    because = [name for name, is_so in why.items() if is_so]
    return _wait(Reason.APPROVAL, {"because": because}, rung=rung.name) if because else None


def budget(s: Situation) -> Verdict | None:
    """What takes more from users than it saves them is not done unasked."""
    rung = next_rung(s)
    if rung is None or rung.name in s.approved:
        return None
    loss = s.playbook.loss if s.loss is None else s.loss
    saves = loss * s.world.limits.a_person_takes.total_seconds()
    if rung.costs <= saves:
        return None
    return _skip(Reason.BUDGET, {"costs_seconds": rung.costs, "saves_seconds": saves, "loss": loss}, rung.name)


def observing(s: Situation) -> Verdict | None:
    """In a fresh installation it says what it would do."""
    rung = next_rung(s)
    return _skip(Reason.OBSERVING, {}, rung.name if rung else "") if s.world.mode is Mode.OBSERVE else None


RULES: tuple[Rule, ...] = (
    off, known, with_a_person, blind, covered, dependency, flapping, recovering, persistence, unmended, starting,
    breaker, ladder, cool_down, an_hour, a_day, busy, platform_an_hour, share, one_stateful, backup, approval, budget,
    observing,
)  # fmt: skip


def _done(s: Situation) -> list[RepairEntry]:
    """All that was done; what found nothing to do is none of it, and keeps nothing else from being done."""
    return [one for one in s.world.repairs if one.outcome != NOTHING]


def _of_target(s: Situation) -> list[RepairEntry]:
    return [one for one in _done(s) if one.target == s.incident.target]


def _tried(s: Situation) -> list[RepairEntry]:
    return [one for one in s.world.repairs if one.incident == s.incident.number]


def _within(repairs: Sequence[RepairEntry], now: datetime, span: timedelta) -> list[RepairEntry]:
    """Those that began within a span, and those that lie ahead: the clock was set back since."""
    return [one for one in repairs if now - one.started_at < span]


def _ended(repair: RepairEntry) -> datetime:
    return repair.ended_at or repair.started_at


def _touches_state(s: Situation) -> bool:
    rung = next_rung(s)
    return rung is not None and rung.act.disrupts and s.incident.target in s.world.topology.holds_state


def _cap(reason: Reason, repairs: Sequence[RepairEntry], s: Situation, span: timedelta, most: int) -> Verdict | None:
    done = len(_within(repairs, s.world.now, span))
    return None if done < most else _escalate(reason, {"repairs": done, "at_most": most})


def _skip(reason: Reason, facts: Mapping[str, object] | None = None, rung: str = "") -> Verdict:
    return Verdict(Kind.SKIP, reason, facts or {}, rung)


def _escalate(reason: Reason, facts: Mapping[str, object]) -> Verdict:
    return Verdict(Kind.ESCALATE, reason, facts)


def _wait(reason: Reason, facts: Mapping[str, object], until: datetime | None = None, rung: str = "") -> Verdict:
    return Verdict(Kind.WAIT, reason, facts, rung, until)
