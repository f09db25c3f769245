"""The five things that can be said of an objective, and which of them is worse."""

from __future__ import annotations

from collections.abc import Iterable  # noqa: TC003  (a public signature)
from enum import StrEnum


class Verdict(StrEnum):
    """What is said of an objective over a period."""

    MET = "met"
    """The figure is at or above the target, and almost all of the time was measured."""
    MET_LOW_COVERAGE = "met, low coverage"
    """The figure is at or above the target, of a time that was measured with holes."""
    INSUFFICIENT = "insufficient data"
    """Too little was measured, or too few events were counted, to say either."""
    MISSED_LOW_COVERAGE = "missed, low coverage"
    """The figure is below the target, of a time that was measured with holes."""
    MISSED = "missed"
    """The figure is below the target, and almost all of the time was measured."""

    @property
    def is_missed(self) -> bool:
        """Whether the target is known to be missed, however well it was measured."""
        return self in {Verdict.MISSED, Verdict.MISSED_LOW_COVERAGE}

    @property
    def is_met(self) -> bool:
        """Whether the target was met as far as was measured."""
        return self in {Verdict.MET, Verdict.MET_LOW_COVERAGE}


_ORDER = tuple(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that a reader has to know of first; `INSUFFICIENT` of none at all."""
    return max(verdicts, key=_ORDER.index, default=Verdict.INSUFFICIENT)
