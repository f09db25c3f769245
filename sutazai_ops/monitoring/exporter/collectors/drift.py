"""Which release each phase runs, and what had drifted when that was last looked for: as the ledger has it.

Read by questions of its own, since the ledger's own reader is too large for a process that lives for months; a test
holds them against the ledger.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.exporter.measured import Measured, Round
from sutazai_ops.reading import PostgresPlace, content, moment, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sutazai_ops.platform import Service
    from sutazai_ops.reading import Ask
    from sutazai_ops.settings import Settings

RELEASES = """
    SELECT phase, release FROM deployments
     WHERE id IN (SELECT max(id) FROM deployments WHERE outcome = 'good' GROUP BY phase)
"""
DRIFT = "SELECT at, drifts FROM drifts ORDER BY at DESC, id DESC LIMIT 1"


class DriftCollector:
    """A collector: releases and drift."""

    name = "drift"

    def __init__(
        self,
        settings: Settings,
        services: Callable[[], Sequence[Service]],
        *,
        interval: float,
        seconds: float = 15,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._settings, self._services, self._now = settings, services, now

    def collect(self) -> Round:
        """Read it. Before the first deployment there is nothing to tell.

        Raises:
            OpsError: when the ledger cannot be read.
        """
        place = ledger_place(self._settings)
        if isinstance(place, Path) and not place.exists():
            return Round()
        with reading(place) as ask:
            return Round(tuple(self._measure(ask)))

    def _measure(self, ask: Ask) -> Iterator[Measured]:
        for phase, release in ask(RELEASES):
            yield Measured("sutazai_release_number", float(release), {"phase": phase})
        for at, drifts in ask(DRIFT):
            found = Counter(str(drift["service"]) for drift in content(drifts))
            for service in sorted({one.name for one in self._services()} | found.keys()):
                yield Measured("sutazai_drift_findings", float(found[service]), {"service": service})
            yield Measured("sutazai_drift_age_seconds", max(0.0, self._now() - moment(at).timestamp()))


def ledger_place(settings: Settings) -> Path | PostgresPlace:
    """Where the ledger is; raises `BadInput` for a password file that cannot be read."""
    if settings.ledger is None:
        return settings.home / "ledger.db"
    parts = urlsplit(settings.ledger)
    if parts.scheme.startswith("sqlite"):
        return Path(unquote(parts.path).removeprefix("/"))
    shown = f"{parts.hostname}:{parts.port or 5432}{parts.path}"
    url = parts._replace(scheme="postgresql").geturl()
    file = settings.ledger_password_file
    if file is None:
        return PostgresPlace(url, shown)
    try:
        return PostgresPlace(url, shown, SecretStr(file.read_text(encoding="utf-8").rstrip("\n")))
    except (OSError, UnicodeDecodeError):
        raise BadInput("the ledger's password file cannot be read", where=str(file)) from None
