"""Makes of what a Compose file writes what Compose would be given: without Docker, and without asking any server.

Variables are replaced in every value (never in a key), `extends` is followed through files and chains, paths become
absolute, and mappings and lists get one form (merge.py). Types are left to Compose, which knows of each key what it
wants. The contents of env files and mounted files are not looked at here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.compose_file import read_compose_file
from sutazai_ops.platform.interpolate import interpolate
from sutazai_ops.platform.merge import CannotMerge, Override, merge_service, normal_service, without_tags
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.platform.compose_file import ComposeFile

Chain = tuple[tuple[Path, str], ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one entry of one file says of a service."""

    file: ComposeFile
    name: str
    definition: dict[str, Any]


TOP = ("networks", "volumes", "secrets", "configs")
"""What a file says beside its services and that a release repeats."""


def resolve_service(file: ComposeFile, name: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """What an entry of `services:` means, `x-sutazai` included.

    Raises:
        BadInput: for whatever is wrong in it or in what it extends; names file, service and key.
    """
    definition: dict[str, Any] = without_tags(_layered(file, name, variables))
    environment = definition.get("environment")
    if isinstance(environment, dict):
        definition["environment"] = {
            key: variables.get(key) if value is None else value for key, value in environment.items()
        }
    return definition


def resolve_overlay(file: ComposeFile, name: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """As `resolve_service`, with the tags that say how it is merged over something."""
    if len(file.layers_of(name)) > 1:
        over = file.layers_of(name)[1]
        raise BadInput(
            f"{name} in {file.path.name} is merged over an earlier phase, and cannot be overridden itself",
            where=over.where("services", name),
            remedy=f"write it in {file.path.name}",
        )
    return _layered(file, name, variables)


def resolve_top(file: ComposeFile, variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What a file means by its top-level networks, volumes, secrets and configs; raises as `resolve_service`."""
    top: dict[str, dict[str, Any]] = {section: {} for section in TOP}
    for layer in file.layers:
        for section, named in _resolved_top(layer, variables).items():
            for name, value in named.items():
                top[section][name] = merge_service(top[section].get(name, {}), value)
    return top


def _resolved_top(file: ComposeFile, variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    top: dict[str, dict[str, Any]] = {}
    for section in TOP:
        written = without_tags(file.content.get(section)) or {}
        if not isinstance(written, dict):
            raise BadInput(f"{section} is not a mapping", where=file.where(section), remedy="write each by its name")
        top[section] = {}
        for name, value in written.items():
            if not isinstance(value, dict | None):
                where = file.where(section, name)
                raise BadInput(
                    f"{name} below {section} is not a mapping", where=where, remedy="write its keys below it"
                )
            resolved = _interpolated(value or {}, file, variables, (section, name))
            top[section][str(name)] = _with_absolute_file(resolved, file.path.parent)
    return top


def resolve_text(file: ComposeFile, key: str, variables: Mapping[str, str]) -> str:
    """A text at the top level of a file, such as its `name`; empty where there is none."""
    values = [_interpolated(layer.content.get(key), layer, variables, (key,)) for layer in reversed(file.layers)]
    return next((str(value) for value in values if value is not None), "")


def _layered(file: ComposeFile, name: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """What the file says over what it extends, and over that what its override says and extends."""
    parts = [part for layer in file.layers_of(name) for part in _parts(layer, name, variables, ())]
    definition = parts[0].definition
    for part in parts[1:]:
        try:
            definition = merge_service(without_tags(definition), part.definition)
        except CannotMerge as error:
            raise BadInput(
                f"{part.name} cannot be merged over what it extends or overrides: {error}",
                where=part.file.where("services", part.name, *error.path),
                remedy="write it in the same form in both places",
            ) from None
        except (TypeError, AttributeError, KeyError, ValueError):
            raise BadInput(
                f"the service {part.name} is not written as Compose wants it",
                where=part.file.where("services", part.name),
            ) from None
    return definition


def _parts(file: ComposeFile, name: str, variables: Mapping[str, str], chain: Chain) -> list[_Part]:
    """An entry of one file, after those that it extends; each with the tags that say how it is merged over them."""
    written = file.content["services"][name]
    if isinstance(written, Override):
        written = written.value
    if not isinstance(written, dict):
        raise BadInput(
            f"the service {name} is not a mapping",
            where=file.where("services", name),
            remedy="write its keys below it, such as `image: postgres:16`",
        )
    place = ("services", name)
    try:
        own = normal_service(_interpolated(written, file, variables, place), keep_tags=True)
        own = _with_absolute_paths(own, file.path.parent)
    except (TypeError, AttributeError, KeyError, ValueError):
        raise BadInput(f"the service {name} is not written as Compose wants it", where=file.where(*place)) from None
    base = own.pop("extends", None)
    if base is None:
        return [_Part(file, name, own)]
    base_file, base_name = _base(file, name, base, (*chain, (file.path, name)))
    return [*_parts(base_file, base_name, variables, (*chain, (file.path, name))), _Part(file, name, own)]


def _base(file: ComposeFile, name: str, extends: Any, chain: Chain) -> tuple[ComposeFile, str]:  # noqa: ANN401
    where = file.where("services", name, "extends")
    extends = {"service": extends} if isinstance(extends, str) else extends
    if not isinstance(extends, dict) or "service" not in extends:
        raise BadInput(f"extends of {name} names no service", where=where, remedy="write `extends: {service: NAME}`")
    path = Path(_absolute(str(extends["file"]), file.path.parent)) if extends.get("file") else file.path
    base = str(extends["service"])
    if (path, base) in chain:
        names = [*(service for _, service in chain[chain.index((path, base)) :]), base]
        raise BadInput(
            f"services extend each other in a circle: {' -> '.join(names)}", where=where, remedy="remove one `extends`"
        )
    base_file = file if path == file.path else read_compose_file(path)
    services = base_file.content.get("services")
    if not isinstance(services, dict) or base not in services:
        known = services if isinstance(services, dict) else ()
        raise BadInput(
            f"{name} extends {base}, which {path.name} does not have",
            where=where,
            remedy=nearest(base, known) or f"known are: {', '.join(known)}",
        )
    return base_file, base


def _interpolated(value: Any, file: ComposeFile, variables: Mapping[str, str], place: tuple[str | int, ...]) -> Any:  # noqa: ANN401
    if isinstance(value, Override):
        return Override(_interpolated(value.value, file, variables, place))
    if isinstance(value, dict):
        return {key: _interpolated(below, file, variables, (*place, key)) for key, below in value.items()}
    if isinstance(value, list):
        return [_interpolated(entry, file, variables, (*place, index)) for index, entry in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return interpolate(value, variables)
    except ValueError as error:
        raise BadInput(
            f"{'.'.join(map(str, place[2:] or place))} cannot be read: {error}",
            where=file.where(*place),
            remedy="set the variable in the environment, or in the file .env beside it",
        ) from None


def _with_absolute_paths(definition: dict[str, Any], folder: Path) -> dict[str, Any]:
    changed = dict(definition)
    for key, absolute in (("volumes", _mount), ("env_file", _env_file), ("label_file", _env_file), ("build", _build)):
        value = changed.get(key)
        inner = value.value if isinstance(value, Override) else value
        if isinstance(inner, list):
            inner = [absolute(entry, folder) for entry in inner]
        elif isinstance(inner, dict):
            inner = absolute(inner, folder)
        if value is not None:
            changed[key] = Override(inner) if isinstance(value, Override) else inner
    return changed


def _mount(entry: Any, folder: Path) -> Any:  # noqa: ANN401
    if isinstance(entry, dict):
        is_bind = entry.get("type") == "bind" and entry.get("source")
        return {**entry, "source": _absolute(str(entry["source"]), folder)} if is_bind else entry
    source, separator, rest = str(entry).partition(":")
    # As Compose tells a path from the name of a volume.
    return f"{_absolute(source, folder)}:{rest}" if separator and source[:1] in {".", "~", "/"} else entry


def _env_file(entry: Any, folder: Path) -> Any:  # noqa: ANN401
    if isinstance(entry, dict):
        return {**entry, "path": _absolute(str(entry["path"]), folder)}
    return _absolute(str(entry), folder)


def _build(build: dict[str, Any], folder: Path) -> dict[str, Any]:
    contexts = build.get("additional_contexts")
    changed: dict[str, Any] = {"context": _context(str(build.get("context", ".")), folder)}
    if isinstance(contexts, dict):
        changed["additional_contexts"] = {name: _context(str(value), folder) for name, value in contexts.items()}
    return {**build, **changed}


def _context(context: str, folder: Path) -> str:
    is_elsewhere = "://" in context or context.startswith(("git@", "github.com/", "service:"))
    return context if is_elsewhere else _absolute(context, folder)


def _with_absolute_file(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    if isinstance(value.get("file"), str):
        return {**value, "file": _absolute(value["file"], folder)}
    options = value.get("driver_opts")
    # The local driver's way to make a volume of a folder of the host.
    if isinstance(options, dict) and "bind" in str(options.get("o", "")).split(",") and options.get("device"):
        return {**value, "driver_opts": {**options, "device": _absolute(str(options["device"]), folder)}}
    return value


def _absolute(path: str, folder: Path) -> str:
    return os.path.normpath(folder.absolute() / Path(path).expanduser())
