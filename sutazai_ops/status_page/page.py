"""Makes the files of a status page: a page of HTML, an Atom feed, and the same as JSON.

Pure: the same value gives the same files. The page says plainly of when it is, and needs no script to be read; a script
of a few lines, which the page names by its hash and which fetches nothing, marks it as old where nobody has written it
anew for too long. Where what it says was already old when it was written, no state of now is shown at all.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.reports import figures
from sutazai_ops.reports.look import Tone
from sutazai_ops.reports.page import render as render_template
from sutazai_ops.status_page.model import DayState, NoticeKind, NoticeState, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sutazai_ops.status_page.model import Day, Journey, Notice, StatusPage

PAGE, FEED, JSON = "index.html", "feed.xml", "status.json"
FEED_ENTRIES = 50
_NAMESPACE = uuid.UUID("5bd0a1e6-6b1c-4f6e-9d1b-6d0f3a4f6c52")
"""Any, as long as it stays the same: what feeds are called is made from it."""

STATE_TONES: Mapping[State, Tone] = {
    State.WORKS: Tone.GOOD,
    State.DISTURBED: Tone.BAD_IN_PART,
    State.FAILS: Tone.BAD,
    State.UNKNOWN: Tone.UNKNOWN,
}
DAY_TONES: Mapping[DayState, Tone] = {
    DayState.GOOD: Tone.GOOD,
    DayState.DISTURBED: Tone.BAD_IN_PART,
    DayState.BAD: Tone.BAD,
    DayState.UNKNOWN: Tone.UNKNOWN,
    DayState.BEFORE: Tone.NONE,
}
NOTICE_WORDS: Mapping[NoticeState, str] = {
    NoticeState.OPEN: "We are working on it",
    NoticeState.WATCHING: "Mended, and we are watching it",
    NoticeState.RESOLVED: "Resolved",
    NoticeState.PLANNED: "Planned",
    NoticeState.DONE: "Done",
    NoticeState.CANCELLED: "Cancelled",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The one sentence at the top."""

    tone: Tone
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One day as a bar."""

    tone: Tone
    words: str
    unmeasured: int
    """Hundredths of the day, from the top."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A journey as the page shows it."""

    said: Journey
    tone: Tone
    state: str
    bars: Sequence[Bar]
    noted: Sequence[tuple[Day, str]]
    """The days that were not simply good, in words, the newest first."""
    summary: str


def render(page: StatusPage) -> dict[str, bytes]:
    """Every file by its name."""
    return {
        PAGE: _page(page).encode(),
        FEED: _feed(page).encode(),
        JSON: (page.model_dump_json(indent=1) + "\n").encode(),
    }


def headline(page: StatusPage) -> Headline:
    """Whether all works, in a sentence; never *works* where that is not known."""
    if page.is_stale:
        since = "" if page.measured_at is None else f" since {figures.exact(page.measured_at)}"
        return Headline(Tone.UNKNOWN, f"We do not know: nothing has been measured{since}")
    failing, disturbed, unknown = (
        [one.title for one in page.journeys if one.state is state]
        for state in (State.FAILS, State.DISTURBED, State.UNKNOWN)
    )
    all_of_them = len(page.journeys)
    if failing:
        return Headline(Tone.BAD, _which(failing, all_of_them, "does not work", "do not work", "Nothing works"))
    if disturbed:
        words = _which(disturbed, all_of_them, "works in part", "work in part", "Everything works only in part")
        return Headline(Tone.BAD_IN_PART, words)
    if len(unknown) == all_of_them:
        words = "We do not know whether it works" if unknown else "We do not know: nothing is measured yet"
        return Headline(Tone.UNKNOWN, words)
    if unknown:
        return Headline(Tone.GOOD_IN_PART, f"All works, but for {len(unknown)} of {all_of_them} that we do not know of")
    return Headline(Tone.GOOD, "All works")


def _which(titles: Sequence[str], of: int, one: str, some: str, every: str) -> str:
    if len(titles) == of and of > 1:
        return every
    return f"{titles[0]}: {one}" if len(titles) == 1 else f"{len(titles)} of {of} {some}"


