"""Probes of the kind `redis`, for Valkey too: whether the server lets us in and answers PING."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.engines import Starting
from sutazai_ops.engines.redis import connect
from sutazai_ops.monitoring.probes.login import server_of
from sutazai_ops.monitoring.probes.outcome import right, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from sutazai_ops.engines import Engine, Server
    from sutazai_ops.monitoring.probes.outcome import Judgement
    from sutazai_ops.platform import Probe, Service


def redis_question(service: Service, probe: Probe, engine: Engine) -> Callable[[], Judgement]:
    """Whom to ask; raises `OpsError` where the service does not run or its password is missing."""
    import redis  # noqa: F401  (so that loading it is not measured)

    server = server_of(service, probe, engine)
    return lambda: _ask(server, probe.timeout_seconds)


def _ask(server: Server, seconds: float) -> Judgement:
    import redis.exceptions as failures

    try:
        # Connecting asks PING, so whoever is connected was answered.
        connect(server, within=seconds, answer_within=seconds).close()
    except Starting as error:
        return wrong(f"it answers LOADING: {error.what}")
    except failures.ResponseError as error:
        # Such as MISCONF: it could not write its last snapshot, and refuses writes and PING alike.
        return wrong(f"it answers PING with an error: {str(error).partition('. ')[0]}")
    except failures.RedisError:
        return wrong(f"{server.endpoint} does not answer as Redis does")
    return right("it answers PING")
