"""What a well-known image says of a service whose file says nothing.

Only the image's own name counts: a copy of `postgres` in a private registry is a PostgreSQL still, and
`postgres-exporter` is none. What is inferred is shown as inferred, and anything that the file states wins over it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sutazai_ops.platform.model import Backup, Probe, Tier

if TYPE_CHECKING:
    from typing import Literal

    from sutazai_ops.platform.model import External

_POSTGRES = ("postgres", "postgresql", "pgvector", "postgis", "timescaledb", "timescaledb-ha")
_REDIS = ("redis", "redis-stack", "redis-stack-server", "valkey", "valkey-bundle")


@dataclass(frozen=True, slots=True)
class Inferred:
    """The fields of a service that an image or an address gives away."""

    tier: Tier
    backup: Backup | None
    """None where we know of no way to back it up."""
    probes: tuple[Probe, ...]
    description: str


def _keeps_data(description: str, probe: Probe) -> Inferred:
    return Inferred(Tier.STATEFUL, None, (probe,), description)


def _exporter(description: str, port: int, contains: str) -> Inferred:
    # A server whose database is gone goes on answering 200, and says so in a figure.
    probe = Probe(kind="http", port=port, path="/metrics", contains=contains)
    return Inferred(Tier.STATELESS, None, (probe,), description)


# Each answers for itself at its usual port as its own documentation says. What does other work by its environment, such
# as dify-api, is not among them, nor what is reached from outside only if it is told to be, such as alloy and caddy: a
# probe that fails because it was guessed would turn back a deployment.
_KNOWN = {
    "ollama": _keeps_data("Ollama, a server of language models", Probe(kind="ollama")),
    "chroma": _keeps_data("Chroma, a vector database", Probe(kind="chroma")),
    "qdrant": _keeps_data("Qdrant, a vector database", Probe(kind="qdrant")),
    "weaviate": _keeps_data("Weaviate, a vector database", Probe(kind="http", port=8080, path="/v1/.well-known/ready")),
    "neo4j": _keeps_data("Neo4j, a graph database", Probe(kind="neo4j")),
    "n8n": _keeps_data("n8n, a workflow engine", Probe(kind="n8n")),
    "flowise": _keeps_data("Flowise, a builder of AI workflows", Probe(kind="flowise")),
    "langflow": _keeps_data("Langflow, a builder of AI workflows", Probe(kind="langflow")),
    "prometheus": _keeps_data("Prometheus, which stores measurements", Probe(kind="prometheus")),
    "alertmanager": _keeps_data("Alertmanager, which sends alerts", Probe(kind="http", port=9093, path="/-/ready")),
    "grafana": _keeps_data(
        "Grafana, which shows measurements",
        Probe(kind="http", port=3000, path="/api/health", expect={"database": "ok"}),
    ),
    "loki": _keeps_data("Loki, which stores logs", Probe(kind="loki")),
    "node-exporter": _exporter("What the host is busy with, for Prometheus", 9100, "node_memory_MemAvailable_bytes"),
    "postgres-exporter": _exporter("What a PostgreSQL server says of itself, for Prometheus", 9187, "pg_up 1"),
    "redis_exporter": _exporter("What a Redis server says of itself, for Prometheus", 9121, "redis_up 1"),
}
_ALSO_CALLED = {"chromadb": "chroma", "grafana-oss": "grafana", "grafana-enterprise": "grafana"}


_WORKER = re.compile(r"(?<![\w-])worker(?![\w-])")


def from_image(image: str, command: object = None) -> Inferred | None:
    """What is known of a service by the image it runs; None where that is nothing.

    Args:
        image: its reference.
        command: as its file writes it. A `worker` serves nobody, and so has no probe.
    """
    name = image_name(image)
    if name in _POSTGRES:
        return _inferred("postgres", "PostgreSQL")
    if name in _REDIS:
        return _inferred("redis", "Valkey" if name.startswith("valkey") else "Redis")
    known = _KNOWN.get(_ALSO_CALLED.get(name, name))
    if known and _WORKER.search(str(command)):
        return replace(known, probes=())
    return known


def from_address(external: External) -> Inferred:
    """What is known of a service by the address it has."""
    return _inferred(external.kind, "PostgreSQL" if external.kind == "postgres" else "Redis or Valkey")


def image_name(image: str) -> str:
    """The last part of an image's name, without registry, namespace, tag and digest.

    The grammar is that of https://pkg.go.dev/github.com/distribution/reference: a colon is a tag's only behind the
    last slash, since a registry may have a port.

    >>> image_name("registry.example:5000/mirror/library/postgres:16-alpine@sha256:0f3c")
    'postgres'
    """
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _inferred(kind: Literal["postgres", "redis"], product: str) -> Inferred:
    return Inferred(Tier.STATEFUL, Backup(kind=kind), (Probe(kind=kind),), f"{product} server")
