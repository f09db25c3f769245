"""What a service, an agent, a task and a request cost: the host's price by who used its processors and its memory.

Of the price of an hour a part is for processors and a part for memory; each service pays of each the share of the host
that it used, and what nobody used is left over. A service's *own* cost is what it used; its *full* cost is that and its
share of what was left over, so that the full costs of all services add up to the price of the host. A request costs
what everything cost, by the requests. Pure: facts and prices in, amounts out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

from sutazai_ops.capacity.facts import HOUR_SECONDS, SLICE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sutazai_ops.capacity.prices import Prices

GIGABYTE = 1e9
MILLION = 1e6
MONTH_HOURS = 730.5
"""A twelfth of a year of 365.25 days."""
FEWEST_DAYS = 7
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Used:
    """What one service used in some time."""

    core_seconds: float
    byte_seconds: float


@dataclass(frozen=True, slots=True)
class DayUse:
    """What one day is divided by."""

    day: date
    hours: float
    """In which the host was measured: the rest of the day is neither paid nor counted."""
    cpus: float
    memory: float
    """Bytes of the host."""
    services: Mapping[str, Used]
    requests: Mapping[str, float] = field(default_factory=dict)
    """By who answered them."""
    tasks: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """That came to an end, by the service that counted them and the agent."""
    task_seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    model_seconds: Mapping[str, float] = field(default_factory=dict)
    tokens: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By the model and `prompt` or `answer`."""
    stored: float = 0.0
    """Bytes on all disks."""
    sent: float = 0.0
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one service cost."""

    own: float
    left_over: float
    """Its share of what nobody used."""

    @property
    def full(self) -> float:
        """Both."""
        return self.own + self.left_over


@dataclass(frozen=True, slots=True)
class DayCost:
    """One day, divided."""

    day: date
    host: float
    parts: Mapping[str, Part]
    left_over: float
    """Of the host's price, what nobody used; it is in the parts, and all of it stands here where there are none."""
    storage: float
    egress: float
    tokens: Mapping[str, float]
    """By the model."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.host + self.storage + self.egress + sum(self.tokens.values())


@dataclass(frozen=True, slots=True)
class Each:
    """What one of something cost, with the interval of 95 % where there are enough days for one."""

    amount: float
    low: float | None
    high: float | None
    count: float
    days: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What some days came to."""

    currency: str
    days: Sequence[DayCost]
    services: Mapping[str, Part]
    host: float
    left_over: float
    storage: float
    egress: float
    models: Mapping[str, float]
    """Of models that run here their share of what runs them, of those that are paid for their tokens."""
    agents: Mapping[str, float]
    per_request: Each | None
    per_service_request: Mapping[str, Each]
    per_task: Mapping[str, Each]
    """By the agent."""

    @property
    def total(self) -> float:
        """All of it; models and agents are in it already."""
        return sum(one.total for one in self.days)


def divide(day: DayUse, prices: Prices) -> DayCost:
    """Divide one day.

    Where services used more than the host has, which measurements at two moments can say, each pays in proportion.
    """
    price = prices.host.per_hour * day.hours
    seconds = day.hours * HOUR_SECONDS
    by_cpu, by_memory = prices.host.cpu_share, 1 - prices.host.cpu_share
    shares = {
        name: by_cpu * _share(used.core_seconds, day.cpus * seconds)
        + by_memory * _share(used.byte_seconds, day.memory * seconds)
        for name, used in day.services.items()
    }
    used = sum(shares.values())
    whole = max(1.0, used)
    left = price * max(0.0, 1 - used)
    parts = {
        name: Part(price * share / whole, left * (share / used if used else 1 / len(shares)))
        for name, share in shares.items()
    }
    paid = {
        model: amount
        for model, price in prices.models.items()
        if (
            amount := (
                day.tokens.get((model, "prompt"), 0.0) * price.prompt_per_million
                + day.tokens.get((model, "answer"), 0.0) * price.answer_per_million
            )
            / MILLION
        )
    }
    return DayCost(
        day=day.day,
        host=price,
        parts=parts,
        left_over=left,
        storage=day.stored / GIGABYTE * prices.storage.per_gigabyte_month * day.hours / MONTH_HOURS
        if prices.storage
        else 0.0,
        egress=day.sent / GIGABYTE * prices.egress.per_gigabyte if prices.egress else 0.0,
        tokens=paid,
    )


