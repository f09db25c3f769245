"""Copies the files that services mount into the releases' folder, by their content.

A file or folder gets the path `files/<hash>/<name>`, so one that has not changed keeps its path in every release, one
that has changed gets a new path, and an older release still has what it meant. Copied are env files, configs, and what
is mounted read-only from below the platform's folder or that of generated configuration. Never copied is what a service
may write, because its data would stay behind; nor what stands elsewhere on the host, which is not ours. `plan_files`
only reads; `copy_files` writes what a plan names, each whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sutazai_ops.deployment.trees import digest_of, entries
from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.platform.mounts import Kind, bind_of, sources

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sutazai_ops.platform import Platform
    from sutazai_ops.platform.mounts import Source

FOLDER = "files"
"""Below the releases' folder."""
FROM_A_RELEASE = f"../{FOLDER}"
"""The same folder as a release's Compose file names it: a release may be moved with all the others."""
DIGITS = 16
LARGEST = 64 * 1024 * 1024
"""Bytes. What is larger is data, such as a model, and no configuration."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What is copied to where."""

    source: Path
    digest: str
    """Of its content, and of the names and execute bits below it."""
    private: bool
    """Whether only its owner may read the copy: Compose alone reads it, no container."""

    @property
    def place(self) -> str:
        """Where it is put, from the folder of files on."""
        return f"{self.digest[:DIGITS]}/{self.source.name}"


@dataclass(frozen=True, slots=True)
class Left:
    """A source that stays where it is, for people."""

    service: str
    source: Path
    because: str


@dataclass(frozen=True, slots=True)
class Files:
    """Every file of a platform that a release repeats, and those that it does not."""

    copies: Mapping[Path, Copy] = field(default_factory=dict)
    env_files: Mapping[Path, Copy] = field(default_factory=dict)
    digests: Mapping[Path, str] = field(default_factory=dict)
    """Of files that stay where they are and whose content counts all the same."""
    left: tuple[Left, ...] = ()

    def all_copies(self) -> list[Copy]:
        """What has to be there before the release can run."""
        return [*self.copies.values(), *self.env_files.values()]


def plan_files(
    platform: Platform, services: Collection[str], phases: Collection[str], generated: Path | None = None
) -> Files:
    """Read all that these services are given, and decide what is copied.

    Args:
        platform: whose files they are.
        services: the names of the services.
        phases: those whose overlays are in force.
        generated: the folder of configuration that is generated for them.

    Raises:
        BadInput: for a file that is not there or cannot be read; names file, service and key.
    """
    copies: dict[Path, Copy] = {}
    env_files: dict[Path, Copy] = {}
    digests: dict[Path, str] = {}
    left: list[Left] = []
    ours = [platform.folder, *([generated] if generated else [])]
    for name in services:
        for source in sources(platform, name, phases):
            where = f"{platform.service(name).file}, service {name}, key {source.kind}"
            if because := _why_left(source, ours, name, where):
                left.append(Left(name, source.path, because))
                if _counts(source, ours):
                    digests[source.path] = digest_of(source.path, where)
            elif source.kind is Kind.ENV_FILE:
                if source.path not in env_files and source.path.exists():
                    env_files[source.path] = Copy(source.path, _private(digest_of(source.path, where)), private=True)
            elif source.path not in copies:
                copies[source.path] = Copy(source.path, digest_of(source.path, where), private=False)
    for file in _other_configs(platform, services, copies):
        copies[file] = Copy(file, digest_of(file, str(file)), private=False)
    return Files(copies, env_files, digests, tuple(left))


def _other_configs(platform: Platform, services: Collection[str], known: Collection[Path]) -> list[Path]:
    """The configs that only their neighbours use: a release declares them too, and at the same place every time."""
    return [
        Path(config["file"])
        for phase in platform.phases
        if set(phase.services) & set(services)
        for config in phase.top.get("configs", {}).values()
        if config.get("file") and Path(config["file"]) not in known and Path(config["file"]).exists()
    ]


def with_copies(definition: Mapping[str, Any], files: Files) -> dict[str, Any]:
    """A definition in which what is copied is named by its copy, as a release's Compose file names it."""
    changed = dict(definition)
    if definition.get("volumes"):
        changed["volumes"] = [_mount_of_copy(entry, files) for entry in definition["volumes"]]
    if definition.get("env_file"):
        changed["env_file"] = [
            {"path": f"{FROM_A_RELEASE}/{files.env_files[path].place}", **_without_path(entry)}
            for entry in definition["env_file"]
            if (path := Path(entry["path"] if isinstance(entry, dict) else entry)) in files.env_files
        ]
    return changed


def _without_path(entry: Any) -> dict[str, Any]:  # noqa: ANN401
    # `required` is known to hold by now, and Compose before 2.24 does not know it.
    return {key: value for key, value in entry.items() if key == "format"} if isinstance(entry, dict) else {}


