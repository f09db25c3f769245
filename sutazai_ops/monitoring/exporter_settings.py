"""The settings that the exporter's container is given: those that were set here, as a file of the same kind.

Paths mean the same in there, since what they lead to is mounted where it is. What the container is told by its Compose
file is not among them: its home, its engine, its port; nor is how releases are rolled out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sutazai_ops.settings import PACKAGED_PLATFORM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sutazai_ops.settings import Settings

HEAD = "# What is set where the platform is deployed from. Made by `sutazai-ops config generate`; changes are lost.\n"
TOLD_OTHERWISE = ("home", "engine", "deploy", "images", "monitoring.port", "status_page.folder")
"""What is left out, with all below it."""


def exporter_settings(settings: Settings) -> str:
    """The settings as TOML, one a line."""
    stated = settings.model_dump(mode="json", exclude_unset=True)
    if settings.platform != PACKAGED_PLATFORM:
        stated["platform"] = str(settings.platform)
    return HEAD + "".join(f"{key} = {_toml(value)}\n" for key, value in _leaves(stated))


def _leaves(tree: Mapping[str, Any], keys: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        path = (*keys, name)
        if ".".join(path) in TOLD_OTHERWISE or value is None:
            continue
        if isinstance(value, dict):
            yield from _leaves(value, path)
        else:
            # A quoted key is a key of its own letters, dots too.
            yield ".".join(key if key.isidentifier() else json.dumps(key) for key in path), value


def _toml(value: Any) -> str:  # noqa: ANN401
    # JSON's texts, numbers, truth values and lists of them are TOML's (https://toml.io/en/v1.0.0), but for the
    # characters beyond the first plane, which JSON may write as two halves: so they are left as they are.
    return json.dumps(value, ensure_ascii=False)
