"""Which image each service runs: the file's, the settings' instead of it, and the digest that it was locked to.

A tag can be moved, a digest cannot, so a release names both where `images.lock.yaml` has the digest. What a registry
did not tell stands there as unresolved, with the reason; no digest is ever made up, and one that was known stays known
while a registry is down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

import yaml
from pydantic import Field, ValidationError

from sutazai_ops.errors import BadInput, OpsError, Unreachable
from sutazai_ops.model import Model
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sutazai_ops.platform import Platform
    from sutazai_ops.progress import Progress
    from sutazai_ops.settings import ImageSettings, Settings

UNRESOLVED = "unresolved: "
HEAD = """\
# The digest of every image of this platform, as its registry told it. Made by: sutazai-ops images lock
# An image that is unresolved is run by its tag alone.
"""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NO_REGISTRY = "no registry was reachable when this was written"
_SAYS_NOTHING_OF_THE_IMAGE = re.compile(r"dial tcp|no such host|timeout|connection refused", re.IGNORECASE)
"""How a Docker engine words that it did not get through to a registry."""
_DOCKER_HUB = ("docker.io", "index.docker.io")

Entry = Annotated[str, Field(pattern=rf"^({_DIGEST.pattern}|{UNRESOLVED}.+)$")]
"""A digest, or why there is none."""


class Lock(Model):
    """What `images.lock.yaml` holds."""

    images: Mapping[str, Entry] = Field(default_factory=dict)
    """From the reference that a release would name to its digest."""

    def digest(self, reference: str) -> str | None:
        """The digest of a reference; None where it is not known."""
        entry = self.images.get(reference, UNRESOLVED)
        return None if entry.startswith(UNRESOLVED) else entry

    def only(self, references: Iterable[str]) -> Lock:
        """The lock without what no service names any more."""
        named = set(references)
        return Lock(images={name: entry for name, entry in self.images.items() if name in named})

    def locked(self, reference: str) -> str:
        """The reference with its digest, where that is known."""
        digest = None if "@" in reference else self.digest(reference)
        return f"{reference}@{digest}" if digest else reference


class Registry(Protocol):
    """What can tell the digest of a reference."""

    def digest(self, reference: str) -> str:
        """Its digest now; raises `OpsError` when the registry does not tell it."""


@dataclass(frozen=True, slots=True)
class Move:
    """An entry of the lock that is another one than before; empty where there was or is none."""

    reference: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking the registries came to."""

    lock: Lock
    silent: Mapping[str, str]
    """Why a reference was not told, by reference; its old digest stays in the lock."""


def choose(service: str, image: str, settings: ImageSettings) -> str:
    """The reference that a service runs instead of what its file says."""
    if replaced := settings.replace.get(service, settings.replace.get(image)):
        return replaced
    if settings.mirror is None or image.startswith(f"{settings.mirror}/"):
        return image
    return f"{settings.mirror}/{_without_registry(image)}"


def chosen(platform: Platform, settings: ImageSettings, lock: Lock) -> dict[str, str]:
    """The reference of each service's image, locked where its digest is known; none for what is built here.

    Raises:
        BadInput: when the settings replace what no service has.
    """
    refuse_unused(platform, settings)
    return {name: lock.locked(reference) for name, reference in references(platform, settings).items()}


def references(platform: Platform, settings: ImageSettings) -> dict[str, str]:
    """The reference of each service's image by its name, without digest; none for what is built or run elsewhere."""
    found = {}
    for service in platform:
        if service.external is not None:
            continue
        if service.name in settings.replace:
            found[service.name] = settings.replace[service.name]
        elif service.image is not None:
            # What is built here has its own name, and no registry has it.
            found[service.name] = (
                service.image if "build" in service.compose else choose(service.name, service.image, settings)
            )
    return found


def refuse_unused(platform: Platform, settings: ImageSettings) -> None:
    """Raise `BadInput` for a name in `images.replace` that is neither a service's nor an image's."""
    known = {*platform.services, *(service.image for service in platform if service.image)}
    for name in settings.replace:
        if name not in known:
            raise BadInput(
                f"images.replace names {name}, which is no service and no image of the platform",
                where="sutazai.toml or SUTAZAI_IMAGES__REPLACE",
                remedy=nearest(name, known) or "sutazai-ops images list shows them",
            )