def _mount_of_copy(entry: Any, files: Files) -> Any:  # noqa: ANN401
    mount = bind_of(entry)
    if mount is None or mount.writable or mount.path not in files.copies:
        return entry
    place = f"{FROM_A_RELEASE}/{files.copies[mount.path].place}"
    if isinstance(entry, dict):
        return {**entry, "source": place}
    return f"{place}:{str(entry).partition(':')[2]}"


def copy_files(copies: Sequence[Copy], releases: Path) -> None:
    """Put every copy into the folder of files below `releases`; one that is there already and was not edited stays.

    Raises:
        Refused: when a file has changed since the plan was made.
        OpsError: when it cannot be written.
    """
    folder = releases / FOLDER
    for copy in copies:
        target = folder / copy.place
        if _is_as_meant(copy, target):
            continue
        partial = folder / f".{copy.digest[:DIGITS]}.{os.getpid()}.partial"
        try:
            # Like the secrets' folder: containers read what is mounted into them, other users of the host nothing.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # In a container, one that was killed had the same process number.
            _remove(partial)
            try:
                _copy(copy, partial)
                target.parent.mkdir(exist_ok=True)
                _remove(target)
                partial.rename(target)
            finally:
                _remove(partial)
        except OSError as error:
            raise OpsError(
                f"cannot copy {copy.source.name} for the release: {error.strerror}",
                where=str(target),
                remedy="nothing was changed; make room or let this user write there, and deploy again",
            ) from None


def _is_as_meant(copy: Copy, target: Path) -> bool:
    try:
        return _digest_as(copy.private, target, str(target)) == copy.digest
    except BadInput:
        return False


def changed_copies(
    definition: Mapping[str, Any], releases: Path, configs: Sequence[str] = ()
) -> Iterator[tuple[str, str, str]]:
    """The copies that a definition of a release names and that are not what they were: name, meant and found.

    Args:
        definition: as it stands in a release.
        releases: the folder of releases.
        configs: the files of its configs, which the release names at its top level.
    """
    for path, is_private in _copies_named_in(definition, configs):
        digest, _, name = path.removeprefix(f"{FROM_A_RELEASE}/").partition("/")
        try:
            found = _digest_as(is_private, releases / FOLDER / digest / name, name)[:DIGITS]
        except BadInput:
            found = "not there, or not readable"
        if found != digest:
            yield name, digest, found


def _copies_named_in(definition: Mapping[str, Any], configs: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The paths of the copies that a service of a release is given, and whether each is private."""
    env_files = [str(entry["path"] if isinstance(entry, dict) else entry) for entry in definition.get("env_file") or ()]
    mounts = [
        str(entry.get("source") if isinstance(entry, dict) else str(entry).partition(":")[0])
        for entry in definition.get("volumes") or ()
    ]
    for paths, is_private in ((env_files, True), (mounts, False), (configs, False)):
        yield from ((path, is_private) for path in paths if path.startswith(f"{FROM_A_RELEASE}/"))


def _copy(copy: Copy, to: Path) -> None:
    for entry in entries(copy.source, str(copy.source)):
        target = to / entry.name if entry.name else to
        if entry.is_folder:
            target.mkdir(mode=0o755)
            target.chmod(0o755)
            continue
        with entry.path.open("rb") as source, target.open("xb") as written:
            shutil.copyfileobj(source, written)
            os.fchmod(written.fileno(), 0o600 if copy.private else 0o755 if entry.executable else 0o644)
            written.flush()
            os.fsync(written.fileno())
    if _digest_as(copy.private, to, str(copy.source)) != copy.digest:
        raise Refused(
            f"{copy.source.name} has changed while it was being copied", where=str(copy.source), remedy="deploy again"
        )


def _remove(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        partial.unlink(missing_ok=True)


def _private(digest: str) -> str:
    """The digest of a copy that only its owner reads: it is another one than that of a copy which containers read."""
    return hashlib.sha256(f"private {digest}".encode()).hexdigest()


def _digest_as(private: bool, source: Path, where: str) -> str:  # noqa: FBT001
    digest = digest_of(source, where)
    return _private(digest) if private else digest


def _why_left(source: Source, ours: Sequence[Path], service: str, where: str) -> str:
    """Why a source stays where it is; empty for one that is copied."""
    if source.kind is not Kind.MOUNT:
        if source.required and not source.path.exists():
            raise BadInput(f"{source.path} is not there, and {service} needs it", where=where, remedy="put it there")
        return ""
    if source.path in ours:
        # With everything that stands below it, a person's secrets too.
        return "it is the platform's own folder"
    if not _is_below(source.path, ours):
        return "it stands outside the platform's folder"
    if source.writable:
        return "the service may write it"
    size = sum(entry.size for entry in entries(source.path, where))
    return f"it is larger than {LARGEST // 1024**2} MiB" if size > LARGEST else ""


def _counts(source: Source, ours: Sequence[Path]) -> bool:
    """Whether a change of what stays where it is makes the service anew: of a file it does, of a folder of data not."""
    return _is_below(source.path, ours) and source.path.is_file()


def _is_below(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
