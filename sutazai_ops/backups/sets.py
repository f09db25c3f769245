"""One backup set as a listing sees it: what its files say, read in a tenth of a millisecond and never trusted blindly.

A folder is a set exactly when it holds a `manifest.json`. What is wrong with one is said in `BackupSet.problem`, and a
set with a problem is shown, but never restored from, counted or deleted by itself. Reading never writes.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import AwareDatetime, ConfigDict, GetPydanticSchema, ValidationError
from pydantic_core.core_schema import no_info_after_validator_function

from sutazai_ops.backups.lease import MANIFEST
from sutazai_ops.backups.manifest import FORMAT, Manifest, Outcome, Verification
from sutazai_ops.errors import BadInput, Corrupt
from sutazai_ops.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SUMS = "SHA256SUMS"
PIN = "pin.json"
VERIFICATION = "verification-"

_AT_ONCE = 1 << 16


class _Lean(Model):
    """Takes what it knows out of a file and leaves the rest."""

    model_config = ConfigDict(extra="ignore")


class _Format(_Lean):
    format: int


class _Artifact(_Lean):
    stored_bytes: int
    raw_bytes: int


class _Facts(_Lean):
    """One service's facts: all of them are left in the file."""


class Sizes(NamedTuple):
    """Bytes of all artifacts of a set."""

    stored: int
    raw: int


def _sizes(artifacts: list[_Artifact]) -> Sizes:
    return Sizes(sum(one.stored_bytes for one in artifacts), sum(one.raw_bytes for one in artifacts))


def _read_as(written: Any, become: Callable[[Any], Any]) -> GetPydanticSchema:  # noqa: ANN401  (a type to pydantic)
    """Parse a field as what the file holds, and keep only what `become` makes of it."""
    return GetPydanticSchema(lambda _, handler: no_info_after_validator_function(become, handler(written)))


class Summary(_Lean):
    """The head of a manifest. The parser passes over the inventories, so it is three times as fast as all of it."""

    format: int
    id: str
    store: str
    environment: str
    started_at: AwareDatetime
    taken_at: AwareDatetime
    finished_at: AwareDatetime
    services: Annotated[tuple[str, ...], _read_as(dict[str, _Facts], tuple)]
    """Their names."""
    artifacts: Annotated[Sizes, _read_as(list[_Artifact], _sizes)]

    @property
    def stored_bytes(self) -> int:
        """Bytes of all artifacts as stored."""
        return self.artifacts.stored

    @property
    def raw_bytes(self) -> int:
        """Bytes of all artifacts before compression."""
        return self.artifacts.raw


class Pin(Model):
    """A person's word that a set must stay, kept in `pin.json`."""

    reason: str
    by: str
    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class BackupSet:
    """One set as listed; cheap."""

    id: str
    """The name of its folder, which is the manifest's id unless `problem` says so."""
    folder: Path
    manifest_sha256: str
    """Of the manifest as it stands now; empty where it cannot be read."""
    summary: Summary | None
    """None where the manifest cannot be read, or is of a version that has no such head."""
    outcome: Outcome
    """What its verifications say of this very manifest; corrupt where there is a problem."""
    verification: Verification | None
    """The one that `outcome` comes from."""
    pin: Pin | None
    foreign: bool
    """It was written to another store and copied here: listed, never counted or deleted by retention."""
    problem: str
    """Empty, or one sentence: why nothing that the manifest says can be relied on."""

    def manifest(self) -> Manifest:
        """Read all of the manifest.

        Raises:
            Corrupt: when it was changed after it was written, or cannot be read.
            BadInput: when a newer version of this program wrote it.
        """
        try:
            content = (self.folder / MANIFEST).read_bytes()
        except OSError as error:
            raise self._unusable(f"its manifest cannot be read: {error.strerror}") from None
        if (_format(content) or 0) > FORMAT:
            raise BadInput(f"the set {self.id} is of no use here: {self.problem}", remedy="update this program")
        if self.problem:
            raise self._unusable(self.problem)
        if hashlib.sha256(content).hexdigest() != self.manifest_sha256:
            raise self._unusable("its manifest was changed just now")
        try:
            return Manifest.model_validate_json(content)
        except ValidationError as error:
            raise self._unusable(_unreadable(error)) from None

    def _unusable(self, problem: str) -> Corrupt:
        return Corrupt(
            f"the set {self.id} cannot be relied on: {problem}",
            where=str(self.folder),
            remedy="use another set: sutazai-ops backup list shows them",
        )


