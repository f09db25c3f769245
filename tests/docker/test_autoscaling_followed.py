"""A crew on a real engine follows a real queue: up and down without flapping, and without losing a task."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import docker
import pytest
import requests
from build import ImageRegistry
from crew import PATIENCE, Crew, rolled_out_crew, wait_until

from sutazai_ops.capacity.autoscaler import Judged, Memory, carry_out, judge_all
from sutazai_ops.capacity.autoscaling import Move
from sutazai_ops.capacity.rules import Down, Rule, Up
from sutazai_ops.engines import Act
from sutazai_ops.errors import Refused
from sutazai_ops.ledger import IncidentEntry, ScalingEntry
from sutazai_ops.monitoring.contract import State, check
from sutazai_ops.progress import Silent
from sutazai_ops.remediation.actions import ACTIONS
from sutazai_ops.remediation.playbook import Action
from sutazai_ops.settings import CapacitySettings

pytestmark = pytest.mark.docker

RULE = Rule(
    name="agents",
    service="agent",
    up=Up(above="3s", for_="2s"),
    down=Down(below="1s", for_="4s"),
    least=1,
    most=3,
    cool_down="3s",
)


@pytest.fixture(scope="module")
def crew(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[Crew]:
    with rolled_out_crew(tmp_path_factory.mktemp("crew"), registry, engine_client) as one:
        one.ask("ollama", 11434, "/api/pull", {"model": "llama3.2:3b"})
        yield one


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
    # More than they can do while a busy machine looks: each of them has one in hand whenever it is ended.
    crew.queue(9)
    wait_until(lambda: crew.ask("backend", 8000, "/tasks")["queued"] <= 6)
    done = crew.scale(1)
    assert done.note == "2 tasks handed back to the queue"
    wait_until(crew.is_idle)
    assert crew.states() == {"done": before + 9}


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


def test_a_repair_has_more_agents_take_from_an_old_queue_up_to_their_rule(crew: Crew):
    before = crew.states().get("done", 0)
    rules = crew.folder / "rules.yaml"
    rules.write_text(
        "agents: {service: agent, up: {above: 20s, for: 2s}, down: {below: 1s, for: 4s}, least: 1, most: 2}\n"
    )
    here = crew.opened(CapacitySettings(autoscaling="observe", autoscaling_rules=rules))
    now = datetime.now(UTC)
    alerts = [{"threshold": "queue_old", "labels": {"service": "redis", "queue": "agent tasks"}}]
    incident = IncidentEntry(7, "redis", "queue-old", "queue-old", "page", "tasks wait", alerts, now, now)
    crew.queue(6)
    assert ACTIONS[Action.SCALE_OUT](here, incident) == "agent has 2 containers in place of 1"
    assert len(crew.agents()) == 2
    assert crew.deployments.look_for_drift()[1] == []
    with pytest.raises(Refused, match="as many containers as is allowed: agent"):
        ACTIONS[Action.SCALE_OUT](here, incident)
    assert len(crew.agents()) == 2
    wait_until(crew.is_idle)
    assert crew.states() == {"done": before + 6}
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
