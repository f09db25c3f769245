"""Waits for containers that were just started until each is well, and says why one is not.

A container that has ended, fails its health check or restarts is given up at once: waiting longer would only hide its
last words.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sutazai_ops.engines.compose.observe import Readiness, readiness, seconds_to_be_healthy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sutazai_ops.engines.compose.observe import Inspected

PAUSE_SECONDS = 0.25
LEAST_SECONDS = 30.0
"""What a container gets whose health check gives it less: an image may be unpacked on a busy disk first."""


def wait_until_well(
    look: Callable[[], Mapping[str, Sequence[Inspected]]],
    services: Collection[str],
    one_shots: Collection[str],
    *,
    at_most: float,
    worker: Callable[[], int | None] = lambda: 0,
    well: Callable[[str], None] = lambda _: None,
    old: Collection[str] = (),
) -> dict[str, str]:
    """Look again and again until every service is well, one is broken, or the time is over.

    Args:
        look: the containers that count, by service.
        services: which to wait for.
        one_shots: those of them that are done once they have ended well.
        at_most: seconds that a service may take, even where its own health check would wait longer.
        worker: the exit code of whoever brings them up; None while it is at work, so that what is missing may yet come.
        well: told of each service that is well; more than once perhaps.
        old: the ids of containers that the worker may yet replace, so that they do not count while it is at work.

    Returns:
        Why, for each service that is not well; empty when all are, and when the worker has failed.
    """
    started = time.monotonic()
    while True:
        now = look()
        states = {name: _of(now.get(name, ()), name in one_shots) for name in services}
        broken = {name: why for name, (state, why) in states.items() if state is Readiness.BROKEN}
        waiting = [name for name, (state, _) in states.items() if state is Readiness.NOT_YET]
        code = worker()
        for name, (state, _) in states.items():
            if state is Readiness.READY and (code is not None or not any(one["Id"] in old for one in now[name])):
                well(name)
        if code is not None and (broken or not waiting or code):
            return broken
        patience = {name: min(at_most, _patience(now.get(name, ()))) for name in waiting}
        late = [name for name in waiting if time.monotonic() - started > patience[name]]
        if late and code is not None:
            return {name: f"it was not healthy after {patience[name]:.0f} s" for name in late}
        time.sleep(PAUSE_SECONDS)


def _of(containers: Sequence[Inspected], one_shot: bool) -> tuple[Readiness, str]:  # noqa: FBT001
    found = [readiness(container, one_shot=one_shot) for container in containers]
    for wanted in (Readiness.BROKEN, Readiness.NOT_YET):
        if first := next((one for one in found if one[0] is wanted), None):
            return first
    return found[0] if found else (Readiness.NOT_YET, "")


def _patience(containers: Sequence[Inspected]) -> float:
    return max([LEAST_SECONDS, *(seconds_to_be_healthy(container) for container in containers)])
