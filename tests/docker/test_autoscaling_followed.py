"""A crew of agents on a real engine that follows a real queue: up and down without flapping, and without losing a task.

Each task takes three seconds and an agent may finish for one when it is told to stop, so that whoever is taken away at
work is ended over it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import docker
import pytest
import requests
from build import ImageRegistry
from projects import PROJECT_LABEL

from sutazai_ops.capacity.autoscaler import Judged, Memory, carry_out, judge_all
from sutazai_ops.capacity.autoscaling import Move
from sutazai_ops.capacity.rules import Down, Rule, Up
from sutazai_ops.deployment.deployments import Deployments
from sutazai_ops.engines import Act
from sutazai_ops.errors import Refused
from sutazai_ops.installation import Installation
from sutazai_ops.ledger import ScalingEntry
from sutazai_ops.monitoring.contract import State, check
from sutazai_ops.progress import Silent
from sutazai_ops.settings import CapacitySettings, DeploySettings, Loaded, Settings

pytestmark = pytest.mark.docker

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
    x-sutazai: {{backup: none, probes: []}}
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
RULE = Rule(
    name="agents",
    service="agent",
    up=Up(above="3s", for_="2s"),
    down=Down(below="1s", for_="4s"),
    least=1,
    most=3,
    cool_down="3s",
)
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
        settings = Settings(
            home=self.folder / "home",
            platform=self.folder / "platform",
            engine="compose",
            deploy=DeploySettings(settle_seconds=0.5, probe_timeout_seconds=5),
            capacity=CapacitySettings(autoscaling="act"),
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


@pytest.fixture(scope="module")
def crew(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[Crew]:
    images = ("postgres:16.11-alpine", "redis:7.4.7-alpine", "ollama/ollama:0.32.15")
    for reference in (*images, "sutazai/backend:1.0.0", "sutazai/agent:1.0.0"):
        registry.push(reference)
    one = Crew(tmp_path_factory.mktemp("crew"), registry.address, engine_client)
    try:
        one.write()
        one.deployments.deploy(Silent())
        one.ask("ollama", 11434, "/api/pull", {"model": "llama3.2:3b"})
        yield one
    finally:
        one.remove()


def follow(crew: Crew, until: Callable[[], bool]) -> list[Judged]:
    """Do what the rule decides until it is so; every round in which something was changed."""
    memories: dict[str, Memory] = {}
    changed = []
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline
        here = crew.installation
        [judged] = judge_all(here, {"agents": RULE}, memories, datetime.now(UTC))
        _, memories["agents"] = carry_out(here, judged, Silent())
        if judged.decision.move is not Move.HOLD:
            changed.append(judged)
        time.sleep(0.3)
    return changed


def test_a_crew_follows_its_queue_up_and_down_without_flapping_and_does_every_task(crew: Crew):
    crew.queue(14)
    up = follow(crew, lambda: len(crew.agents()) == 3)
    assert [one.decision.after for one in up] == [2, 3]
    # What was decided is what is meant: no drift, and nothing that a deployment would change.
    assert crew.deployments.look_for_drift()[1] == []
    prepared = crew.deployments.prepare()
    assert prepared.plan.changes == ()
    assert any("agent keeps the 3 containers" in note for note in prepared.notes)
    down = follow(crew, lambda: len(crew.agents()) == 1 and crew.is_idle())
    assert [one.decision.after for one in down] == [2, 1]
    assert crew.states() == {"done": 14}
    told = [(one.before, one.after, one.outcome) for one in crew.installation.ledger.scalings_since(up[0].seen.at)]
    assert [one for one in told if one[0] != one[1]] == [(1, 2, "done"), (2, 3, "done"), (3, 2, "done"), (2, 1, "done")]
    assert crew.deployments.look_for_drift()[1] == []


def test_who_is_ended_at_work_hands_its_task_back_and_all_are_done(crew: Crew):
    before = crew.states().get("done", 0)
    crew.scale(3)
    crew.queue(6)
    wait_until(lambda: crew.ask("backend", 8000, "/tasks")["queued"] == 3)
    done = crew.scale(1)
    assert done.note == "2 tasks handed back to the queue"
    wait_until(crew.is_idle)
    assert crew.states() == {"done": before + 6}


def test_a_deployment_that_makes_agents_anew_keeps_their_number_and_their_tasks(crew: Crew):
    before = crew.states().get("done", 0)
    crew.scale(2)
    crew.queue(5)
    wait_until(lambda: crew.ask("backend", 8000, "/tasks")["queued"] <= 3)
    crew.write(words="new")
    assert {one.service: one.act for one in crew.deployments.prepare().plan.changes} == {"agent": Act.RECREATE}
    crew.deployments.deploy(Silent())
    assert len(crew.agents()) == 2
    wait_until(crew.is_idle)
    assert crew.states() == {"done": before + 5}
    crew.scale(1)


def test_what_somebody_else_has_started_is_drift_all_the_same(crew: Crew, engine_client: docker.DockerClient):
    release = crew.deployments.releases.current()
    engine_client.containers.get(crew.agents()[-1]).remove(force=True)
    found = {(one.service, str(one.kind)) for one in crew.deployments.look_for_drift()[1]}
    assert found == {("agent", "missing")}
    crew.deployments.deploy(Silent())
    assert crew.deployments.releases.current().number == release.number
    assert len(crew.agents()) == 1


def test_what_holds_state_is_not_scaled(crew: Crew):
    def decided(released: int, before: int) -> ScalingEntry:
        raise AssertionError

    with pytest.raises(Refused, match="redis cannot be scaled: it holds state"):
        crew.deployments.scale(Silent(), "redis", 2, decided)


def test_what_users_think_is_counted_as_the_contract_says(crew: Crew):
    for vote in ("up", "up", "down"):
        crew.ask("backend", 8000, "/votes", {"vote": vote})
    url = f"http://{crew.installation.engine.endpoint('backend', 8000)}/metrics"
    page = requests.get(url, timeout=30).text
    assert {part.name: part.state for part in check(page)}["votes"] is State.MET
    assert 'user_votes_total{vote="up"} 2.0' in page
