"""Keeping a promise of time over code that cannot be interrupted, such as a name look-up or a driver's read.

What takes too long is left behind in a thread of its own, which ends with this process at the latest. Every caller has
time-outs of its own as well, so that such a thread ends soon: this is the last resort, not the first.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class TookTooLong(Exception):
    """The time was over before the work was."""


class Patience:
    """Keeps such promises for work that is done again and again, and never begins it beside a former one that hangs.

    So of each work at most one thread is left behind, however often it is tried.
    """

    def __init__(self) -> None:
        self._left_behind: threading.Thread | None = None

    @property
    def is_tried(self) -> bool:
        """Whether the work of last time goes on still, so that it cannot be done now."""
        return self._left_behind is not None and self._left_behind.is_alive()

    def within(self, seconds: float, work: Callable[[], Result]) -> Result:
        """Do `work` and return what it returns, or raise what it raises.

        Raises:
            TookTooLong: when it has not ended after `seconds`, and goes on unseen; or when it goes on since last time.
        """
        if self.is_tried:
            raise TookTooLong
        ends: SimpleQueue[tuple[Result | None, BaseException | None]] = SimpleQueue()

        def do() -> None:
            try:
                ends.put((work(), None))
            except BaseException as error:  # noqa: BLE001  (raised again by whoever waits)
                ends.put((None, error))

        self._left_behind = threading.Thread(target=do, daemon=True, name="probe")
        self._left_behind.start()
        try:
            result, error = ends.get(timeout=seconds)
        except Empty:
            raise TookTooLong from None
        self._left_behind = None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]
