"""Figures as a report writes them: shares, minutes, counts and moments, in words that mislead nobody.

A figure is never rounded across the line that it is held against: 99.8996 % of a promised 99.9 % is not "99.90 %", and
only what is whole is "100 %". Times are UTC, which the head of a report says once.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

MINUS = "\N{MINUS SIGN}"
TO = "\N{EN DASH}"
_FEWEST, _MOST = 2, 6
# Written here, since strftime's depend on the locale of whoever runs it, and the same facts give the same bytes.
_LONG_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MONTHS = tuple(month[:3] for month in _LONG_MONTHS)
_SMALL = 0.1
_HOUR = 60
_DAY = 24 * _HOUR
_TWO_HOURS = 2 * _HOUR
_TEN = 10
_HUNDRED = 100


def percent(share: float | None, target: float | None = None) -> str:
    """A share, with as many decimals as it takes to stand on its own side of `target`, of none and of all.

    >>> [percent(0.99703), percent(0.998996, 0.999), percent(1), percent(0.999999), percent(None)]
    ['99.70 %', '99.8996 %', '100 %', '99.9999 %', 'not known']
    """
    if share is None:
        return "not known"
    for decimals in range(_FEWEST, _MOST + 1):
        text = f"{share * 100:.{decimals}f}"
        if _same_side(share, float(text) / 100, target):
            return f"{_bare(text)} %"
    # Nearer to a line than anybody would print, so that is said.
    line = min((line for line in (target, 0.0, 1.0) if line is not None), key=lambda line: abs(share - line))
    return f"{'just below' if share < line else 'just above'} {promised(line)}"


def promised(target: float) -> str:
    """A target, with the decimals that it was written with.

    >>> [promised(0.999), promised(0.95), promised(0.9995)]
    ['99.9 %', '95 %', '99.95 %']
    """
    return f"{target * 100:.10g} %"


def left(share: float | None) -> str:
    """What is left of a budget, which may be less than nothing; only what is spent to the last is "0 %".

    >>> [left(0.424), left(-1.97).replace(MINUS, "-"), left(-0.008).replace(MINUS, "-"), left(0.004), left(0)]
    ['42 %', '-197 %', '-0.8 %', '0.4 %', '0 %']
    """
    if share is None:
        return "not known"
    size = abs(share)
    digits = 0 if size >= _SMALL else 1
    number = f"{size * 100:.{digits}f}".removesuffix(".0")
    if share and float(number) == 0:
        return "almost 0 %" if share > 0 else "just below 0 %"
    return f"{MINUS if share < 0 else ''}{number} %"


def whole_percent(share: float) -> str:
    """A share of a budget that something spent.

    >>> [whole_percent(2.21), whole_percent(0.058), whole_percent(0.004), whole_percent(0)]
    ['221 %', '5.8 %', '0.4 %', '0 %']
    """
    return "less than 0.1 %" if 0 < share < 0.0005 else left(share)  # noqa: PLR2004  (half of the last digit)


def minutes(amount: float) -> str:
    """A stretch of time.

    >>> [minutes(0), minutes(0.5), minutes(2.5), minutes(45.0), minutes(132.6), minutes(44_640)]
    ['0 min', '30 s', '2.5 min', '45 min', '2 h 13 min', '31 d']
    """
    if amount < 1:
        seconds = round(amount * 60)
        return f"{seconds} s" if seconds else "0 min" if amount == 0 else "less than 1 s"
    if amount < _TWO_HOURS:
        return f"{_tenths(amount)} min"
    if amount < 2 * _DAY:
        hours, rest = divmod(round(amount), _HOUR)
        return f"{hours} h" + (f" {rest} min" if rest else "")
    days, hours = divmod(round(amount / _HOUR), 24)
    return f"{days} d" + (f" {hours} h" if hours else "")


def of_minutes(left: float, total: float) -> str:
    """What is left of a budget of minutes, in the unit that suits the whole of it.

    >>> [of_minutes(18.14, 44.64), of_minutes(946.4, 2232), of_minutes(-87.96, 44.64), of_minutes(-0.36, 44.64)]
    ['18 of 45 min', '16 of 37 h', '88 min over', '22 s over']
    """
    if left < 0:
        return f"{minutes(-left)} over"
    if total < _TWO_HOURS:
        return f"{_tenths(left)} of {_tenths(total)} min"
    return f"{_tenths(left / _HOUR)} of {_tenths(total / _HOUR)} h"


def seconds(amount: float) -> str:
    """How long an answer takes.

    >>> [seconds(0.153), seconds(0.0004), seconds(2.5), seconds(30)]
    ['153 ms', '0.4 ms', '2.5 s', '30 s']
    """
    return f"{amount * 1000:.3g} ms" if amount < 1 else f"{amount:.3g} s"


def count(amount: float) -> str:
    """How many, in groups of three; tenths where there are few, since what is estimated need not be whole.

    >>> [count(10_229_840), count(45.36), count(1)]
    ['10,229,840', '45.4', '1']
    """
    return f"{amount:,.0f}" if amount >= _HUNDRED or amount == int(amount) else f"{amount:.1f}"


def day(when: date) -> str:
    """A day without its year, which the head says.

    >>> from datetime import date
    >>> day(date(2026, 10, 3))
    '3 Oct'
    """
    return f"{when.day} {_MONTHS[when.month - 1]}"


def moment(when: datetime) -> str:
    """A minute of a day, in UTC."""
    when = when.astimezone(UTC)
    return f"{day(when)} {when:%H:%M}"


def exact(when: datetime) -> str:
    """A moment with its year and zone."""
    when = when.astimezone(UTC)
    return f"{day(when)} {when.year} {when:%H:%M} UTC"


def exact_span(start: datetime, end: datetime) -> str:
    """From when to when, with year and zone; the day is said once where it is the same.

    >>> from datetime import UTC, datetime
    >>> exact_span(datetime(2026, 11, 29, 14, 3, tzinfo=UTC), datetime(2026, 11, 29, 14, 18, tzinfo=UTC))
    '29 Nov 2026 14:03 to 14:18 UTC'
    """
    if start.astimezone(UTC).date() == end.astimezone(UTC).date():
        return f"{exact(start).removesuffix(' UTC')} to {end.astimezone(UTC):%H:%M} UTC"
    return f"{exact(start).removesuffix(' UTC')} to {exact(end)}"


def rfc3339(when: datetime) -> str:
    """A moment for programs, to the second."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def span(start: datetime, end: datetime | None) -> str:
    """From when to when; the day is said once where it is the same.

    >>> from datetime import UTC, datetime
    >>> span(datetime(2026, 10, 13, 10, 12, tzinfo=UTC), datetime(2026, 10, 13, 10, 57, tzinfo=UTC)).split(TO)
    ['13 Oct 10:12', '10:57']
    """
    if end is None or end - start < timedelta(minutes=1):
        return moment(start)
    same_day = start.astimezone(UTC).date() == end.astimezone(UTC).date()
    last = f"{end.astimezone(UTC):%H:%M}" if same_day else moment(end)
    return f"{moment(start)}{TO if same_day else f' {TO} '}{last}"


