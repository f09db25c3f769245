"""Reads one Compose file as it is written: `yaml_file` with the tags and the places of Compose.

It reads plain scalars as Docker Compose does, never runs anything and never follows a file's references.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from sutazai_ops.platform.merge import Override, Reset
from sutazai_ops.yaml_file import Loader, YamlFile, read_as, resolve_scalars

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ComposeFile(YamlFile):
    """One file: what it holds, and where each key of it stands."""

    override: ComposeFile | None = None
    """The file beside it that Compose merges over it unasked."""

    @property
    def layers(self) -> tuple[ComposeFile, ...]:
        """The file and its override, in the order in which Compose merges them."""
        return (self,) if self.override is None else (self, self.override)

    @property
    def services(self) -> list[str]:
        """The names below `services:`, those that only the override has at the end."""
        return list(dict.fromkeys(name for layer in self.layers for name in layer.content.get("services") or ()))

    def layers_of(self, service: str) -> list[ComposeFile]:
        """Those of the layers that say something of a service."""
        return [layer for layer in self.layers if service in (layer.content.get("services") or ())]

    def where(self, *keys: str | int) -> str:
        """The place of a key for a message: `core.yaml:12, service postgres, key x-sutazai.tier`."""
        if self.override is not None and self.override.holds(*keys):
            return self.override.where(*keys)
        if len(keys) < 2 or keys[0] != "services":  # noqa: PLR2004  (a service and what stands below it)
            return YamlFile.where(self, *keys)
        rest = ".".join(map(str, keys[2:]))
        return f"{self.path}:{self.line(*keys)}, service {keys[1]}" + (f", key {rest}" if rest else "")


def read_compose_file(path: Path) -> ComposeFile:
    """Read a file whose top level is a mapping.

    Raises:
        BadInput: where it cannot be read, is no UTF-8, is no YAML, or holds a key twice; names file and line.
    """
    return read_as(ComposeFile, _Loader, path, "a Compose file starts with services:")


class _Loader(Loader):
    """With the tags of Compose."""


# libyaml writes the same in a tenth of the time, and generated rules are thousands of lines.
_Dumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class ComposeDumper(_Dumper):  # type: ignore[valid-type, misc]
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

resolve_scalars(ComposeDumper)


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
