"""Reads one YAML file as YAML 1.2 means it, and remembers the line of every key so that an error can name it.

Plain scalars are those of YAML 1.2 (`22:22` and `on` are text, not a number and not true), and what PyYAML would let
pass is refused: a key that stands twice, of which the second would silently win. Nothing in a file is ever run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from sutazai_ops.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class YamlFile:
    """One file: what it holds, and where each key of it stands."""

    path: Path
    content: dict[str, Any]
    root: yaml.MappingNode

    def where(self, *keys: str | int) -> str:
        """The place of a key for a message: `objectives.yaml:12, key objectives.backend-is-up.target`."""
        place = f"{self.path}:{self.line(*keys)}"
        return place + (f", key {'.'.join(map(str, keys))}" if keys else "")

    def line(self, *keys: str | int) -> int:
        """The line, counted from 1, of a key or of the nearest one above it that the file has."""
        return ([self.root.start_mark.line, *self._lines(keys)])[-1] + 1

    def holds(self, *keys: str | int) -> bool:
        """Whether the file has that very key."""
        return len(list(self._lines(keys))) == len(keys)

    def _lines(self, keys: tuple[str | int, ...]) -> Iterator[int]:
        node: yaml.Node = self.root
        for key in keys:
            below = _below(node, key)
            if below is None:
                return
            line, node = below
            yield line


# libyaml reads three hundred services in a fifth of the time; PyYAML has it wherever it came as a wheel.
if TYPE_CHECKING:
    _Safe = yaml.SafeLoader
else:
    _Safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_Safe):
    """PyYAML's safe loader with the plain scalars of YAML 1.2.

    YAML 1.2 took base-60 numbers, yes/no/on/off and dates out: https://yaml.org/spec/1.2.2/ext/changes/.
    """


SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*|0o?[0-7]+|0x[0-9a-fA-F]+)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
)
"""The plain scalars that are no text: the type, how it looks, and what it begins with."""

_REPLACED = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "timestamp")}
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def resolve_scalars(kind: type[yaml.SafeLoader | yaml.SafeDumper]) -> None:
    """Teach a loader or a dumper which plain scalars are no text."""
    for name, pattern, first in SCALARS:
        kind.add_implicit_resolver(f"tag:yaml.org,2002:{name}", re.compile(rf"(?:{pattern})$"), list(first))


resolve_scalars(Loader)

File = TypeVar("File", bound=YamlFile)


class SaysNothing(BadInput):
    """A file is empty, or holds comments alone."""


def read_yaml_file(path: Path, remedy: str) -> YamlFile:
    """Read a file whose top level is a mapping; `remedy` says what it should begin with where it is none.

    Raises:
        BadInput: where it cannot be read, is no UTF-8, is no YAML, or holds a key twice; names file and line.
        SaysNothing: which is one, where it holds nothing.
    """
    return read_as(YamlFile, Loader, path, remedy)


def read_as(kind: type[File], loader_kind: type[Loader], path: Path, remedy: str) -> File:
    """As `read_yaml_file`, for a file with tags or places of its own."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path.name} is not UTF-8 text (byte {error.start} is not)", where=str(path), remedy="save it as UTF-8"
        ) from None
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}", where=str(path)) from None
    loader = loader_kind(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            kind_of_error = BadInput if root else SaysNothing
            raise kind_of_error(f"{path.name} holds no keys", where=str(path), remedy=remedy)
        _refuse_duplicate_keys(root, path)
        return kind(path, loader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise BadInput(f"{path.name} is not YAML: {error.problem}", where=where) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"{path.name} is not YAML: {str(error).splitlines()[0]}", where=str(path)) from None
    finally:
        loader.dispose()


def _refuse_duplicate_keys(root: yaml.Node, path: Path) -> None:
    # Before construction, which writes what `<<` merges into the same nodes, where a key may well stand twice.
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines and key.value != "<<":
                    raise BadInput(
                        f"the key {key.value!r} stands twice, in lines {lines[key.value]} and {line}",
                        where=f"{path}:{line}",
                        remedy="remove one of them",
                    )
                lines[key.value] = line
            waiting.append(value)


def _below(node: yaml.Node, key: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        item = node.value[key]
        return item.start_mark.line, item
    if isinstance(node, yaml.MappingNode):
        # From the end: construction put what was merged first, and what the mapping itself says last.
        for name, value in reversed(node.value):
            if name.value == key:
                return name.start_mark.line, value
    return None
