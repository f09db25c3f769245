"""Looks at the queues that rules are on, decides, and has done what is decided.

The queue is asked itself, so nothing else has to run for it. Every change stands in the ledger before it is made, with
what it was decided by; so does each time that a bound alone held more back. In the mode `observe` a change is only
written down. What a container that is gone had in hand is handed back in every round in which a queue is looked at.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sutazai_ops.capacity.autoscaling import REGRETTED_FOR, Change, Move, Seen, Since, decide, follow
from sutazai_ops.capacity.rules import read_rules
from sutazai_ops.deployment.deployments import Deployments
from sutazai_ops.deployment.handback import queue_of
from sutazai_ops.deployment.scaled import meant_copies
from sutazai_ops.engines import State
from sutazai_ops.errors import OpsError, Refused
from sutazai_ops.ledger import ScalingEntry
from sutazai_ops.monitoring.exporter.collectors.queues import QueuesCollector
from sutazai_ops.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.capacity.autoscaling import Decision
    from sutazai_ops.capacity.rules import Rule
    from sutazai_ops.engines import Observed
    from sutazai_ops.installation import Installation
    from sutazai_ops.progress import Progress

ACTOR = "autoscaling"
SAID = "only said"
"""What became of a decision that was not to be carried out."""
AGE = "sutazai_queue_oldest_age_seconds"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a rule remembers from one round to the next."""

    since: Since = field(default_factory=Since)
    is_capped: bool = False
    """Whether it was written down that a bound alone holds it."""

    def as_json(self) -> dict[str, Any]:
        """For a cursor."""
        moments = {name: moment and moment.isoformat() for name, moment in asdict(self.since).items()}
        return {**moments, "is_capped": self.is_capped}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Memory:
        """Out of a cursor."""
        old, young = (kept[key] and datetime.fromisoformat(kept[key]) for key in ("old", "young"))
        return cls(Since(old, young), bool(kept["is_capped"]))


@dataclass(frozen=True, slots=True)
class Judged:
    """What one round came to for one rule."""

    rule: Rule
    released: int
    """How many containers the release says."""
    seen: Seen
    decision: Decision
    memory: Memory
    """For the next round."""


def judge_all(
    here: Installation, rules: Mapping[str, Rule], memories: Mapping[str, Memory], now: datetime
) -> list[Judged]:
    """Look at each queue and decide; changes nothing.

    Raises:
        OpsError: when the engine does not answer, or the releases or the ledger cannot be read. A queue that does not
            answer has an unknown age.
    """
    deployments = Deployments.of(here)
    release = deployments.releases.current()
    if release is None:
        return []
    others, observed = deployments.scaled(release), {one.service: one for one in here.engine.observe()}
    due = {name: rule for name, rule in rules.items() if rule.service in release.services}
    ages = _ages(here, due)
    made = []
    for name, rule in due.items():
        service = release.services[rule.service]
        seen = Seen(now, ages.get(name), meant_copies(service, others), _running(observed, rule))
        memory = memories.get(name, Memory())
        since = follow(rule, memory.since, seen)
        decision = decide(rule, since, seen, _changes(here, rule, now))
        made.append(Judged(rule, meant_copies(service, {}), seen, decision, replace(memory, since=since)))
    return made


def carry_out(here: Installation, judged: Judged, progress: Progress) -> tuple[ScalingEntry | None, Memory]:
    """Do, or only write down, what was decided; None where there is nothing to write down.

    Raises:
        OpsError: when it cannot be done now; the ledger says why where it was begun.
    """
    mode, decision, memory = here.settings.capacity.autoscaling, judged.decision, judged.memory
    if mode == "off":
        return None, memory
    capped = replace(memory, is_capped=decision.at_bound)
    is_held_anew = decision.at_bound and not memory.is_capped
    if decision.move is Move.HOLD and not is_held_anew:
        return None, capped
    if decision.move is Move.HOLD or mode == "observe":
        return here.ledger.record_scaling(entry_of(judged, judged.released, SAID)), capped

    def decided(released: int, before: int) -> ScalingEntry:
        return replace(entry_of(judged, released, "under way"), before=before)

    return Deployments.of(here).scale(progress, judged.rule.service, decision.after, decided), capped


def add_step(here: Installation, queue: str, because: str, actor: str) -> ScalingEntry:
    """Add one step of containers to the first service that takes from a queue and has room by its rule.

    Raises:
        Refused: where there is none, and where the mode is `act`, so that this is done already.
        OpsError: when it did not come to that number.
    """
    if here.settings.capacity.autoscaling == "act":
        raise Refused("autoscaling follows the queue by itself")
    deployments = Deployments.of(here)
    rules = read_rules(here.platform, here.settings.capacity.autoscaling_rules).values()
    on_it = [one for one in rules if _takes(here, one.service) == queue]
    room = [(one, copies) for one in on_it if 0 < (copies := deployments.copies(one.service)) < one.most]
    if not room:
        why = f"all have as many containers as is allowed: {', '.join(one.service for one in on_it)}"
        raise Refused(why if on_it else f"no rule of autoscaling is on a service that takes from {queue}")
    rule, copies = room[0]
    after = min(copies + rule.step, rule.most)

    def decided(released: int, before: int) -> ScalingEntry:
        now = datetime.now(UTC)
        return ScalingEntry(now, rule.service, Move.UP.value, released, before, after, because, actor, rule=rule.name)

    return deployments.scale(Silent(), rule.service, after, decided)


def _takes(here: Installation, service: str) -> str:
    takes = here.platform.service(service).takes
    return takes.queue if takes else ""


def entry_of(judged: Judged, released: int, outcome: str) -> ScalingEntry:
    """A decision for the ledger."""
    seen, decision = judged.seen, judged.decision
    return ScalingEntry(
        at=seen.at,
        service=judged.rule.service,
        move=decision.move.value,
        released=released,
        before=decision.before,
        after=decision.after,
        because=decision.because,
        actor=ACTOR,
        rule=judged.rule.name,
        facts={"age_seconds": seen.age, "running": seen.running},
        outcome=outcome,
    )


def _running(observed: Mapping[str, Observed], rule: Rule) -> int:
    containers = observed[rule.service].containers if rule.service in observed else ()
    return sum(one.state is State.RUNNING for one in containers)


def _changes(here: Installation, rule: Rule, now: datetime) -> Sequence[Change]:
    """What was begun within a day; what was only said counts while nothing more than that is done."""
    counts_said = here.settings.capacity.autoscaling != "act"
    kept = max(REGRETTED_FOR, timedelta(seconds=rule.cool_down))
    return [
        Change(one.at, Move(one.move))
        for one in here.ledger.scalings_since(now - kept, rule.service)
        if one.move != Move.HOLD and (one.outcome != SAID or counts_said)
    ]


def _ages(here: Installation, rules: Mapping[str, Rule]) -> dict[str, float]:
    """How long the oldest entry of each rule's queue has waited, where that is known."""
    asked = {name: queue_of(here.platform, here.platform.service(rule.service)) for name, rule in rules.items()}
    holders = [here.platform.service(name) for name in dict.fromkeys(found[0] for found in asked.values() if found)]
    try:
        measured = QueuesCollector(here.engine, lambda: holders, interval=1).collect().measured
    except OpsError:
        return {}
    ages = {(one.labels["service"], one.labels["queue"]): one.value for one in measured if one.name == AGE}
    known = {name: ages.get((found[0], found[1].name)) for name, found in asked.items() if found}
    return {name: age for name, age in known.items() if age is not None}
