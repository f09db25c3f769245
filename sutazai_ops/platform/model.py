"""The platform as data: what a Compose file says of a service, and what stands under its `x-sutazai:` key.

These are values only. `read.py` makes them from files; nothing here knows where or whether a service runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping  # noqa: TC003  (pydantic reads these at run time)
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.platform.merge import merge_service
from sutazai_ops.words import nearest

ServiceName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")]
"""The name of one Compose service, unique over the whole platform."""

PRODUCTS = ("postgres", "redis", "valkey")
"""The servers that we know how to back up, in the words of their own projects."""

Product = Literal["postgres", "redis", "valkey"]


class Tier(StrEnum):
    """Whether losing a service's container loses data."""

    STATEFUL = "stateful"
    STATELESS = "stateless"


class Criticality(StrEnum):
    """How much of the platform stands still without the service."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Backup(Model):
    """What the nightly backup takes of a service. `backup: postgres` is short for `backup: {kind: postgres}`."""

    kind: Literal["postgres", "redis", "none"]
    """`postgres`: every database and the roles. `redis`: one snapshot, of Redis or Valkey. `none`: nothing at all."""
    exclude_databases: tuple[str, ...] = ()
    """PostgreSQL databases that are left out, by exact name."""


PROBE_PORTS = {
    "postgres": 5432, "redis": 6379, "ollama": 11434, "chroma": 8000, "qdrant": 6333, "neo4j": 7474, "n8n": 5678,
    "flowise": 3000, "langflow": 7860, "dify": 5001, "prometheus": 9090, "loki": 3100,
}  # fmt: skip
"""The usual port of each kind of probe that has one."""

ProbeKind = Literal[
    "http", "tcp", "postgres", "redis", "ollama", "chroma", "qdrant", "neo4j", "n8n", "flowise", "langflow", "dify",
    "prometheus", "loki",
]  # fmt: skip


class Probe(Model):
    """One check of a service from outside, through the path a user takes. `redis` is short for `{kind: redis}`."""

    kind: ProbeKind
    port: int | None = Field(default=None, ge=1, le=65535)
    """The port inside the service; the usual one of its kind if left out."""
    path: Annotated[str, Field(pattern="^/")] | None = None
    """What to ask for over HTTP; what its kind answers readiness at if left out."""
    status: int = Field(default=200, ge=100, le=599)
    """For `http`: the status that is right."""
    contains: str | None = None
    """For `http`: a text that the answer has to hold."""
    expect: Mapping[str, str | int | float | bool] = Field(default_factory=dict)
    """For `http`: values that the answer, read as JSON, has to have, by dotted path: `{status.database: ok}`."""
    target: str | None = None
    """For `prometheus`: a scrape job all of whose targets have to be up."""
    through: ServiceName | None = None
    """For `http`: another service that the question goes through, such as the proxy that its users come in by."""
    tls: Annotated[str, Field(pattern=r"^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$")] | None = None
    """For `http` and `tcp`: asks over TLS, for this name. The certificate has to be good for it, and signed by whom
    this machine trusts or SSL_CERT_FILE names. When it ends is measured."""
    timeout_seconds: float = Field(default=5, gt=0, le=60)
    """How long an answer may take."""

    @model_validator(mode="after")
    def _has_a_port(self) -> Self:
        if self.port is None and self.through is None and self.kind not in PROBE_PORTS:
            msg = f"a probe of the kind {self.kind} needs a port"
            raise ValueError(msg)
        if self.tls is not None and self.kind not in {"http", "tcp"}:
            msg = f"a probe of the kind {self.kind} takes no tls: http and tcp do"
            raise ValueError(msg)
        return self


class Proxy(Model):
    """For the service that is the way in: how its upstreams are switched without losing a request."""

    upstreams: Annotated[str, Field(pattern="^/")]
    """The folder inside it that holds one file a service, `<service>.caddy`, of one line: `to HOST:PORT`."""
    reload: tuple[str, ...]
    """The command inside it that makes it read them again."""


class Behind(Model):
    """For a service whose users come in by a proxy."""

    proxy: ServiceName
    """The service that is the proxy."""
    port: int = Field(ge=1, le=65535)
    """The port of this service that the proxy sends requests to."""


class Metrics(Model):
    """Where a service serves its metrics in Prometheus' text format. `metrics: 9100` is short for `{port: 9100}`."""

    port: int = Field(ge=1, le=65535)
    path: Annotated[str, Field(pattern="^/")] = "/metrics"
    secret: str | None = None
    """The top-level secret, of any of the platform's files, that is shown as a bearer token."""
    honor_labels: bool = False
    """Whether a label of its own wins over the one of the same name that Prometheus adds, such as `service` where it
    measures other services."""


