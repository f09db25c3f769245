"""Which module asks for which kind of probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.probes.bolt import neo4j_question
from sutazai_ops.monitoring.probes.http import PRODUCTS, http_question
from sutazai_ops.monitoring.probes.postgres import postgres_question
from sutazai_ops.monitoring.probes.prometheus import prometheus_question
from sutazai_ops.monitoring.probes.redis import redis_question
from sutazai_ops.monitoring.probes.tcp import tcp_question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sutazai_ops.engines import Engine
    from sutazai_ops.monitoring.probes.outcome import Judgement
    from sutazai_ops.platform import Probe, Service

    Ask = Callable[[], Judgement]
    """Asks once and judges; may raise `OpsError` where the service gave no answer."""

QUESTIONS: Mapping[str, Callable[[Service, Probe, Engine], Ask]] = {
    **dict.fromkeys(PRODUCTS, http_question),
    "neo4j": neo4j_question,
    "prometheus": prometheus_question,
    "tcp": tcp_question,
    "postgres": postgres_question,
    "redis": redis_question,
}


def question(service: Service, probe: Probe, engine: Engine) -> Ask:
    """Find out where and as whom to ask, without asking yet; raises `OpsError` where that cannot be found out.

    What asking needs is loaded here too: a driver takes a second on a busy machine, and that is not the service's.
    """
    return QUESTIONS[probe.kind](service, probe, engine)
