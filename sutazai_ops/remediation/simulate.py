"""Runs the guard over a trace and tells what it would have done: a rule is judged before it is let loose.

Thresholds, incidents, playbooks and the guard are the real ones; only the world is made up. A repair takes the time
that its rung says, does to what is broken what the trace says of its action, and is held against the signals as a real
one is. Pure, and the same each time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.ledger import RepairEntry
from sutazai_ops.monitoring import evaluation
from sutazai_ops.monitoring.evaluation import Measured
from sutazai_ops.monitoring.evaluation import State as AlertState
from sutazai_ops.monitoring.promql import Value
from sutazai_ops.monitoring.thresholds import Rulebook
from sutazai_ops.remediation.guard import DAY, decide
from sutazai_ops.remediation.incidents import advance, broken_for, sight
from sutazai_ops.remediation.playbook import Check
from sutazai_ops.remediation.playbooks import playbook_of
from sutazai_ops.remediation.situation import DID_NOT_HELP, HELPED, Closure, Situation, Topology, World
from sutazai_ops.remediation.verdict import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.monitoring.evaluation import Alert
    from sutazai_ops.remediation.incidents import Sighting
    from sutazai_ops.remediation.playbook import Playbook, Rung
    from sutazai_ops.remediation.situation import Limits
    from sutazai_ops.remediation.trace import Broken, Trace
    from sutazai_ops.remediation.verdict import Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
"""When every simulated time begins; nothing depends on it."""

_ALL_CHECKS = frozenset(Check)


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict that differs from the one before it about the same incident."""

    elapsed: float
    """Seconds from the beginning."""
    incident: int
    target: str
    symptom: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Done:
    """One repair."""

    elapsed: float
    """When it began."""
    until: float
    """When it was known what it did."""
    repair: RepairEntry
    broken: frozenset[str] = frozenset()
    """The services that did not do their work when it began, whether or not anybody had seen that."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the guard did with a trace."""

    decisions: Sequence[Decision]
    repairs: Sequence[Done]
    incidents: Sequence[IncidentEntry]
    """Each as it was last."""

    @property
    def escalations(self) -> list[Decision]:
        """When a person was told, once for each incident."""
        return [one for one in self.decisions if one.verdict.kind is Kind.ESCALATE]


def simulate(trace: Trace, rulebook: Rulebook, playbooks: Mapping[str, Playbook], limits: Limits) -> Outcome:
    """Run the guard over a trace from its beginning to its end."""
    run = _Run(trace, _rules_of(trace, rulebook), playbooks, limits)
    elapsed = 0.0
    while elapsed < trace.lasts:
        run.step(elapsed)
        elapsed = run.looks_next(elapsed)
    return Outcome(run.decisions, run.done, list(run.incidents.values()))


@dataclass
class _UnderWay:
    elapsed: float
    away_until: float
    until: float
    repair: RepairEntry
    broken: frozenset[str]


