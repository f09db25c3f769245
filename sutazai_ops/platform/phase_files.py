"""Finds the phases in a folder: which of its files are one, in which order, and what is merged over each unasked.

Files below the folder, hidden files, YAML of other programs and what others are made of (`extends`) are no phases; a
file that is meant as one and cannot be read as one is refused, never passed over. An override (`core.override.yaml`
for `core.yaml`) is part of the file whose name it has, as Compose reads `compose.override.yaml` beside `compose.yaml`:
https://docs.docker.com/compose/how-tos/multiple-compose-files/merge/.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.compose_file import read_compose_file
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sutazai_ops.platform.compose_file import ComposeFile

PHASES = ("core", "monitoring", "vector-databases", "ai-services", "performance-security", "high-availability")
"""The order of the roll-out; files of other names come after these, by name."""
OVERRIDE = ".override"
USUAL = ("compose", "docker-compose")
"""The two names of Compose's own file; the override of either belongs to whichever is there."""


def phase_files(folder: Path) -> list[ComposeFile]:
    """The Compose files of a folder in roll-out order, each with its override.

    Raises:
        BadInput: for a folder without a Compose file, a file that is meant as one and is none, one that includes
            others, two that are the same phase, and an override of nothing.
    """
    try:
        paths = [path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"} and path.name[0] != "."]
    except OSError as error:
        raise BadInput(
            f"the platform's folder cannot be read: {error.strerror}",
            where=str(folder),
            remedy="name a folder of Compose files as `platform` in sutazai.toml or as SUTAZAI_PLATFORM",
        ) from None
    overrides = [read_compose_file(path) for path in sorted(paths) if path.stem.endswith(OVERRIDE)]
    names = sorted((path for path in paths if not path.stem.endswith(OVERRIDE)), key=_rank)
    files = [file for path in names if _is_compose(file := read_compose_file(path))]
    for override in overrides:
        files = _with_override(files, override)
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


def _with_override(files: Sequence[ComposeFile], override: ComposeFile) -> list[ComposeFile]:
    stem = override.path.stem.removesuffix(OVERRIDE)
    stems = USUAL if stem in USUAL else (stem,)
    over = [file for file in files if file.path.stem in stems]
    if not over:
        raise BadInput(
            f"{override.path.name} overrides {stem}{override.path.suffix}, which is not there",
            where=str(override.path),
            remedy="give it the name of the file that it is merged over, or remove it",
        )
    if over[0].override is not None:
        raise BadInput(
            f"{over[0].path.name} has two overrides, {over[0].override.path.name} and {override.path.name}",
            where=str(override.path),
            remedy="remove one of them",
        )
    _refuse_include(override)
    services = override.content.get("services")
    if not isinstance(services, dict | None):
        raise BadInput(
            f"services of {override.path.name} is not a mapping",
            where=override.where("services"),
            remedy="write each service by its name below it",
        )
    return [replace(file, override=override) if file is over[0] else file for file in files]


def _extended_by(file: ComposeFile) -> Iterator[Path]:
    """The other files that services of a file extend, as they are written."""
    for service in _written(file):
        extends = service.get("extends")
        if isinstance(extends, dict) and isinstance(extends.get("file"), str):
            yield Path(os.path.normpath(file.path.parent / extends["file"]))


def _names_an_image(file: ComposeFile) -> bool:
    """Whether anything in a file can run as it stands there; where nothing can, it is what others are made of."""
    return any({"image", "build", "extends"} & one.keys() for one in _written(file))


def _written(file: ComposeFile) -> Iterator[dict[str, Any]]:
    """The entries of `services:` that are mappings, the override's too."""
    for layer in file.layers:
        yield from (one for one in (layer.content.get("services") or {}).values() if isinstance(one, dict))


def _rank(path: Path) -> tuple[int, str]:
    return (PHASES.index(path.stem) if path.stem in PHASES else len(PHASES), path.name)


def _is_compose(file: ComposeFile) -> bool:
    """Whether it is a phase; raises `BadInput` for one that is meant as a phase and has no services."""
    keys, path = file.content, file.path
    _refuse_include(file)
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


def _refuse_include(file: ComposeFile) -> None:
    if "include" in file.content:
        raise BadInput(
            "`include` is not followed: what it names would be neither run nor backed up",
            where=file.where("include"),
            remedy="put the included files into this folder, or one that `docker compose config` made of them",
        )
