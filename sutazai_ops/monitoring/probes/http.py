"""Probes that ask one HTTP question: `http`, and the products whose way of telling readiness is known.

The products differ in data alone: what to ask for, and what a right answer has. Where a probe states more, that is
asked for as well.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from sutazai_ops.monitoring.probes.answers import Expectation, judge
from sutazai_ops.monitoring.probes.outcome import ProbeState, wrong
from sutazai_ops.platform.model import PROBE_PORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sutazai_ops.engines import Endpoint, Engine
    from sutazai_ops.monitoring.probes.answers import Scalar
    from sutazai_ops.monitoring.probes.outcome import Judgement
    from sutazai_ops.platform import Probe, Service

REDIRECTED = range(300, 400)
SHORTEST = 0.001
"""Seconds for a question for which there is no time left: it is told to be late like any other."""


@dataclass(frozen=True, slots=True)
class Product:
    """How a product tells that it is ready."""

    path: str
    contains: tuple[str, ...] = ()
    values: Mapping[str, Scalar] = field(default_factory=dict)
    present: tuple[str, ...] = ()
    further: Product | None = None
    """Asked as well once this was right, unless the probe names a path of its own."""


PRODUCTS = {
    "http": Product("/"),
    # The version is told even where the folder of the models cannot be read.
    "ollama": Product("/api/version", present=("version",), further=Product("/api/tags", contains=('"models"',))),
    "chroma": Product("/api/v2/heartbeat", contains=("nanosecond heartbeat",)),
    "qdrant": Product("/readyz"),
    "neo4j": Product("/", present=("neo4j_version",)),
    "n8n": Product("/healthz/readiness"),
    "flowise": Product("/api/v1/ping", contains=("pong",)),
    # /health answers before the application is up.
    "langflow": Product("/health_check", values={"status": "ok"}),
    "dify": Product("/health", values={"status": "ok"}),
    "prometheus": Product("/-/ready"),
    "loki": Product("/ready"),
}


def http_question(service: Service, probe: Probe, engine: Engine) -> Callable[[], Judgement]:
    """What to ask for and of whom; raises `OpsError` where the engine cannot say where that is."""
    from sutazai_ops import http

    address = url(service, probe, engine, probe.path or PRODUCTS[probe.kind].path)
    wanted = expectation(probe)
    further = None if probe.path else PRODUCTS[probe.kind].further

    def ask() -> Judgement:
        end = time.monotonic() + probe.timeout_seconds
        # Where a redirect is the right answer, it is not followed.
        redirects = 0 if wanted.status in REDIRECTED else http.REDIRECTS
        judgement = judge(http.get(address, seconds=probe.timeout_seconds, redirects=redirects, name=probe.tls), wanted)
        if further is None or judgement.state is not ProbeState.OK:
            return judgement
        left = max(end - time.monotonic(), SHORTEST)
        then = judge(http.get(urljoin(address, further.path), seconds=left), Expectation(contains=further.contains))
        return judgement if then.state is ProbeState.OK else wrong(f"{then.because} ({further.path})")

    return ask


def expectation(probe: Probe) -> Expectation:
    """What a right answer has: what its kind says, and what the probe itself says."""
    product = PRODUCTS[probe.kind]
    return Expectation(
        status=probe.status,
        contains=product.contains + ((probe.contains,) if probe.contains else ()),
        values={**product.values, **probe.expect},
        present=product.present,
        page=probe.kind == "http",
    )


def url(service: Service, probe: Probe, engine: Engine, path: str) -> str:
    """Where a probe asks for `path`: of the service, or of the one that it goes through."""
    if probe.through:
        found = engine.endpoint(probe.through, probe.port)
    else:
        found = engine.endpoint(service.name, probe.port or PROBE_PORTS.get(probe.kind))
    return written(replace(found, tls=True) if probe.tls else found, path)


def written(endpoint: Endpoint, path: str) -> str:
    """An address as a URL.

    >>> from sutazai_ops.engines import Endpoint
    >>> [written(Endpoint("::1", 80), "/"), written(Endpoint("db", 443, tls=True), "/up")]
    ['http://[::1]:80/', 'https://db:443/up']
    """
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{'https' if endpoint.tls else 'http'}://{host}:{endpoint.port}{path}"
