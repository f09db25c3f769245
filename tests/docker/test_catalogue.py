"""What the catalogue says that exporters serve is what they serve."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping

import docker
import pytest
import requests
from docker.models.containers import Container
from projects import WITHIN_SECONDS, eventually

from sutazai_ops.monitoring.exposition import read_exposition
from sutazai_ops.monitoring.metrics import Exporter, Kind, catalogue, series_of

pytestmark = pytest.mark.docker

Start = Callable[..., Container]
OF_A_MACHINE = frozenset({"node"})
"""Their metrics are those of the hardware that they run on."""


@pytest.fixture(scope="module")
def start(engine_client: docker.DockerClient, image: Callable[[str], str]) -> Iterator[Start]:
    """Starts a container of one of our images on a network of this test; both are removed afterwards."""
    network = engine_client.networks.create(f"test-catalogue-{uuid.uuid4().hex[:10]}")
    started: list[Container] = []

    def run(name: str, **options: object) -> Container:
        container = engine_client.containers.run(image(name), detach=True, network=network.name, **options)
        started.append(container)
        return container

    try:
        yield run
    finally:
        for container in started:
            container.remove(force=True, v=True)
        network.remove()


def address(container: Container) -> str:
    container.reload()
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def scraped(container: Container, port: int) -> Exporter:
    answers: list[requests.Response] = []

    def answered() -> bool:
        answers.append(requests.get(f"http://{address(container)}:{port}/metrics", timeout=WITHIN_SECONDS))
        return answers[-1].ok

    eventually(answered, requests.ConnectionError)
    return read_exposition(answers[-1].text, container.name or "")


@pytest.mark.parametrize(
    ("name", "exporter", "port"),
    [
        ("node-exporter", "node", 9100),
        ("prometheus", "prometheus", 9090),
        ("alertmanager", "alertmanager", 9093),
        ("backend", "application", 8000),
        ("agent", "application", 8080),
    ],
)
def test_an_exporter_serves_what_the_catalogue_says(start: Start, name: str, exporter: str, port: int) -> None:
    assert unknown(scraped(start(name), port), exporter) == {}


def test_the_exporters_of_the_databases_serve_what_the_catalogue_says(start: Start) -> None:
    postgres = start("postgres", environment={"POSTGRES_PASSWORD": "x"})
    redis = start("redis")
    eventually(lambda: "ready to accept connections" in postgres.logs().decode())
    source = f"postgresql://postgres:x@{address(postgres)}:5432/postgres?sslmode=disable"
    of_postgres = scraped(start("postgres-exporter", environment={"DATA_SOURCE_NAME": source}), 9187)
    of_redis = scraped(start("redis-exporter", environment={"REDIS_ADDR": f"redis://{address(redis)}:6379"}), 9121)
    assert "pg_stat_database_xact_commit" in of_postgres.metrics
    assert "redis_memory_used_bytes" in of_redis.metrics
    assert unknown(of_postgres, "postgres") == {}
    assert unknown(of_redis, "redis") == {}


def unknown(served: Exporter, exporter: str) -> Mapping[str, str]:
    """What is served and the catalogue does not know, or knows otherwise."""
    known = catalogue()
    wrong: dict[str, str] = {}
    for name, metric in served.metrics.items():
        for series in series_of(name, metric, frozenset(metric.labels), exporter):
            here = known.find(series.name)
            if here is None:
                if exporter not in OF_A_MACHINE:
                    wrong[series.name] = "is not known"
            elif not series.labels <= here.labels:
                wrong[series.name] = f"has the labels {sorted(series.labels - here.labels)} too"
            elif here.kind is not series.kind and Kind.UNTYPED not in {here.kind, series.kind}:
                wrong[series.name] = f"is a {series.kind} and not a {here.kind}"
    return wrong
