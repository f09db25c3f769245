"""The embedded engine: the platform's servers as processes of this machine, out of wheels.

For a machine without Docker. Each service has a folder below `embedded/` in the home folder with its data, its port and
what is known of its process; its password stands in `secrets/`, its log in `logs/`. A server goes on when the process
that started it has ended, and whoever comes next finds it again: no second server is ever started on the same data.
Services that no wheel brings a server for are absent here, and said to be.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from sutazai_ops.engines import account, daemons, observing, toolchain
from sutazai_ops.engines.base import Act, Change, Health, Observed, State
from sutazai_ops.engines.daemons import Record
from sutazai_ops.engines.embedded_releases import Releases
from sutazai_ops.engines.exporter_program import ExporterProgram
from sutazai_ops.engines.external import external_server
from sutazai_ops.engines.launch import launch
from sutazai_ops.engines.postgres_program import PostgresProgram
from sutazai_ops.engines.premises import USUAL_PORTS, Premises
from sutazai_ops.engines.redis_program import RedisProgram
from sutazai_ops.engines.scratch import scratch_server
from sutazai_ops.errors import BadInput, OpsError, Unreachable, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from sutazai_ops.engines.base import (
        Capacity,
        Container,
        Endpoint,
        Kill,
        Order,
        ScratchOptions,
        Server,
        Tools,
        Usage,
    )
    from sutazai_ops.engines.site import Program, Site
    from sutazai_ops.platform import Platform, Product, Service
    from sutazai_ops.progress import Progress
    from sutazai_ops.settings import Settings

STOP_SECONDS = 120
"""How long a clean stop may take: PostgreSQL writes its whole cache to disk first."""
NO_SERVER = "the embedded engine has no server for it"


class EmbeddedEngine(Releases):
    """An `Engine` whose servers are processes of this machine."""

    name = "embedded"

    def __init__(self, settings: Settings, platform: Platform) -> None:
        super().__init__(settings.home, platform)
        self._platform = platform
        self._home = settings.home
        self._settings = settings
        self._premises = Premises(settings)

    def capacity(self) -> Capacity:
        """What this machine has."""
        return observing.capacity()

    def cannot_run(self, service: Service) -> str:
        """Why it cannot run the service; empty where it can."""
        if service.external:
            return "somebody else runs it"
        return "" if service.embedded else NO_SERVER

    def observe(self) -> list[Observed]:
        """Every service of the platform as it is now, asked all at once; never raises for one that is broken."""
        services = list(self._platform)
        with ThreadPoolExecutor(max_workers=max(1, len(services))) as pool:
            return list(pool.map(self._observe, services))

    def plan(self, services: Sequence[Service]) -> list[Change]:
        """What bringing these services up would change, those that others depend on first."""
        return [self._change(service) for service in _in_order(services)]

    def apply(self, changes: Sequence[Change], progress: Progress) -> None:
        """Start what a plan says is to be started, and wait until it answers.

        Raises:
            OpsError: naming the service that did not come up, with its log; those that did stay up.
        """
        for change in changes:
            if change.act is not Act.UNCHANGED:
                with progress.step(f"{change.act} {change.service}"):
                    self.start(change.service)

    def start(self, service: str) -> None:
        """Start it and wait until it answers. Starting what runs does nothing.

        Raises:
            OpsError: naming the service, with the path and the last lines of its log.
        """
        wanted = self._ours(service)
        with self._premises.held(service):
            if self._premises.running(service) is None:
                launch(self._premises.site(wanted), self._program(wanted))

    def stop(self, service: str) -> None:
        """Stop it cleanly and keep its data. Stopping what is stopped does nothing."""
        wanted = self._ours(service)
        if not self._premises.has_data(service):
            return
        with self._premises.held(service):
            record = self._premises.record(service)
            if record and record.process:
                daemons.end(record.process, self._program(wanted).stop_signal, STOP_SECONDS)
                daemons.write_record(self._premises.record_file(service), Record(port=record.port))

    def restart(self, service: str) -> None:
        """Stop and start it."""
        self.stop(service)
        self.start(service)

    def endpoint(self, service: str, port: int | None = None) -> Endpoint:
        """Where a client that runs here reaches the service; raises `Unsupported` for a port it does not serve."""
        wanted = self._platform.service(service)
        if wanted.external:
            return external_server(wanted, self._home).endpoint
        program = self._ours(service).embedded
        if program and port not in {None, USUAL_PORTS[program.server]}:
            raise Unsupported(f"the embedded engine serves {service} on its usual port alone, not on {port}")
        return self._running(wanted).server.endpoint

    def server(self, service: str) -> Server:
        """The service as a server to speak to; raises `Unreachable` when it does not run."""
        wanted = self._platform.service(service)
        return external_server(wanted, self._home) if wanted.external else self._running(self._ours(service)).server

    def tools(self, product: Product, major: int) -> Tools:
        """The tools of a product's major version on this machine; raises `ToolMissing` naming what to install."""
        return toolchain.find(product, major, home=self._home)

    def scratch(
        self, product: Product, major: int, options: ScratchOptions | None = None
    ) -> AbstractContextManager[Server]:
        """A throw-away server on this machine, gone with its data when the context ends, however it ends."""
        return scratch_server(product, major, options, home=self._home)

    def logs(self, service: str, lines: int = 50) -> list[str]:
        """The last lines that the service wrote, of what it wrote into 64 KiB."""
        return daemons.last_lines(self._premises.log(self._ours(service).name), lines)

    def usage(self, service: str) -> Usage | None:
        """What all processes of the service use now; None when it does not run."""
        process = self._premises.running(self._ours(service).name)
        return observing.usage(process.pid) if process else None

    def usages(self, observed: Sequence[Observed]) -> Mapping[str, Usage]:
        """What each of these uses now; processes that others run are not ours to look at."""
        found = {one.service: self.usage(one.service) for one in observed if one.state is State.RUNNING}
        return {service: usage for service, usage in found.items() if usage is not None}

    def kills(self, since: float) -> Iterator[Kill]:  # noqa: ARG002
        """None: the kernel tells nobody of a process of its own."""
        return iter(())

    def image_made_at(self, image_id: str) -> datetime | None:  # noqa: ARG002
        """None: processes have no images."""
        return None

    def clean_up(self) -> int:
        """There are no images here."""
        return 0

    def scale(self, order: Order, service: str, copies: int, progress: Progress) -> tuple[Container, ...]:  # noqa: ARG002
        """Raises `Unsupported`: this engine runs one of each."""
        raise Unsupported(
            f"the embedded engine runs one {service}, not {copies}", remedy="use an engine that runs containers"
        )

    def owns(self, service: str) -> bool:
        """Whether the service's data is in a folder of this engine."""
        wanted = self._platform.service(service)
        return wanted.embedded is not None and wanted.external is None

    def data_folder(self, service: str) -> Path:
        """Where the service's data is; raises `Unsupported` when somebody else runs it."""
        return self._premises.site(self._ours(service)).data

    def give_data(self, service: str, folder: Path) -> None:
        """Let the account that the service runs as own `folder` and all in it."""
        self._ours(service)
        account.give(folder)

    def _observe(self, service: Service) -> Observed:
        try:
            if service.external:
                server = external_server(service, self._home)
                return observing.observe(server, service.external.kind, State.ELSEWHERE)
            if service.embedded is None:
                return Observed(service.name, State.ABSENT, Health.UNKNOWN, note=NO_SERVER)
            return self._observe_ours(service)
        except OpsError as error:
            state = State.ELSEWHERE if service.external else State.STOPPED
            return Observed(service.name, state, Health.FAILED, note=error.what)

    def _observe_ours(self, service: Service) -> Observed:
        if process := self._premises.running(service.name):
            site = self._premises.site(service)
            kind = service.embedded.server if service.embedded else ""
            return observing.observe(site.server, kind, State.RUNNING, daemons.started_at(process))
        if not self._premises.has_data(service.name):
            return Observed(service.name, State.ABSENT, Health.UNKNOWN)
        record = self._premises.record(service.name)
        if record and record.process:
            note = f"it ended without being asked to; its log is {self._premises.log(service.name)}"
            return Observed(service.name, State.STOPPED, Health.FAILED, note=note)
        return Observed(service.name, State.STOPPED, Health.UNKNOWN)

    def _change(self, service: Service) -> Change:
        if service.external:
            return Change(service.name, Act.UNCHANGED, "somebody else runs it")
        if service.embedded is None:
            return Change(service.name, Act.UNCHANGED, NO_SERVER)
        if self._premises.running(service.name):
            return Change(service.name, Act.UNCHANGED, "it runs")
        if self._premises.has_data(service.name):
            return Change(service.name, Act.START, "it does not run; its data is there")
        return Change(service.name, Act.CREATE, "it was never started here")

    def _ours(self, name: str) -> Service:
        service = self._platform.service(name)
        if service.external:
            raise Unsupported(
                f"the embedded engine does not run {name}: somebody else runs it",
                where=service.external.address,
                remedy="do this where it runs, or remove its external address from the settings",
            )
        if service.embedded is None:
            raise Unsupported(
                f"the embedded engine has no server for {name}",
                where=str(service.file),
                remedy="say how under x-sutazai: embedded:, or where somebody else runs it: external:",
            )
        return service

    def _program(self, service: Service) -> Program:
        match service.embedded and service.embedded.server:
            case "postgres":
                return PostgresProgram(service.embedded.databases if service.embedded else ())
            case "exporter":
                return ExporterProgram(self._settings)
        return RedisProgram("valkey")

    def _running(self, service: Service) -> Site:
        if self._premises.running(service.name) is None:
            raise Unreachable(f"{service.name} does not run", remedy="start it: sutazai-ops up")
        return self._premises.site(service)


def _in_order(services: Sequence[Service]) -> list[Service]:
    """Those that others depend on first; a dependency that is not among them is left to whoever chose them."""
    named = {service.name: service for service in services}
    graph = {name: [on for on in service.depends_on if on in named] for name, service in named.items()}
    try:
        return [named[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise BadInput(
            f"services depend on each other in a circle: {circle}", remedy="remove one depends_on of them"
        ) from None
