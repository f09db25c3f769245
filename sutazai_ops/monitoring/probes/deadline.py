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


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """Do `work` and return what it returns, or raise what it raises.

    Raises:
        TookTooLong: when it has not ended after `seconds`; it may go on unseen.
    """
    ends: SimpleQueue[tuple[Result | None, BaseException | None]] = SimpleQueue()

    def do() -> None:
        try:
            ends.put((work(), None))
        except BaseException as error:  # noqa: BLE001  (raised again by whoever waits)
            ends.put((None, error))

    threading.Thread(target=do, daemon=True, name="probe").start()
    try:
        result, error = ends.get(timeout=seconds)
    except Empty:
        raise TookTooLong from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
