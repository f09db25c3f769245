"""The files that say what is watched: the platform's, the settings', and those of signals and thresholds.

The windows of maintenance are not among them: they are followed without beginning anew.

An exporter lives for months, and a file that was changed meanwhile has to count. Once one is another than it was when
the exporter began, and all of them can be read, it begins anew.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.settings import CONFIG_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sutazai_ops.settings import Settings

log = logging.getLogger(__name__)


class Sources:
    """What they were when this was made."""

    def __init__(self, settings: Settings, read: Callable[[], object], also: Iterable[Path | None] = ()) -> None:
        """Look at the files.

        Args:
            settings: which name them.
            read: reads all of them again; raises `OpsError` where one is wrong.
            also: further files.
        """
        self._settings, self._read, self._also = settings, read, tuple(also)
        self._began = self._refused = self._stamps()

    def are_newer(self) -> bool:
        """Whether one has changed, and all can be read; one that cannot is told in the log once."""
        now = self._stamps()
        if now in {self._began, self._refused}:
            return False
        try:
            self._read()
        except OpsError as error:
            log.warning("a file that was changed cannot be read, so what was goes on: %s", error.what)
            self._refused = now
            return False
        return True

    def _stamps(self) -> frozenset[tuple[str, int, int]]:
        return frozenset(self._stamped())

    def _stamped(self) -> Iterator[tuple[str, int, int]]:
        monitoring = self._settings.monitoring
        named = [monitoring.signals, monitoring.thresholds]
        settings = Path(os.environ.get(CONFIG_VARIABLE) or "sutazai.toml")
        for path in (*self._settings.platform.glob("*.y*ml"), *named, settings, *self._also):
            if path is not None and path.is_file():
                facts = path.stat()
                yield str(path), facts.st_mtime_ns, facts.st_size