def add_up(days: Sequence[DayUse], prices: Prices, model_services: Sequence[str] = ()) -> Costs:
    """What these days came to; `model_services` are those that run language models here."""
    divided = [divide(one, prices) for one in days]
    services = _sums([{name: part.full for name, part in one.parts.items()} for one in divided])
    own = _sums([{name: part.own for name, part in one.parts.items()} for one in divided])
    agents_by_day = [_agents(use, cost) for use, cost in zip(days, divided, strict=True)]
    agents = _sums(agents_by_day)
    tasks = [_by_agent(use.tasks) for use in days]
    front = _front(days)
    return Costs(
        currency=prices.currency,
        days=divided,
        services={name: Part(own[name], services[name] - own[name]) for name in sorted(services)},
        host=sum(one.host for one in divided),
        left_over=sum(one.left_over for one in divided),
        storage=sum(one.storage for one in divided),
        egress=sum(one.egress for one in divided),
        models=_models(days, divided, model_services),
        agents=agents,
        per_request=each([one.total for one in divided], [one.requests.get(front, 0.0) for one in days]),
        per_service_request={
            name: found
            for name in services
            if (
                found := each(
                    [one.parts[name].full if name in one.parts else 0.0 for one in divided],
                    [one.requests.get(name, 0.0) for one in days],
                )
            )
        },
        per_task={
            agent: found
            for agent in agents
            if (
                found := each(
                    [one.get(agent, 0.0) for one in agents_by_day],
                    [one.get(agent, 0.0) for one in tasks],
                )
            )
        },
    )


def each(amounts: Sequence[float], counts: Sequence[float]) -> Each | None:
    """What one of something cost over some days; None where none was counted.

    A ratio of two sums, with its variance from how much the days differ (W. G. Cochran, Sampling Techniques, 3rd ed.,
    Wiley 1977, 2.11 and 6.4) and Student's quantile. Fewer than seven days have no interval.
    """
    count, days = sum(counts), len(counts)
    if not count:
        return None
    ratio = sum(amounts) / count
    if days < FEWEST_DAYS:
        return Each(ratio, None, None, count, days)
    squares = sum((amount - ratio * number) ** 2 for amount, number in zip(amounts, counts, strict=True))
    error = math.sqrt(days / (days - 1) * squares) / count
    away = student(days - 1) * error
    return Each(ratio, max(0.0, ratio - away), ratio + away, count, days)


def student(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t, within one percent from six degrees of freedom on.

    M. Abramowitz, I. Stegun, Handbook of Mathematical Functions (1964), 26.7.5.

    >>> round(student(6), 2), round(student(29), 3)
    (2.43, 2.045)
    """
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def used(core_slices: float, byte_slices: float) -> Used:
    """What sums over slices of five minutes come to."""
    return Used(core_slices * SLICE_SECONDS, byte_slices * SLICE_SECONDS)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _front(days: Sequence[DayUse]) -> str:
    """Who answers users: the service that answered most, since a request that passes through several counts once."""
    counted = _sums([one.requests for one in days])
    return max(counted, key=lambda name: (counted[name], name), default="")


def _agents(use: DayUse, cost: DayCost) -> dict[str, float]:
    """What each agent cost on a day: its own service's part, or of whoever counts its tasks the share of their time."""
    found: dict[str, float] = {}
    for service, agent in use.tasks.keys() | use.task_seconds.keys():
        if agent in cost.parts:
            found[agent] = cost.parts[agent].full
        elif service in cost.parts:
            seconds = {one: time for (host, one), time in use.task_seconds.items() if host == service}
            whole = sum(seconds.values())
            share = seconds.get(agent, 0.0) / whole if whole else 0.0
            found[agent] = found.get(agent, 0.0) + cost.parts[service].full * share
    return found


def _by_agent(tasks: Mapping[tuple[str, str], float]) -> dict[str, float]:
    return _sums([{agent: count} for (_, agent), count in tasks.items()])


def _models(days: Sequence[DayUse], divided: Sequence[DayCost], services: Sequence[str]) -> dict[str, float]:
    found = []
    for use, cost in zip(days, divided, strict=True):
        here = {model: time for model, time in use.model_seconds.items() if model not in cost.tokens}
        whole, price = sum(here.values()), sum(cost.parts[one].full for one in services if one in cost.parts)
        found += [dict(cost.tokens), {model: price * time / whole for model, time in here.items() if whole}]
    return _sums(found)


def _sums(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in parts:
        for name, amount in part.items():
            found[name] = found.get(name, 0.0) + amount
    return found
