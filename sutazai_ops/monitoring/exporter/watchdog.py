"""Calls an address outside while all is watched: silence there is an alarm, as a dead monitor tells nobody itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sutazai_ops import http
from sutazai_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY_SECONDS = 60.0
ANSWER_SECONDS = 10.0

log = logging.getLogger(__name__)


class Watchdog:
    """The address in a file, which is a secret."""

    def __init__(self, file: Path, is_watching: Callable[[], bool]) -> None:
        self._file, self._is_watching = file, is_watching
        self._is_heard = True

    def call(self) -> None:
        """Call it, unless nothing is watched at the moment: then the silence is the message."""
        if not self._is_watching():
            self._told("nothing is watched, so it is not called")
            return
        try:
            answer = http.get(self._file.read_text(encoding="utf-8").strip(), seconds=ANSWER_SECONDS)
        except OpsError as error:
            self._told(error.what)
        except OSError as error:
            self._told(f"the file of its address cannot be read: {error.strerror}")
        else:
            self._told("" if answer.status < http.BAD_REQUEST else f"it answers {answer.status}")

    def _told(self, problem: str) -> None:
        if problem and self._is_heard:
            log.warning("the watchdog's address outside: %s", problem)
        elif not problem and not self._is_heard:
            log.info("the watchdog's address outside hears us again")
        self._is_heard = not problem
