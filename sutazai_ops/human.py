"""Numbers as a person reads them: bytes, seconds, times. `--json` has the exact ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import filesize

if TYPE_CHECKING:
    from datetime import datetime

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_STEPS = ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", 1, "s"))


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> [count(1, "service"), count(3, "service")]
    ['1 service', '3 services']
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(count: int) -> str:
    """Bytes in decimal units.

    >>> size(9_400_000)
    '9.4 MB'
    """
    return filesize.decimal(count)


def memory(count: int) -> str:
    """Bytes of memory in the binary units in which limits are set.

    >>> [memory(512 * 1024**2), memory(1536 * 1024**2)]
    ['512 MiB', '1.5 GiB']
    """
    for unit, name in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} bytes"


def duration(seconds: float) -> str:
    """A time that something takes: tenths below ten seconds, two units from a minute on.

    >>> [duration(0.31), duration(46.2), duration(125), duration(90_000)]
    ['0.3 s', '46 s', '2 min 5 s', '1 d 1 h']
    """
    tenths = round(seconds, 1)
    whole = round(seconds)
    for unit, name, below, below_name in _STEPS:
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name}" + (f" {rest} {below_name}" if rest else "")
    return f"{tenths:.1f} s" if tenths < 10 else f"{whole} s"  # noqa: PLR2004  (a tenth says nothing beside ten)


def since(then: datetime, now: datetime) -> str:
    """How long ago `then` was, in its largest unit; both timezone-aware. A time to come is "0 s".

    >>> from datetime import UTC, datetime
    >>> since(datetime(2026, 11, 23, 2, tzinfo=UTC), datetime(2026, 11, 23, 9, 12, tzinfo=UTC))
    '7 h'
    """
    seconds = max(0, round((now - then).total_seconds()))
    for unit, name, _, _ in _STEPS:
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
