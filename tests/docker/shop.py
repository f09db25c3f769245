"""A small platform of two phases that the tests of the roll-out change, break and put right, in projects of its own.

`core` has a database with a generated password, a one-shot, a proxy and a page behind it; `extras` has one more
service. Everything is found by the name of the shop and removed, volumes and networks too, whatever a test did.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import requests
from build import ImageRegistry
from docker.models.containers import Container
from projects import PROJECT_LABEL, SERVICE_LABEL

from sutazai_ops.deployment.deploy import Report
from sutazai_ops.deployment.deployments import Deployments
from sutazai_ops.engines import Act
from sutazai_ops.installation import Installation
from sutazai_ops.settings import PACKAGED_PLATFORM, DeploySettings, Loaded, Settings

CORE = """
name: {name}-core
services:
  db:
    image: {registry}/postgres:16.11-alpine
    user: postgres
    environment: {{POSTGRES_USER: shop, POSTGRES_DB: shop, POSTGRES_PASSWORD_FILE: /run/secrets/db-password}}
    secrets: [db-password]
    volumes: ["db-data:/var/lib/postgresql/data"]
    networks: [data]
    healthcheck: {{test: [CMD, pg_isready, -h, 127.0.0.1, -U, shop], interval: 1s, timeout: 3s, retries: 30}}
    deploy: {{resources: {{limits: {{memory: 256M, pids: 100}}}}}}
    x-sutazai: {{login: {{user: shop, secret: db-password}}}}
  prepare:
    image: {registry}/busybox:1.37.0
    command: sh -c 'sleep 0.2; echo prepared'
    network_mode: none
  page:
    image: {registry}/sutazai/frontend:{version}
    environment:
      FAULT: "{fault}"
    depends_on: {{prepare: {{condition: service_completed_successfully}}}}
    networks: [front]
    stop_grace_period: 5s
    healthcheck:
      test: [CMD, curl, -fsS, -o, /dev/null, "http://127.0.0.1:8501/_stcore/health"]
      interval: 1s
      retries: 5
    x-sutazai: {{behind: {{proxy: edge, port: 8501}}, probes: [{{kind: http, port: 8501, path: /_stcore/health}}]}}
  edge:
    image: {registry}/caddy:2.11.7-alpine
    command: [sh, -euc, "sh /etc/caddy/switch.sh page; exec caddy run --config /etc/caddy/Caddyfile"]
    volumes:
      - ./config/edge/Caddyfile:/etc/caddy/Caddyfile:ro
      - ./config/edge/switch.sh:/etc/caddy/switch.sh:ro
      - upstreams:/etc/caddy/upstreams
    networks: [front, outside]
    ports: ["127.0.0.1:{port}:80"]
    x-sutazai:
      proxy: {{upstreams: /etc/caddy/upstreams, reload: [sh, /etc/caddy/switch.sh]}}
      probes: [{{kind: http, port: 80, path: /_stcore/health}}]
networks:
  data: {{name: {name}-data, external: true, x-sutazai: {{internal: true}}}}
  front: {{name: {name}-front, external: true, x-sutazai: {{internal: true}}}}
  outside: {{name: {name}-outside, external: true, x-sutazai: {{internal: false}}}}
volumes: {{db-data: {{}}, upstreams: {{}}}}
secrets:
  db-password: {{file: "${{SECRETS_FOLDER}}/db-password", x-sutazai: {{generate: "{{hex:16}}"}}}}
"""
EXTRAS = """
name: {name}-extras
services:
  teller:
    image: {registry}/busybox:1.37.0
    command: sh -c 'exec busybox httpd -f -p 8080 -h /etc/teller'
    init: true
    volumes: ["./config/teller:/etc/teller:ro"]
    networks: [front]
    x-sutazai: {{probes: [{{kind: http, port: 8080, path: /index.html, contains: open}}], needs: [page]}}
networks:
  front: {{name: {name}-front, external: true, x-sutazai: {{internal: true}}}}
"""
CADDYFILE = """
:80 {
	reverse_proxy {
		to {file./etc/caddy/upstreams/page}:8501 page:8501
		lb_policy first
		fail_duration 2s
		lb_try_duration 5s
		lb_try_interval 100ms
		transport http {
			keepalive 4s
		}
	}
}
"""


class Told:
    """Writes down what was under way, in the order in which it ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    @contextmanager
    def step(self, what: str, expected: int | None = None) -> Iterator[Callable[[int], None]]:
        yield lambda _: None
        self.ended.append(what)


