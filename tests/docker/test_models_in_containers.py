"""Models of an Ollama in a container, the stand-in of tests/images: ready after its roll-out, resumed after a kill."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import docker
import pytest
import requests
from build import ImageRegistry
from ollama import layers_of
from shop import Shop, Told

from sutazai_ops.deployment.defs import defs as deployment
from sutazai_ops.engines import State
from sutazai_ops.installation import Installation
from sutazai_ops.models.defs import JOB
from sutazai_ops.models.defs import defs as models
from sutazai_ops.models.fleet import Fleet
from sutazai_ops.orchestration import Operations

pytestmark = pytest.mark.docker

CORE = """
name: {name}-core
services:
  ollama:
    image: {registry}/ollama/ollama:0.32.15
    environment: {{OLLAMA_MAX_LOADED_MODELS: "2", OLLAMA_NUM_PARALLEL: "{parallel}"}}
    volumes: ["models:/root/.ollama"]
    networks: [outside]
    stop_grace_period: 5s
    healthcheck: {{test: [CMD, ollama, list], interval: 1s, timeout: 5s, retries: 20}}
    deploy: {{resources: {{limits: {{memory: 4G, pids: 100}}}}}}
    x-sutazai: {{backup: none, probes: [ollama]}}
networks:
  outside: {{name: {name}-outside, external: true, x-sutazai: {{internal: false}}}}
volumes: {{models: {{}}}}
"""
MANIFEST = """
"llama3.2:3b": {purpose: chat, size: 2.1GB, keep_alive: forever, warm: true}
"nomic-embed-text": {purpose: embedding, size: 280MB, keep_alive: forever, warm: true, dimension: 768}
"""
CHAT, VECTORS = "llama3.2:3b", "nomic-embed-text:latest"
OPENED: list[Installation] = []


class Opened(Operations):
    """Opens what the test has made."""

    def open(self) -> Installation:
        return OPENED[0]


class House(Shop):
    """A platform of one Ollama."""

    def __init__(self, folder: Path, registry: ImageRegistry, client: docker.DockerClient) -> None:
        self.name, self.client, self.told = f"models-{uuid.uuid4().hex[:8]}", client, Told()
        self.folder, self.home, self.port = folder / "platform", folder / "home", 0
        self.folder.mkdir()
        registry.push("ollama/ollama:0.32.15")
        self.words: dict[str, Any] = {"registry": registry.address, "parallel": "1"}
        self.texts = {"core": CORE}
        self.write()
        (self.folder / "models.yaml").write_text(MANIFEST)

    @property
    def address(self) -> str:
        """Where its interface answers from here."""
        return f"http://{self.installation.engine.endpoint('ollama', 11434)}"

    def listed(self, what: str) -> set[str]:
        """The models on the disk (`tags`), or in memory (`ps`)."""
        return {one["name"] for one in requests.get(f"{self.address}/api/{what}", timeout=5).json()["models"]}

    def tell(self, **faults: object) -> dict[str, Any]:
        """Have something go wrong from now on; what the stand-in says of itself."""
        return requests.post(f"{self.address}/stand-in/ollama", json=faults, timeout=5).json()


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[House]:
    one = House(tmp_path_factory.mktemp("models"), registry, engine_client)
    try:
        yield one
    finally:
        one.remove()


def test_a_roll_out_in_dagster_is_followed_by_a_preload_once_and_not_where_nothing_was_changed(house: House):
    here = house.installation
    OPENED[:] = [here]
    with dg.instance_for_test() as instance:
        loaded = dg.Definitions.merge(
            deployment(here.settings, here.platform, configured=True),
            models(here.settings, here.platform),
            dg.Definitions(resources={"operations": Opened()}, executor=dg.in_process_executor),
        )
        (sensor,) = loaded.sensors
        cursor = None

        def tick() -> list[dg.RunRequest]:
            nonlocal cursor
            resources = {"operations": Opened()}
            context = dg.build_sensor_context(instance, cursor=cursor, sensor_name=sensor.name, resources=resources)
            told = sensor.evaluate_tick(context)
            cursor = told.cursor or cursor
            return told.run_requests

        assert tick() == []
        assert loaded.resolve_job_def("deploy_core").execute_in_process(instance=instance).success
        (request,) = tick()
        assert request.tags["ops/service"] == "ollama"
        assert house.listed("tags") == set()
        made = loaded.resolve_job_def(JOB).execute_in_process(instance=instance)
        assert made.success
        assert house.listed("tags") == house.listed("ps") == {CHAT, VECTORS}
        # The same phase once more, as it is: nobody's model is touched.
        assert loaded.resolve_job_def("deploy_core").execute_in_process(instance=instance).success
        assert tick() == []


def test_the_room_on_the_disk_is_asked_inside_the_container(house: House):
    ((_, seen, plan),) = Fleet(house.installation).plans()
    assert seen.free is not None
    assert seen.free > 10**8
    assert not any("cannot be asked" in note for note in plan.notes)
    assert seen.server.memory == 4 * 2**30


def test_what_fits_is_what_fits_where_it_runs_and_not_where_it_is_meant_to(house: House):
    house.replace("core", "memory: 4G", "memory: 2G")
    ((_, seen, _),) = Fleet(house.installation).plans()
    assert seen.server.memory == 4 * 2**30
    house.replace("core", "memory: 2G", "memory: 4G")


def test_a_server_that_was_made_anew_has_its_models_and_has_them_warmed(house: House):
    house.write(parallel="2")
    house.deploy()
    assert house.listed("tags") == {CHAT, VECTORS}
    assert house.listed("ps") == set()
    warmed = house.ops("models", "warm")
    assert warmed.wait(60) == 0, warmed.stderr.read()
    assert house.listed("ps") == {CHAT, VECTORS}


def test_a_pull_whose_program_is_killed_and_whose_server_is_restarted_goes_on_where_it_was(house: House):
    (house.folder / "models.yaml").write_text(f'{MANIFEST}"tinyllama": {{purpose: code, size: 637MB}}\n')
    house.tell(seconds_a_message=0.5)
    pulling = house.ops("models", "pull", "tinyllama")
    await_part(house, "tinyllama:latest", 0.25)
    pulling.kill()
    pulling.communicate()
    house.installation.engine.restart("ollama")
    observed = next(one for one in house.installation.engine.observe() if one.service == "ollama")
    assert observed.state is State.RUNNING
    part = arrived(house)
    assert 0 < part < 637_000_000
    again = house.ops("models", "pull", "--json")
    told, failed = again.communicate(timeout=60)
    assert again.returncode == 0, failed
    assert '"tinyllama:latest"' in told
    assert "tinyllama:latest" in house.listed("tags")
    # Nothing of it came a second time: since its restart the server has fetched the rest alone.
    assert house.tell()["pulled_bytes"] == 637_000_000 - part


def await_part(house: House, model: str, share: float) -> None:
    """Wait until so much of a model has arrived, and it is not there yet."""
    end = time.monotonic() + 60
    while arrived(house) < 637_000_000 * share:
        assert time.monotonic() < end, "nothing arrives"
        time.sleep(0.1)
    assert model not in house.listed("tags")


def arrived(house: House) -> int:
    """Bytes of tinyllama that the stand-in has kept."""
    kept = house.containers()["ollama"].exec_run(["cat", "/root/.ollama/models/stand-in.json"]).output
    partial = json.loads(kept)["partial"]
    return sum(partial.get(layer, 0) for layer in layers_of("tinyllama:latest", 0))