def _page(page: StatusPage) -> str:
    current = [one for one in page.notices if _is_current(one, page.generated_at)]
    planned = [one for one in page.notices if not one.state.is_over and one not in current]
    return render_template(
        "status_page/page.html.jinja",
        page=page,
        headline=headline(page),
        journeys=[_shown(one, page) for one in page.journeys],
        current=current,
        planned=sorted(planned, key=lambda one: one.start),
        past=[one for one in page.notices if one.state.is_over],
        notice_words=NOTICE_WORDS,
        incident=NoticeKind.INCIDENT,
        has_before=any(day.state is DayState.BEFORE for one in page.journeys for day in one.days),
        days=max((len(one.days) for one in page.journeys), default=0),
    )


def _shown(journey: Journey, page: StatusPage) -> Shown:
    state = State.UNKNOWN if page.is_stale else journey.state
    since = f" since {figures.exact(journey.since)}" if journey.since is not None and not page.is_stale else ""
    return Shown(
        said=journey,
        tone=STATE_TONES[state],
        state=state + (since if state is not State.WORKS else ""),
        bars=[
            Bar(DAY_TONES[day.state], f"{figures.day(day.day)}: {_day_words(day)}", _unmeasured(day))
            for day in journey.days
        ],
        noted=[
            (day, _day_words(day))
            for day in reversed(journey.days)
            if day.state in {DayState.DISTURBED, DayState.BAD, DayState.UNKNOWN}
        ],
        summary=_summary(journey),
    )


def _summary(journey: Journey) -> str:
    """What the days came to together, and since when anything is known of them."""
    known = [day for day in journey.days if day.state is not DayState.BEFORE]
    if not known:
        return "not measured yet"
    since = "" if len(known) == len(journey.days) else f", measured since {figures.day(known[0].day)}"
    if journey.share is None:
        return f"not known yet{since}"
    days = "today" if known == [journey.days[-1]] else f"over {len(known)} days"
    covered = ""
    if journey.coverage < 0.995:  # noqa: PLR2004  (what would read as 100 % is not said)
        measured = figures.percent(journey.coverage)
        covered = f" ({measured} of the time)" if since else f", of which {measured} was measured"
    return f"{figures.percent(journey.share)} {days}{since}{covered}"


def _day_words(day: Day) -> str:
    match day.state:
        case DayState.BEFORE:
            return "before it was measured"
        case DayState.UNKNOWN if not day.coverage:
            return "not measured"
        case DayState.UNKNOWN:
            return f"only {figures.percent(day.coverage)} of the day was measured"
    words = {DayState.GOOD: "good", DayState.DISTURBED: "disturbed", DayState.BAD: "did not work for long"}[day.state]
    words += f", {figures.percent(day.share)}"
    return words if not _unmeasured(day) else f"{words}; {figures.percent(day.coverage)} of the day was measured"


def _unmeasured(day: Day) -> int:
    return 0 if day.state in {DayState.BEFORE, DayState.UNKNOWN} else round((1 - day.coverage) * 100)


def _is_current(notice: Notice, now: datetime) -> bool:
    """An incident that is not over, or maintenance that is under way."""
    if notice.state.is_over:
        return False
    return notice.kind is NoticeKind.INCIDENT or notice.start <= now


def _feed(page: StatusPage) -> str:
    newest = sorted(page.notices, key=lambda one: (one.updated_at, one.uid), reverse=True)[:FEED_ENTRIES]
    # Without any entry the day, so that the feed does not seem new every minute.
    quiet = page.generated_at.replace(hour=0, minute=0, second=0, microsecond=0)
    return render_template(
        "status_page/feed.xml.jinja",
        page=page,
        id=page.address or uuid.uuid5(_NAMESPACE, page.title).urn,
        updated=newest[0].updated_at if newest else quiet,
        entries=newest,
        notice_words=NOTICE_WORDS,
    )