def days(first: date, after_last: date) -> str:
    """Whole days, from the first to the day before `after_last`.

    >>> from datetime import date
    >>> [days(date(2026, 10, 1), date(2026, 11, 1)), days(date(2026, 9, 28), date(2026, 10, 5))]
    ['1 to 31 October 2026', '28 September to 4 October 2026']
    """
    last = after_last - timedelta(days=1)
    if first >= last:
        return _long(last, year=True)
    same_month = (first.year, first.month) == (last.year, last.month)
    begin = str(first.day) if same_month else _long(first, year=first.year != last.year)
    return f"{begin} to {_long(last, year=True)}"


def _long(when: date, *, year: bool) -> str:
    return f"{when.day} {_LONG_MONTHS[when.month - 1]}" + (f" {when.year}" if year else "")


def _same_side(share: float, shown: float, target: float | None) -> bool:
    below = target is not None and (_is(shown, target) or shown > target) != (_is(share, target) or share > target)
    return not below and all(_is(share, line) == _is(shown, line) for line in (0.0, 1.0))


def _is(value: float, line: float) -> bool:
    """The same, but for the noise of reading a number from text."""
    return abs(value - line) < 1e-10  # noqa: PLR2004


def _tenths(number: float) -> str:
    """Tenths below ten, where they matter."""
    return _bare(f"{number:.1f}") if number < _TEN else str(round(number))


def _bare(number: str) -> str:
    """Without decimals that say nothing: "100.00" and "45.0", but not "99.70"."""
    whole, _, decimals = number.partition(".")
    return whole if not decimals.strip("0") else number
