"""Writes the status page anew, again and again: what is known of the last days, with the state of now.

Given to whoever has a clock and the newest figures, which is the exporter. A journey works where every probe that
speaks for it was answered; where some were it works in part; where it could not be found out it is not known.
"""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.status_page import basis as bases
from sutazai_ops.status_page.files import write
from sutazai_ops.status_page.model import Journey, State, StatusPage
from sutazai_ops.status_page.page import render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sutazai_ops.settings import Settings
    from sutazai_ops.status_page.basis import Basis

EVERY_SECONDS = 30.0
"""The page says that it is written every minute; a turn may be late."""

log = logging.getLogger(__name__)

_FIRST = timedelta(seconds=150)
"""After its beginning an exporter first has to find out how things are."""


class Writer:
    """Writes the page, and remembers since when each journey is as it is."""

    def __init__(
        self,
        settings: Settings,
        ask: Callable[[str], Sequence[float]],
        measured_at: Callable[[], float | None],
        journeys: Sequence[bases.Journey] = (),
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Write nothing yet.

        Args:
            settings: where the files are, and what the page is called.
            ask: the newest values of the series that a selector names; none where there are none.
            measured_at: when they were measured, in seconds since 1970; None where they never were.
            journeys: what to show while nobody has gathered yet how the last days were.
            clock: tells the time.
        """
        self._settings, self._ask, self._measured_at, self._clock = settings, ask, measured_at, clock
        self._journeys = tuple(journeys)
        self._since: dict[str, tuple[State, datetime]] = {}
        self._began = clock()
        self.files: Mapping[str, bytes] = {}
        """As they were written last, for whoever serves them from memory."""
        self._trouble = ""

    def write(self) -> None:
        """Write the page as of now; what keeps it from that is said once in the log, and the page grows visibly old."""
        if self._measured_at() is None:
            # Whoever was there before us knew more, and their page says of when it is.
            return
        try:
            found = bases.read(self._settings.status_page_basis)
            self.files = render(self.page(found))
            write(self.files, self._settings.status_page_folder)
        except OpsError as error:
            if str(error) != self._trouble:
                log.error("the status page is not written: %s", error.what)  # noqa: TRY400  (a sentence, no traceback)
            self._trouble = str(error)
        else:
            self._trouble = ""

    def page(self, found: Basis | None) -> StatusPage:
        """What the page says now."""
        now, measured_at = self._clock(), self._measured_at()
        settings = self._settings.status_page
        return StatusPage(
            title=settings.title,
            address=settings.address or "",
            generated_at=now,
            measured_at=None if measured_at is None else datetime.fromtimestamp(measured_at, UTC),
            stale_after_seconds=settings.stale_after_seconds,
            journeys=tuple(self._journey(one, now) for one in self._known(found)),
            notices=found.notices if found else (),
        )

    def _known(self, found: Basis | None) -> Sequence[bases.Journey]:
        return self._journeys if found is None or found.journeys is None else found.journeys

    def _journey(self, one: bases.Journey, now: datetime) -> Journey:
        state = state_of(one, self._ask)
        former, since = self._since.get(one.title, (None, now))
        if state is not former:
            # Since when it is as it was found at the beginning nobody knows.
            since = now
            self._since[one.title] = (state, now)
        return Journey(
            title=one.title,
            state=state,
            since=None if since - self._began < _FIRST else since,
            days=one.days or bases.nothing_yet(now),
            share=one.share,
            coverage=one.coverage,
        )


def state_of(journey: bases.Journey, ask: Callable[[str], Sequence[float]]) -> State:
    """Whether a journey works, by the probes that speak for it; never WORKS where one of them told nothing."""
    if journey.up is None:
        return State.UNKNOWN
    if journey.stopped and any(value > 0 for value in ask(journey.stopped)):
        return State.FAILS
    answers = [value for value in ask(journey.up) if not math.isnan(value)]
    untold = [value for value in ask(journey.unknown) if value > 0] if journey.unknown else []
    answered = sum(value > 0 for value in answers)
    refused = len(answers) - answered - len(untold)
    if refused > 0:
        return State.DISTURBED if answered else State.FAILS
    return State.WORKS if answers and not untold else State.UNKNOWN