class Shop:
    """The platform's folder, its installation, and what the engine has of it."""

    def __init__(self, folder: Path, registry: ImageRegistry, client: docker.DockerClient, port: int) -> None:
        self.name = f"shop-{uuid.uuid4().hex[:8]}"
        self.client, self.port, self.told = client, port, Told()
        self.folder, self.home = folder / "platform", folder / "home"
        for reference in ("postgres:16.11-alpine", "busybox:1.37.0", "caddy:2.11.7-alpine", "sutazai/frontend:1.0.0"):
            registry.push(reference)
        registry.push("sutazai/frontend:1.0.1")
        self.words: dict[str, Any] = {"registry": registry.address, "version": "1.0.0", "fault": ""}
        switch = (PACKAGED_PLATFORM / "config" / "edge" / "switch.sh").read_text()
        files = {"edge/Caddyfile": CADDYFILE, "edge/switch.sh": switch, "teller/index.html": "open\n"}
        for path, text in files.items():
            file = self.folder / "config" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.texts = {"core": CORE, "extras": EXTRAS}
        self.write()

    def write(self, **words: str) -> None:
        """Write the phase files with these words in them; what was said before stays."""
        self.words |= words
        for phase, text in self.texts.items():
            written = text.format(name=self.name, port=self.port, **self.words)
            (self.folder / f"{phase}.yaml").write_text(written)

    def replace(self, phase: str, old: str, new: str) -> None:
        """Change a phase's file."""
        assert old in self.texts[phase], f"{phase} says nothing of {old}"
        self.texts[phase] = self.texts[phase].replace(old, new)
        self.write()

    @property
    def installation(self) -> Installation:
        """The installation, read anew, as each command does."""
        deploy = DeploySettings(settle_seconds=0.5, probe_timeout_seconds=5)
        settings = Settings(home=self.home, platform=self.folder, engine="compose", deploy=deploy)
        return Installation(Loaded(settings=settings, origins={}))

    @property
    def deployments(self) -> Deployments:
        """Its deployments."""
        return Deployments.of(self.installation)

    def deploy(self, **selection: Any) -> Report:
        """Deploy phases or services."""
        return self.deployments.deploy(self.told, **selection)

    def changes(self, **selection: Any) -> dict[str, Act]:
        """What a plan would change."""
        return {step.service: step.act for step in self.deployments.prepare(**selection).plan.changes}

    def drifts(self) -> set[tuple[str, str]]:
        """What has drifted: service and kind."""
        return {(drift.service, str(drift.kind)) for drift in self.deployments.look_for_drift()[1]}

    def containers(self) -> dict[str, Container]:
        """The newest container of each service."""
        found = self.client.containers.list(all=True, ignore_removed=True)
        mine = [one for one in found if one.labels.get(PROJECT_LABEL, "").startswith(self.name)]
        return {one.labels[SERVICE_LABEL]: one for one in sorted(mine, key=lambda one: one.attrs["Created"])}

    def pages(self) -> list[Container]:
        """Every container of the page."""
        found = self.client.containers.list(all=True, ignore_removed=True)
        return [one for one in found if one.name.startswith(f"{self.name}-core-page")]

    def ids(self) -> dict[str, str]:
        """The container's id of each service."""
        return {service: one.id for service, one in self.containers().items()}

    def ask(self, path: str = "/_stcore/health") -> requests.Response:
        """Ask the page through the proxy, as its users do."""
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)

    def ops(self, *arguments: str) -> subprocess.Popen[str]:
        """`sutazai-ops` under way on this shop."""
        command = [sys.executable, "-m", "sutazai_ops.cli", *arguments]
        environment = {**os.environ, **self.environment()}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def environment(self) -> dict[str, str]:
        """What a command finds in its environment to work on this shop."""
        return {
            "SUTAZAI_HOME": str(self.home),
            "SUTAZAI_PLATFORM": str(self.folder),
            "SUTAZAI_ENGINE": "compose",
            "SUTAZAI_DEPLOY": json.dumps({"settle_seconds": 0.5, "probe_timeout_seconds": 5}),
        }

    def remove(self) -> None:
        """Remove everything that bears the shop's name."""
        for container in self.client.containers.list(all=True, ignore_removed=True):
            if container.labels.get(PROJECT_LABEL, "").startswith(self.name) or container.name.startswith(self.name):
                container.remove(force=True, v=True)
        for network in self.client.networks.list():
            if network.name.startswith(self.name):
                network.remove()
        for volume in self.client.volumes.list():
            if volume.name.startswith(self.name):
                volume.remove(force=True)
