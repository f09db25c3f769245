"""What the exporter keeps over its own end: its alerts, and who was told of what. One small file, whole or not at all.

Where the home folder cannot be written, as in a container that only reads it, it is kept in memory alone: said once in
the log. A file that cannot be read is put aside, and what it held is begun anew.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from threading import Lock
from typing import TYPE_CHECKING

from pydantic import ConfigDict, Field, ValidationError

from sutazai_ops.disk import write_whole
from sutazai_ops.errors import OpsError
from sutazai_ops.model import Model
from sutazai_ops.monitoring.evaluation import Alert, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sutazai_ops.monitoring.thresholds import Rulebook

FILE = "alerts.json"

log = logging.getLogger(__name__)


class KeptAlert(Model):
    """As `evaluation.Alert`. A value may be infinite, which JSON knows no number for."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    threshold: str
    labels: Mapping[str, str]
    state: State
    value: float
    active_since: float
    fired_at: float | None = None
    whole_since: float | None = None
    resolved_at: float | None = None


class Told(Model):
    """What somebody was told last of one alert, so that its end can be told even when it is no longer there."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    ended: bool
    at: float
    """Seconds since 1970."""
    threshold: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    begun_at: float
    value: float


class Kept(Model):
    """The file."""

    alerts: tuple[KeptAlert, ...] = ()
    told: Mapping[str, Mapping[str, Told]] = Field(default_factory=dict)
    """By who is told, by the alert."""


class KeptAlerts:
    """The file below the home folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock = Lock()
        self._kept = self._read()
        self._is_refused = False

    def alerts(self, rulebook: Rulebook) -> list[Alert]:
        """The alerts of thresholds that there still are."""
        return [Alert(**one.model_dump()) for one in self._kept.alerts if one.threshold in rulebook.thresholds]

    def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keep these; written only where something has begun or ended."""
        with self._lock:
            fresh = tuple(KeptAlert(**asdict(alert)) for alert in alerts)
            changed = [_moments(one) for one in fresh] != [_moments(one) for one in self._kept.alerts]
            self._kept = self._kept.model_copy(update={"alerts": fresh})
            if changed:
                self._write()

    def told(self, who: str) -> Mapping[str, Told]:
        """What somebody was told, by the alert."""
        return self._kept.told.get(who, {})

    def keep_told(self, who: str, told: Mapping[str, Told]) -> None:
        """Keep what somebody was told."""
        with self._lock:
            if told != self._kept.told.get(who, {}):
                self._kept = self._kept.model_copy(update={"told": {**self._kept.told, who: dict(told)}})
                self._write()

    def _read(self) -> Kept:
        try:
            return Kept.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return Kept()
        except (OSError, ValidationError) as error:
            log.warning("%s cannot be read, so its alerts begin anew: %s", self._file, str(error).splitlines()[0])
            return Kept()

    def _write(self) -> None:
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._file, self._kept.model_dump_json(indent=1).encode())
        except (OpsError, OSError) as error:
            if not self._is_refused:
                log.warning("alerts are kept in memory alone: %s: %s", self._file, error)
            self._is_refused = True
        else:
            self._is_refused = False


def _moments(alert: KeptAlert) -> object:
    return alert.model_copy(update={"value": 0.0})
