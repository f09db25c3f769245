"""What models there should be: `models.yaml` beside the platform's files, with a file of the user's own laid over it.

What could never come true is refused when it is read, with file and line: a service that is not there, a model of words
with a dimension, a digest that is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.monitoring.duration import Duration
from sutazai_ops.monitoring.entries import read_entries
from sutazai_ops.monitoring.servers import is_ollama
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sutazai_ops.monitoring.entries import Entry
    from sutazai_ops.platform import Platform, Service

FILE = "models.yaml"
PAGE = "docs/models.md"
LATEST = "latest"
VECTOR_STORES = ("qdrant", "chroma")
"""The kinds of probe of services that hold collections of vectors."""
SHOWN_USERS = 3
"""How many services are named in full."""
FOR_EVER = -1
"""How Ollama spells that a model stays until it is told to go."""
_REFERENCE = re.compile(r"[a-zA-Z0-9][\w.\-/]*(?::[\w.\-]+)?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kMGT]?B)")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class Purpose(StrEnum):
    """What a model is for."""

    CHAT = "chat"
    EMBEDDING = "embedding"
    CODE = "code"


def tagged(name: str) -> str:
    """A model's name with its tag, which is `latest` where none is said, as Ollama takes it.

    >>> [tagged("nomic-embed-text"), tagged("llama3.2:3b")]
    ['nomic-embed-text:latest', 'llama3.2:3b']
    """
    return name if ":" in name.rpartition("/")[2] else f"{name}:{LATEST}"


def _read_size(value: object) -> object:
    """Bytes of a download, in the decimal units in which registries and Ollama show them: `2.1GB`."""
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        msg = f"write a size as 280MB or 2.1GB, not {value!r}"
        raise ValueError(msg)
    return round(float(found["number"]) * _UNITS[found["unit"]])


def _is_digest(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        msg = "a digest is sha256: and 64 of the digits 0-9 a-f; sutazai-ops models lock writes it"
        raise ValueError(msg)
    return value


Digest = Annotated[str, AfterValidator(_is_digest)]
Size = Annotated[int, BeforeValidator(_read_size), Field(gt=0)]


class Wanted(Model):
    """One model that there should be."""

    name: str
    """With its tag."""
    purpose: Purpose
    description: str = ""
    digest: Digest | None = None
    """What it has to be; None where nobody has pinned it."""
    quantization: str | None = None
    size: Size | None = None
    """About how many bytes are downloaded."""
    context: int | None = Field(default=None, gt=0)
    """Tokens; the server's own if None."""
    keep_alive: Duration | Literal["forever"] | None = None
    used_by: tuple[str, ...] = ()
    """Services that the manifest says use it."""
    warm: bool = False
    dimension: int | None = Field(default=None, gt=0)
    collections: tuple[Annotated[str, Field(pattern=r"^[^/]+/.+$")], ...] = ()
    """What its vectors are put into: the vector store's service, a slash, and the collection's name."""
    answers_within: Duration = 30
    service: str | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if (self.dimension is not None or self.collections) and self.purpose is not Purpose.EMBEDDING:
            msg = f"a model for {self.purpose} makes no vectors, so it has neither a dimension nor collections"
            raise ValueError(msg)
        return self

    @property
    def stays(self) -> int | None:
        """Seconds in memory as Ollama takes them, -1 for ever; None for the server's own."""
        if self.keep_alive == "forever":
            return FOR_EVER
        return None if self.keep_alive is None else round(self.keep_alive)


class Manifest(Model):
    """Every model that there should be, by its name with its tag."""

    models: Mapping[str, Wanted]
    file: Path

    def __iter__(self) -> Iterator[Wanted]:  # type: ignore[override]
        """Every model, in the order of the file, which is the order in which they are warmed."""
        return iter(self.models.values())

    def select(self, names: Iterable[str], known: Collection[str] = ()) -> list[Wanted]:
        """The models of these names, or all; raises `BadInput` with the nearest of them and of those `known`."""
        wanted = [tagged(name) for name in names]
        for name in wanted:
            if name not in self.models:
                raise unknown(name, [*self.models, *known], str(self.file))
        return [model for model in self if not wanted or model.name in wanted]


def unknown(name: str, known: Collection[str], where: str) -> BadInput:
    """The error of a model that nobody knows."""
    listed = ", ".join(dict.fromkeys(known)) or "none"
    return BadInput(f"there is no model {name!r}", where=where, remedy=nearest(name, known) or f"known are: {listed}")


