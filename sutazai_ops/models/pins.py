"""The digests that models have to have: those of `models.lock.yaml`, and over them those that the manifest names.

A tag can be moved by whoever owns it, a digest cannot. `models lock` writes what is there now; nobody else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml
from pydantic import Field, ValidationError

from sutazai_ops.disk import write_whole, writing
from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.models.manifest import Digest
from sutazai_ops.yaml_file import read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from sutazai_ops.models.manifest import Manifest

HEAD = """\
# The digest of every model of this platform, as its Ollama has it. Made by: sutazai-ops models lock
"""


class Lock(Model):
    """What `models.lock.yaml` holds."""

    models: Mapping[str, Digest] = Field(default_factory=dict)
    """By name with tag."""


@dataclass(frozen=True, slots=True)
class Move:
    """A pin that is another one than before; empty where there was or is none."""

    model: str
    before: str
    after: str


def read_lock(file: Path) -> Lock:
    """Read a lock; an empty one where there is no file. Raises `BadInput` where it is none."""
    if not file.exists():
        return Lock()
    remedy = "remove it, and make a new one with: sutazai-ops models lock"
    content = read_yaml_file(file, remedy).content
    try:
        return Lock.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"{file.name} is no lock of models: {key}: {first['msg'].removeprefix('Value error, ')}",
            where=str(file),
            remedy=remedy,
        ) from None


def write_lock(lock: Lock, file: Path) -> None:
    """Write it, whole or not at all; raises `OpsError` where it cannot be."""
    with writing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, (HEAD + yaml.safe_dump({"models": dict(sorted(lock.models.items()))})).encode())


def pins_of(manifest: Manifest, lock: Lock) -> dict[str, str]:
    """The digest that each model has to have: what the manifest says itself, else the lock's."""
    own = {model.name: model.digest for model in manifest if model.digest is not None}
    return {**{name: digest for name, digest in lock.models.items() if name in manifest.models}, **own}


def locked(old: Lock, there: Mapping[str, str], names: Collection[str], known: Collection[str]) -> Lock:
    """The lock with what is there now for these names; what the manifest no longer knows is left out."""
    kept = {name: digest for name, digest in old.models.items() if name in known}
    return Lock(models=kept | {name: there[name] for name in names if name in there})


def moved(old: Lock, new: Lock) -> list[Move]:
    """What differs between two locks, by name."""
    return [
        Move(name, old.models.get(name, ""), new.models.get(name, ""))
        for name in sorted({*old.models, *new.models})
        if old.models.get(name) != new.models.get(name)
    ]
