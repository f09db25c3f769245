"""Stretches of time that a report is of: whole UTC days, as a person calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta

from sutazai_ops.errors import BadInput
from sutazai_ops.slo.report_model import PeriodKind

DAY = timedelta(days=1)
EPOCH = 1970


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `first` until before `end`."""

    kind: PeriodKind
    label: str
    first: date
    end: date

    @property
    def days(self) -> list[date]:
        """Each of them."""
        return [self.first + DAY * number for number in range((self.end - self.first).days)]

    @property
    def minutes(self) -> float:
        """How long it is: a UTC day always has 1,440 minutes, whatever the clocks on the wall do."""
        return (self.end - self.first) / timedelta(minutes=1)

    @property
    def start_moment(self) -> datetime:
        """Midnight of the first day."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def end_moment(self) -> datetime:
        """Midnight after the last."""
        return datetime.combine(self.end, time(), UTC)

    @property
    def file_name(self) -> str:
        """What a file of it is called: `2026-10`, `2026-w43`, `2026-10-01-to-2026-10-30`."""
        match self.kind:
            case PeriodKind.MONTH:
                return f"{self.first:%Y-%m}"
            case PeriodKind.WEEK:
                return f"{self.first:%G}-w{self.first:%V}"
            case _:
                return f"{self.first}-to-{self.end - DAY}"


def month(text: str) -> Span:
    """A calendar month written as 2026-10; raises `BadInput` for anything else."""
    found = re.fullmatch(r"(\d{4})-(\d{1,2})", text)
    try:
        first = date(int(found[1]), int(found[2]), 1) if found else None
    except ValueError:
        first = None
    if first is None or not _can_be_reckoned(first):
        raise BadInput(f"{text!r} is no month", remedy="write it as 2026-10")
    return month_of(first)


def month_of(day: date) -> Span:
    """The calendar month of a day."""
    first = day.replace(day=1)
    end = (first + 31 * DAY).replace(day=1)
    return Span(PeriodKind.MONTH, f"{first:%B %Y}", first, end)


def month_before(day: date) -> Span:
    """The calendar month before that of a day."""
    return month_of(day.replace(day=1) - DAY)


def week_before(day: date) -> Span:
    """The last whole week, Monday to Sunday (ISO 8601), before a day."""
    monday = day - DAY * day.weekday() - 7 * DAY
    return Span(PeriodKind.WEEK, f"week {monday:%V} of {monday:%G}", monday, monday + 7 * DAY)


def rolling(end: date, days: int) -> Span:
    """The days until before `end`."""
    return Span(PeriodKind.ROLLING, f"{days} days to {spoken(end - DAY)} {end - DAY:%Y}", end - DAY * days, end)


def between(first: date, last: date) -> Span:
    """From one day to another, both among them; raises `BadInput` where there is none."""
    if last < first:
        raise BadInput(f"there is no day from {first} to {last}", remedy="give the earlier one as --from")
    if not (_can_be_reckoned(first) and _can_be_reckoned(last)):
        raise BadInput(f"nothing was measured from {first} to {last}", remedy="write days as 2026-10-01")
    whole = month_of(first)
    if (whole.first, whole.end) == (first, last + DAY):
        return whole
    label = f"the days from {spoken(first)} {first:%Y} to {spoken(last)} {last:%Y}"
    return Span(PeriodKind.CUSTOM, label, first, last + DAY)


def _can_be_reckoned(day: date) -> bool:
    """Whether there are days around it to look at; the calendar of Python ends with 9999."""
    return EPOCH <= day.year < MAXYEAR


def spoken(day: date) -> str:
    """A day without its year.

    >>> spoken(date(2026, 10, 3))
    '3 October'
    """
    return f"{day.day} {day:%B}"
