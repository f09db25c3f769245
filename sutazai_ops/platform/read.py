"""Reads a folder of Compose files into a `Platform`: one file a phase, one value a service.

Files below the folder, hidden files, YAML of other programs and what others are made of (`extends`) are no phases; a
file that is meant as one and cannot be read as one is refused, never passed over. Nothing is written and no server is
asked.
"""

from __future__ import annotations

import os
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.compose_file import read_compose_file
from sutazai_ops.platform.model import Phase, Platform
from sutazai_ops.platform.names import refuse_unclear_names, refuse_unknown_dependencies
from sutazai_ops.platform.profiles import active_services
from sutazai_ops.platform.resolve import resolve_text, resolve_top
from sutazai_ops.platform.service import ADDITION, overlaid_phase, read_overlay, read_service
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sutazai_ops.platform.compose_file import ComposeFile
    from sutazai_ops.platform.model import Overlay, Service

PHASES = ("core", "monitoring", "vector-databases", "ai-services", "performance-security", "high-availability")
"""The order of the roll-out; files of other names come after these, by name."""


def read_platform(folder: Path, given: Mapping[str, str] | None = None) -> Platform:
    """Read every Compose file of `folder`, one a phase.

    Args:
        folder: of Compose files.
        given: variables that win over those of the environment and of the folder's `.env`, such as SECRETS_FOLDER.

    Raises:
        BadInput: for a folder without a Compose file, and for whatever is wrong in one; names file, service and key.
    """
    # As the paths in its files become absolute, so that what stands below it is known by its path.
    folder = Path(os.path.normpath(folder.absolute()))
    files = _compose_files(folder)
    variables = _variables(folder) | dict(given or {})
    projects = _projects(files, folder, variables)
    services: dict[str, Service] = {}
    overlays: list[Overlay] = []
    tops = {}
    for file in files:
        # As Compose itself offers it: https://docs.docker.com/compose/how-tos/project-name/
        known = {"COMPOSE_PROJECT_NAME": projects[file.path], **variables}
        tops[file.path] = resolve_top(file, known)
        for name in file.content["services"]:
            phase = overlaid_phase(file, name)
            if phase is None:
                _refuse_second(file, name, services)
                services[name] = read_service(file, name, known)
            else:
                _refuse_nothing_to_overlay(file, name, phase, services)
                overlays.append(read_overlay(file, name, known, services[name]))
    by_path = {file.path: file for file in files}
    services = active_services(services, variables.get("COMPOSE_PROFILES", ""), by_path)
    services = _in_order(services, by_path)
    refuse_unclear_names(services, tops, by_path)
    phases = tuple(
        Phase(
            name=file.path.stem,
            file=file.path,
            services=tuple(service.name for service in services.values() if service.file == file.path),
            project=projects[file.path],
            top=tops[file.path],
        )
        for file in files
    )
    return Platform(
        folder=folder,
        phases=phases,
        services=services,
        overlays=tuple(one for one in overlays if one.service in services),
    )


def _variables(folder: Path) -> dict[str, str]:
    # The environment wins over the file: https://docs.docker.com/compose/how-tos/environment-variables/envvars-precedence/
    from_file = dotenv_values(folder / ".env", interpolate=False) if (folder / ".env").is_file() else {}
    return {name: value or "" for name, value in from_file.items()} | dict(os.environ)


def _projects(files: Sequence[ComposeFile], folder: Path, variables: Mapping[str, str]) -> dict[Path, str]:
    """The Compose project of each file: the one it names, else Compose's own, with the phase where that is taken."""
    named = {file.path: resolve_text(file, "name", variables) for file in files}
    usual = _project_name(folder.name)
    is_taken = usual in named.values() or list(named.values()).count("") > 1
    return {
        path: name or (f"{usual}-{_project_name(path.stem)}" if is_taken else usual) for path, name in named.items()
    }


def _project_name(text: str) -> str:
    # https://docs.docker.com/reference/compose-file/version-and-name/#name-top-level-element
    return re.sub(r"[^-_a-z0-9]", "", text.lower()).lstrip("-_") or "platform"


def _refuse_second(file: ComposeFile, name: str, services: Mapping[str, Service]) -> None:
    if name in services:
        first = services[name]
        raise BadInput(
            f"the service {name} stands in two files, {first.file.name} and {file.path.name}",
            where=file.where("services", name),
            remedy=f"remove it from one, or write x-sutazai: {{overlays: {first.phase}}} below the later one",
        )