@dataclass
class _Run:
    """The made-up world, moved on by `step`."""

    trace: Trace
    rules: Rulebook
    playbooks: Mapping[str, Playbook]
    limits: Limits
    alerts: list[Alert] = field(default_factory=list)
    incidents: dict[int, IncidentEntry] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    repairs: list[RepairEntry] = field(default_factory=list)
    under_way: _UnderWay | None = None
    mended: dict[int, float] = field(default_factory=dict)
    """Until when each of the trace's entries is whole, by its place."""
    started: dict[str, datetime] = field(default_factory=dict)
    said: dict[int, tuple[Kind, str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        services = self.trace.services
        self.topology = Topology(
            depends_on={name: one.needs for name, one in services.items()},
            holds_state=frozenset(name for name, one in services.items() if one.holds_state),
            grace={name: timedelta(seconds=one.grace) for name, one in services.items()},
        )

        self.failed_checks = {name: one.failed_checks for name, one in services.items()}

    def step(self, elapsed: float) -> None:
        """One look at everything."""
        now = START + timedelta(seconds=elapsed) - self.trace.set_back(elapsed)
        truth = [one for i, one in enumerate(self.trace.broken) if self._is_broken(i, one, elapsed)]
        self._finish(elapsed, now, truth)
        is_blind = any(_spans(one.start, one.until, elapsed) for one in self.trace.blind)
        seen = [] if is_blind else self._look(now, truth)
        world = self._world(elapsed, now, "the trace says so" if is_blind else "")
        lasting = self._lasting()
        broken = broken_for(self.playbooks, lasting, seen, now, self.rules.waking)
        for incident in lasting:
            if self._decide(elapsed, incident, replace(world, broken=broken(incident.playbook))):
                # What is decided next knows of it.
                world = replace(world, repairs=self.repairs)

    def looks_next(self, elapsed: float) -> float:
        """When something may have changed: where nothing is broken and nothing lasts, when the next thing breaks."""
        every = self.trace.every
        if self.under_way is not None or self.alerts or self._lasting():
            return elapsed + every
        breaks = min((one.breaks_next(elapsed + every) for one in self.trace.broken), default=math.inf)
        return math.inf if math.isinf(breaks) else math.ceil(breaks / every) * every

    def _look(self, now: datetime, truth: Sequence[Broken]) -> list[Sighting]:
        """Bring the incidents up to date; returns what is seen."""
        seen = self._sightings(now, truth)
        helped = [one.incident for one in self.repairs if one.outcome == HELPED]
        broken = broken_for(self.playbooks, self._lasting(), seen, now, self.rules.waking)
        for move in advance(self._lasting(), seen, now, helped, self.topology.causes(broken)):
            number = move.entry.number or len(self.incidents) + 1
            self.incidents[number] = replace(move.entry, number=number)
        return seen

    def _lasting(self) -> list[IncidentEntry]:
        return [one for one in self.incidents.values() if one.closed_at is None]

    def _is_broken(self, place: int, one: Broken, elapsed: float) -> bool:
        under_way = self.under_way
        away = under_way is not None and under_way.repair.target == one.target and elapsed < under_way.away_until
        return one.is_broken(elapsed) and (away or elapsed >= self.mended.get(place, 0.0))

    def _sightings(self, now: datetime, truth: Sequence[Broken]) -> list[Sighting]:
        if not truth and not self.alerts:
            return []
        values: dict[str, list[Value]] = {}
        for one in truth:
            threshold = self.rules.thresholds[one.threshold]
            labels = {"service": one.service} if one.service else {}
            beyond = threshold.level + (1 if threshold.above is not None else -1)
            values.setdefault(one.threshold, []).append(Value(labels, beyond))
        self.alerts = evaluation.advance(self.rules, Measured(values), self.alerts, now.timestamp())
        return [self._sighting(one) for one in self.alerts if one.state is not AlertState.RESOLVED]

    def _sighting(self, alert: Alert) -> Sighting:
        return sight(
            self.rules.thresholds[alert.threshold],
            alert.labels,
            datetime.fromtimestamp(alert.active_since, UTC),
            fires=alert.state is AlertState.FIRING,
            broken=alert.whole_since is None,
        )

    def _world(self, elapsed: float, now: datetime, blind: str) -> World:
        services = self.trace.services
        ages = {name: one.age_of_backup(elapsed) for name, one in services.items()}
        return World(
            now=now,
            mode=self.trace.mode,
            repairs=self.repairs,
            topology=self.topology,
            closures=[
                Closure(one.kind, one.because, now, None, None if one.services is None else frozenset(one.services))
                for one in self.trace.closed
                if _spans(one.start, one.until, elapsed)
            ],
            blind=blind,
            started_at=self.started,
            backup_age={name: timedelta(seconds=age) for name, age in ages.items() if age is not None},
            may_disrupt=frozenset(name for name, one in services.items() if one.may_disrupt),
            limits=self.limits,
        )

    def _decide(self, elapsed: float, incident: IncidentEntry, world: World) -> bool:
        """Decide about one incident, and begin its repair where one is due; whether one was begun."""
        failed = self.failed_checks.get(incident.target, _ALL_CHECKS)
        playbook = playbook_of(self.playbooks, incident.playbook)
        verdict = decide(Situation(incident, playbook, world, failed_checks=failed))
        said = (verdict.kind, verdict.reason, verdict.rung)
        if self.said.get(incident.number) != said:
            self.said[incident.number] = said
            self.decisions.append(Decision(elapsed, incident.number, incident.target, incident.symptom, verdict))
        if verdict.kind is Kind.ESCALATE:
            self.incidents[incident.number] = replace(incident, escalated_at=incident.escalated_at or world.now)
        elif verdict.kind is Kind.ACT:
            rung = next(one for one in playbook.ladder if one.name == verdict.rung)
            self._begin(elapsed, incident, rung, world)
        return verdict.kind is Kind.ACT

    def _not_working(self, elapsed: float) -> frozenset[str]:
        return frozenset(
            one.target
            for place, one in enumerate(self.trace.broken)
            if self._is_broken(place, one, elapsed) and one.threshold in self.rules.waking
        )

    def _begin(self, elapsed: float, incident: IncidentEntry, rung: Rung, world: World) -> None:
        holds_state = incident.target in world.topology.holds_state
        repair = RepairEntry(
            id=len(self.done) + 1,
            incident=incident.number,
            target=incident.target,
            playbook=incident.playbook,
            rung=rung.name,
            action=rung.act,
            attempt=1 + sum(one.incident == incident.number for one in self.repairs),
            holds_state=holds_state,
            disrupts=rung.act.disrupts,
            actor="guard",
            started_at=world.now,
        )
        self.repairs = [*(one for one in self.repairs if world.now - one.started_at < DAY), repair]
        away = elapsed + rung.costs
        known = away + rung.grace + rung.polls * self.trace.every
        self.under_way = _UnderWay(elapsed, away, known, repair, self._not_working(elapsed))
        self.done.append(Done(elapsed, known, repair, self.under_way.broken))
        for place, one in enumerate(self.trace.broken):
            if one.target == repair.target and rung.act in one.mended_by:
                self.mended[place] = max(self.mended.get(place, 0.0), away + one.mended_by[rung.act])
        if rung.act.disrupts:
            self.started[repair.target] = world.now + timedelta(seconds=rung.costs)

    def _finish(self, elapsed: float, now: datetime, truth: Sequence[Broken]) -> None:
        """Say what a repair did, once its polls are over."""
        under_way = self.under_way
        if under_way is None or elapsed < under_way.until:
            return
        still = any(one.target == under_way.repair.target for one in truth)
        ended = replace(under_way.repair, ended_at=now, outcome=DID_NOT_HELP if still else HELPED)
        self.repairs = [ended if one.id == ended.id else one for one in self.repairs]
        self.done[ended.id - 1] = Done(under_way.elapsed, elapsed, ended, under_way.broken)
        self.under_way = None


def _rules_of(trace: Trace, rulebook: Rulebook) -> Rulebook:
    """The thresholds that the trace names, each on a signal of its own, so that each breaks when the trace says so."""
    named = {one.threshold for one in trace.broken}
    thresholds = {
        name: one.model_copy(update={"signal": name, "while_": None})
        for name, one in rulebook.thresholds.items()
        if name in named
    }
    return Rulebook(signals={}, thresholds=thresholds)


def _spans(start: float, until: float | None, elapsed: float) -> bool:
    return start <= elapsed and (until is None or elapsed < until)
