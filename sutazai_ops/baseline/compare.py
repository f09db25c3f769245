"""Two baselines side by side. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.baseline.figures import change, fails_more
from sutazai_ops.baseline.measure import Baseline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sutazai_ops.baseline.figures import Change, Figures
    from sutazai_ops.ledger import BaselineEntry


@dataclass(frozen=True, slots=True)
class Compared:
    """How one kind of request is answered, beside how it was."""

    request: str
    p50: Change
    p95: Change
    p99: Change
    failures: str
    """In words."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One baseline beside an earlier one."""

    before: int | None
    after: int | None
    differences: Sequence[str]
    """What else is not the same, so that it may be the reason."""
    requests: Sequence[Compared]
    """Those that both have asked."""


def latest_like(known: Sequence[BaselineEntry], entry: BaselineEntry) -> BaselineEntry | None:
    """The last of the others that asked the same, as often, in the same environment."""

    def alike(one: BaselineEntry) -> bool:
        return (one.script, one.rate, one.environment) == (entry.script, entry.rate, entry.environment)

    return next((one for one in reversed(known) if one.number != entry.number and alike(one)), None)


def compare(before: BaselineEntry, after: BaselineEntry) -> Comparison:
    """What became of the answers."""
    was, now = (Baseline.model_validate(one.detail).requests for one in (before, after))
    return Comparison(
        before=before.number,
        after=after.number,
        differences=list(_differences(before, after)),
        requests=[_compared(name, was[name], one) for name, one in now.items() if name in was],
    )


def _compared(name: str, was: Figures, now: Figures) -> Compared:
    return Compared(
        request=name,
        p50=change(was.p50, now.p50),
        p95=change(was.p95, now.p95),
        p99=change(was.p99, now.p99),
        failures=_failures(was, now),
    )


def _failures(was: Figures, now: Figures) -> str:
    shares = f"{was.failed} of {was.count}, then {now.failed} of {now.count}"
    return f"more: {shares}" if fails_more(was, now) else f"fewer: {shares}" if fails_more(now, was) else shares


def _differences(before: BaselineEntry, after: BaselineEntry) -> Iterator[str]:
    for what, was, now in (
        ("release", before.release, after.release),
        ("environment", before.environment, after.environment),
        ("requests a second", before.rate, after.rate),
        ("script", before.script, after.script),
    ):
        if was != now:
            yield f"{what} {was} then, {now} now"
