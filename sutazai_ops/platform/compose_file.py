"""Reads one Compose file as it is written, and remembers the line of every key so that an error can name it.

It reads plain scalars as Docker Compose does (`22:22` and `on` are text there, not a number and not true), and refuses
what PyYAML would let pass: a key that stands twice, of which the second would silently win. It never runs anything
and never follows a file's references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.merge import Override, Reset

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """One file: what it holds, and where each key of it stands."""

    path: Path
    content: dict[str, Any]
    root: yaml.MappingNode

    def where(self, *keys: str | int) -> str:
        """The place of a key for a message: `core.yaml:12, service postgres, key x-sutazai.tier`."""
        place = f"{self.path}:{self.line(*keys)}"
        if len(keys) > 1 and keys[0] == "services":
            rest = ".".join(map(str, keys[2:]))
            return f"{place}, service {keys[1]}" + (f", key {rest}" if rest else "")
        return place + (f", key {'.'.join(map(str, keys))}" if keys else "")

    def line(self, *keys: str | int) -> int:
        """The line, counted from 1, of a key or of the nearest one above it that the file has."""
        node: yaml.Node = self.root
        line = node.start_mark.line
        for key in keys:
            below = _below(node, key)
            if below is None:
                break
            line, node = below
        return line + 1


def read_compose_file(path: Path) -> ComposeFile:
    """Read a file whose top level is a mapping.

    Raises:
        BadInput: where it cannot be read, is no UTF-8, is no YAML, or holds a key twice; names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path.name} is not UTF-8 text (byte {error.start} is not)", where=str(path), remedy="save it as UTF-8"
        ) from None
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}", where=str(path)) from None
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise BadInput(f"{path.name} holds no keys", where=str(path), remedy="a Compose file starts with services:")
        _refuse_duplicate_keys(root, path)
        return ComposeFile(path, loader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise BadInput(f"{path.name} is not YAML: {error.problem}", where=where) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"{path.name} is not YAML: {str(error).splitlines()[0]}", where=str(path)) from None
    finally:
        loader.dispose()


# libyaml reads three hundred services in a fifth of the time; PyYAML has it wherever it came as a wheel.
if TYPE_CHECKING:
    _Safe = yaml.SafeLoader
else:
    _Safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """PyYAML's safe loader with the plain scalars of YAML 1.2 and the tags of Compose.

    YAML 1.2 took base-60 numbers, yes/no/on/off and dates out: https://yaml.org/spec/1.2.2/ext/changes/.
    """


_REPLACED = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "timestamp")}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class ComposeDumper(yaml.SafeDumper):
    """PyYAML's safe dumper for what Compose and people read.

    It also quotes a text that Compose would take for a number (`08`, `1e3`, `0o14`), writes a text of several lines as
    a block, and makes no anchors, which a person would have to follow.
    """

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002
        """Write everything out."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # What only Unicode takes for the end of a line is escaped: YAML 1.1 and 1.2 do not agree on it.
    has_odd_ends = any(end in text for end in "\r\x85\u2028\u2029")
    style = '"' if has_odd_ends else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


ComposeDumper.add_representer(str, _represent_text)

for _kind, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*|0o?[0-7]+|0x[0-9a-fA-F]+)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    for _yaml in (_Loader, ComposeDumper):
        _yaml.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})$"), list(_first))


def _construct_tagged(loader: _Loader, tag: str, node: yaml.Node) -> Any:  # noqa: ANN401
    if tag == "reset":
        return Reset()
    if isinstance(node, yaml.MappingNode):
        value: Any = loader.construct_mapping(node, deep=True)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        # The tag has taken the place of the type that the text alone would have.
        value = loader.construct_object(_untagged(node))
    return Override(value) if tag == "override" else value


def _untagged(node: yaml.Node) -> yaml.ScalarNode:
    is_plain = getattr(node, "style", None) is None
    tag = _Loader("").resolve(yaml.ScalarNode, node.value, (is_plain, True))  # type: ignore[no-untyped-call]
    return yaml.ScalarNode(tag, node.value)


_Loader.add_multi_constructor("!", _construct_tagged)


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
