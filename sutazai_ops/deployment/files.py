"""Copies the files that services mount into the releases' folder, by their content.

A file or folder gets the path `files/<hash>/<name>`, so one that has not changed keeps its path in every release, one
that has changed gets a new path, and an older release still has what it meant. Copied are env files, configs, and what
is mounted read-only from below the platform's folder. Never copied is what a service may write, because its data would
stay behind; nor what stands elsewhere on the host, which is not ours. `plan_files` only reads; `copy_files` writes what
a plan names, each whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sutazai_ops.errors import BadInput, OpsError, Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sutazai_ops.platform import Platform

FOLDER = "files"
"""Below the releases' folder."""
FROM_A_RELEASE = f"../{FOLDER}"
"""The same folder as a release's Compose file names it: a release may be moved with all the others."""
DIGITS = 16
LARGEST = 64 * 1024 * 1024
"""Bytes. What is larger is data, such as a model, and no configuration."""


class Kind(StrEnum):
    """How a service gets a file."""

    ENV_FILE = "env_file"
    CONFIG = "configs"
    MOUNT = "volumes"


@dataclass(frozen=True, slots=True)
class Source:
    """One file or folder of this host that a service is given."""

    path: Path
    kind: Kind
    writable: bool = False
    required: bool = True


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


def plan_files(platform: Platform, services: Collection[str], phases: Collection[str]) -> Files:
    """Read all that these services are given, and decide what is copied.

    Args:
        platform: whose files they are.
        services: the names of the services.
        phases: those whose overlays are in force.

    Raises:
        BadInput: for a file that is not there or cannot be read; names file, service and key.
    """
    copies: dict[Path, Copy] = {}
    env_files: dict[Path, Copy] = {}
    digests: dict[Path, str] = {}
    left: list[Left] = []
    for name in services:
        for source in sources(platform, name, phases):
            where = f"{platform.service(name).file}, service {name}, key {source.kind}"
            if because := _why_left(source, platform.folder, name, where):
                left.append(Left(name, source.path, because))
                if _counts(source, platform.folder):
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


def sources(platform: Platform, service: str, phases: Collection[str]) -> Iterator[Source]:
    """The files and folders of this host that a service is given."""
    definition = platform.definition(service, phases)
    for entry in definition.get("env_file") or ():
        required = entry.get("required", True) is not False if isinstance(entry, dict) else True
        yield Source(Path(entry["path"] if isinstance(entry, dict) else entry), Kind.ENV_FILE, required=required)
    for entry in definition.get("volumes") or ():
        mount = bind_of(entry)
        if mount is not None:
            yield mount
    known = configs(platform, service, phases)
    for name in used(definition, "configs"):
        if file := known.get(name, {}).get("file"):
            yield Source(Path(file), Kind.CONFIG)


def configs(platform: Platform, service: str, phases: Collection[str]) -> dict[str, Any]:
    """What the files say of the configs that a service may name: its own file's, and those of its overlays."""
    overlays = {overlay.phase for overlay in platform.overlays_of(service, phases)}
    own = platform.service(service).phase
    known: dict[str, Any] = {}
    for phase in platform.phases:
        if phase.name in {own, *overlays}:
            known |= dict(phase.top.get("configs", {}))
    return known


def used(definition: Mapping[str, Any], section: str) -> list[str]:
    """The names of the top-level configs or secrets that a definition uses."""
    entries = definition.get(section) or ()
    return [str(entry.get("source") if isinstance(entry, dict) else entry) for entry in entries]


def bind_of(entry: Any) -> Source | None:  # noqa: ANN401
    """The folder or file of the host that an entry of `volumes` mounts; None for a volume."""
    if isinstance(entry, dict):
        if entry.get("type") != "bind":
            return None
        return Source(Path(str(entry.get("source"))), Kind.MOUNT, writable=entry.get("read_only") is not True)
    source, _, rest = str(entry).partition(":")
    if not source.startswith("/") or not rest:
        return None
    return Source(Path(source), Kind.MOUNT, writable="ro" not in rest.partition(":")[2].split(","))


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
    """Put every copy into the folder of files below `releases`; what is there already is left as it is.

    Raises:
        Refused: when a file has changed since the plan was made.
        OpsError: when it cannot be written.
    """
    folder = releases / FOLDER
    for copy in copies:
        target = folder / copy.place
        if target.exists():
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
                partial.rename(target)
            finally:
                _remove(partial)
        except OSError as error:
            raise OpsError(
                f"cannot copy {copy.source.name} for the release: {error.strerror}",
                where=str(target),
                remedy="nothing was changed; make room or let this user write there, and deploy again",
            ) from None


