"""Probes of the kind `postgres`: whether the server logs us in and answers a query."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sutazai_ops.engines.postgres import connect, explain
from sutazai_ops.monitoring.probes.login import server_of
from sutazai_ops.monitoring.probes.outcome import right, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from sutazai_ops.engines import Engine, Server
    from sutazai_ops.monitoring.probes.outcome import Judgement
    from sutazai_ops.platform import Probe, Service

QUESTION = "SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('transaction_read_only')"


def postgres_question(service: Service, probe: Probe, engine: Engine) -> Callable[[], Judgement]:
    """Whom to ask; raises `OpsError` where the service does not run or its password is missing."""
    import psycopg  # noqa: F401  (so that loading it is not measured)

    server = server_of(service, probe, engine)
    return lambda: _ask(server, probe.timeout_seconds)


def _ask(server: Server, seconds: float) -> Judgement:
    import psycopg

    milliseconds = math.ceil(seconds * 1000)
    try:
        with connect(
            server,
            connect_timeout=math.ceil(seconds),
            tcp_user_timeout=milliseconds,
            options=f"-c statement_timeout={milliseconds}",
            autocommit=True,
        ) as connection:
            row = connection.execute(QUESTION).fetchone()
    except psycopg.Error as error:
        problem = explain(server, str(error), error.sqlstate)
        return wrong(problem.what if problem else f"it does not answer SELECT: {str(error).strip().splitlines()[0]}")
    if row is None:
        return wrong("it answers SELECT without a row")
    version, replica, read_only = row
    role = "replica" if replica else "primary"
    return right(f"it answers SELECT as a {role}", version=version.split()[0], role=role, read_only=read_only)
