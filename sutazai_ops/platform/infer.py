"""What a well-known image says of a service whose file says nothing.

Only the image's own name counts: a copy of `postgres` in a private registry is a PostgreSQL still, and
`postgres-exporter` is none. What is inferred is shown as inferred, and anything that the file states wins over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.platform.model import Backup, Probe, Tier

if TYPE_CHECKING:
    from typing import Literal

    from sutazai_ops.platform.model import External

# Each keeps data in a volume, and answers for itself as its own documentation says. An image that does other work by
# its command, such as dify-api, is not among them: the same probe would be wrong for a worker.
_KNOWN = {
    "ollama": ("Ollama, a server of language models", Probe(kind="ollama")),
    "chroma": ("Chroma, a vector database", Probe(kind="chroma")),
    "qdrant": ("Qdrant, a vector database", Probe(kind="qdrant")),
    "weaviate": ("Weaviate, a vector database", Probe(kind="http", port=8080, path="/v1/.well-known/ready")),
    "neo4j": ("Neo4j, a graph database", Probe(kind="neo4j")),
    "n8n": ("n8n, a workflow engine", Probe(kind="n8n")),
    "flowise": ("Flowise, a builder of AI workflows", Probe(kind="flowise")),
    "langflow": ("Langflow, a builder of AI workflows", Probe(kind="langflow")),
    "prometheus": ("Prometheus, which stores measurements", Probe(kind="prometheus")),
    "alertmanager": ("Alertmanager, which sends alerts", Probe(kind="http", port=9093, path="/-/ready")),
    "grafana": (
        "Grafana, which shows measurements",
        Probe(kind="http", port=3000, path="/api/health", expect={"database": "ok"}),
    ),
    "loki": ("Loki, which stores logs", Probe(kind="loki")),
    "alloy": ("Alloy, which collects logs", Probe(kind="http", port=12345, path="/-/ready")),
}
_ALSO_CALLED = {"chromadb": "chroma", "grafana-oss": "grafana", "grafana-enterprise": "grafana"}

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


def from_image(image: str) -> Inferred | None:
    """What is known of a service by the image it runs; None where that is nothing."""
    name = image_name(image)
    if name in _POSTGRES:
        return _inferred("postgres", "PostgreSQL")
    if name in _REDIS:
        return _inferred("redis", "Valkey" if name.startswith("valkey") else "Redis")
    known = _KNOWN.get(_ALSO_CALLED.get(name, name))
    return Inferred(Tier.STATEFUL, None, (known[1],), known[0]) if known else None


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
