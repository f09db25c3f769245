"""What every `defs.py` shares: the way to the installation, to progress, and from our errors to Dagster's.

Whether to try again is a property of the error, not of the step: a connection that dropped is worth one more attempt; a
wrong password, a full disk or a damaged archive is not, and a retry would only bury the first, useful message.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from sutazai_ops import human
from sutazai_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sutazai_ops.installation import Installation
    from sutazai_ops.settings import Settings

ONE_MORE_ATTEMPT = dg.RetryPolicy(max_retries=1, delay=10)
"""For steps that talk to servers: one more attempt after ten seconds, for errors that allow it."""


class Operations(dg.ConfigurableResource[None]):
    """The installation that the environment and sutazai.toml describe; opened when a step runs, never at load."""

    def open(self) -> Installation:
        """Open it; raises `OpsError` for a setting or a platform file that is wrong."""
        from sutazai_ops.installation import open_installation

        return open_installation()


def production_schedule(
    job: str,
    cron: str,
    settings: Settings,
    when: str,
    asks: Callable[[dg.ScheduleEvaluationContext], dg.RunRequest] | None = None,
) -> dg.ScheduleDefinition:
    """A schedule called as its job, which runs by itself in production alone.

    Args:
        job: the job's name.
        cron: in the settings' time zone.
        settings: the environment and the time zone.
        when: for people, such as "every hour".
        asks: what to run at a tick, where that depends on it; else the job as it is.
    """
    in_production = settings.runs_by_itself
    status = dg.DefaultScheduleStatus.RUNNING if in_production else dg.DefaultScheduleStatus.STOPPED
    description = f"{when[0].upper()}{when[1:]}; on by itself only where SUTAZAI_ENVIRONMENT is production."
    if asks is not None:
        return dg.schedule(
            cron,
            name=job,
            job_name=job,
            execution_timezone=settings.timezone,
            default_status=status,
            description=description,
        )(asks)
    return dg.ScheduleDefinition(
        name=job,
        job_name=job,
        cron_schedule=cron,
        execution_timezone=settings.timezone,
        default_status=status,
        description=description,
    )


class PermanentFailure(dg.Failure):
    """A failure that no retry can mend."""

    def __init__(self, description: str, metadata: dict[str, str] | None = None) -> None:
        super().__init__(description=description, metadata=metadata, allow_retries=False)


@contextmanager
def telling_dagster() -> Iterator[None]:
    """Turn an `OpsError` into a failure whose first line says what happened and what to do.

    Raises:
        dagster.Failure: when trying again may help.
        PermanentFailure: when it cannot.
    """
    try:
        yield
    except OpsError as error:
        description = " — ".join(part for part in (error.what, error.remedy) if part)
        metadata = {"where": error.where} if error.where else {}
        if error.retryable:
            raise dg.Failure(description, metadata=metadata) from error
        raise PermanentFailure(description, metadata) from error


class LoggedProgress:
    """Tells a run's log of each step, once when it starts and once when it ends."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log = log

    @contextmanager
    def step(self, what: str, expected: int | None = None) -> Iterator[Callable[[int], None]]:
        """Log a step."""
        self._log.info(f"{what}{f', about {human.size(expected)}' if expected else ''}")
        started = time.monotonic()
        passed = 0

        def advance(more: int) -> None:
            nonlocal passed
            passed += more

        yield advance
        amount = f"{human.size(passed)} in " if passed else ""
        self._log.info(f"{what}: done, {amount}{time.monotonic() - started:.1f} s")
