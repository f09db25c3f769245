"""A crew of agents that take their work from one queue, on a real engine, in a project of its own.

Each task takes three seconds and an agent may finish for one when it is told to stop, so that whoever is taken away at
work is ended over it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import docker
import requests
from build import ImageRegistry
from projects import PROJECT_LABEL

from sutazai_ops.deployment.deployments import Deployments
from sutazai_ops.installation import Installation
from sutazai_ops.ledger import ScalingEntry
from sutazai_ops.progress import Silent
from sutazai_ops.settings import CapacitySettings, DeploySettings, Loaded, Settings

CREW = """
name: {name}
services:
  postgres:
    image: {registry}/postgres:16.11-alpine
    user: postgres
    environment: {{POSTGRES_USER: sutazai, POSTGRES_HOST_AUTH_METHOD: trust}}
    healthcheck: {{test: [CMD, pg_isready, -h, 127.0.0.1, -U, sutazai], interval: 1s, retries: 30}}
    x-sutazai: {{backup: none, login: {{user: sutazai}}}}
  redis:
    image: {registry}/redis:7.4.7-alpine
    healthcheck: {{test: [CMD, redis-cli, ping], interval: 1s, retries: 30}}
    x-sutazai:
      backup: none
      queues: [{{name: agent tasks, key: "agent:tasks", queued_at: queued_at}}]
  ollama:
    image: {registry}/ollama/ollama:0.32.15
    x-sutazai: {{backup: none, probes: [ollama]}}
  backend:
    image: {registry}/sutazai/backend:1.0.0
    depends_on: {{postgres: {{condition: service_healthy}}, redis: {{condition: service_healthy}}}}
    healthcheck: {{test: [CMD, curl, -fsS, "http://127.0.0.1:8000/health"], interval: 1s, retries: 30}}
  agent:
    image: {registry}/sutazai/agent:1.0.0
    environment: {{AGENT_NAME: agent, FAULT: slow, SLOW_SECONDS: "3", WORDS: "{words}"}}
    depends_on: {{backend: {{condition: service_healthy}}}}
    init: true
    stop_grace_period: 1s
    healthcheck: {{test: [CMD, curl, -fsS, "http://127.0.0.1:8080/health"], interval: 1s, timeout: 9s, retries: 9}}
    deploy: {{resources: {{limits: {{memory: 192M}}}}}}
    x-sutazai:
      tier: stateless
      takes: {{queue: agent tasks, in_hand: "agent:working:{{container}}"}}
      probes: []
"""
PATIENCE = 150


@dataclass
class Crew:
    """The platform's folder, its installation, and what the backend says of tasks."""

    folder: Path
    registry: str
    client: docker.DockerClient
    name: str = field(default_factory=lambda: f"crew-{uuid.uuid4().hex[:8]}")

    def write(self, words: str = "") -> None:
        (self.folder / "platform").mkdir(exist_ok=True)
        text = CREW.format(name=self.name, registry=self.registry, words=words)
        (self.folder / "platform" / "crew.yaml").write_text(text)

    @property
    def installation(self) -> Installation:
        return self.opened(CapacitySettings(autoscaling="act"))

    def opened(self, capacity: CapacitySettings) -> Installation:
        settings = Settings(
            home=self.folder / "home",
            platform=self.folder / "platform",
            engine="compose",
            deploy=DeploySettings(settle_seconds=0.5, probe_timeout_seconds=5),
            capacity=capacity,
        )
        return Installation(Loaded(settings=settings, origins={}))

    @property
    def deployments(self) -> Deployments:
        return Deployments.of(self.installation)

    def scale(self, copies: int) -> ScalingEntry:
        def decided(released: int, before: int) -> ScalingEntry:
            return ScalingEntry(datetime.now(UTC), "agent", "up", released, before, copies, "asked for", "test")

        return self.deployments.scale(Silent(), "agent", copies, decided)

    def agents(self) -> list[str]:
        found = self.client.containers.list(filters={"label": f"{PROJECT_LABEL}={self.name}"}, ignore_removed=True)
        return sorted(one.name for one in found if one.name.startswith(f"{self.name}-agent-"))

    def ask(self, service: str, port: int, path: str, body: dict[str, object] | None = None) -> dict:
        url = f"http://{self.installation.engine.endpoint(service, port)}{path}"
        answer = requests.post(url, json=body, timeout=30) if body is not None else requests.get(url, timeout=30)
        answer.raise_for_status()
        return json.loads(answer.text.splitlines()[-1])

    def queue(self, count: int) -> None:
        for number in range(count):
            self.ask("backend", 8000, "/tasks", {"prompt": f"task {number}"})

    def states(self) -> dict[str, int]:
        return self.ask("backend", 8000, "/tasks")["states"]

    def is_idle(self) -> bool:
        return set(self.states()) == {"done"}

    def remove(self) -> None:
        for container in self.client.containers.list(
            all=True, filters={"label": f"{PROJECT_LABEL}={self.name}"}, ignore_removed=True
        ):
            container.remove(force=True, v=True)
        for network in self.client.networks.list(names=[f"{self.name}_default"]):
            network.remove()


def wait_until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def rolled_out_crew(folder: Path, registry: ImageRegistry, client: docker.DockerClient) -> Iterator[Crew]:
    """A crew at work, which goes away with the context."""
    images = ("postgres:16.11-alpine", "redis:7.4.7-alpine", "ollama/ollama:0.32.15")
    for reference in (*images, "sutazai/backend:1.0.0", "sutazai/agent:1.0.0"):
        registry.push(reference)
    one = Crew(folder, registry.address, client)
    try:
        one.write()
        one.deployments.deploy(Silent())
        yield one
    finally:
        one.remove()