class Queue(Model):
    """Work that waits in a Redis service: how much of it, and since when, is measured."""

    name: str
    """The word for it in alerts: "agent tasks"."""
    key: str
    """Of the list, the stream or the sorted set."""
    kind: Literal["list", "stream", "sorted-set"] = "list"
    database: int = Field(default=0, ge=0)
    oldest: Literal["head", "tail"] = "tail"
    """For a list: the end that work is taken from; `tail` for LPUSH with BRPOP."""
    queued_at: str | None = None
    """For a list: the dotted path, in an entry read as JSON, of the moment it was queued, in seconds since 1970 or as
    ISO 8601. A stream's entry tells it by its id; for a sorted set, `score` says that its score is that moment. Without
    it the age is unknown."""
    attempts: str | None = None
    """For a list: the dotted path, in an entry read as JSON, of how often it was taken and given back. With it a repair
    knows which entries nobody can finish."""

    @property
    def set_aside(self) -> str:
        """The key of the list that a repair puts into what nobody can finish, the newest first."""
        return f"{self.key}:dead-letter"


class Cache(Model):
    """Keys of a Redis service that may be lost at any time, since whoever misses one makes it again."""

    keys: Annotated[str, Field(pattern=r"^[^*?\[\]\\\s]+\*$")]
    """How they begin, and a star: `cache:*`."""
    database: int = Field(default=0, ge=0)

    def has(self, key: str) -> bool:
        """Whether a key is of it."""
        return key.startswith(self.keys.removesuffix("*"))

    def touches(self, beginning: str) -> bool:
        """Whether a key that begins so may be of it."""
        return self.has(beginning) or self.keys.startswith(beginning)


class Takes(Model):
    """What a worker takes its work from: copies of it can be added, and taken away without losing a task."""

    queue: str
    """The name of a queue that another service holds."""
    in_hand: str | None = None
    """The key of the list that a container keeps what it has taken and not finished in, beside the queue; `{container}`
    is the container's host name, which Docker makes of the first twelve digits of its id. What a container that is
    gone has left there is handed back to the queue."""

    @field_validator("in_hand")
    @classmethod
    def _is_of_one_container(cls, key: str | None) -> str | None:
        if key is not None and key.count("{container}") != 1:
            msg = "say where the container's name stands in it, such as agent:working:{container}"
            raise ValueError(msg)
        return key


class Login(Model):
    """As whom to speak to a service, for probes and backups."""

    user: str | None = None
    """The account's name; none where the server knows only a password."""
    secret: str | None = None
    """The top-level secret, of any of the platform's files, that holds the password."""


class Embedded(Model):
    """How the embedded engine runs the service, as a child process out of a wheel."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    server: Literal["postgres", "valkey", "exporter"]
    """`exporter` is this program's own, which measures the others."""
    user: str = "postgres"
    """For `postgres`: the superuser that is created with the data folder."""
    databases: tuple[str, ...] = ()
    """For `postgres`: databases that are created on the first start."""
    config: Mapping[str, str] = Field(default_factory=dict)
    """Settings of the server itself, as its own manual names them."""


def _address(value: str) -> str:
    parts = urlsplit(value)
    # Asking for the port is what makes urllib look at it; it raises a ValueError for one that is no port.
    if parts.scheme not in {"postgresql", "redis", "rediss"} or not parts.hostname or parts.port == 0:
        msg = "write it as postgresql://USER@HOST:PORT or redis://HOST:PORT (rediss:// for TLS)"
        raise ValueError(msg)
    if parts.password is not None or "password" in parse_qs(parts.query):
        msg = "an address holds no password: put that into a file of mode 0600 and name it as password_file"
        raise ValueError(msg)
    return value


class External(Model):
    """A service that somebody else runs: an address and a secret file instead of a process of ours."""

    address: Annotated[str, AfterValidator(_address)]
    """`postgresql://USER@HOST:PORT`, `redis://USER@HOST:PORT` or `rediss://…`, without a password."""
    password_file: Path | None = None
    """A file that holds the password and nothing else; none where the server asks for none."""

    @property
    def kind(self) -> Literal["postgres", "redis"]:
        """What answers there, by the address."""
        return "postgres" if urlsplit(self.address).scheme == "postgresql" else "redis"


