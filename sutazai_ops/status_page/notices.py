"""What people write on the status page: an incident, what is said about it, and maintenance.

Each function checks and writes one thing; nothing here decides by itself that something works again. What is written is
for people who do not know the platform from inside, so a text that names a service of it or an address is refused until
somebody insists.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput, Refused
from sutazai_ops.ledger import NoticeEntry, NoticeUpdateEntry
from sutazai_ops.status_page.model import Notice, NoticeKind, NoticeState, Update
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from sutazai_ops.ledger import Ledger

KEPT_DAYS = 90
LONGEST_TITLE, LONGEST_TEXT = 120, 2000
_ADDRESS = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?"  # of IPv4
    r"|https?://[\w-]+(?::\d+)?(?![\w.-])\S*"  # of a host without a domain
    r"|\b(?=[\w.-]*[a-z])[\w.-]+:\d{2,5}\b"  # a host and its port, but no time of the day
    r"|\b[\w-]+\.(?:local|internal|lan|localhost)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Known:
    """A notice, and what a person calls it by."""

    number: int
    notice: Notice


@dataclass(frozen=True, slots=True)
class Announcement:
    """What somebody wants to tell."""

    title: str
    text: str
    start: datetime
    end: datetime | None = None
    """Of maintenance."""
    journeys: Sequence[str] = ()
    """Titles of what it touches; none means all."""


def post(ledger: Ledger, told: Announcement, *, now: datetime, by: str) -> Known:
    """Tell users of an incident.

    Raises:
        BadInput: for a title or a text that is empty or too long, and a beginning that lies ahead.
    """
    if told.start > now:
        raise BadInput("an incident cannot begin in the future", remedy="use `sutazai-ops status-page maintenance`")
    return _write(ledger, NoticeKind.INCIDENT, told, NoticeUpdateEntry(0, now, NoticeState.OPEN, _text(told.text), by))


def announce(ledger: Ledger, told: Announcement, *, now: datetime, by: str) -> Known:
    """Tell users of maintenance to come, or under way.

    Raises:
        BadInput: for a title or a text that is empty or too long, and an end that is not after the beginning and now.
    """
    if told.end is None or told.end <= max(told.start, now):
        raise BadInput(
            "maintenance has to end after it begins, and after now",
            where=f"from {told.start:%Y-%m-%d %H:%M} to {told.end or told.start:%Y-%m-%d %H:%M} UTC",
            remedy="give --from and --to as YYYY-MM-DD HH:MM",
        )
    first = NoticeUpdateEntry(0, now, NoticeState.PLANNED, _text(told.text), by)
    return _write(ledger, NoticeKind.MAINTENANCE, told, first)


def say(ledger: Ledger, number: int, text: str, *, state: NoticeState | None, now: datetime, by: str) -> Known:
    """Say something more about a notice; `state` is what it comes to, None for the same as before.

    Raises:
        BadInput: for a number that no notice has, an empty text, and a state that its kind does not have.
        Refused: where it is over already.
    """
    known = find(ledger, number, now)
    if known.notice.state.is_over:
        raise Refused(f"notice {number} is over: {known.notice.state}", remedy="post a new one")
    state = state or known.notice.state
    if known.notice.kind is NoticeKind.INCIDENT and state in {
        NoticeState.CANCELLED,
        NoticeState.DONE,
        NoticeState.PLANNED,
    }:
        raise BadInput(f"notice {number} is an incident, which cannot be {state}", remedy="resolve it")
    # An incident ends when that is said; maintenance that takes longer or ends early does so as well.
    ends_at = now if state.is_over and state is not NoticeState.CANCELLED else None
    ledger.record_notice_update(NoticeUpdateEntry(number, now, state, _text(text), by), ends_at)
    return find(ledger, number, now)


def end(ledger: Ledger, number: int, text: str, *, now: datetime, by: str) -> Known:
    """Say that an incident is resolved, or that maintenance is done; raises as `say` does."""
    kind = find(ledger, number, now).notice.kind
    state = NoticeState.RESOLVED if kind is NoticeKind.INCIDENT else NoticeState.DONE
    return say(ledger, number, text, state=state, now=now, by=by)


def find(ledger: Ledger, number: int, now: datetime) -> Known:
    """The notice of that number; raises `BadInput` where there is none of the last ninety days."""
    found = {known.number: known for known in all_known(ledger, now)}
    if number not in found:
        numbers = ", ".join(map(str, sorted(found))) or "none"
        raise BadInput(f"there is no notice {number}", remedy=f"sutazai-ops status-page list shows them: {numbers}")
    return found[number]


def all_known(ledger: Ledger, now: datetime) -> list[Known]:
    """The notices that are not over and those of the last ninety days, the newest first."""
    rows = ledger.notices_since(now - timedelta(days=KEPT_DAYS))
    return [Known(entry.number, _notice(entry, said)) for entry, said in rows if said]


def for_page(ledger: Ledger, now: datetime) -> tuple[Notice, ...]:
    """What the status page shows of them."""
    return tuple(known.notice for known in all_known(ledger, now))


def inside_words(text: str, services: Iterable[str]) -> list[str]:
    """What in a text only those know who know the platform from inside: names of its services, and addresses.

    >>> inside_words("qdrant on 10.0.0.7:6333 is slow, the site is not", ["qdrant", "site-search"])
    ['10.0.0.7:6333', 'qdrant']
    """
    names = {name for name in services if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE)}
    return sorted(names | {found.strip(".,;") for found in _ADDRESS.findall(text)})


def refuse_inside_words(texts: Iterable[str], services: Collection[str]) -> None:
    """Refuse what users cannot understand, or should not know; raises `Refused`."""
    found = [word for text in texts for word in inside_words(text, services)]
    if found:
        raise Refused(
            f"users of the platform do not know {' and '.join(dict.fromkeys(found))}",
            remedy="say what they notice and can do; --anyway writes it as it is",
        )


def titles_of(names: Iterable[str], journeys: dict[str, str]) -> list[str]:
    """The titles of the journeys that are called so, or titled so.

    Args:
        names: as somebody typed them.
        journeys: every title, by the name of its objective.

    Raises:
        BadInput: for one that is none.
    """
    found = []
    for name in names:
        if name in journeys.values():
            found.append(name)
        elif name in journeys:
            found.append(journeys[name])
        else:
            known = [*journeys, *journeys.values()]
            raise BadInput(
                f"there is no journey {name!r}",
                remedy=nearest(name, known) or f"known are {', '.join(journeys) or 'none'}",
            )
    return found


def read_moment(text: str, zone: ZoneInfo) -> datetime:
    """A moment as somebody typed it, in `zone` where it names none; raises `BadInput` for any other text."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(f"{text!r} is no moment", remedy="write YYYY-MM-DD HH:MM, or with a zone: +01:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _write(ledger: Ledger, kind: NoticeKind, told: Announcement, first: NoticeUpdateEntry) -> Known:
    title = _words(told.title, "title", LONGEST_TITLE)
    entry = NoticeEntry(0, uuid.uuid4().urn, kind, title, list(told.journeys), told.start, told.end)
    return Known(ledger.record_notice(entry, first), _notice(entry, [first]))


def _notice(entry: NoticeEntry, said: Sequence[NoticeUpdateEntry]) -> Notice:
    return Notice(
        uid=entry.uid,
        kind=NoticeKind(entry.kind),
        title=entry.title,
        journeys=tuple(entry.journeys),
        start=entry.starts_at,
        end=entry.ends_at,
        updates=tuple(Update(at=one.at, state=NoticeState(one.state), text=one.text) for one in said),
    )


def _text(text: str) -> str:
    return _words(text, "text", LONGEST_TEXT)


def _words(text: str, what: str, longest: int) -> str:
    words = " ".join(text.split())
    if not words or len(words) > longest:
        raise BadInput(
            f"the {what} is empty" if not words else f"the {what} has {len(words)} letters",
            remedy=f"write a sentence of at most {longest}",
        )
    return words
