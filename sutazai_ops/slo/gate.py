"""The gate before a deployment: closed while a budget is spent or burns fast, or while nobody sees enough to tell.

It looks at the objectives of critical services and of journeys, and at any other that says so. An objective that was
never measured closes nothing, or the platform could never be rolled out first; one that was and is no longer does. What
puts a release back, and what repairs, never asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError, Refused
from sutazai_ops.reports.figures import left, percent, promised
from sutazai_ops.slo import maths
from sutazai_ops.slo.burn import ALLOWED, PAIRS, Pair, alert_expression
from sutazai_ops.slo.facts import HOUR_MINUTES, HOURS
from sutazai_ops.slo.life import life_of, totals_of_day
from sutazai_ops.slo.maths import NOTHING, Totals, add_up
from sutazai_ops.slo.objective import Alerts
from sutazai_ops.slo.period import rolling
from sutazai_ops.slo.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from sutazai_ops.slo.burn import Pair
    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.life import AllFacts, Life
    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.promises import Promises
    from sutazai_ops.slo.source import Source

DAY = timedelta(days=1)
LEAST_COVERAGE = 0.95
"""Of the last day: below this nobody would see what a deployment does."""
FAST = tuple(pair for pair in PAIRS if pair.severity is Alerts.PAGE)


class Cause(StrEnum):
    """Why a gate is closed."""

    SPENT = "budget spent"
    BURNING = "burning fast"
    BLIND = "coverage too low"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that closes the gate."""

    cause: Cause
    objective: str
    """Which one, or nothing where it is all of them."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate says."""

    reasons: tuple[Reason, ...]
    looked_at: tuple[str, ...]
    """The objectives that had something to say."""
    least_left: float | None
    """Of the budget, of the objective that has least."""
    as_of: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether a deployment may begin."""
        return not self.reasons

    @property
    def sentence(self) -> str:
        """What it says, in one line."""
        if self.reasons:
            more = f", and {len(self.reasons) - 1} more" if len(self.reasons) > 1 else ""
            return f"closed: {self.reasons[0].sentence}{more}"
        if not self.looked_at:
            return "open: nothing was measured here yet"
        least = f"the least budget left is {left(self.least_left)}" if self.least_left is not None else "too few events"
        return f"open: {least}, of {len(self.looked_at)} objectives"


def judge(
    objectives: Mapping[str, Objective], facts: AllFacts, burning: Mapping[str, Pair] | str, now: datetime
) -> Gate:
    """What the gate says, from facts and from what burns: pure.

    Args:
        objectives: all of them; those that do not gate are left out.
        facts: of the rolling windows.
        burning: the pair of windows that an objective burns in, by its name; or why that is not known.
        now: aware.
    """
    reasons: list[Reason] = []
    looked_at: list[str] = []
    budgets: list[float] = []
    for objective in objectives.values():
        mine = facts.get(objective.name, {})
        if not objective.gates or not any(fact.totals.measured > 0 for fact in mine.values()):
            continue
        looked_at.append(objective.name)
        budget = _budget(objective, facts, now)
        if budget is not None:
            budgets.append(budget.left_share)
            if budget.left_share <= 0:
                reasons.append(_spent(objective, budget))
        covered = coverage_lately(mine, now)
        if covered is not None and covered < LEAST_COVERAGE:
            told = f"{objective.name} was measured {percent(covered)} of the last day, below {promised(LEAST_COVERAGE)}"
            reasons.append(Reason(Cause.BLIND, objective.name, told))
        if not isinstance(burning, str) and objective.name in burning:
            pair = burning[objective.name]
            told = f"{objective.name} burns its budget more than {pair.factor:g} times too fast"
            reasons.append(Reason(Cause.BURNING, objective.name, told))
    if looked_at and isinstance(burning, str):
        reasons.append(Reason(Cause.BLIND, "", f"whether a budget burns is not known: {burning}"))
    order = list(Cause)
    reasons.sort(key=lambda one: (order.index(one.cause), one.objective))
    return Gate(tuple(reasons), tuple(looked_at), min(budgets, default=None), _as_of(facts))


def coverage_lately(facts: Mapping[date, Fact], now: datetime) -> float | None:
    """The share of the last 24 whole hours that was measured; what no fact speaks of was not.

    Hours before the first that was ever measured do not count; None where there is none but those.
    """
    end = now.replace(minute=0, second=0, microsecond=0)
    began = min((_first_hour(fact) for fact in facts.values() if fact.totals.measured > 0), default=end)
    hours = [end - timedelta(hours=number) for number in range(1, HOURS + 1)]
    found = [_hour(facts, hour).measured for hour in hours if hour > began]
    return maths.coverage(Totals(measured=sum(found), expected=HOUR_MINUTES * len(found))) if found else None


def _first_hour(fact: Fact) -> datetime:
    first = next(number for number, hour in enumerate(fact.hours) if hour.measured > 0)
    return fact.start + timedelta(hours=first)


def burning_by_rules(source: Source, now: datetime) -> dict[str, Pair] | None:
    """The objectives that the rules say burn fast, whoever is told of them, and by which pair of windows.

    Returns:
        None where no such rules are evaluated.

    Raises:
        OpsError: when nobody can be asked.
    """
    moment = int(now.timestamp())
    if not source.at(f"count({ALLOWED})", moment).lines:
        return None
    found: dict[str, Pair] = {}
    for pair in FAST:
        # Of those too of which nobody is woken.
        asked = alert_expression(pair).replace('{told="page"}', "")
        for line in source.at(asked, moment).lines:
            found.setdefault(line.labels.get("objective", ""), pair)
    return found


def burning_by_facts(objectives: Mapping[str, Objective], facts: AllFacts, now: datetime) -> dict[str, Pair]:
    """The same from the facts of the hour that runs and the one before: coarser, for where no rules are evaluated."""
    pair = FAST[0]
    found = {}
    for name, objective in objectives.items():
        hours = [_hour(facts.get(name, {}), now - timedelta(hours=number)) for number in (0, 1)]
        totals = add_up(hours)
        seen = maths.events(objective.kind, totals)
        bad = seen - (totals.good if objective.counts_events else totals.ok)
        samples = bad if objective.counts_events else bad * 60 / objective.every
        if seen > 0 and samples >= objective.least_failures and bad / seen > pair.factor * (1 - objective.target):
            found[name] = pair
    return found


def ask(promises: Promises, now: datetime, *, fresh: bool = True) -> Gate:
    """What the gate of an installation says now.

    Args:
        promises: of the installation.
        now: aware.
        fresh: whether today's facts are computed first, and Prometheus is asked what burns; else what is known counts.

    Raises:
        OpsError: when the ledger cannot be read, or a file of objectives is wrong.
    """
    from sutazai_ops.progress import Silent

    first = now.date() - timedelta(days=max((one.window_days for one in promises.objectives.values()), default=30))
    facts = promises.facts(first, now.date())
    if not any(fact.totals.measured > 0 for days in facts.values() for fact in days.values()):
        return Gate((), (), None, None)
    burning: Mapping[str, Pair] | str = {}
    if promises.keeps_itself or not fresh:
        burning = burning_by_facts(promises.objectives, facts, now)
    else:
        try:
            promises.update([now.date() - DAY, now.date()], now, Silent())
            facts = promises.facts(first, now.date())
            told = burning_by_rules(promises.source(), now)
            burning = burning_by_facts(promises.objectives, facts, now) if told is None else told
        except OpsError as error:
            burning = error.what
    return judge(promises.objectives, facts, burning, now)


def pass_gate(promises: Promises, override: str | None, actor: str, release: int | None) -> str:
    """Let a deployment begin, or not.

    Args:
        promises: of the installation.
        override: why it shall go on though the gate is closed; written down, and shown in the report.
        actor: who says so.
        release: the one that is deployed.

    Returns:
        What is to be told of it.

    Raises:
        Refused: where it is closed and nobody says why to go on.
        BadInput: for a reason that says nothing.
    """
    from sutazai_ops.errors import BadInput
    from sutazai_ops.ledger import OverrideEntry

    mode = promises.installation.settings.slo.gate
    if override is not None and not override.strip():
        raise BadInput("an override needs a reason", remedy='--override "why it cannot wait"')
    if mode == "off":
        return "gate off"
    now = datetime.now(UTC)
    gate = ask(promises, now)
    if gate.is_open:
        return f"gate {gate.sentence}"
    if override is not None:
        because = [reason.sentence for reason in gate.reasons]
        promises.ledger.record_override(OverrideEntry(now, actor, override.strip(), because, release))
        return f"gate overridden by {actor}: {override.strip()} (it was {gate.sentence})"
    if mode == "warn":
        return f"gate {gate.sentence}; the setting slo.gate lets it pass"
    raise Refused(
        f"the gate is {gate.sentence}",
        where="; ".join(reason.sentence for reason in gate.reasons[1:]),
        remedy='mend that, or say why it cannot wait: sutazai-ops deploy --override "…"; docs/slo/the-gate.md',
    )


def _budget(objective: Objective, facts: AllFacts, now: datetime) -> maths.Budget | None:
    """The rolling budget, where enough was measured to speak of one."""
    span = rolling(now.date() + DAY, objective.window_days)
    life = life_of(objective, facts, span, is_gone=False)
    totals = _totals(facts.get(objective.name, {}), span.days, life, now)
    if maths.judge(objective.kind, totals, objective.target, objective.enough) is Verdict.INSUFFICIENT:
        return None
    return maths.budget(objective.kind, totals, objective.target, totals.expected)


def _totals(facts: Mapping[date, Fact], days: Sequence[date], life: Life, now: datetime) -> Totals:
    return add_up(totals_of_day(day, facts.get(day), life, now) for day in days)


def _spent(objective: Objective, budget: maths.Budget) -> Reason:
    told = f"{objective.name} has {left(budget.left_share)} of its budget of {objective.window_days} days left"
    return Reason(Cause.SPENT, objective.name, told)


def _hour(facts: Mapping[date, Fact], moment: datetime) -> Totals:
    fact = facts.get(moment.date())
    return fact.hours[moment.hour] if fact else NOTHING


def _as_of(facts: AllFacts) -> datetime | None:
    return max(_computed(facts), default=None)


def _computed(facts: AllFacts) -> Iterator[datetime]:
    return (fact.computed_at for days in facts.values() for fact in days.values())
