"""The compose engine: services as containers of one Docker host.

A phase is one Compose project. `docker compose` alone makes containers from definitions; docker-py looks at them, stops
and removes them, and runs commands inside. Every look costs one listing and one inspection a container, side by side.
"""

from __future__ import annotations

import io
import socket
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sutazai_ops.engines.base import Capacity, Endpoint, Health, Kill, Observed, State, Usage
from sutazai_ops.engines.compose import commands, daemon
from sutazai_ops.engines.compose.images import pull_missing
from sutazai_ops.engines.compose.observe import (
    ENDED_WELL,
    ONE_OFF,
    PROJECT,
    SERVICE,
    address_inside,
    address_of,
    container_of,
    how_it_ended,
    moment,
    number_of,
    observed,
    service_of,
)
from sutazai_ops.engines.compose.waiting import wait_until_well
from sutazai_ops.engines.external import external_server, product_of
from sutazai_ops.errors import BadInput, CommandFailed, OpsError, Refused, ToolMissing, Unreachable, Unsupported
from sutazai_ops.lock import held
from sutazai_ops.platform.copies import copies
from sutazai_ops.progress import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from docker import APIClient

    from sutazai_ops.engines.base import Change, Container, Network, Order, ScratchOptions, Server, Tools
    from sutazai_ops.engines.compose.observe import Inspected
    from sutazai_ops.platform import Platform, Product, Service
    from sutazai_ops.progress import Progress
    from sutazai_ops.settings import Settings

LOG_LINES = 20
COMPOSE_SECONDS = 900
"""How long one `docker compose up` may take before it is ended: images are there already when it starts."""
PAUSE_SECONDS = 0.2
STAMPED = "sutazai.network"
"""On networks that we made."""
IN_A_CONTAINER = Path("/.dockerenv")
"""Docker puts it into every container, whose own name is its id unless its file says otherwise."""
USUAL_PORTS = {"postgres": 5432, "redis": 6379}


