"""A small Compose project unlike ours: other names, `extends`, `env_file`, replicas, a one-shot, and no x-sutazai.

It runs already, by `docker compose`, when it is first deployed; everything goes by the command line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import requests
from build import ImageRegistry
from projects import Project, eventually

from sutazai_ops.engines.daemons import free_port

pytestmark = pytest.mark.docker

COMMON = """
services:
  base:
    restart: always
    init: true
    environment: {TZ: Europe/Berlin}
    logging: {driver: json-file, options: {max-size: 5m}}
"""
COMPOSE = """
services:
  notes-db:
    image: REGISTRY/postgres:16.11-alpine
    user: postgres
    environment: [POSTGRES_USER=notes, "POSTGRES_PASSWORD=${DB_PASSWORD}"]
    volumes: ["rows:/var/lib/postgresql/data"]
  front:
    extends: {file: common.yaml, service: base}
    image: REGISTRY/busybox:1.37.0
    command: sh -c 'mkdir -p /tmp/w; echo "$$GREETING" > /tmp/w/index.html; exec busybox httpd -f -p 80 -h /tmp/w'
    env_file: front.env
    ports: ["127.0.0.1:PORT:80"]
    depends_on: [notes-db]
  carrier:
    extends: {file: common.yaml, service: base}
    image: REGISTRY/busybox:1.37.0
    command: sleep 86400
    env_file: [front.env, {path: absent.env, required: false}]
    deploy: {replicas: 2}
    depends_on: {front: {condition: service_started}}
  migrate:
    image: REGISTRY/busybox:1.37.0
    command: echo moved
    restart: no
  off: {image: "REGISTRY/busybox:1.37.0", scale: 0}
