"""What of the status page does not change by the minute: the journeys, their last ninety days, and the notices.

Gathered from the ledger whenever something new stands there, and kept as one small file in the home folder, so that
whoever writes the page every minute needs neither the ledger nor a right to write to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence  # noqa: TC003  (a public signature)
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, ValidationError

from sutazai_ops.disk import write_whole, writing
from sutazai_ops.errors import Corrupt
from sutazai_ops.slo import maths
from sutazai_ops.slo.life import Life, totals_of_day
from sutazai_ops.slo.shelf import take_down
from sutazai_ops.status_page import notices
from sutazai_ops.status_page.model import Day, DayState, Notice, Said, Share, day_state

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import Ledger
    from sutazai_ops.slo.facts import Fact
    from sutazai_ops.slo.maths import Totals
    from sutazai_ops.slo.objective import Objective

DAYS = 90
REFRESH_SECONDS = 600.0
"""How often it is worth gathering anew where nobody says that something new stands in the ledger."""


class Journey(Said):
    """A journey, without its state of now."""

    title: str
    days: tuple[Day, ...]
    share: Share | None = None
    coverage: Share = 0
    up: str | None = None
    """The selector of what says whether it works now."""
    unknown: str | None = None
    """The selector of what says that this could not be found out."""
    stopped: str | None = None
    """The selector of what says that it could not because nothing runs there."""


class Basis(Said):
    """The file."""

    version: Literal[1] = 1
    gathered_at: AwareDatetime
    journeys: tuple[Journey, ...] | None = None
    """Null where nobody has gathered how their last days were."""
    notices: tuple[Notice, ...] = ()


def tell(ledger: Ledger, file: Path, now: datetime) -> Basis:
    """Put what is announced now in the place of what was, and leave the journeys as they are; raises as `refresh`."""
    basis = (read(file) or Basis(gathered_at=now)).model_copy(update={"notices": notices.for_page(ledger, now)})
    _keep(basis, file)
    return basis


def refresh(ledger: Ledger, objectives: Iterable[Objective], file: Path, now: datetime) -> Basis:
    """Gather it anew, and keep it.

    Raises:
        OpsError: where the ledger cannot be read, or the disk does not allow it.
    """
    journeys = [one for one in objectives if one.journey]
    today = now.astimezone(UTC).date()
    facts = take_down(ledger, today - timedelta(days=DAYS - 1), today, [one.name for one in journeys])
    basis = gather(journeys, facts, notices.for_page(ledger, now), now)
    _keep(basis, file)
    return basis


def refresh_of(installation: Installation, objectives: Iterable[Objective], now: datetime) -> Basis:
    """The same for an installation; `objectives` are those of it that may be journeys."""
    return refresh(installation.ledger, objectives, installation.settings.status_page_basis, now)


def read(file: Path) -> Basis | None:
    """The file that `refresh` has kept, None where there is none yet; raises `Corrupt` for any other content."""
    try:
        return Basis.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise Corrupt(
            "what the status page is made of cannot be read", where=str(file), remedy="sutazai-ops status-page refresh"
        ) from None


def journeys_of(objectives: Iterable[Objective]) -> tuple[Journey, ...]:
    """The journeys, of whose last days nothing is known yet."""
    return tuple(
        Journey(title=one.journey.title, days=(), up=one.up, unknown=one.unknown, stopped=one.stopped)
        for one in objectives
        if one.journey
    )


def _keep(basis: Basis, file: Path) -> None:
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, (basis.model_dump_json(indent=1) + "\n").encode())
    # The exporter may be somebody else than who writes this, and it holds no secret.
    file.chmod(0o644)


def gather(
    objectives: Iterable[Objective],
    facts: Mapping[str, Mapping[date, Fact]],
    told: Sequence[Notice],
    now: datetime,
) -> Basis:
    """The basis of what the ledger holds: pure.

    Args:
        objectives: those that are journeys.
        facts: of the last ninety days, by objective and day.
        told: the notices to show.
        now: aware.
    """
    as_of = max((fact.computed_at for mine in facts.values() for fact in mine.values()), default=None)
    days = days_until(now)
    return Basis(
        gathered_at=now,
        journeys=tuple(_journey(one, facts.get(one.name, {}), days, as_of) for one in objectives),
        notices=tuple(told),
    )


def days_until(now: datetime) -> list[date]:
    """Those that the page shows: today is the last."""
    today = now.astimezone(UTC).date()
    return [today - timedelta(days=number) for number in reversed(range(DAYS))]


def nothing_yet(now: datetime) -> tuple[Day, ...]:
    """The days of a journey of which nothing was ever measured."""
    return tuple(Day(day=day, state=DayState.BEFORE) for day in days_until(now))


def _journey(objective: Objective, facts: Mapping[date, Fact], days: Sequence[date], as_of: datetime | None) -> Journey:
    first = next((day for day in days if day in facts and facts[day].totals.measured > 0), None)
    lived = [day for day in days if first is not None and day >= first]
    totals = {
        # Of the day on which the measuring began nothing is expected from before that.
        day: totals_of_day(day, facts.get(day), Life(first), as_of)
        for day in lived
        if day in facts or day != days[-1]
    }
    whole = maths.add_up(totals.values())
    share = maths.figure(objective.kind, whole)
    return Journey(
        title=objective.journey.title if objective.journey else objective.title,
        days=tuple(_day(objective, day, totals.get(day), is_before=day not in lived) for day in days),
        share=None if share is None else round(share, 7),
        coverage=round(maths.coverage(whole), 7),
        up=objective.up,
        unknown=objective.unknown,
        stopped=objective.stopped,
    )


def _day(objective: Objective, day: date, totals: Totals | None, *, is_before: bool) -> Day:
    if is_before:
        return Day(day=day, state=DayState.BEFORE)
    if totals is None or totals.measured <= 0:
        return Day(day=day, state=DayState.UNKNOWN)
    share, coverage = maths.figure(objective.kind, totals), round(maths.coverage(totals), 7)
    if share is None and coverage >= maths.COVERED:
        # Nobody came, and nothing was in the way of whoever had come.
        return Day(day=day, state=DayState.GOOD, coverage=coverage)
    rounded = None if share is None else round(share, 7)
    return Day(day=day, state=day_state(rounded, coverage, objective.target), share=rounded, coverage=coverage)