def read_manifest(platform: Platform, over: Path | None = None) -> Manifest:
    """Read the platform's models, and what the user's own file says of them.

    A platform without a `models.yaml`, and one without an Ollama, wants no models but those of the user's file.

    Raises:
        BadInput: for whatever is wrong; names file, line and key.
    """
    file = platform.folder / FILE
    # A platform may have a phase of that name.
    is_ours = file.is_file() and all(phase.file != file for phase in platform.phases)
    files = [one for one in (file if is_ours else None, over) if one is not None]
    servers = [service.name for service in platform if is_ollama(service)]
    if not files or not (servers or over):
        return Manifest(models={}, file=file)
    entries = read_entries(files[0], files[1] if len(files) > 1 else None, PAGE)
    models: dict[str, Wanted] = {}
    for entry in entries.values():
        model = _read(entry, platform, servers)
        if model.name in models:
            raise entry.refuse(f"{model.name} stands twice, once without its tag", remedy="remove one of them")
        models[model.name] = model
    return Manifest(models=models, file=files[-1])


def _read(entry: Entry, platform: Platform, servers: Collection[str]) -> Wanted:
    if not _REFERENCE.fullmatch(entry.name):
        raise entry.refuse(f"{entry.name!r} is no name of a model", remedy="write NAME:TAG, such as llama3.2:3b")
    model = entry.as_model(Wanted, "model").model_copy(update={"name": tagged(entry.name)})
    for index, name in enumerate(model.used_by):
        if name not in platform.services:
            raise entry.refuse(
                f"there is no service {name!r} in the platform that could use {model.name}",
                "used_by", index,
                remedy=nearest(name, platform.services) or "sutazai-ops status shows them",
            )  # fmt: skip
    stores = [service.name for service in platform if any(probe.kind in VECTOR_STORES for probe in service.probes)]
    for index, collection in enumerate(model.collections):
        store = collection.partition("/")[0]
        if store not in stores:
            raise entry.refuse(
                f"{store!r} is no vector store of the platform",
                "collections", index,
                remedy=nearest(store, stores) or f"known are: {', '.join(stores) or 'none'}",
            )  # fmt: skip
    if model.service is not None and model.service not in servers:
        raise entry.refuse(
            f"{model.service!r} is no service that holds models: none of its probes is of the kind ollama",
            "service",
            remedy=nearest(model.service, servers) or f"known are: {', '.join(servers) or 'none'}",
        )
    return model


def server_of(model: Wanted, servers: list[Service]) -> Service | None:
    """Which of the platform's Ollamas holds a model: the one that it names, else the first."""
    return next((one for one in servers if model.service in {None, one.name}), None)


def consumers(platform: Platform, manifest: Manifest) -> dict[str, list[str]]:
    """By model, the services that name it: in the manifest, or in a variable of their environment that says MODEL.

    A model that a service names and the manifest does not is among them.
    """
    found: dict[str, list[str]] = {model.name: list(model.used_by) for model in manifest}
    servers = {service.name for service in platform if is_ollama(service)}
    for service in platform:
        environment = environment_of(service.compose)
        if not _asks(service, environment, servers):
            continue
        for variable, value in environment.items():
            if _names_a_model(variable, value):
                users = found.setdefault(tagged(value), [])
                if service.name not in users:
                    users.append(service.name)
    return found


def in_short(services: Collection[str]) -> str:
    """Who uses a model, in a table.

    >>> in_short(["backend", "improver", "validator", "tester"])
    'backend, improver and 2 more'
    """
    names = list(services)
    return ", ".join(names) if len(names) <= SHOWN_USERS else f"{', '.join(names[:2])} and {len(names) - 2} more"


def not_in_manifest(manifest: Manifest, users: Mapping[str, Collection[str]]) -> list[str]:
    """What services ask for and nobody pulls, as sentences."""
    return [
        f"{', '.join(services)} {'asks' if len(services) == 1 else 'ask'} for {name}, which {manifest.file.name} does"
        " not have: nobody pulls it, and nobody keeps it"
        for name, services in users.items()
        if services and name not in manifest.models
    ]


def _asks(service: Service, environment: Mapping[str, str], servers: Collection[str]) -> bool:
    """Whether a service has to do with one of our Ollamas: MODEL may as well name what somebody else runs."""
    hosts = {urlsplit(value).hostname for value in environment.values() if "://" in value}
    return not {*service.depends_on, *hosts}.isdisjoint(servers)


def _names_a_model(variable: str, value: str) -> bool:
    # OLLAMA_MODEL, EMBEDDING_MODEL, MODEL_NAME, and neither MAX_LOADED_MODELS nor a folder of models.
    words = variable.upper().split("_")
    return "MODEL" in words and bool(_REFERENCE.fullmatch(value)) and not value.isdigit()


def environment_of(definition: Mapping[str, Any]) -> dict[str, str]:
    """What a service's definition puts in its environment."""
    given = definition.get("environment") or {}
    if isinstance(given, Mapping):
        return {str(name): str(value) for name, value in given.items() if value is not None}
    return dict(str(line).split("=", 1) for line in given if "=" in str(line))
