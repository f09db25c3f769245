"""Opens and closes the windows in which nobody is told of a service, and says which there are.

A window names services, or all, a reason, a beginning, an end and who opened it; the ledger keeps it. It silences
the telling alone: what is measured, what the objectives count and which incidents there are stays as it is. Every
window has an end from the start, so that one that is forgotten, or whose program was killed, ends by itself.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.ledger import WindowEntry
from sutazai_ops.person import who
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sutazai_ops.ledger import Ledger

LONGEST = timedelta(days=14)
"""Of what a person opens: longer than that nobody remembers it."""

log = logging.getLogger(__name__)


class Kind(StrEnum):
    """Why nobody is told."""

    MAINTENANCE = "maintenance"
    SILENCE = "silence"
    DEPLOYMENT = "deployment"


def open_window(ledger: Ledger, wanted: WindowEntry, *, known: Collection[str], now: datetime) -> WindowEntry:
    """Write a window down; returns it with its number.

    Args:
        ledger: where it is kept.
        wanted: the window; no services means all.
        known: the services that there are.
        now: timezone-aware.

    Raises:
        BadInput: for a service that is not known, no reason, and an end that is over, before the beginning, or too far.
    """
    for name in wanted.services:
        if name not in known:
            remedy = nearest(name, known) or "sutazai-ops status names them"
            raise BadInput(f"there is no service {name!r}", remedy=remedy)
    if not wanted.reason.strip():
        raise BadInput("a window needs a reason", remedy="give --reason, for whoever asks why nobody was told")
    if wanted.ends_at <= max(wanted.starts_at, now):
        raise BadInput("a window has to end after it begins, and after now", remedy="give --for, such as 1h30m")
    if wanted.ends_at - wanted.starts_at > LONGEST:
        raise BadInput(
            f"a window of more than {LONGEST.days} days hides what is broken", remedy="change the threshold instead"
        )
    return replace(wanted, number=ledger.record_window(wanted))


def close(ledger: Ledger, number: int, now: datetime) -> WindowEntry:
    """End a window now; one that has not begun never will.

    Raises:
        BadInput: where there is none of that number.
        Refused: where it is over already.
    """
    window = ledger.find_window(number)
    if window is None:
        raise BadInput(f"there is no window {number}", remedy="sutazai-ops maintenance list shows them")
    if window.ends_at <= now:
        raise Refused(f"window {number} is over since {window.ends_at:%Y-%m-%d %H:%M} UTC")
    ledger.end_window(number, now)
    return replace(window, ends_at=now)


def in_force(ledger: Ledger, now: datetime) -> list[WindowEntry]:
    """The windows that hold now."""
    return [one for one in ledger.windows_since(now) if one.starts_at <= now]


@contextmanager
def deploying(
    open_ledger: Callable[[], Ledger], services: Sequence[str], reason: str, at_most: timedelta
) -> Iterator[None]:
    """Tell nobody of these services while a deployment changes them; the caller holds the lock of deployments.

    A deployment is never held up by this: where the ledger cannot be opened or written, people are told.
    """
    number = None
    if services:
        try:
            number = _open_anew(open_ledger(), services, reason, at_most)
        except OpsError as error:
            log.warning("the deployment opens no window, so alerts of what it restarts are told: %s", error.what)
    try:
        yield
    finally:
        if number is not None:
            try:
                open_ledger().end_window(number, datetime.now(UTC))
            except OpsError as error:
                log.warning("window %d stays until its end: %s", number, error.what)


def _open_anew(ledger: Ledger, services: Sequence[str], reason: str, at_most: timedelta) -> int:
    now = datetime.now(UTC)
    # Of two deployments one holds the lock: what another left open it left because it was killed.
    for left in ledger.windows_since(now):
        if left.kind == Kind.DEPLOYMENT:
            ledger.end_window(left.number, now)
    return ledger.record_window(WindowEntry(0, Kind.DEPLOYMENT, sorted(services), reason, now, now + at_most, who()))
