"""Merges two definitions as Compose merges files, and brings a definition into the form in which that is possible.

The rules are those of https://docs.docker.com/reference/compose-file/merge/: mappings are merged key by key, lists are
appended, a command is replaced, and entries that mean the same target replace each other. `!reset` takes a key away and
`!override` puts a value in place of what was there. Values only: nothing is read, and nothing given is changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Path = tuple[str, ...]
"""Where in a definition something stands, by the keys above it."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The value of a key that carries the tag `!reset`: it is taken away."""


@dataclass(frozen=True, slots=True)
class Override:
    """The value of a key that carries the tag `!override`: it replaces instead of being merged."""

    value: Any


class CannotMerge(ValueError):
    """A mapping stands where the other side has none; `path` says where."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{'.'.join(path)} is a mapping in one place and none in the other")
        self.path = path


MAPPINGS = {
    ("annotations",), ("build", "args"), ("build", "additional_contexts"), ("build", "labels"), ("deploy", "labels"),
    ("environment",), ("labels",), ("sysctls",),
}  # fmt: skip
"""Keys whose value is a mapping or a list of KEY=VALUE, and is made a mapping."""
LISTS = {("dns",), ("dns_search",), ("env_file",), ("label_file",), ("tmpfs",)}
"""Keys whose value is one text or a list, and is made a list."""
REPLACED = {("command",), ("entrypoint",), ("healthcheck", "test")}
"""Keys whose value is never merged."""


def merge_service(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The definition of a service with another one over it.

    Raises:
        CannotMerge: where one has a mapping and the other has none.
    """
    merged: dict[str, Any] = _merge(normal_service(base), normal_service(over, keep_tags=True), ())
    return merged


def normal_service(definition: Mapping[str, Any], *, keep_tags: bool = False) -> dict[str, Any]:
    """A definition with mappings and lists in one form, and its tags carried out unless they are still to be merged."""
    if not keep_tags:
        definition = without_tags(definition)
    return {key: _normal(value, (key,)) for key, value in definition.items()}


def without_tags(value: Any) -> Any:  # noqa: ANN401
    """A value as it is where there is nothing to merge it over."""
    if isinstance(value, Override):
        return without_tags(value.value)
    if isinstance(value, Mapping):
        return {key: without_tags(below) for key, below in value.items() if not isinstance(below, Reset)}
    if isinstance(value, list):
        return [without_tags(entry) for entry in value if not isinstance(entry, Reset)]
    return value


def _normal(value: Any, path: Path) -> Any:  # noqa: ANN401
    if isinstance(value, Override):
        return Override(_normal(value.value, path))
    if isinstance(value, list):
        return _normal_list(value, path)
    if isinstance(value, Mapping):
        return {str(key): _normal(below, (*path, str(key))) for key, below in value.items()}
    if isinstance(value, str) and path == ("build",):
        return {"context": value}
    if isinstance(value, str) and path in LISTS:
        return [value]
    return _text(value, path) if path[:-1] in MAPPINGS else value


def _normal_list(value: list[Any], path: Path) -> Any:  # noqa: ANN401
    if path in MAPPINGS:
        return dict(_pair(entry, path) for entry in value)
    if path == ("networks",):
        return dict.fromkeys(map(str, value))
    if path == ("depends_on",):
        return {str(name): {"condition": "service_started"} for name in value}
    return value


def _pair(entry: Any, path: Path) -> tuple[str, str | None]:  # noqa: ANN401
    name, is_set, value = str(entry).partition("=")
    return name, value if is_set else _text(None, path)


def _text(value: Any, path: Path) -> Any:  # noqa: ANN401
    """What Compose makes of a scalar of an environment or a label; a label without a value is empty."""
    if value is None:
        return "" if "labels" in path else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


def _merge(base: Any, over: Any, path: Path) -> Any:  # noqa: ANN401
    if isinstance(over, Override):
        return without_tags(over.value)
    # An empty value leaves what was there, but in an environment, where it means the variable of whoever runs it.
    if over is None and path[:1] != ("environment",):
        return base
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return _merge_mappings(base, over, path)
    if isinstance(base, list) and isinstance(over, list) and path not in REPLACED:
        return _unique([*base, *without_tags(over)], path)
    # Both `nofile: 1024` and `nofile: {soft: 1024, hard: 2048}` are right.
    if base is not None and isinstance(base, Mapping) != isinstance(over, Mapping) and path[:1] != ("ulimits",):
        raise CannotMerge(path)
    return without_tags(over)


def _merge_mappings(base: Mapping[str, Any], over: Mapping[str, Any], path: Path) -> Any:  # noqa: ANN401
    if path == ("logging",) and base.get("driver", over.get("driver")) != over.get("driver", base.get("driver")):
        # The options of one driver mean nothing to another.
        return without_tags(over)
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Reset):
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value, (*path, key))
    return merged


def _unique(entries: list[Any], path: Path) -> list[Any]:
    """The entries in order; one that means the same as an earlier one stands in its place."""
    identity = IDENTITIES.get(path, _itself)
    unique: dict[Hashable, Any] = {}
    for entry in entries:
        unique[identity(entry)] = entry
    return list(unique.values())


def _itself(entry: Any) -> Hashable:  # noqa: ANN401
    return repr(entry)


def _mount_target(entry: Any) -> Hashable:  # noqa: ANN401
    if isinstance(entry, Mapping):
        return str(entry.get("target", "")).rstrip("/")
    parts = str(entry).split(":")
    return (parts[1] if len(parts) > 1 else parts[0]).rstrip("/")


def _file_target(folder: str) -> Callable[[Any], Hashable]:
    def target(entry: Any) -> Hashable:  # noqa: ANN401
        given = entry.get("target") or entry.get("source") if isinstance(entry, Mapping) else entry
        return str(given) if str(given).startswith("/") else f"{folder}/{given}"

    return target


_PORT = re.compile(
    r"(?:(?P<host>\[[^\]]+\]|[^:\[\]]+):(?=[\d-]*:))?(?:(?P<published>[\d-]*):)?(?P<target>[\d-]+)(?:/(?P<protocol>\w+))?"
)


def _port(entry: Any) -> Hashable:  # noqa: ANN401
    if isinstance(entry, Mapping):
        parts = {"host": entry.get("host_ip"), **{key: entry.get(key) for key in ("published", "target", "protocol")}}
    elif match := _PORT.fullmatch(str(entry)):
        parts = match.groupdict()
    else:
        return str(entry)
    return (
        str(parts["host"] or "0.0.0.0").strip("[]"),  # noqa: S104  (what Compose binds to where none is named)
        str(parts["published"] or ""),
        str(parts["target"]),
        parts["protocol"] or "tcp",
    )


def _env_file(entry: Any) -> Hashable:  # noqa: ANN401
    return str(entry.get("path")) if isinstance(entry, Mapping) else str(entry)


IDENTITIES: dict[Path, Callable[[Any], Hashable]] = {
    ("volumes",): _mount_target,
    ("devices",): _mount_target,
    ("secrets",): _file_target("/run/secrets"),
    ("configs",): _file_target(""),
    ("ports",): _port,
    ("env_file",): _env_file,
}
"""What two entries of a list have in common when they mean the same thing."""