volumes: {rows: }
"""


class Notes(Project):
    """The project, and `sutazai-ops` on its folder."""

    def __init__(self, folder: Path, registry: ImageRegistry, client: docker.DockerClient) -> None:
        self.name, self.client, self.port = f"notes{uuid.uuid4().hex[:6]}", client, free_port()
        self.folder, self.home = folder / self.name, folder / "home"
        self.folder.mkdir()
        self.file = self.folder / "compose.yaml"
        for reference in ("postgres:16.11-alpine", "busybox:1.37.0"):
            registry.push(reference)
        text = COMPOSE.replace("REGISTRY", registry.address).replace("PORT:80", f"{self.port}:80")
        self.file.write_text(text)
        (self.folder / "common.yaml").write_text(COMMON)
        (self.folder / ".env").write_text("DB_PASSWORD=from-the-env-file\n")
        self.greet("hello")

    def greet(self, words: str) -> None:
        """Say something else on the page."""
        (self.folder / "front.env").write_text(f"GREETING={words}\n")

    def page(self) -> str:
        """What the page says."""
        eventually(lambda: requests.get(f"http://127.0.0.1:{self.port}", timeout=5).ok, requests.RequestException)
        return requests.get(f"http://127.0.0.1:{self.port}", timeout=5).text.strip()

    def ops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `sutazai-ops`."""
        environment = {
            **os.environ,
            "SUTAZAI_HOME": str(self.home),
            "SUTAZAI_PLATFORM": str(self.folder),
            "SUTAZAI_ENGINE": "compose",
            "SUTAZAI_DEPLOY__SETTLE_SECONDS": "0.5",
        }
        command = [sys.executable, "-m", "sutazai_ops.cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)

    def facts(self, *arguments: str) -> dict:
        """The same, as JSON."""
        return json.loads(self.ops(*arguments, "--json").stdout)

    def changes(self) -> dict[str, str]:
        """What a plan would do."""
        return {step["service"]: step["act"] for step in self.facts("plan")["steps"] if step["act"] != "unchanged"}


@pytest.fixture(scope="module")
def notes(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[Notes]:
    one = Notes(tmp_path_factory.mktemp("notes"), registry, engine_client)
    try:
        yield one
    finally:
        one.remove()


def test_what_runs_already_is_taken_over_with_its_data_behind_a_backup(notes: Notes):
    notes.compose("up", "-d")
    insert = ["psql", "-U", "notes", "-c", "create table rows as select generate_series(1, 1000)"]
    eventually(lambda: notes.container("notes-db").exec_run(insert).exit_code == 0)
    planned = notes.ops("plan")
    assert planned.returncode == 2
    assert "it was not made by a release of ours" in planned.stdout
    assert "off is left out: its file says that none of it shall run" in planned.stdout
    deployed = notes.ops("deploy", "--yes", "--json")
    assert deployed.returncode == 0, deployed.stderr
    assert json.loads(deployed.stdout)["phases"][0]["backup_set"], "its database was backed up before it was made anew"
    count = ["psql", "-U", "notes", "-Atc", "select count(*) from rows"]
    assert notes.container("notes-db").exec_run(count).output == b"1000\n"
    assert notes.page() == "hello"


def test_as_many_run_as_are_meant_and_nothing_has_drifted(notes: Notes):
    assert notes.changes() == {}
    assert notes.ops("drift").returncode == 0
    assert "2 of 2 run" in notes.ops("status").stdout
    standing = {one["service"]: one for one in notes.facts("status")["services"]}
    assert (standing["migrate"]["state"], standing["notes-db"]["health"]) == ("done", "ok")
    assert standing["off"]["state"] == "absent"


def test_an_env_file_that_changes_makes_its_readers_anew_and_going_back_brings_the_old_words(notes: Notes):
    notes.greet("good evening")
    assert notes.changes() == {"front": "recreate", "carrier": "recreate"}
    assert notes.ops("deploy", "--yes").returncode == 0
    assert notes.page() == "good evening"
    assert notes.ops("rollback", "--to", "1", "--yes").returncode == 0
    assert notes.page() == "hello"
    notes.greet("hello")
    assert notes.changes() == {}


def test_one_copy_that_somebody_stopped_is_drift_and_mended(notes: Notes):
    carriers = [one for one in notes.containers() if one.labels["com.docker.compose.service"] == "carrier"]
    carriers[0].stop(timeout=1)
    drifted = notes.ops("drift")
    assert drifted.returncode == 2
    assert "carrier" in drifted.stdout
    assert notes.changes() == {"carrier": "start"}
    assert notes.ops("deploy", "--yes").returncode == 0
    assert notes.ops("drift").returncode == 0


def test_a_service_that_ends_well_and_is_not_said_to_is_told_what_to_write(notes: Notes):
    text = notes.file.read_text()
    notes.file.write_text(text.replace("    restart: no\n", ""))
    failed = notes.ops("deploy", "--yes", "--services", "migrate")
    notes.file.write_text(text)
    assert failed.returncode == 3
    assert "exit code 0" in failed.stderr
    assert 'write restart: "no"' in failed.stderr
    assert notes.changes() == {}


def test_an_override_counts_and_a_network_of_somebody_elses_has_to_be_there(notes: Notes):
    shared = f"{notes.name}-shared"
    override = notes.folder / "compose.override.yaml"
    override.write_text(
        "services: {carrier: {networks: [default, shared]}}\n"
        f"networks: {{shared: {{name: {shared}, external: true}}}}\n"
    )
    assert notes.changes() == {"carrier": "recreate"}
    before = {one.id for one in notes.containers()}
    refused = notes.ops("deploy", "--yes")
    assert (refused.returncode, f"there is no network {shared}" in refused.stderr) == (4, True)
    assert {one.id for one in notes.containers()} == before
    network = notes.client.networks.create(shared)
    try:
        assert notes.ops("deploy", "--yes").returncode == 0
        assert shared in notes.container("carrier").attrs["NetworkSettings"]["Networks"]
        override.unlink()
        assert notes.ops("deploy", "--yes").returncode == 0
        assert shared not in notes.container("carrier").attrs["NetworkSettings"]["Networks"]
    finally:
        override.unlink(missing_ok=True)
        network.remove()


def test_it_is_taken_down_and_its_volume_stays(notes: Notes):
    assert notes.ops("down").returncode == 0
    assert notes.containers() == []
    assert notes.client.volumes.get(f"{notes.name}_rows")
    status = notes.ops("status").stdout
    assert "nothing drifted" in status
    assert "compose: not rolled out" in status