def read_lock(file: Path) -> Lock:
    """Read a lock; an empty one where there is no file.

    Raises:
        BadInput: when it is not a lock.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Lock.model_validate(content or {})
    except FileNotFoundError:
        return Lock()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error).splitlines()[0]
        raise BadInput(
            f"{file.name} is no lock of images: {first}",
            where=str(file),
            remedy="remove it, and make a new one with: sutazai-ops images lock",
        ) from None


def lock_text(lock: Lock) -> str:
    """The file of a lock: sorted, so that the same lock gives the same bytes."""
    return HEAD + yaml.safe_dump({"images": dict(sorted(lock.images.items()))}, width=200)


def write_lock(lock: Lock, file: Path) -> None:
    """Write a lock, whole or not at all.

    Raises:
        OpsError: when it cannot be written.
    """
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh.write_text(lock_text(lock), encoding="utf-8")
            fresh.replace(file)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise OpsError(
            f"cannot write {file.name}: {error.strerror}",
            where=str(file),
            remedy="let this user write there, or name another file as images.lock in sutazai.toml",
        ) from None


def lock_to_write(settings: Settings) -> Path:
    """The file that `images lock` writes: never the one that came with this program, which an update would replace."""
    from sutazai_ops.settings import PACKAGED_PLATFORM

    if settings.images.lock is None and settings.platform == PACKAGED_PLATFORM:
        return settings.home / "images.lock.yaml"
    return settings.images_lock


def ask(wanted: Iterable[str], old: Lock, registry: Registry, progress: Progress) -> Asked:
    """Ask for the digest of each reference; the others of the old lock stay as they are.

    Args:
        wanted: references without digest.
        old: what is known.
        registry: who is asked.
        progress: told of each.
    """
    images = dict(old.images)
    silent: dict[str, str] = {}
    for reference in dict.fromkeys(wanted):
        with progress.step(f"ask for {reference}"):
            try:
                images[reference] = registry.digest(reference)
            except OpsError as error:
                silent[reference] = " ".join(error.what.split())
                if old.digest(reference) is None:
                    images[reference] = f"{UNRESOLVED}{_lasting(error, silent[reference])}"
    return Asked(Lock(images=images), silent)


def _lasting(error: OpsError, why: str) -> str:
    """The part of a reason that still tells something to whoever reads the lock elsewhere, and later."""
    is_far = isinstance(error, Unreachable) or _SAYS_NOTHING_OF_THE_IMAGE.search(why)
    return NO_REGISTRY if is_far else why


def moved(old: Lock, new: Lock) -> list[Move]:
    """What differs between two locks, by reference; a reason that only reads differently is no move."""
    return [
        Move(reference, old.digest(reference) or "", new.digest(reference) or "")
        for reference in sorted({*old.images, *new.images})
        if old.digest(reference) != new.digest(reference)
    ]


class DockerRegistry:
    """Asks a reference's registry through the Docker engine, as whom `docker login` has logged in."""

    def digest(self, reference: str) -> str:
        """Its digest now.

        Raises:
            OpsError: when no engine or no registry answers, or the registry does not have it.
        """
        from sutazai_ops.engines.compose.daemon import connect, speaking

        client = connect()
        try:
            with speaking("its registry was asked in vain"):
                answer = client.inspect_distribution(reference)  # type: ignore[no-untyped-call]
        finally:
            client.close()
        digest = str((answer.get("Descriptor") or {}).get("digest"))
        if not _DIGEST.fullmatch(digest):
            raise OpsError("its registry told no digest", where=reference, remedy="see whether the tag exists")
        return digest


def _without_registry(image: str) -> str:
    """An image's name without its registry, and without the `library/` that Docker Hub's own names stand for.

    The first part is a registry when it holds a dot or a colon, or is `localhost`:
    https://pkg.go.dev/github.com/distribution/reference
    """
    first, slash, rest = image.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return image
    return rest.removeprefix("library/") if first in _DOCKER_HUB else rest
