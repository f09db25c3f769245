"""Tests that wait side by side: what they break is nobody else's, and waiting is most of what they do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

import pytest

from .platform import Watched

Test = Callable[[Watched], None]


class Together:
    """Tests of one platform that do not disturb one another.

    The first of them that is run begins them all, but for those that nobody selected; each ends once all have, and
    fails for what it found itself. They forget nothing that has arrived, but look at what arrives from when they begin.
    """

    def __init__(self) -> None:
        self._tests: dict[str, Test] = {}
        self._ended: dict[str, Future[None]] = {}

    def __call__(self, test: Test) -> Callable[[Watched, pytest.FixtureRequest], None]:
        """Make one of them of this test."""
        self._tests[test.__name__] = test

        def waiting(watched: Watched, request: pytest.FixtureRequest) -> None:
            if not self._ended:
                self._begin(watched, {item.name for item in request.session.items})
            wait(self._ended.values())
            self._ended[test.__name__].result()

        waiting.__name__, waiting.__module__, waiting.__doc__ = test.__name__, test.__module__, test.__doc__
        return waiting

    def _begin(self, watched: Watched, selected: set[str]) -> None:
        self._ended = {name: Future() for name in self._tests if name in selected}
        for name, ended in self._ended.items():
            threading.Thread(target=_run, args=(self._tests[name], watched, ended), name=name, daemon=True).start()


def _run(test: Test, watched: Watched, ended: Future[None]) -> None:
    try:
        test(watched)
    except BaseException as error:  # noqa: BLE001  (whatever it is belongs to the test, which raises it)
        ended.set_exception(error)
    else:
        ended.set_result(None)
