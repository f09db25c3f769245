"""What each service shall be: its definition as it will stand in a release, and the hash of all that it is made of.

Pure: the platform, the chosen images, the digests of files and the versions of secrets come in, values go out. The hash
says the same on every machine: it knows no release number and no path of this installation, but that of the home folder
where a service mounts it; and any leaf that changes changes it. Whatever a definition says is given to Compose as a
literal: its variables were replaced when it was read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sutazai_ops.deployment.files import FROM_A_RELEASE, Files, with_copies
from sutazai_ops.engines.labels import SECRET_VERSION
from sutazai_ops.platform import Tier
from sutazai_ops.platform.copies import copies
from sutazai_ops.platform.mounts import bind_of, configs, used

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sutazai_ops.platform import Platform, Service

COMPLETED = "service_completed_successfully"
_SECTIONS = ("networks", "volumes", "secrets", "configs")


@dataclass(frozen=True, slots=True)
class WantedService:
    """One service as it shall be."""

    name: str
    phase: str
    project: str
    definition: Mapping[str, Any] = field(repr=False)
    """As it will stand in the release's Compose file: the chosen image, copied files by their path from there."""
    image: str
    depends_on: tuple[str, ...]
    """What it cannot run without, of whichever phase."""
    tier: Tier
    service: Service = field(repr=False)
    one_shot: bool
    """Whether it is done once it has ended well."""
    start_first: bool
    """Whether a new version is started beside the old one, which then is taken away."""
    spec: str
    """SHA-256 of all that it is made of."""


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What services are made of beside what their files say."""

    images: Mapping[str, str] = field(default_factory=dict)
    """The reference of each service's image, by the service's name; one that is built here need not be there."""
    files: Files = field(default_factory=Files)
    """What they mount."""
    secret_versions: Mapping[str, str] = field(default_factory=dict)
    """By the secret's name."""


def wanted_services(
    platform: Platform, services: Collection[str], phases: Collection[str], made_of: Ingredients
) -> list[WantedService]:
    """What these services shall be, in roll-out order.

    Args:
        platform: what the files say.
        services: the names of the services.
        phases: those whose overlays are in force.
        made_of: their images, files and secrets.
    """
    definitions = {service.name: platform.definition(service.name, phases) for service in platform}
    ending = one_shots(definitions)
    return [
        _wanted(platform, service, definitions[service.name], phases, made_of, ending)
        for service in platform
        if service.name in services
    ]


def wanted_top(platform: Platform, phase: str, phases: Collection[str], files: Files) -> dict[str, dict[str, Any]]:
    """What a phase's Compose file shall say beside its services: networks, volumes, secrets and configs.

    What an overlay uses and its own file declares is declared here too, since the service runs in this phase.
    """
    own = platform.phase(phase)
    top = {section: dict(own.top.get(section, {})) for section in _SECTIONS}
    for overlay in platform.overlays:
        if overlay.phase in phases and overlay.service in own.services:
            for section, names in _named(overlay.definition).items():
                declared = platform.phase(overlay.phase).top.get(section, {})
                top[section] |= {
                    name: declared[name] for name in names if name in declared and name not in top[section]
                }
    return {
        section: {name: _literal(_top_value(value, files)) for name, value in sorted(values.items())}
        for section, values in top.items()
        if values
    }


def _wanted(
    platform: Platform,
    service: Service,
    resolved: Mapping[str, Any],
    phases: Collection[str],
    made_of: Ingredients,
    ending: Collection[str],
) -> WantedService:
    phase = platform.phase(service.phase)
    image = made_of.images.get(service.name) or f"{phase.project}-{service.name}"
    definition = _without_strangers(with_copies(resolved, made_of.files), _neighbours(platform, service))
    if service.name in made_of.images:
        definition["image"] = image
    known = made_of.secret_versions
    versions = {f"{SECRET_VERSION}{name}": known[name] for name in used(resolved, "secrets") if name in known}
    if versions:
        definition["labels"] = {**(definition.get("labels") or {}), **versions}
    definition = _literal(definition)
    contents = _contents(platform, service.name, resolved, phases, made_of.files)
    return WantedService(
        name=service.name,
        phase=service.phase,
        project=phase.project,
        definition=definition,
        image=image,
        depends_on=service.depends_on,
        tier=service.tier,
        service=service,
        one_shot=service.name in ending,
        start_first=_is_start_first(service, resolved),
        spec=spec(definition, contents, platform.folder),
    )


