"""When what is done: many small works, each again and again, beside each other.

Each has an interval of its own, stretched and shortened a little at random so that they do not all come at once. A work
that has not ended is not begun again, and takes nobody else's turn for longer than a second. All waiting is done by the
clock that nobody sets; a machine that slept catches nothing up.
"""

from __future__ import annotations

import heapq
import logging
import random
import time
from dataclasses import dataclass, field
from itertools import count
from threading import BoundedSemaphore, Condition, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = 17
"""How many are at work at once, so that what is measured is the platform and not this machine; one follows events."""
TURN_SECONDS = 1.0
"""How long a work waits for its turn; those that are well give theirs back in milliseconds."""
JITTER = 0.1
"""By which share an interval is longer or shorter."""
FIRST_WITHIN = 2.0
"""Over how many seconds the first works of all are spread."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """Something that is done again and again."""

    name: str
    interval: float
    """Seconds."""
    do: Callable[[], None]
    """Ends within its own time; whatever it raises is a defect, which ends it and nothing else."""
    thread: Thread | None = None
    """Of its newest turn."""
    gone: bool = False

    @property
    def is_under_way(self) -> bool:
        """Whether its newest turn has not ended."""
        return self.thread is not None and self.thread.is_alive()


@dataclass(slots=True, order=True)
class _Due:
    at: float
    number: int
    work: Work = field(compare=False)
    is_extra: bool = field(default=False, compare=False)
    """Whether it comes beside the turns that the interval gives."""


class Schedule:
    """Does works when they are due, until it is stopped."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, workers: int = WORKERS) -> None:
        self._clock = clock
        self._turns = BoundedSemaphore(workers)
        self._changed = Condition()
        self._due: list[_Due] = []
        self._works: dict[str, Work] = {}
        self._numbers = count()
        self._over = False
        self._thread: Thread | None = None

    @property
    def works(self) -> list[Work]:
        """All works."""
        with self._changed:
            return list(self._works.values())

    def add(self, work: Work, *, first_within: float = FIRST_WITHIN) -> None:
        """Do it from now on, in place of one of the same name."""
        with self._changed:
            if former := self._works.get(work.name):
                former.gone = True
            self._works[work.name] = work
            first = self._clock() + random.uniform(0, min(first_within, work.interval))  # noqa: S311
            heapq.heappush(self._due, _Due(first, next(self._numbers), work))
            self._changed.notify()

    def hasten(self, name: str, after: float = 0.0) -> None:
        """Do it once more right now, or after some seconds, beside its usual turns."""
        with self._changed:
            if work := self._works.get(name):
                heapq.heappush(self._due, _Due(self._clock() + after, next(self._numbers), work, is_extra=True))
                self._changed.notify()

    def remove(self, name: str) -> None:
        """Do it no more; a turn that is under way ends by itself."""
        with self._changed:
            if former := self._works.pop(name, None):
                former.gone = True

    def start(self) -> None:
        """Begin."""
        self._thread = Thread(target=self._dispatch, name="schedule", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more. Turns that are under way end by themselves."""
        with self._changed:
            self._over = True
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def _dispatch(self) -> None:
        while (work := self._next()) is not None:
            if work.is_under_way:
                log.debug("%s has not ended, so it is not begun again", work.name)
                continue
            thread = Thread(target=self._take_turn, args=(work,), name=work.name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # This machine has no thread left for us; the next turn may have one.
                log.error("%s cannot be done: %s", work.name, error)  # noqa: TRY400  (a sentence, no traceback)
            else:
                work.thread = thread

    def _next(self) -> Work | None:
        """Wait for the next work that is due, and note when it is due again; None when all is over."""
        with self._changed:
            while not self._over:
                while self._due and self._due[0].work.gone:
                    heapq.heappop(self._due)
                now = self._clock()
                if self._due and self._due[0].at <= now:
                    if self._due[0].is_extra:
                        return heapq.heappop(self._due).work
                    work = self._due[0].work
                    again = now + work.interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
                    heapq.heapreplace(self._due, _Due(again, next(self._numbers), work))
                    return work
                self._changed.wait(self._due[0].at - now if self._due else None)
        return None

    def _take_turn(self, work: Work) -> None:
        has_turn = self._turns.acquire(timeout=TURN_SECONDS)
        try:
            work.do()
        except Exception:  # the front door of this thread
            log.exception("a defect of this program in %s", work.name)
        finally:
            if has_turn:
                self._turns.release()
