"""What services are given of this host: env files, configs, and what they mount. Pure: nothing is read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sutazai_ops.platform import Platform


class Kind(StrEnum):
    """How a service gets a file."""

    ENV_FILE = "env_file"
    CONFIG = "configs"
    MOUNT = "volumes"


@dataclass(frozen=True, slots=True)
class Source:
    """One file or folder of this host that a service is given."""

    path: Path
    kind: Kind
    writable: bool = False
    required: bool = True


def sources(platform: Platform, service: str, phases: Collection[str]) -> Iterator[Source]:
    """The files and folders of this host that a service is given."""
    definition = platform.definition(service, phases)
    for entry in definition.get("env_file") or ():
        required = entry.get("required", True) is not False if isinstance(entry, dict) else True
        yield Source(Path(entry["path"] if isinstance(entry, dict) else entry), Kind.ENV_FILE, required=required)
    for entry in definition.get("volumes") or ():
        mount = bind_of(entry)
        if mount is not None:
            yield mount
    known = configs(platform, service, phases)
    for name in used(definition, "configs"):
        if file := known.get(name, {}).get("file"):
            yield Source(Path(file), Kind.CONFIG)


def configs(platform: Platform, service: str, phases: Collection[str]) -> dict[str, Any]:
    """What the files say of the configs that a service may name: its own file's, and those of its overlays."""
    overlays = {overlay.phase for overlay in platform.overlays_of(service, phases)}
    own = platform.service(service).phase
    known: dict[str, Any] = {}
    for phase in platform.phases:
        if phase.name in {own, *overlays}:
            known |= dict(phase.top.get("configs", {}))
    return known


def used(definition: Mapping[str, Any], section: str) -> list[str]:
    """The names of the top-level configs or secrets that a definition uses."""
    entries = definition.get(section) or ()
    return [str(entry.get("source") if isinstance(entry, dict) else entry) for entry in entries]


def bind_of(entry: Any) -> Source | None:  # noqa: ANN401
    """The folder or file of the host that an entry of `volumes` mounts; None for a volume."""
    if isinstance(entry, dict):
        if entry.get("type") != "bind":
            return None
        return Source(Path(str(entry.get("source"))), Kind.MOUNT, writable=entry.get("read_only") is not True)
    source, _, rest = str(entry).partition(":")
    if not source.startswith("/") or not rest:
        return None
    return Source(Path(source), Kind.MOUNT, writable="ro" not in rest.partition(":")[2].split(","))
