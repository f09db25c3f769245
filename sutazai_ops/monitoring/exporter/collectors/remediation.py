"""Whether whoever repairs lives, seen from outside: how long ago it looked last.

Whatever watches the incidents (`remediation watch`, or the sensor in Dagster) touches a file of the home folder in each
round. One that is ended in order takes the file away, so that a file that grows old is of one that died or hangs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter.collectors.ledger import asking
from sutazai_ops.monitoring.exporter.measured import Measured, Round

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sutazai_ops.settings import Settings

MODE = "SELECT mode FROM remediation_modes ORDER BY id DESC LIMIT 1"


class RemediationCollector:
    """A collector: how long ago the incidents were looked at last."""

    name = "remediation"

    def __init__(
        self, settings: Settings, *, interval: float, seconds: float = 15, now: Callable[[], float] = time.time
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._settings, self._now = settings, now

    def collect(self) -> Round:
        """Measure it. Where nobody repairs, or the mode is `off`, there is nothing to tell.

        Whoever cannot ask the ledger decides nothing, so that it is measured where the mode is not known, too.

        Raises:
            OpsError: when the file cannot be looked at.
        """
        file = round_file(self._settings)
        try:
            looked_at = file.stat().st_mtime
        except FileNotFoundError:
            return Round(())
        except OSError as error:
            raise OpsError(
                f"it cannot be seen when the incidents were looked at: {error.strerror}", where=str(file)
            ) from None
        said: Sequence[Sequence[Any]] = []
        missing: tuple[str, ...] = ()
        try:
            with asking(self._settings) as ask:
                said = ask(MODE) if ask else []
        except OpsError as error:
            missing = (f"the mode of the remediation is not known: {error.what}",)
        if [row[0] for row in said] == ["off"]:
            return Round(())
        return Round((Measured("sutazai_remediation_age_seconds", max(0.0, self._now() - looked_at)),), missing)


def round_file(settings: Settings) -> Path:
    """What is touched in each round."""
    return settings.home / "remediation" / "last-round"