def read_set(folder: str | Path, store: str | None) -> BackupSet | None:
    """Read one folder of the store whose id is `store`; None when it is not a set.

    Raises:
        FileNotFoundError: when it is not there, or not any more.
        OSError: when the folder itself cannot be looked into.
    """
    folder = os.fspath(folder)
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    if MANIFEST not in names:
        return None
    name = os.path.basename(folder)  # noqa: PTH119  (a Path for each of 10,000 sets is a tenth of a second)
    content, sha256, problem = _read_manifest(folder)
    summary = None
    if not problem:
        summary, problem = _summarise(content, name)
    verification = None if problem else standing(_verifications(folder, names), sha256)
    outcome = verification.outcome if verification else Outcome.UNVERIFIED
    return BackupSet(
        id=name,
        folder=Path(folder),
        manifest_sha256=sha256,
        summary=summary,
        outcome=Outcome.CORRUPT if problem else outcome,
        verification=verification,
        pin=_read_pin(folder) if PIN in names else None,
        foreign=summary is not None and summary.store != store,
        problem=problem,
    )


def read_verifications(folder: Path) -> list[Verification]:
    """Every verification of a set that can be read, newest first."""
    return list(_verifications(str(folder), [path.name for path in folder.iterdir()]))


def standing(verifications: Iterable[Verification], manifest_sha256: str) -> Verification | None:
    """The verification that says what a set is worth, of all of this manifest's, newest first.

    It is the newest that came to an end, but reading a set through takes nothing from an earlier restore of the same
    bytes: a proof is only undone by finding the set corrupt. Where none came to an end, it is the newest.
    """
    read: Verification | None = None
    undecided: Verification | None = None
    for verification in verifications:
        if verification.manifest_sha256 != manifest_sha256:
            continue
        match verification.outcome:
            case Outcome.VERIFIED:
                return verification
            case Outcome.CORRUPT:
                return read or verification
            case Outcome.READ:
                read = read or verification
            case _:
                undecided = undecided or verification
    return read or undecided


def sum_line(sha256: str, path: str) -> str:
    """One line of `SHA256SUMS`, with coreutils' escape for the rare names that need it (sha256sum(1))."""
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != path else ""
    return f"{mark}{sha256}  {escaped}\n"


def _read_manifest(folder: str) -> tuple[bytes, str, str]:
    """The manifest's bytes and their sha256, and what is wrong with them."""
    try:
        content = _read(f"{folder}/{MANIFEST}")
    except FileNotFoundError:
        raise  # deleted since we looked
    except OSError as error:
        return b"", "", f"its manifest cannot be read: {error.strerror}"
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        sums = _read(f"{folder}/{SUMS}")
    except OSError as error:
        os.stat(f"{folder}/{MANIFEST}")  # noqa: PTH116  (raises where the whole set was deleted since we looked)
        return content, sha256, f"its {SUMS} cannot be read: {error.strerror}"
    if sum_line(sha256, MANIFEST).encode() not in sums:
        return content, sha256, f"its manifest was changed after it was written: {SUMS} has another hash for it"
    return content, sha256, ""


def _summarise(content: bytes, name: str) -> tuple[Summary | None, str]:
    try:
        summary = Summary.model_validate_json(content)
    except ValidationError as error:
        written = _format(content)
        return None, _newer(written) if written and written > FORMAT else _unreadable(error)
    if summary.format > FORMAT:
        return summary, _newer(summary.format)
    if summary.id != name:
        return summary, f"its folder is not named as its manifest says: {summary.id}"
    return summary, ""


def _newer(written: int) -> str:
    return f"it was written by a newer version of this program (format {written}; this one reads up to {FORMAT})"


def _unreadable(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"its manifest is not readable: {place + ': ' if place else ''}{first['msg']}"


def _format(content: bytes) -> int | None:
    try:
        return _Format.model_validate_json(content).format
    except ValidationError:
        return None


def _verifications(folder: str, names: Sequence[str]) -> Iterable[Verification]:
    for name in sorted((name for name in names if name.startswith(VERIFICATION)), reverse=True):
        try:
            yield Verification.model_validate_json(_read(f"{folder}/{name}"))
        except (OSError, ValidationError):
            continue  # a proof that cannot be read proves nothing


def _read_pin(folder: str) -> Pin:
    try:
        return Pin.model_validate_json(_read(f"{folder}/{PIN}"))
    except (OSError, ValidationError):
        # Somebody wanted the set to stay, and a pin that cannot be read must not be how it goes.
        changed = os.stat(folder).st_mtime  # noqa: PTH116
        return Pin.model_validate({"reason": "pin.json cannot be read", "by": "unknown", "at": changed})


def _read(path: str) -> bytes:
    # Unbuffered and without a stat: at 10,000 sets of three files each, open() alone would take half of the time.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        content = part = os.read(descriptor, _AT_ONCE)
        while len(part) == _AT_ONCE:
            part = os.read(descriptor, _AT_ONCE)
            content += part
    finally:
        os.close(descriptor)
    return content