def changed_copies(definition: Mapping[str, Any], releases: Path) -> Iterator[tuple[str, str, str]]:
    """The copies that a definition of a release names and that are not what they were: name, meant and found.

    Args:
        definition: as it stands in a release.
        releases: the folder of releases.
    """
    for path, is_private in _copies_named_in(definition):
        digest, _, name = path.removeprefix(f"{FROM_A_RELEASE}/").partition("/")
        try:
            found = _digest_as(is_private, releases / FOLDER / digest / name, name)[:DIGITS]
        except BadInput:
            found = "not there, or not readable"
        if found != digest:
            yield name, digest, found


def _copies_named_in(definition: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """The paths of copies in a definition of a release, and whether each is private."""
    env_files = [str(entry["path"] if isinstance(entry, dict) else entry) for entry in definition.get("env_file") or ()]
    mounts = [
        str(entry.get("source") if isinstance(entry, dict) else str(entry).partition(":")[0])
        for entry in definition.get("volumes") or ()
    ]
    for paths, is_private in ((env_files, True), (mounts, False)):
        yield from ((path, is_private) for path in paths if path.startswith(f"{FROM_A_RELEASE}/"))


def _copy(copy: Copy, to: Path) -> None:
    for entry in _entries(copy.source, str(copy.source)):
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file or folder of a tree."""

    name: str
    """From the top of the tree on; empty for the top."""
    path: Path
    is_folder: bool
    executable: bool
    size: int


def digest_of(source: Path, where: str) -> str:
    """SHA-256 of a file, or of all names, execute bits and contents of a folder.

    Raises:
        BadInput: naming `where`, when something of it is not there, is neither file nor folder, or cannot be read.
    """
    whole = hashlib.sha256()
    for entry in _entries(source, where):
        whole.update(f"{entry.name}\0{'folder' if entry.is_folder else 'file'}\0{entry.executable:d}\0".encode())
        if not entry.is_folder:
            try:
                with entry.path.open("rb") as file:
                    whole.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise _unreadable(entry.path, where, error) from None
    return whole.hexdigest()


def _entries(top: Path, where: str, name: str = "", above: tuple[Path, ...] = ()) -> Iterator[_Entry]:
    """A file, or a folder and all below it in the order of the names; links are followed, as a mount would not."""
    try:
        status = top.stat()
        is_folder = stat.S_ISDIR(status.st_mode)
        below = sorted(top.iterdir()) if is_folder else []
    except OSError as error:
        raise _unreadable(top, where, error) from None
    if not is_folder and not stat.S_ISREG(status.st_mode):
        raise BadInput(f"{top} is neither a file nor a folder", where=where, remedy="mount what is inside one by one")
    real = top.resolve()
    if real in above:
        raise BadInput(f"{top} is a link into a folder above it", where=where, remedy="remove the link")
    yield _Entry(name, top, is_folder, not is_folder and bool(status.st_mode & 0o100), status.st_size)
    for path in below:
        yield from _entries(path, where, f"{name}/{path.name}" if name else path.name, (*above, real))


def _unreadable(path: Path, where: str, error: OSError) -> BadInput:
    missing = isinstance(error, FileNotFoundError)
    return BadInput(
        f"{path} {'is not there' if missing else f'cannot be read: {error.strerror}'}",
        where=where,
        remedy="put it there, or correct the path" if missing else "let this user read it",
    )


def _why_left(source: Source, folder: Path, service: str, where: str) -> str:
    """Why a source stays where it is; empty for one that is copied."""
    if source.kind is not Kind.MOUNT:
        if source.required and not source.path.exists():
            raise BadInput(f"{source.path} is not there, and {service} needs it", where=where, remedy="put it there")
        return ""
    if not source.path.is_relative_to(folder):
        return "it stands outside the platform's folder"
    if source.writable:
        return "the service may write it"
    size = sum(entry.size for entry in _entries(source.path, where))
    return f"it is larger than {LARGEST // 1024**2} MiB" if size > LARGEST else ""


def _counts(source: Source, folder: Path) -> bool:
    """Whether a change of what stays where it is makes the service anew: of a file it does, of a folder of data not."""
    return source.path.is_relative_to(folder) and source.path.is_file()
