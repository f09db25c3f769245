"""What answers come to, and whether two baselines differ by more than chance. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence  # noqa: TC003  (pydantic reads it at run time)
from dataclasses import dataclass
from enum import StrEnum

from sutazai_ops.model import Model
from sutazai_ops.slo.maths import interval

Z = 1.96
"""Of the normal distribution, for intervals of 95 %."""


@dataclass(frozen=True, slots=True)
class Answers:
    """How one kind of request was answered."""

    seconds: Sequence[float]
    """Of each answer, failed ones among them."""
    failures: Mapping[str, int]
    """How many failed, by how."""


class Quantile(Model):
    """A quantile of a sample, with the interval in which that of all such answers lies in 95 % of cases.

    None for an end at which the sample has too few answers to say.
    """

    value: float
    low: float | None
    high: float | None


class Figures(Model):
    """How one kind of request was answered, in seconds."""

    count: int
    failures: Mapping[str, int]
    p50: Quantile
    p95: Quantile
    p99: Quantile

    @property
    def failed(self) -> int:
        """How many were answered wrongly or not at all."""
        return sum(self.failures.values())


class Change(StrEnum):
    """How one baseline stands to an earlier one."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "no different"
    UNKNOWN = "too few answers to say"


def together(kinds: Sequence[Answers]) -> Answers:
    """The answers of several kinds of requests as those of one."""
    failures: Counter[str] = Counter()
    for one in kinds:
        failures.update(one.failures)
    return Answers([seconds for one in kinds for seconds in one.seconds], failures)


def figures(answers: Answers) -> Figures:
    """The figures of at least one answer."""
    ordered = sorted(answers.seconds)
    return Figures(
        count=len(ordered),
        failures=dict(answers.failures),
        p50=quantile(ordered, 0.5),
        p95=quantile(ordered, 0.95),
        p99=quantile(ordered, 0.99),
    )


def quantile(ordered: Sequence[float], share: float) -> Quantile:
    """The quantile by nearest rank, with an interval from the order statistics around it.

    W. J. Conover, Practical Nonparametric Statistics, 3rd ed. (1999), 3.2: the ranks n·q ± z·√(n·q·(1-q)), rounded
    outwards.

    >>> quantile([1.0, 2.0, 3.0], 0.5).value
    2.0
    """
    number = len(ordered)
    around = Z * math.sqrt(number * share * (1 - share))
    low, high = math.floor(number * share - around), math.ceil(number * share + around)
    return Quantile(
        value=ordered[max(0, math.ceil(number * share) - 1)],
        low=ordered[low - 1] if low >= 1 else None,
        high=ordered[high - 1] if high <= number else None,
    )


def change(before: Quantile, after: Quantile) -> Change:
    """Whether a quantile has moved: only where the two intervals have nothing in common."""
    if before.high is not None and after.low is not None and after.low > before.high:
        return Change.SLOWER
    if after.high is not None and before.low is not None and after.high < before.low:
        return Change.FASTER
    if None in {before.low, before.high, after.low, after.high}:
        return Change.UNKNOWN
    return Change.SAME


def fails_more(before: Figures, after: Figures) -> bool:
    """Whether a larger share fails than before, by more than chance: Wilson's intervals have nothing in common."""
    return interval(after.failed, after.count).worst > interval(before.failed, before.count).best
