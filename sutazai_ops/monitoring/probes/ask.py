"""Asks a service in its own protocol. Each function ends quietly when the answer is right.

Raises `WrongAnswer` for an answer that is wrong, and an `OpsError` where there is none.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from sutazai_ops import http
from sutazai_ops.engines import Starting
from sutazai_ops.errors import Unreachable
from sutazai_ops.monitoring.probes.judge import expected_of, judge, judge_targets
from sutazai_ops.monitoring.probes.outcome import WrongAnswer
from sutazai_ops.platform.model import PROBE_PORTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.engines import Endpoint, Engine
    from sutazai_ops.platform import Probe, Service


def ask(service: Service, probe: Probe, engine: Engine) -> Mapping[str, str]:
    """Put the probe's question; what the answer said beside being right."""
    if probe.kind == "postgres":
        return _postgres(service, engine)
    if probe.kind == "redis":
        return _redis(service, engine)
    endpoint = engine.endpoint(probe.through or service.name, probe.port or PROBE_PORTS.get(probe.kind))
    if probe.kind == "tcp":
        return _tcp(endpoint, probe.timeout_seconds)
    if probe.kind == "prometheus" and probe.target:
        answer = http.get(f"http://{endpoint}/api/v1/targets?state=active", seconds=probe.timeout_seconds)
        judge_targets(answer.text, probe.target)
        return {}
    expected = expected_of(probe)
    answer = http.get(f"http://{endpoint}{expected.path}", seconds=probe.timeout_seconds)
    judge(expected, answer.status, answer.text)
    return {"version": answer.headers["x-version"]} if "x-version" in answer.headers else {}


def _tcp(endpoint: Endpoint, seconds: float) -> Mapping[str, str]:
    try:
        socket.create_connection((endpoint.host, endpoint.port), timeout=seconds).close()
    except OSError as error:
        raise Unreachable(f"{endpoint} does not answer: {error.strerror or error}") from None
    return {}


def _postgres(service: Service, engine: Engine) -> Mapping[str, str]:
    from sutazai_ops.engines import postgres

    server = engine.server(service.name)
    with postgres.connect(server, autocommit=True) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('transaction_read_only')"
        ).fetchone()
    if row is None:
        raise WrongAnswer("a SELECT brought no row")
    return {"version": str(row[0]), "role": "replica" if row[1] else "primary", "read_only": str(row[2])}


def _redis(service: Service, engine: Engine) -> Mapping[str, str]:
    from sutazai_ops.engines import redis

    try:
        redis.connect(engine.server(service.name)).close()
    except Starting as error:
        raise WrongAnswer(f"it is LOADING: {error.what}") from None
    return {}