def spec(definition: Mapping[str, Any], contents: Mapping[str, Any], folder: Path) -> str:
    """SHA-256 over canonical JSON of a definition and of contents that stand outside it.

    Paths below `folder` are taken as they are from there.
    """
    whole = _portable({"definition": definition, "contents": contents}, str(folder.absolute()))
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def _contents(
    platform: Platform, name: str, definition: Mapping[str, Any], phases: Collection[str], files: Files
) -> dict[str, Any]:
    """What the service is made of beside its definition: files that stay where they are, and configs."""
    contents: dict[str, Any] = {}
    for entry in definition.get("volumes") or ():
        mount = bind_of(entry)
        if mount is not None and mount.path in files.digests:
            contents[str(mount.path)] = files.digests[mount.path]
    known = configs(platform, name, phases)
    for config in used(definition, "configs"):
        contents[f"config {config}"] = _top_value(known.get(config) or {}, files)
    return contents


def _top_value(value: Mapping[str, Any], files: Files) -> dict[str, Any]:
    kept = {key: below for key, below in value.items() if key != "x-sutazai"}
    copy = files.copies.get(Path(str(value.get("file"))))
    return {**kept, "file": f"{FROM_A_RELEASE}/{copy.place}"} if copy else kept


def _named(definition: Mapping[str, Any]) -> dict[str, list[str]]:
    """The top-level names that a definition uses, by section."""
    volumes = [
        entry.get("source") if isinstance(entry, dict) else str(entry).partition(":")[0]
        for entry in definition.get("volumes") or ()
    ]
    return {
        "networks": [str(name) for name in definition.get("networks") or ()],
        "volumes": [str(name) for name in volumes],
        "secrets": used(definition, "secrets"),
        "configs": used(definition, "configs"),
    }


def one_shots(definitions: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The services that end on purpose: another one waits for their good end, or nobody starts them again."""
    awaited = {
        name
        for definition in definitions.values()
        for name, how in (definition.get("depends_on") or {}).items()
        if isinstance(how, dict) and how.get("condition") == COMPLETED
    }
    return awaited | {name for name, definition in definitions.items() if definition.get("restart") == "no"}


def _neighbours(platform: Platform, service: Service) -> set[str]:
    """The services that stand in the same Compose file of a release: not what somebody else runs, nor what shall not
    run at all."""
    known = [platform.services[name] for name in platform.phase(service.phase).services]
    return {other.name for other in known if other.external is None and copies(other.compose) > 0}


def _without_strangers(definition: dict[str, Any], neighbours: Collection[str]) -> dict[str, Any]:
    # Compose refuses a file in which a service waits for one that the file does not have. The order across phases is
    # that of the roll-out.
    kept = {name: how for name, how in (definition.get("depends_on") or {}).items() if name in neighbours}
    rest = {key: value for key, value in definition.items() if key != "depends_on"}
    return {**rest, "depends_on": kept} if kept else rest


def _is_start_first(service: Service, definition: Mapping[str, Any]) -> bool:
    """Whether the new version may run beside the old one: not where a port of the host or a volume had two owners.

    The rule is that of Uncloud (https://github.com/psviderski/uncloud); `deploy.update_config.order` overrules it.
    """
    if definition.get("ports") or definition.get("container_name") or definition.get("network_mode") == "host":
        return False
    order = ((definition.get("deploy") or {}).get("update_config") or {}).get("order")
    if order in {"start-first", "stop-first"}:
        return bool(order == "start-first")
    writes = any(_is_written(entry) for entry in definition.get("volumes") or ())
    return service.tier is Tier.STATELESS and service.behind is not None and not writes


def _is_written(entry: Any) -> bool:  # noqa: ANN401
    if isinstance(entry, dict):
        return entry.get("type") != "tmpfs" and entry.get("read_only") is not True
    return "ro" not in str(entry).split(":")[-1].split(",")


def _literal(value: Any) -> Any:  # noqa: ANN401
    """A value in which Compose finds no variable: a dollar sign is written twice in values, and never in keys."""
    if isinstance(value, dict):
        return {key: _literal(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_literal(entry) for entry in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _portable(value: Any, folder: str) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {_portable(key, folder): _portable(below, folder) for key, below in value.items()}
    if isinstance(value, list):
        return [_portable(entry, folder) for entry in value]
    is_below = isinstance(value, str) and (value == folder or value.startswith(f"{folder}/"))
    return f".{value[len(folder) :]}" if is_below else value
