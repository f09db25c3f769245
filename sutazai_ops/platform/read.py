"""Reads a folder of Compose files into a `Platform`: one file a phase, one value a service.

Which files are phases, `phase_files.py` says. Nothing is written and no server is asked.
"""

from __future__ import annotations

import os
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.model import Phase, Platform
from sutazai_ops.platform.names import refuse_unclear_names, refuse_unknown_dependencies
from sutazai_ops.platform.phase_files import phase_files
from sutazai_ops.platform.profiles import active_services
from sutazai_ops.platform.resolve import resolve_text, resolve_top
from sutazai_ops.platform.service import ADDITION, overlaid_phase, read_overlay, read_service
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sutazai_ops.platform.compose_file import ComposeFile
    from sutazai_ops.platform.model import Overlay, Service


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
    files = phase_files(folder)
    variables = _variables(folder) | dict(given or {})
    projects = _projects(files, folder, variables)
    services: dict[str, Service] = {}
    overlays: list[Overlay] = []
    tops = {}
    for file in files:
        # As Compose itself offers it: https://docs.docker.com/compose/how-tos/project-name/
        known = {"COMPOSE_PROJECT_NAME": projects[file.path], **variables}
        tops[file.path] = resolve_top(file, known)
        for name in file.services:
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
