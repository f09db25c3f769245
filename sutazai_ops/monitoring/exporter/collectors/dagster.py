"""Dagster's life, seen from outside: whether its daemons breathe, its schedules tick, and its runs begin.

Read from the storage that Dagster itself writes, without loading Dagster, which takes more memory than all else
here; a test holds the questions against a real instance of the pinned version. The storage is SQLite's below
DAGSTER_HOME unless `dagster.yaml` there names a PostgreSQL database.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import yaml
from cronsim import CronSim, CronSimError
from pydantic import SecretStr

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.exporter.measured import Measured, Round
from sutazai_ops.reading import PostgresPlace, content, moment, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sutazai_ops.reading import Ask
    from sutazai_ops.settings import Settings

HEARTBEATS = "SELECT daemon_type, daemon_id, timestamp FROM daemon_heartbeats"
SCHEDULES = """
    SELECT i.selector_id, i.instigator_body, i.create_timestamp,
           (SELECT max(t.timestamp) FROM job_ticks t WHERE t.selector_id = i.selector_id)
      FROM instigators i
     WHERE i.instigator_type = 'SCHEDULE' AND i.status IN ('RUNNING', 'DECLARED_IN_CODE', 'AUTOMATICALLY_RUNNING')
"""
RUNS_THAT_WAIT = """
    SELECT count(*) FROM runs
     WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING') AND update_timestamp < '{before}'
"""
STUCK_AFTER_SECONDS = 900


class DagsterCollector:
    """A collector: Dagster's daemons, schedules and runs."""

    name = "dagster"

    def __init__(
        self, settings: Settings, *, interval: float, seconds: float = 15, now: Callable[[], float] = time.time
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._home, self._zone, self._now = settings.dagster_home, ZoneInfo(settings.timezone), now

    def collect(self) -> Round:
        """Read all of it.

        Raises:
            OpsError: when the storage cannot be read.
        """
        place = storage(self._home)
        with _opened(place, self._home / "history/runs.db") as ask:
            measured = [*self._heartbeats(ask), self._runs(ask)]
        with _opened(place, self._home / "schedules/schedules.db") as ask:
            measured += self._schedules(ask)
        return Round(tuple(measured))

    def _heartbeats(self, ask: Ask) -> Iterator[Measured]:
        rows = [(kind, process, moment(at)) for kind, process, at in ask(HEARTBEATS)]
        # One process writes all of its daemons' lines. What an earlier one wrote and the newest does not, is of a kind
        # that no longer runs; one that hangs is of the newest process still.
        newest = max(rows, key=lambda row: row[2], default=None)
        for kind, process, at in rows:
            if newest and process == newest[1]:
                yield Measured("sutazai_dagster_daemon_heartbeat_age_seconds", self._since(at), {"daemon": kind})

    def _runs(self, ask: Ask) -> Measured:
        before = datetime.fromtimestamp(self._now() - STUCK_AFTER_SECONDS, UTC)
        [[count]] = ask(RUNS_THAT_WAIT.format(before=f"{before:%Y-%m-%d %H:%M:%S}"))
        return Measured("sutazai_dagster_runs_stuck", float(count))

    def _schedules(self, ask: Ask) -> Iterator[Measured]:
        for _, body, made_at, ticked_at in ask(SCHEDULES):
            state = content(body)
            labels = {"schedule": str(state["origin"]["job_name"])}
            last = moment(ticked_at) if ticked_at else None
            if last is not None:
                yield Measured("sutazai_dagster_schedule_tick_age_seconds", self._since(last), labels)
            begun = (state.get("job_specific_data") or {}).get("start_timestamp")
            since = datetime.fromtimestamp(begun, UTC) if begun else moment(made_at)
            late = self._late(_crons(state), max(since, last) if last else since)
            if late is not None:
                yield Measured("sutazai_dagster_schedule_late_seconds", late, labels)

    def _late(self, crons: list[str], done: datetime) -> float | None:
        """For how long a tick is due; 0 where none is, None where its cron cannot be read."""
        now = datetime.fromtimestamp(self._now(), self._zone)
        try:
            due = [next(CronSim(cron, now, reverse=True)) for cron in crons]
        except (CronSimError, StopIteration):
            return None
        return max((self._since(one) for one in due if one > done), default=0.0)

    def _since(self, then: datetime) -> float:
        return max(0.0, self._now() - then.timestamp())


def is_there(settings: Settings) -> bool:
    """Whether Dagster lives at the home of these settings."""
    return (settings.dagster_home / "dagster.yaml").exists()


def storage(home: Path) -> PostgresPlace | None:
    """The PostgreSQL database that `dagster.yaml` names; None where Dagster keeps its own files.

    Raises:
        BadInput: for a file that cannot be read, or a variable that it names and that is not set.
    """
    file = home / "dagster.yaml"
    try:
        configured = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("storage") or {}
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise BadInput(f"cannot read Dagster's configuration: {error}", where=str(file)) from None
    if "postgres" not in configured:
        return None
    options = configured["postgres"]
    if url := options.get("postgres_url"):
        text = _value(url, file)
        parts = urlsplit(text)
        return PostgresPlace(text, f"{parts.hostname}:{parts.port or 5432}{parts.path}")
    fields = {
        name: _value(value, file) for name, value in (options.get("postgres_db") or {}).items() if name != "params"
    }
    place = f"{fields.get('hostname', '')}:{fields.get('port', 5432)}/{quote(fields.get('db_name', ''), safe='')}"
    password = SecretStr(fields["password"]) if fields.get("password") else None
    return PostgresPlace(f"postgresql://{quote(fields.get('username', ''), safe='')}@{place}", place, password)


def _value(written: Any, file: Path) -> str:  # noqa: ANN401
    """A value of `dagster.yaml`, which may name a variable in its place."""
    if not isinstance(written, dict):
        return str(written)
    name = str(written.get("env"))
    if name not in os.environ:
        raise BadInput(f"Dagster's configuration names the variable {name}, which is not set here", where=str(file))
    return os.environ[name]


def _opened(place: PostgresPlace | None, file: Path) -> AbstractContextManager[Ask]:
    return reading(place or file)


def _crons(state: Mapping[str, Any]) -> list[str]:
    cron = (state.get("job_specific_data") or {}).get("cron_schedule") or []
    return [cron] if isinstance(cron, str) else list(cron)
