"""What a real Dagster daemon does by itself on a real engine: it has models ready, and a crew follows its queue.

Nobody launches anything here: the daemon ticks, evaluates, queues and runs, as after `make dev`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import docker
import pytest
from build import ImageRegistry
from crew import Crew, rolled_out_crew
from dagster_home import make_databases, running

ROOT = Path(__file__).parents[2]
MODEL = "llama3.2:3b"
MANIFEST = f'"{MODEL}": {{purpose: chat, keep_alive: forever, warm: true}}\n'
RULES = """
agents:
  service: agent
  up: {above: 3s, for: 2s}
  down: {below: 1s, for: 4s}
  least: 1
  most: 3
  cool_down: 3s
"""
TASKS = 60
SECONDS = 420
"""Sensors look every ten and thirty seconds, each run is a process of its own, and the machine does other things."""

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1500)]


class Daemon:
    """Dagster's own daemon over a crew."""

    def __init__(self, crew: Crew) -> None:
        self.crew, self.home = crew, crew.folder / "home" / "dagster"
        self.home.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "dagster.yaml", self.home)
        make_databases(self.home)
        rules = crew.folder / "rules.yaml"
        rules.write_text(RULES)
        self.environment = {
            **os.environ,
            "DAGSTER_HOME": str(self.home),
            "SUTAZAI_HOME": str(crew.folder / "home"),
            "SUTAZAI_PLATFORM": str(crew.folder / "platform"),
            "SUTAZAI_ENGINE": "compose",
            # What preloads is on by itself there.
            "SUTAZAI_ENVIRONMENT": "production",
            "SUTAZAI_MODELS__SCHEDULE": "* * * * *",
            "SUTAZAI_CAPACITY": json.dumps({"autoscaling": "act", "autoscaling_rules": str(rules)}),
            "SUTAZAI_DEPLOY": json.dumps({"settle_seconds": 0.5, "probe_timeout_seconds": 5}),
        }

    def switch(self, kind: str, to: str, name: str) -> None:
        """A sensor or a schedule, as a person does in the UI or by this command."""
        command = [sys.executable, "-m", "dagster", kind, to, name, "-w", "workspace.yaml"]
        subprocess.run(command, env=self.environment, cwd=ROOT, check=True, capture_output=True, timeout=300)

    def runs(self, job: str) -> list[dg.DagsterRun]:
        """The runs of a job, the newest first."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return list(instance.get_runs(dg.RunsFilter(job_name=job)))

    def succeeded(self, job: str, by: str) -> bool:
        """Whether whoever is named by this tag has launched one that came to a good end."""
        found = [run for run in self.runs(job) if by in run.tags]
        failed = [run for run in found if run.status is dg.DagsterRunStatus.FAILURE]
        assert not failed, (self.home / "daemon.log").read_text()[-4000:]
        return any(run.status is dg.DagsterRunStatus.SUCCESS for run in found)


def wait_until(so: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not so():
        assert time.monotonic() < deadline
        time.sleep(1)


@pytest.fixture(scope="module")
def daemon(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("followed")
    (folder / "platform").mkdir()
    (folder / "platform" / "models.yaml").write_text(MANIFEST)
    with rolled_out_crew(folder, registry, engine_client) as crew:
        one = Daemon(crew)
        with running(["dagster._daemon", "run"], one.environment, one.home / "daemon.log"):
            yield one


def test_models_are_ready_after_a_roll_out_that_no_dagster_has_made(daemon: Daemon):
    wait_until(lambda: daemon.succeeded("preload_models", "dagster/sensor_name"))
    loaded = daemon.crew.ask("ollama", 11434, "/api/ps")["models"]
    assert [one["name"] for one in loaded] == [MODEL]
    (run,) = [run for run in daemon.runs("preload_models") if "dagster/sensor_name" in run.tags]
    assert run.tags["ops/service"] == "ollama"


def test_models_are_had_ready_by_their_schedule(daemon: Daemon):
    wait_until(lambda: daemon.succeeded("preload_models", "dagster/schedule_name"))
    # What comes next has the daemon for itself.
    daemon.switch("schedule", "stop", "preload_models")


def test_the_crew_follows_its_queue_up_and_down_and_does_every_task(daemon: Daemon):
    crew = daemon.crew
    crew.queue(TASKS)
    daemon.switch("sensor", "start", "follow_queues")
    wait_until(lambda: len(crew.agents()) == 3)
    wait_until(lambda: len(crew.agents()) == 1 and crew.is_idle())
    assert crew.states() == {"done": TASKS}
    told = crew.installation.ledger.scalings_since(datetime.now(UTC) - timedelta(hours=1))
    moves = [(one.before, one.after, one.outcome, one.actor) for one in told if one.before != one.after]
    assert moves == [(before, after, "done", "autoscaling") for before, after in ((1, 2), (2, 3), (3, 2), (2, 1))]
    # A second run for one change looks again, and changes nothing.
    assert dg.DagsterRunStatus.FAILURE not in {run.status for run in daemon.runs("scale_service")}
    assert crew.deployments.look_for_drift()[1] == []
