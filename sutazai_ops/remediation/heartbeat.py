"""Says that whoever watches the incidents lives, where the exporter sees it; see its collector `remediation`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.disk import writing
from sutazai_ops.monitoring.exporter.collectors.remediation import round_file

if TYPE_CHECKING:
    from sutazai_ops.settings import Settings


def beat(settings: Settings) -> None:
    """Say that a round has ended; raises `OpsError` where the home folder cannot be written."""
    file = round_file(settings)
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def leave(settings: Settings) -> None:
    """Say that nobody watches any more, and that this is meant."""
    round_file(settings).unlink(missing_ok=True)