class ComposeEngine:
    """An `Engine` whose services are containers of one Docker host."""

    name = "compose"

    def __init__(self, settings: Settings, platform: Platform) -> None:
        self._settings = settings
        self._platform = platform
        self._home = settings.home
        self._patience = settings.deploy.health_timeout_seconds
        self._images_made_at: dict[str, datetime | None] = {}

    @cached_property
    def _docker(self) -> APIClient:
        return daemon.connect()

    # What is there

    def capacity(self) -> Capacity:
        """What the host has."""
        with daemon.speaking("cannot ask what the host has"):
            info = self._docker.info()
        return Capacity(memory=info["MemTotal"], cpus=info["NCPU"])

    def cannot_run(self, service: Service) -> str:
        """Why it cannot run the service; empty where it can."""
        if service.external:
            return "somebody else runs it"
        if copies(service.compose) == 0:
            return "its file says that none of it shall run"
        return "" if service.image or "build" in service.compose else "it names no image"

    def observe(self) -> list[Observed]:
        """Every service of the platform as it is now; never raises for one that is broken."""
        found = self._inspect(*(self._project(service) for service in self._platform))
        return [
            self._observe(service, found.get((self._project(service), service.name), [])) for service in self._platform
        ]

    def observe_project(self, project: str) -> Mapping[str, tuple[Container, ...]]:
        """Every container of one project by its service."""
        found = self._inspect(project)
        return {service: tuple(map(container_of, containers)) for (_, service), containers in found.items()}

    def _observe(self, service: Service, containers: Sequence[Inspected]) -> Observed:
        if service.external is None:
            return observed(service.name, containers)
        from sutazai_ops.engines import observing

        try:
            return observing.observe(external_server(service, self._home), service.external.kind, State.ELSEWHERE)
        except OpsError as error:
            return Observed(service.name, State.ELSEWHERE, Health.FAILED, note=error.what)

    def _inspect(
        self, *projects: str, services: Collection[str] | None = None
    ) -> dict[tuple[str, str], list[Inspected]]:
        """The containers of these projects, or of a few services of them, by project and service in their order."""
        wanted = set(projects)
        filters = {"label": [PROJECT, f"{ONE_OFF}=False"]}
        if len(wanted) == 1:
            filters["label"].append(f"{PROJECT}={projects[0]}")
        if services is not None and len(services) == 1:
            filters["label"].extend(f"{SERVICE}={name}" for name in services)
        with daemon.speaking("cannot list the containers"):
            listed = self._docker.containers(all=True, filters=filters)
        ids = [
            one["Id"]
            for one in listed
            if one["Labels"][PROJECT] in wanted and (services is None or one["Labels"].get(SERVICE) in services)
        ]
        with ThreadPoolExecutor(max_workers=daemon.CONNECTIONS) as pool:
            inspected = [one for one in pool.map(self._look_at, ids) if one]
        found: dict[tuple[str, str], list[Inspected]] = {}
        for one in sorted(inspected, key=number_of):
            found.setdefault((one["Config"]["Labels"][PROJECT], service_of(one)), []).append(one)
        return found

    def _look_at(self, container: str) -> Inspected | None:
        from docker.errors import NotFound

        with daemon.speaking("cannot look at a container"):
            try:
                seen: Inspected = self._docker.inspect_container(container)
            except NotFound:
                # It went between the listing and the look.
                return None
            return seen

    # What releases ask for

    def ensure_networks(self, networks: Sequence[Network]) -> None:
        """Make those that are missing.

        Raises:
            Refused: for one that is there and is not as it is meant, and for one of somebody else's that is missing;
                nothing is changed then.
        """
        with daemon.speaking("cannot list the networks"):
            there = {one["Name"]: one for one in self._docker.networks()}
        for network in networks:
            found = there.get(network.name)
            if not found and network.internal is None:
                raise Refused(
                    f"there is no network {network.name}, which the platform joins and does not make",
                    remedy=f"start what it belongs to, or make it: docker network create {network.name}",
                )
            if found and network.internal is not None and bool(found.get("Internal")) != network.internal:
                meant, is_ = ("internal", "open to the outside") if network.internal else ("open", "internal")
                raise Refused(
                    f"the network {network.name} is meant to be {meant}, and is {is_}",
                    remedy=f"when nothing uses it any more: docker network rm {network.name}, then deploy again",
                )
        for network in networks:
            if network.name not in there:
                self._make_network(network)

    def _make_network(self, network: Network) -> None:
        with daemon.speaking(f"cannot make the network {network.name}"):
            self._docker.create_network(
                network.name,
                driver="bridge",
                internal=bool(network.internal),
                labels={STAMPED: "yes"},
                check_duplicate=True,
            )

    def check(self, order: Order) -> None:
        """Have Compose itself read the order's file; raises `BadInput` with what it does not take."""
        code, words = commands.start(commands.configuration(order)).finish(COMPOSE_SECONDS)
        if code != 0:
            lines = [line.strip() for line in words.splitlines() if line.strip()]
            raise BadInput(
                f"Compose does not take the phase {order.file.stem}: {lines[-1] if lines else 'it gave no reason'}",
                where=str(order.file),
                remedy="correct the phase's file; nothing was changed",
            )

    def pull(self, order: Order, progress: Progress) -> None:
        """Have every image of the order on the host; raises `OpsError` naming the service whose image cannot be had."""
        definitions = commands.definitions(order)
        wanted = {name: str(definitions[name]["image"]) for name in order.services if "image" in definitions[name]}
        pull_missing(self._docker, wanted, progress)

    def bring(self, order: Order, progress: Progress) -> Mapping[str, float]:
        """Do what the order says, and wait until each of its services is well; see `Engine.bring`."""
        anew = [name for name in order.services if name in order.recreate]
        rest = [name for name in order.services if name not in order.recreate]
        with Steps(progress, {name: f"start {name}" for name in order.services}) as steps:
            for names, flags in ((anew, ("--force-recreate",)), (rest, ())):
                if names:
                    look = partial(self._of, order.project, names)
                    self._up(order, commands.up(order, names, *flags), names, look, steps.end)
        return steps.seconds

    def add_copy(self, order: Order, service: str, progress: Progress) -> tuple[Container, ...]:
        """Start what the file says of a service beside what runs of it; see `Engine.add_copy`."""
        old = self._of(order.project, [service]).get(service, [])
        meant = copies(commands.definitions(order)[service])
        with progress.step(f"start the new {service} beside the old"):
            self._add(order, service, old, len(old) + meant)
        return tuple(map(container_of, old))

    def _add(self, order: Order, service: str, old: Sequence[Inspected], count: int) -> None:
        """Bring a service to so many containers; where the new ones do not become well, they are removed again."""
        known = {one["Id"] for one in old}

        def fresh() -> dict[str, list[Inspected]]:
            there = self._of(order.project, [service]).get(service, [])
            return {service: [one for one in there if one["Id"] not in known]}

        try:
            self._up(order, commands.copies(order, service, count), [service], fresh)
        except BaseException:
            self.retire([container_of(one) for one in fresh()[service]])
            raise

    def scale(self, order: Order, service: str, copies: int, progress: Progress) -> tuple[Container, ...]:
        """Run so many copies of a service, without touching those that stay; see `Engine.scale`."""
        there = self._of(order.project, [service]).get(service, [])
        if copies > len(there):
            with progress.step(f"start {service} {copies - len(there)} more times"):
                self._add(order, service, there, copies)
        gone = tuple(map(container_of, there[copies:]))
        for container in gone:
            with progress.step(f"stop {container.name}"):
                self.retire([container])
        return gone

    def _up(
        self,
        order: Order,
        argv: Sequence[str],
        services: Sequence[str],
        look: Callable[[], Mapping[str, Sequence[Inspected]]],
        well: Callable[[str], None] = lambda _: None,
    ) -> None:
        old = {one["Id"] for containers in look().values() for one in containers}
        command = commands.start(argv, held(self._settings.releases))
        try:
            broken = wait_until_well(
                look, services, order.ending, at_most=self._patience, worker=command.poll, well=well, old=old
            )
            code, words = command.finish(COMPOSE_SECONDS)
        except BaseException:
            command.end()
            raise
        if code != 0 and not broken:
            raise commands.failure(words, f"cannot start {', '.join(services)}")
        if broken:
            raise self._not_well(broken, look())

    def _not_well(self, broken: Mapping[str, str], containers: Mapping[str, Sequence[Inspected]]) -> CommandFailed:
        service, why = next(iter(broken.items()))
        others = f" ({len(broken) - 1} more: {', '.join(list(broken)[1:])})" if len(broken) > 1 else ""
        lines = [line for one in containers.get(service, ())[-1:] for line in self._tail(one["Id"], LOG_LINES)]
        return CommandFailed(
            f"{service} did not come up: {why}{others}",
            where="\n".join(lines),
            remedy='where it is meant to end by itself, write restart: "no"' if why == ENDED_WELL else "",
        )

    def retire(self, containers: Sequence[Container]) -> None:
        """Stop these containers as their grace period allows, and remove them. Volumes stay."""
        for container in containers:
            with daemon.speaking(f"cannot remove {container.name}"):
                self._retire(container.id)

    def _retire(self, container: str) -> None:
        from docker.errors import APIError, NotFound

        try:
            self._docker.stop(container)
            self._docker.remove_container(container, v=False, force=True)
        except NotFound:
            return
        except APIError as error:
            if "already in progress" not in str(error.explanation):
                raise
            # Whoever was told to remove it before us, and was killed meanwhile.
            deadline = time.monotonic() + daemon.SECONDS
            while self._look_at(container) and time.monotonic() < deadline:
                time.sleep(PAUSE_SECONDS)

    def remove(self, project: str, services: Sequence[str]) -> None:
        """Stop and remove all containers of these services. Volumes stay; what is not there is passed over."""
        found = self.observe_project(project)
        self.retire([container for name in services for container in found.get(name, ())])

    def remove_project(self, project: str, *, volumes: bool = False) -> None:
        """Stop and remove every container of a project and its own networks; its volumes too only where told to."""
        found = self.observe_project(project)
        with ThreadPoolExecutor(max_workers=daemon.CONNECTIONS) as pool:
            list(pool.map(self.retire, found.values()))
        mine = {"label": f"{PROJECT}={project}"}
        with daemon.speaking(f"cannot remove the networks of {project}"):
            for network in self._docker.networks(filters=mine):
                self._docker.remove_network(network["Id"])
        if volumes:
            with daemon.speaking(f"cannot remove the volumes of {project}"):
                for volume in self._docker.volumes(filters=mine)["Volumes"] or ():
                    self._docker.remove_volume(volume["Name"])

    def execute(self, service: str, argv: Sequence[str]) -> str:
        """Run a command inside the service and return what it wrote; raises `CommandFailed` with its last lines."""
        container = self._newest(service)
        with daemon.speaking(f"cannot run {argv[0]} in {service}"):
            command = self._docker.exec_create(container["Id"], list(argv))
            output: str = self._docker.exec_start(command["Id"]).decode(errors="replace")
            code = self._docker.exec_inspect(command["Id"])["ExitCode"]
        if code != 0:
            tail = output.strip().splitlines()[-LOG_LINES:]
            last = tail[-1] if tail else "it gave no reason"
            raise CommandFailed(f"{argv[0]} in {service} ended with exit code {code}: {last}", where="\n".join(tail))
        return output

    def write_file(self, service: str, path: str, content: bytes) -> None:
        """Write a file inside the running service, whole or not at all."""
        container = self._newest(service)
        target = PurePosixPath(path)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo(target.name)
            entry.size, entry.mode, entry.mtime = len(content), 0o644, int(time.time())
            archive.addfile(entry, io.BytesIO(content))
        with daemon.speaking(f"cannot write {path} in {service}"):
            self._docker.put_archive(container["Id"], str(target.parent), packed.getvalue())

    # The verbs that every engine has for one service

    def plan(self, services: Sequence[Service]) -> list[Change]:  # noqa: ARG002
        """Raises `Unsupported`: what containers are made from is a release."""
        raise Unsupported("the compose engine brings services up from a release", remedy="sutazai-ops deploy")

    def apply(self, changes: Sequence[Change], progress: Progress) -> None:  # noqa: ARG002
        """Raises `Unsupported` as `plan` does."""
        raise Unsupported("the compose engine brings services up from a release", remedy="sutazai-ops deploy")

    def stop(self, service: str) -> None:
        """Stop it cleanly and keep its data. Stopping what is stopped does nothing."""
        for container in self._containers(service):
            with daemon.speaking(f"cannot stop {service}"):
                self._docker.stop(container["Id"])

    def start(self, service: str) -> None:
        """Start it and wait until it is well. Starting what runs does nothing."""
        containers = self._containers(service)
        if not containers:
            raise Unreachable(f"{service} was never deployed here", remedy=f"sutazai-ops deploy --services {service}")
        with daemon.speaking(f"cannot start {service}"):
            for container in containers:
                self._docker.start(container["Id"])
        self._await(service)

    def restart(self, service: str) -> None:
        """Stop and start it."""
        self.stop(service)
        self.start(service)

    def clean_up(self) -> int:
        """Remove images without a name and build cache that are a day old; the bytes that became free.

        The image of a stopped container is in use to the daemon, too: docs.docker.com/reference/cli/docker/image/prune.
        """
        old = {"until": "24h"}
        # What is known of its types lacks these two calls.
        client: Any = self._docker
        with daemon.speaking("cannot make room"):
            images = client.prune_images({**old, "dangling": True})
            builds = client.prune_builds(filters=old)
        return int(images.get("SpaceReclaimed") or 0) + int(builds.get("SpaceReclaimed") or 0)

    def _await(self, service: str) -> None:
        project = self._project(self._platform.service(service))
        look = partial(self._of, project, [service])
        if broken := wait_until_well(look, [service], (), at_most=self._patience):
            raise self._not_well(broken, look())

    def endpoint(self, service: str, port: int | None = None) -> Endpoint:
        """Where a client that runs here reaches the service; raises `Unsupported` where it has no such address."""
        wanted = self._platform.service(service)
        if wanted.external:
            return external_server(wanted, self._home).endpoint
        inside = port or _usual_port(wanted)
        container, ours = self._newest(service), self._own_networks
        found = address_of(container, inside) if ours is None else address_inside(container, inside, ours)
        if found is None:
            raise Unsupported(
                f"{service} has no address on this host for its port {inside}"
                if ours is None
                else f"the container that this runs in is on no network with {service}"
            )
        return Endpoint(*found)

    @cached_property
    def _own_networks(self) -> frozenset[str] | None:
        """The networks of the container that this program itself runs in; None where it runs in none of this engine."""
        if not IN_A_CONTAINER.exists():
            return None
        seen = self._look_at(socket.gethostname())
        return container_of(seen).networks if seen else None

    def server(self, service: str) -> Server:
        """The service as a server to speak to; raises `Unreachable` when it does not run."""
        from sutazai_ops.engines.compose.login import account_of
        from sutazai_ops.engines.local import LocalServer

        wanted = self._platform.service(service)
        if wanted.external:
            return external_server(wanted, self._home)
        account = account_of(wanted, self._newest(service))
        kind = wanted.backup.kind if wanted.backup else wanted.probes[0].kind if wanted.probes else "none"
        server = LocalServer(
            service, self.endpoint(service), account, self._home, lambda: self.tools(*product_of(server, kind))
        )
        return server

    def tools(self, product: Product, major: int) -> Tools:
        """The tools of a product's major version: this machine's, or those of a service's image.

        Raises:
            ToolMissing: where there are neither.
        """
        from sutazai_ops.engines import toolchain
        from sutazai_ops.engines.compose.tools import image_of, tools_in

        try:
            return toolchain.find(product, major, home=self._home)
        except ToolMissing:
            image = image_of(self._docker, self._images(), product, major)
            return tools_in(image, product, major, self._home)

    def scratch(
        self, product: Product, major: int, options: ScratchOptions | None = None
    ) -> AbstractContextManager[Server]:
        """A throw-away server: of this machine's programs where it has them, else a container of a service's image."""
        from sutazai_ops.engines.compose.scratch import scratch_container
        from sutazai_ops.engines.scratch import has_programs, scratch_server

        if has_programs(product, major, self._home):
            return scratch_server(product, major, options, home=self._home)
        return scratch_container(self._docker, self._images(), product, major, options, home=self._home)

    def _images(self) -> list[str]:
        return [one.containers[-1].image_id for one in self.observe() if one.containers]

    def data_folder(self, service: str) -> Path:
        """Raises `Unsupported`: the data is in a volume of the engine, which is not this machine's to change."""
        raise Unsupported(f"the data of {service} is in a volume, and not in a folder of this machine")

    def give_data(self, service: str, folder: Path) -> None:  # noqa: ARG002
        """Raises `Unsupported` as `data_folder` does."""
        raise Unsupported(f"the data of {service} is in a volume, and not in a folder of this machine")

    def logs(self, service: str, lines: int = 50) -> list[str]:
        """The last lines that the newest container of the service wrote."""
        containers = self._containers(service)
        return self._tail(containers[-1]["Id"], lines) if containers else []

    def usage(self, service: str) -> Usage | None:
        """What it uses now; None when it does not run."""
        containers = [one for one in self._containers(service) if one["State"]["Running"]]
        if not containers:
            return None
        stats = [self._stats(one["Id"]) for one in containers]
        return _together(stats)

    def usages(self, observed: Sequence[Observed]) -> Mapping[str, Usage]:
        """What each of these uses now; one of whose containers does not say is left out."""
        pairs = [
            (one.service, container.id)
            for one in observed
            for container in one.containers
            if container.state is State.RUNNING
        ]
        with ThreadPoolExecutor(max_workers=daemon.CONNECTIONS) as pool:
            found = list(zip(pairs, pool.map(self._stats_or_none, (id_ for _, id_ in pairs)), strict=True))
        silent = {service for (service, _), usage in found if usage is None}
        parts: dict[str, list[Usage]] = {}
        for (service, _), usage in found:
            if usage is not None and service not in silent:
                parts.setdefault(service, []).append(usage)
        return {service: _together(usages) for service, usages in parts.items()}

    def _stats_or_none(self, container: str) -> Usage | None:
        try:
            return self._stats(container)
        except OpsError:
            # It has ended since it was seen, or the engine is too busy to say.
            return None

    def _stats(self, container: str) -> Usage:
        with daemon.speaking("cannot ask what a container uses"):
            stats = self._docker.stats(container, stream=False, one_shot=True)
        cpu = stats["cpu_stats"]
        held_back = (cpu.get("throttling_data") or {}).get("throttled_time")
        return Usage(
            memory=_working_set(stats),
            cpu_seconds=cpu["cpu_usage"]["total_usage"] / 1e9,
            throttled_seconds=None if held_back is None else held_back / 1e9,
        )

    def kills(self, since: float) -> Iterator[Kill]:
        """Each process of a service that the kernel ends for want of memory, as it happens; see `Engine.kills`."""
        ours = {(phase.project, name) for phase in self._platform.phases for name in phase.services}
        with daemon.speaking("cannot follow the events of the engine"):
            for event in self._docker.events(since=int(since), filters={"event": "oom"}, decode=True):
                labels = event["Actor"]["Attributes"]
                if (labels.get(PROJECT), labels.get(SERVICE)) in ours:
                    yield Kill(labels[SERVICE], event["timeNano"] / 1e9)

    def image_made_at(self, image_id: str) -> datetime | None:
        """When an image was made, asked once an image; None where the engine no longer has it."""
        if image_id not in self._images_made_at:
            try:
                with daemon.speaking("cannot look at an image"):
                    seen: Inspected = self._docker.inspect_image(image_id)  # type: ignore[no-untyped-call]
                    self._images_made_at[image_id] = moment(seen.get("Created"))
            except OpsError:
                return None
        return self._images_made_at[image_id]

    def _tail(self, container: str, lines: int) -> list[str]:
        with daemon.speaking("cannot read a log"):
            output: bytes = self._docker.logs(container, tail=lines)
        return output.decode(errors="replace").splitlines()

    def _newest(self, service: str) -> Inspected:
        containers = self._containers(service)
        running = [one for one in containers if one["State"]["Running"]]
        if not running:
            ended = [how_it_ended(one["State"]) for one in containers if one["State"]["Status"] in ("exited", "dead")]
            why = f": {ended[-1]}" if ended else ""
            raise Unreachable(f"{service} does not run{why}", remedy=f"sutazai-ops deploy --services {service}")
        return running[-1]

    def _containers(self, service: str) -> list[Inspected]:
        wanted = self._platform.service(service)
        project = self._project(wanted)
        return self._of(project, [wanted.name]).get(wanted.name, [])

    def _of(self, project: str, services: Collection[str]) -> dict[str, list[Inspected]]:
        return {name: containers for (_, name), containers in self._inspect(project, services=services).items()}

    def _project(self, service: Service) -> str:
        return self._projects[service.phase]

    @cached_property
    def _projects(self) -> dict[str, str]:
        return {phase.name: phase.project for phase in self._platform.phases}


def _together(usages: Sequence[Usage]) -> Usage:
    """What several containers use, all of them together."""
    held_back = [one.throttled_seconds for one in usages if one.throttled_seconds is not None]
    return Usage(
        memory=sum(one.memory for one in usages),
        cpu_seconds=sum(one.cpu_seconds for one in usages),
        throttled_seconds=sum(held_back) if len(held_back) == len(usages) else None,
    )


def _usual_port(service: Service) -> int:
    from sutazai_ops.platform.model import PROBE_PORTS

    kinds = [service.backup.kind] if service.backup else []
    ports = [USUAL_PORTS[kind] for kind in kinds if kind in USUAL_PORTS]
    ports += [port for probe in service.probes if (port := probe.port or PROBE_PORTS.get(probe.kind))]
    if not ports:
        raise Unsupported(f"it is not known at which port {service.name} answers", remedy="name one")
    return ports[0]


def _working_set(stats: Mapping[str, Any]) -> int:
    """Memory that cannot be had back by dropping file cache, as `docker stats` counts it."""
    memory = stats["memory_stats"]
    details = memory.get("stats", {})
    return int(memory.get("usage", 0)) - int(details.get("inactive_file", details.get("total_inactive_file", 0)))
