"""Changes one value in the text of a YAML file and leaves every other letter of it as a person wrote it.

Only what stands at the very place is changed: a value that comes by an anchor belongs to others as well, and one with a
variable is set elsewhere. The text is read again afterwards; where it does not say what it should, nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from sutazai_ops.yaml_file import Loader

if TYPE_CHECKING:
    from collections.abc import Sequence


class CannotEdit(Exception):
    """Why a value cannot be changed here, for people."""


class _Reader(Loader):
    """Reads tags of any kind as what they stand on."""


def _untagged(loader: _Reader, _suffix: str, node: yaml.Node) -> Any:  # noqa: ANN401
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Reader.add_multi_constructor("!", _untagged)


def edit(text: str, path: Sequence[str], value: str, *, add: bool = True) -> str | None:
    """The text with another value at `path`, below the top; None where there is none and it is not to be added.

    Raises:
        CannotEdit: where the value comes from an anchor or a variable, or the file is written in an unusual way.
    """
    node, rest = _deepest(text, path)
    if not rest:
        changed = _replaced(text, node, value)
    elif not add:
        return None
    else:
        changed = _added(text, node, rest, value)
    if _read(changed) != _set(_read(text), path, value):
        raise CannotEdit("it is written in a way that is better changed by a person")
    return changed


def _read(text: str) -> Any:  # noqa: ANN401
    return yaml.load(text, _Reader)  # noqa: S506  (it is a safe loader)


def _set(content: Any, path: Sequence[str], value: str) -> Any:  # noqa: ANN401
    if not path:
        return value
    known = content if isinstance(content, dict) else {}
    return {**known, path[0]: _set(known.get(path[0]), path[1:], value)}


def _deepest(text: str, path: Sequence[str]) -> tuple[Any, Sequence[str]]:
    """The node at `path`, or the nearest mapping above it, and the keys that are missing below that."""
    node: Any = yaml.compose(text, _Reader)
    for place, key in enumerate(path):
        found = next((below for name, below in node.value if name.value == key), None)
        if found is None:
            if any(name.value == "<<" for name, _ in node.value) and _merged_has(text, path[: place + 1]):
                raise CannotEdit("it comes from an anchor, which other services share")
            return node, path[place:]
        if found.start_mark.index < node.start_mark.index:
            raise CannotEdit("it comes from an anchor, which other services share")
        if place < len(path) - 1 and not isinstance(found, yaml.MappingNode):
            raise CannotEdit(f"{key} is no mapping")
        node = found
    return node, ()


def _merged_has(text: str, path: Sequence[str]) -> bool:
    content = _read(text)
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    return content is not None


def _replaced(text: str, node: yaml.Node, value: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise CannotEdit("it is no single value")
    if "$" in node.value:
        raise CannotEdit(f"it is set by a variable, {node.value}")
    return text[: node.start_mark.index] + _quoted(value) + text[node.end_mark.index :]


def _added(text: str, node: yaml.MappingNode, keys: Sequence[str], value: str) -> str:
    """With what is missing put before the first key that stands at its own place."""
    own = [name for name, below in node.value if below.start_mark.index >= node.start_mark.index]
    if not own:
        raise CannotEdit("it is written in a way that is better changed by a person")
    inner = _quoted(value)
    for key in reversed(keys[1:]):
        inner = f"{{{key}: {inner}}}"
    if node.flow_style:
        end = node.end_mark.index - 1
        return text[:end] + f", {keys[0]}: {inner}" + text[end:]
    start: int = own[0].start_mark.index
    column: int = own[0].start_mark.column
    return text[:start] + f"{keys[0]}: {inner}\n" + " " * column + text[start:]


def _quoted(value: str) -> str:
    """In quotes where it would be read as a number: what is text stays text."""
    return f'"{value}"' if yaml.load(value, _Reader) != value else value  # noqa: S506  (it is a safe loader)