def _refuse_nothing_to_overlay(file: ComposeFile, name: str, phase: str, services: Mapping[str, Service]) -> None:
    where = file.where("services", name, ADDITION, "overlays")
    phases = dict.fromkeys(service.phase for service in services.values() if service.phase != file.path.stem)
    if phase not in phases:
        remedy = nearest(phase, phases) or f"earlier phases are: {', '.join(phases) or 'none'}"
        raise BadInput(f"{name} overlays {phase}, which is no earlier phase", where=where, remedy=remedy)
    there = [service.name for service in services.values() if service.phase == phase]
    if name not in there:
        remedy = nearest(name, there) or f"it has: {', '.join(there)}"
        raise BadInput(f"{name} is overlaid, and the phase {phase} has no such service", where=where, remedy=remedy)


def _compose_files(folder: Path) -> list[ComposeFile]:
    try:
        paths = [path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"} and path.name[0] != "."]
    except OSError as error:
        raise BadInput(
            f"the platform's folder cannot be read: {error.strerror}",
            where=str(folder),
            remedy="name a folder of Compose files as `platform` in sutazai.toml or as SUTAZAI_PLATFORM",
        ) from None
    files = [file for path in sorted(paths, key=_rank) if _is_compose(file := read_compose_file(path))]
    extended = {path for file in files for path in _extended_by(file)}
    files = [file for file in files if file.path not in extended or _names_an_image(file)]
    if not files:
        raise BadInput(
            "the platform's folder holds no Compose file",
            where=str(folder),
            remedy="put one there, such as core.yaml with a `services:` key; docs/platform/example.yaml shows one",
        )
    stems = [file.path.stem for file in files]
    for file, stem in zip(files, stems, strict=True):
        if stems.count(stem) > 1:
            raise BadInput(f"two files are the phase {stem!r}", where=str(file.path), remedy="rename one of them")
    return files


def _extended_by(file: ComposeFile) -> Iterator[Path]:
    """The other files that services of a file extend, as they are written."""
    for service in file.content["services"].values():
        extends = service.get("extends") if isinstance(service, dict) else None
        if isinstance(extends, dict) and isinstance(extends.get("file"), str):
            yield Path(os.path.normpath(file.path.parent / extends["file"]))


def _names_an_image(file: ComposeFile) -> bool:
    """Whether anything in a file can run as it stands there; where nothing can, it is what others are made of."""
    services = file.content["services"].values()
    return any(isinstance(one, dict) and {"image", "build", "extends"} & one.keys() for one in services)


def _rank(path: Path) -> tuple[int, str]:
    return (PHASES.index(path.stem) if path.stem in PHASES else len(PHASES), path.name)


def _is_compose(file: ComposeFile) -> bool:
    """Whether it is a phase; raises `BadInput` for one that is meant as a phase and has no services."""
    keys, path = file.content, file.path
    if "include" in keys:
        raise BadInput(
            "`include` is not followed: what it names would be neither run nor backed up",
            where=file.where("include"),
            remedy="put the included files into this folder, or one that `docker compose config` made of them",
        )
    if isinstance(keys.get("services"), dict) and keys["services"]:
        return True
    is_meant = path.stem in PHASES or "compose" in path.stem or "services" in keys
    misspelt = next((key for key in keys if isinstance(key, str) and nearest("services", [key])), None)
    if is_meant or misspelt:
        near = nearest(misspelt, ["services"]) if misspelt and misspelt != "services" else ""
        raise BadInput(
            f"{path.name} has no services",
            where=file.where(misspelt) if misspelt else str(path),
            remedy=near or "write each service below the key `services:`; docs/platform/example.yaml shows how",
        )
    return False


def _in_order(services: Mapping[str, Service], files: Mapping[Path, ComposeFile]) -> dict[str, Service]:
    """The services phase by phase, and in a phase each after what it depends on."""
    refuse_unknown_dependencies(services, files)
    try:
        order = list(TopologicalSorter({s.name: s.depends_on for s in services.values()}).static_order())
    except CycleError as error:
        # graphlib names each service before the one that waits for it; a person reads "depends on" the other way.
        circle: Iterable[str] = list(reversed(error.args[1]))
        first = services[next(iter(circle))]
        raise BadInput(
            f"services depend on each other in a circle: {' -> '.join(circle)}",
            where=files[first.file].where("services", first.name, "depends_on"),
            remedy="remove one of these dependencies",
        ) from None
    phase = list(files)
    ranked = sorted(services.values(), key=lambda service: (phase.index(service.file), order.index(service.name)))
    return {service.name: service for service in ranked}
