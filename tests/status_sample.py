"""A status page, made up: every state of a journey and of a day, every kind of notice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sutazai_ops.status_page import model as m

NOW = datetime(2026, 11, 26, 14, 3, 20, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def sample_page(**changes) -> m.StatusPage:
    """The page of an afternoon on which the chat is slow."""
    page = m.StatusPage(
        title="Status of Sutazai",
        address="https://status.example.org/",
        generated_at=NOW,
        measured_at=NOW - timedelta(seconds=25),
        journeys=(
            m.Journey(
                title="Opening the site",
                state=m.State.WORKS,
                since=NOW - 20 * DAY,
                days=days({70: 0.982}, unknown={44}),
                share=0.999_74,
                coverage=0.988,
            ),
            m.Journey(
                title="Asking in the chat",
                state=m.State.DISTURBED,
                since=NOW - 41 * MINUTE,
                days=days({45: 0.936, 54: 0.994, 70: 0.71, 89: 0.981}, unknown={44}, partly={46: 0.93, 61: 0.95}),
                share=0.9942,
                coverage=0.986,
            ),
            m.Journey(
                title="Giving a task to an agent",
                state=m.State.UNKNOWN,
                days=days({}, before=60, unknown={70, 89}),
                share=0.9976,
                coverage=0.93,
            ),
        ),
        notices=(
            m.Notice(
                uid="urn:uuid:00000000-0000-4000-8000-000000000003",
                kind=m.NoticeKind.INCIDENT,
                title="Answers in the chat come late",
                journeys=("Asking in the chat",),
                start=NOW - 41 * MINUTE,
                updates=(
                    m.Update(
                        at=NOW - 35 * MINUTE,
                        state=m.NoticeState.OPEN,
                        text="About one answer in fifty fails, and others take longer than usual. Please ask again.",
                    ),
                    m.Update(
                        at=NOW - 8 * MINUTE,
                        state=m.NoticeState.WATCHING,
                        text="It is mended, and answers come as usual again.",
                    ),
                ),
            ),
            m.Notice(
                uid="urn:uuid:00000000-0000-4000-8000-000000000004",
                kind=m.NoticeKind.MAINTENANCE,
                title="The site is away for a quarter of an hour",
                start=NOW + 3 * DAY,
                end=NOW + 3 * DAY + 15 * MINUTE,
                updates=(
                    m.Update(
                        at=NOW - DAY, state=m.NoticeState.PLANNED, text="We move to a newer version. Save your work."
                    ),
                ),
            ),
            m.Notice(
                uid="urn:uuid:00000000-0000-4000-8000-000000000002",
                kind=m.NoticeKind.INCIDENT,
                title="Nothing answered",
                start=NOW - 19 * DAY,
                end=NOW - 19 * DAY + 7 * HOUR,
                updates=(
                    m.Update(at=NOW - 19 * DAY, state=m.NoticeState.OPEN, text="The site and the chat do not answer."),
                    m.Update(
                        at=NOW - 19 * DAY + 7 * HOUR,
                        state=m.NoticeState.RESOLVED,
                        text="A new version was faulty; the one before it is back. No conversation was lost.",
                    ),
                ),
            ),
        ),
    )
    return page.model_copy(update=changes)


def days(low: dict[int, float], *, before: int = 0, unknown: set[int] = frozenset(), partly=None) -> tuple[m.Day, ...]:
    """Ninety days by their number; `low` are shares, `partly` coverages of days that were good."""
    found = []
    for number in range(90):
        day = (NOW - (89 - number) * DAY).date()
        if number < before:
            found.append(m.Day(day=day, state=m.DayState.BEFORE))
        elif number in unknown:
            found.append(m.Day(day=day, state=m.DayState.UNKNOWN, coverage=0.2 if number == 44 else 0))
        else:
            share, coverage = low.get(number, 0.9999), (partly or {}).get(number, 0.6 if number == 70 else 1)
            state = m.day_state(share, coverage, 0.999)
            found.append(m.Day(day=day, state=state, share=share, coverage=coverage))
    return tuple(found)
