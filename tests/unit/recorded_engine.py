"""An engine of containers that are only written down: for what a deployment decides, not for what Docker does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

import yaml

from sutazai_ops.engines import Capacity, Container, Endpoint, Health, Network, Observed, Order, State, Usage
from sutazai_ops.engines.labels import RELEASE, SPEC
from sutazai_ops.errors import BadInput, CommandFailed, Unreachable
from sutazai_ops.platform import Platform, Service
from sutazai_ops.progress import Progress


class RecordedEngine:
    """Runs whatever it is told to, but for images that are broken, and phases that are refused with what is said."""

    name = "recorded"

    def __init__(self, platform: Platform, broken: Sequence[str] = (), missing: Sequence[str] = ()) -> None:
        self.platform, self.broken, self.missing = platform, set(broken), set(missing)
        self.projects: dict[str, dict[str, tuple[Container, ...]]] = {}
        self.done: list[str] = []
        self.refused: dict[str, str] = {}
        self._ids = count(1)

    def capacity(self) -> Capacity:
        return Capacity(memory=2**40, cpus=64)

    def cannot_run(self, service: Service) -> str:
        return ""

    def observe(self) -> list[Observed]:
        found = []
        for phase in self.platform.phases:
            for name in phase.services:
                ones = self.projects.get(phase.project, {}).get(name, ())
                state, health = (ones[-1].state, ones[-1].health) if ones else (State.ABSENT, Health.UNKNOWN)
                found.append(Observed(name, state, health, containers=ones))
        return found

    def observe_project(self, project: str) -> Mapping[str, tuple[Container, ...]]:
        return dict(self.projects.get(project, {}))

    def ensure_networks(self, networks: Sequence[Network]) -> None:
        self.done += [f"network {network.name}" for network in networks]

    def check(self, order: Order) -> None:
        if refused := self.refused.get(order.file.stem):
            raise BadInput(refused, where=str(order.file), remedy="correct it")

    def pull(self, order: Order, progress: Progress) -> None:
        definitions = yaml.safe_load(order.file.read_text())["services"]
        for name in order.services:
            if definitions[name]["image"] in self.missing:
                raise CommandFailed(f"the image {definitions[name]['image']} of {name} cannot be pulled: not found")

    def bring(self, order: Order, progress: Progress) -> Mapping[str, float]:
        definitions = yaml.safe_load(order.file.read_text())["services"]
        for name in order.services:
            self.done.append(f"bring {name}")
            self.projects.setdefault(order.project, {})[name] = (self._container(order, name, definitions[name]),)
        for name in order.services:
            if definitions[name]["image"] in self.broken:
                raise CommandFailed(f"{name} did not come up: it ended with exit code 1", where="its last words")
        return dict.fromkeys(order.services, 0.1)

    def _container(self, order: Order, name: str, definition: Mapping[str, object]) -> Container:
        labels = definition["labels"]
        assert isinstance(labels, Mapping)
        return Container(
            id=str(next(self._ids)), name=name, project=order.project, state=State.RUNNING, health=Health.OK,
            image=str(definition["image"]), image_id=str(definition["image"]), spec=labels[SPEC],
            release=int(labels[RELEASE]), networks=frozenset({f"{order.project}_default"}),
        )  # fmt: skip

    def remove(self, project: str, services: Sequence[str]) -> None:
        for name in services:
            self.done.append(f"remove {name}")
            self.projects[project].pop(name, None)

    def remove_project(self, project: str, *, volumes: bool = False) -> None:
        self.done.append(f"take down {project}{' with its volumes' if volumes else ''}")
        self.projects.pop(project, None)

    def stop(self, service: str) -> None:
        for containers in self.projects.values():
            if service in containers:
                containers[service] = tuple(
                    replace(one, state=State.STOPPED, exit_code=137) for one in containers[service]
                )

    def endpoint(self, service: str, port: int | None = None) -> Endpoint:
        raise Unreachable(f"{service} is only written down")

    def write_file(self, service: str, path: str, content: bytes) -> None:
        self.done.append(f"write {path} in {service}")

    def execute(self, service: str, argv: Sequence[str]) -> str:
        self.done.append(f"run {' '.join(argv)} in {service}")
        return ""

    def usages(self, observed: Sequence[Observed]) -> Mapping[str, Usage]:
        return {one.service: Usage(memory=2**20, cpu_seconds=1.0) for one in observed if one.containers}

    def logs(self, service: str, lines: int = 50) -> list[str]:
        return []
