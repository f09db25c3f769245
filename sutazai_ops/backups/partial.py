"""A set while it is being written, and the order in which it becomes one.

Commit puts every artifact onto the disk, then `SHA256SUMS`, then `manifest.json`, then gives the folder its name. Until
that rename the folder is called `.partial-<id>` and is no set; a crash at any point leaves it that, for the next sweep.
Nothing is hashed here a second time: what wrote an artifact has hashed it on its way.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol, Self

from sutazai_ops.backups.lease import MANIFEST
from sutazai_ops.backups.sets import SUMS, read_set, sum_line
from sutazai_ops.disk import flush, write_through, writing
from sutazai_ops.errors import BadInput, Corrupt

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from sutazai_ops.backups.manifest import Manifest
    from sutazai_ops.backups.sets import BackupSet


class Shelf(Protocol):
    """Where a set comes to stand: the store that began it."""

    @property
    def folder(self) -> Path:
        """The folder that the set's own folder is in."""

    @property
    def id(self) -> str:
        """The id that its manifest names as `store`."""


class PartialSet:
    """A set that is being written; leaving its context without `commit` removes it."""

    def __init__(self, set_id: str, folder: Path, store: Shelf) -> None:
        self.id = set_id
        self.folder = folder
        self._store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What cannot be removed now must not hide the error that brought us here; the next sweep has it.
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, relative: str) -> Path:
        """Where to write the artifact `relative`, as the manifest names it; its folders are made.

        Raises:
            BadInput: for a path that leads out of the set, such as a database named `../x` would make.
            OpsError: when a folder cannot be made.
        """
        parts = PurePosixPath(relative)
        if parts.is_absolute() or ".." in parts.parts or not parts.parts:
            raise BadInput(f"{relative!r} is no path inside a backup set")
        path = self.folder / parts
        with writing(self.folder):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def commit(self, manifest: Manifest) -> BackupSet:
        """Make it a set: everything onto the disk, the manifest last, then one rename.

        Raises:
            Corrupt: when an artifact that the manifest names is not there in its size.
            OpsError: when the disk does not take it; nothing is listed then.
        """
        self._check(manifest)
        content = manifest.model_dump_json(indent=1).encode() + b"\n"
        final = self._store.folder / self.id
        with writing(self.folder):
            for path in [*self.folder.rglob("*"), self.folder]:
                flush(path)
            write_through(self.folder / SUMS, _sums(manifest, content))
            write_through(self.folder / MANIFEST, content)
            flush(self.folder)
            self.folder.rename(final)
            flush(self._store.folder)
        committed = read_set(final, self._store.id)
        assert committed is not None  # noqa: S101  (we have just written its manifest)
        return committed

    def discard(self) -> None:
        """Remove it. Discarding what has gone does nothing."""
        with writing(self.folder):
            remove(self.folder)

    def _check(self, manifest: Manifest) -> None:
        if (manifest.id, manifest.store) != (self.id, self._store.id):
            msg = f"a manifest of set {manifest.id} in store {manifest.store} cannot commit set {self.id}"
            raise ValueError(msg)
        for artifact in manifest.artifacts:
            path = self.folder / artifact.path
            if not path.is_file() or path.stat().st_size != artifact.stored_bytes:
                raise Corrupt(
                    f"{artifact.path} is not there with the {artifact.stored_bytes} bytes that were written",
                    where=str(self.folder),
                    remedy="run the backup again; if it recurs, the disk is failing",
                )


def remove(folder: Path) -> None:
    """Remove a folder and all in it, the manifest first: what is left of it is then no set, wherever it was copied."""
    (folder / MANIFEST).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _sums(manifest: Manifest, content: bytes) -> bytes:
    lines = [sum_line(artifact.sha256, artifact.path) for artifact in manifest.artifacts]
    lines.append(sum_line(hashlib.sha256(content).hexdigest(), MANIFEST))
    return "".join(lines).encode()