def _kind_alone(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


_ShortForm = BeforeValidator(_kind_alone)


def _keys_alone(value: object) -> object:
    return {"keys": value} if isinstance(value, str) else value


def _port_alone(value: object) -> object:
    return {"port": value} if isinstance(value, int | str) else value


class Addition(Model):
    """What we add to a Compose service: the keys below its `x-sutazai:`."""

    description: str = ""
    """One sentence for a person who meets the service for the first time."""
    owner: str = ""
    """Whom to ask."""
    tier: Tier = Tier.STATELESS
    """Whether losing its container loses data."""
    criticality: Criticality = Criticality.NORMAL
    """How much stands still without it."""
    backup: Annotated[Backup, _ShortForm] | None = None
    """What the night takes of it."""
    probes: tuple[Annotated[Probe, _ShortForm], ...] = ()
    """How it is checked from outside."""
    metrics: Annotated[Metrics, BeforeValidator(_port_alone)] | None = None
    """Where it serves its metrics."""
    queues: tuple[Queue, ...] = ()
    """What waits in it, for a Redis or Valkey."""
    caches: tuple[Annotated[Cache, BeforeValidator(_keys_alone)], ...] = ()
    """Which of its keys a repair may drop, likewise."""
    takes: Takes | None = None
    """From which queue it takes its work, for an agent or a worker."""
    placement: Mapping[str, str] = Field(default_factory=dict)
    """Labels of the hosts that it may run on, such as `capacity: cheap`, where an engine has several."""
    embedded: Embedded | None = None
    """How the embedded engine runs it; without this it does not."""
    external: External | None = None
    """Where it is, when somebody else runs it."""
    aliases: tuple[ServiceName, ...] = ()
    """Other names that a person may call it by, such as that of the program it took the place of."""
    proxy: Proxy | None = None
    """How its upstreams are switched, where it is a proxy."""
    behind: Behind | None = None
    """By which proxy its users come in."""
    allow: Mapping[str, str] = Field(default_factory=dict)
    """Rules of the lint that it may break, each with the reason."""
    overlays: str | None = None
    """The earlier phase whose service of this name the keys here are merged over, once this phase is rolled out."""
    login: Login | None = None
    """As whom to speak to it."""
    needs: tuple[ServiceName, ...] = ()
    """Services of earlier phases that it cannot run without; those of its own phase stand in `depends_on`."""


class Service(Addition):
    """One Compose service with what we add to it.

    `inferred` names the fields that no file states and that were taken from a well-known image, so that what a person
    is shown can say so.
    """

    name: ServiceName
    phase: str
    file: Path
    """The phase file it stands in, for messages."""
    image: str | None = None
    depends_on: tuple[ServiceName, ...] = ()
    """What it cannot run without, of whichever phase."""
    inferred: frozenset[str] = frozenset()
    compose: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    """What its file means, without `x-sutazai`: variables replaced, `extends` followed, paths absolute."""

    @property
    def is_backed_up(self) -> bool:
        """Whether the nightly backup takes anything of it."""
        return self.backup is not None and self.backup.kind != "none"


class Phase(Model):
    """One step of the roll-out: one Compose file."""

    name: str
    file: Path
    services: tuple[ServiceName, ...]
    project: str = ""
    """The Compose project that its services run in."""
    top: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, repr=False)
    """What the file means at its top level: `networks`, `volumes`, `secrets`, `configs`, each by name."""


class Overlay(Model):
    """What a later phase changes of a service of an earlier one, once it is rolled out."""

    phase: str
    """The later phase."""
    file: Path
    service: ServiceName
    description: str = ""
    """Why, in one sentence."""
    definition: Mapping[str, Any] = Field(repr=False)
    """What is merged over the service's own definition, as Compose merges files."""


class Platform(Model):
    """All services, from the phase files, in roll-out order."""

    folder: Path
    phases: tuple[Phase, ...]
    services: Mapping[ServiceName, Service]
    overlays: tuple[Overlay, ...] = ()

    def __iter__(self) -> Iterator[Service]:  # type: ignore[override]
        """Every service, phase by phase."""
        return iter(self.services.values())

    def service(self, name: str) -> Service:
        """The service of that name or alias; raises `BadInput` with the nearest known name."""
        if name in self.services:
            return self.services[name]
        aliases = {alias: service for service in self for alias in service.aliases}
        if name in aliases:
            return aliases[name]
        known = [*self.services, *aliases]
        raise BadInput(
            f"there is no service {name!r} in the platform",
            where=str(self.folder),
            remedy=nearest(name, known) or f"known are: {', '.join(self.services)}",
        )

    def phase(self, name: str) -> Phase:
        """The phase called `name`; raises `BadInput` with the nearest known name."""
        known = {phase.name: phase for phase in self.phases}
        if name not in known:
            raise BadInput(
                f"there is no phase {name!r} in the platform",
                where=str(self.folder),
                remedy=nearest(name, known) or f"known are: {', '.join(known)}",
            )
        return known[name]

    def definition(self, service: str, phases: Collection[str] = ()) -> dict[str, Any]:
        """What Compose would be given for a service, with the overlays of those phases that are rolled out."""
        definition = dict(self.service(service).compose)
        for overlay in self.overlays_of(service, phases):
            definition = merge_service(definition, overlay.definition)
        return definition

    def overlays_of(self, service: str, phases: Collection[str]) -> list[Overlay]:
        """What these phases change of a service, in roll-out order."""
        return [one for one in self.overlays if one.service == service and one.phase in phases]

    def select(self, names: tuple[str, ...] | list[str] | None) -> list[Service]:
        """The services of these names or aliases in roll-out order, or all of them for None; raises as `service`."""
        if names is None:
            return list(self)
        wanted = {self.service(name).name for name in names}
        return [service for service in self if service.name in wanted]

    def backed_up(self) -> list[Service]:
        """The services that a backup set holds."""
        return [service for service in self if service.is_backed_up]
