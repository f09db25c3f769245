"""Proves a set by restoring it, and proves the proof by showing it damage.

Five rungs, from cheap to sure: hashes, archives, restore, content, self-test (see `Rung`). The first that does not pass
ends the climb. Three ends are told apart and never mixed up: the set is *corrupt* (it was examined and is not what it
should be), the check *could not* be made (a tool, a disk or memory was missing: nothing is known of the set), or it is
*verified*. A set that was not restored is *read* at most. The set itself is never written to, but for the result beside
it, and everything a proof needs is gone when it ends.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.backups.damage import damaged_copies
from sutazai_ops.backups.kinds import kind_of
from sutazai_ops.backups.manifest import Outcome, Rung, RungResult, Verification
from sutazai_ops.backups.stream import sha256_of
from sutazai_ops.errors import Corrupt, OpsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sutazai_ops.backups.kinds import Workbench
    from sutazai_ops.backups.manifest import Artifact, Manifest
    from sutazai_ops.backups.store import BackupSet
    from sutazai_ops.progress import Progress


class _Stop(Exception):
    """The rung just recorded did not pass."""


class _Ladder:
    """Collects how each rung went, and stops at the first that does not pass."""

    def __init__(self, progress: Progress) -> None:
        self.results: list[RungResult] = []
        self._progress = progress

    @contextmanager
    def rung(self, rung: Rung) -> Iterator[None]:
        started = time.monotonic()
        try:
            with self._progress.step(f"verify  {rung.value}"):
                yield
        except OpsError as error:
            outcome = "failed" if isinstance(error, Corrupt) else "could not check"
            self._note(rung, outcome, started, "; ".join(part for part in (error.what, error.remedy) if part))
            raise _Stop from error
        self._note(rung, "passed", started, "")

    def _note(self, rung: Rung, outcome: str, started: float, detail: str) -> None:
        seconds = round(time.monotonic() - started, 3)
        self.results.append(
            RungResult.model_validate({"rung": rung, "outcome": outcome, "seconds": seconds, "detail": detail})
        )


def verify(
    backup_set: BackupSet, bench: Workbench, progress: Progress, *, rungs: tuple[Rung, ...] = tuple(Rung)
) -> Verification:
    """Climb the ladder for one set.

    Args:
        backup_set: the set; whoever calls holds a lease on it.
        bench: where scratch servers and files may live meanwhile.
        progress: told each rung.
        rungs: which to climb; without `RESTORE` and what follows, the best outcome is *read*.

    Raises:
        Corrupt: when the manifest itself cannot be relied on, so there is nothing to hold the artifacts against.
    """
    manifest = backup_set.manifest()
    started_at = datetime.now(UTC)
    ladder = _Ladder(progress)
    proof = _Proof(manifest, backup_set.folder, bench)
    with suppress(_Stop):
        proof.climb(ladder, rungs)
    return Verification(
        set=manifest.id,
        manifest_sha256=backup_set.manifest_sha256,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        outcome=outcome_of(ladder.results),
        rungs=tuple(ladder.results),
        restore_seconds=proof.restore_seconds,
        restore_size=manifest.raw_bytes if proof.restore_seconds else 0,
    )


def outcome_of(results: list[RungResult]) -> Outcome:
    """What the rungs climbed so far say of a set.

    Only the whole ladder makes a set verified; a rung that failed makes it corrupt; one that could not be climbed
    leaves it unknown, whatever the rungs below said.
    """
    passed = {result.rung for result in results if result.outcome == "passed"}
    if any(result.outcome == "failed" for result in results):
        return Outcome.CORRUPT
    if any(result.outcome == "could not check" for result in results):
        return Outcome.COULD_NOT_CHECK
    if passed == set(Rung):
        return Outcome.VERIFIED
    return Outcome.READ if {Rung.HASHES, Rung.ARCHIVES} <= passed else Outcome.UNVERIFIED


class _Proof:
    """The rungs of one set."""

    def __init__(self, manifest: Manifest, folder: Path, bench: Workbench) -> None:
        self._manifest = manifest
        self._folder = folder
        self._bench = bench
        self.restore_seconds: dict[str, float] = {}

    def climb(self, ladder: _Ladder, rungs: tuple[Rung, ...]) -> None:
        if Rung.HASHES in rungs:
            with ladder.rung(Rung.HASHES):
                self._each(check_hash)
        if Rung.ARCHIVES in rungs:
            with ladder.rung(Rung.ARCHIVES):
                self._each(self.read_through)
        if Rung.RESTORE in rungs:
            self._restore(ladder, rungs)
        if Rung.SELF_TEST in rungs:
            with ladder.rung(Rung.SELF_TEST):
                self._test_itself()

    def _each(self, check: Callable[[Artifact, Path], None]) -> None:
        for artifact in self._manifest.artifacts:
            check(artifact, self._folder / artifact.path)

    def read_through(self, artifact: Artifact, path: Path) -> None:
        facts = self._manifest.services[artifact.service]
        product = "postgres" if facts.kind == "postgres" else facts.product
        tools = self._bench.engine.tools(product, facts.major)
        kind_of(facts.kind).read_through(artifact, path, tools)

    def _restore(self, ladder: _Ladder, rungs: tuple[Rung, ...]) -> None:
        with ExitStack() as scratch:
            with ladder.rung(Rung.RESTORE):
                services = {
                    name: scratch.enter_context(
                        kind_of(facts.kind).restored(name, self._manifest, self._folder, self._bench)
                    )
                    for name, facts in self._manifest.services.items()
                }
            if Rung.CONTENT not in rungs:
                return
            with ladder.rung(Rung.CONTENT):
                for name, service in services.items():
                    started = time.monotonic()
                    differences = service.compare()
                    service.seconds[f"{name}: compare"] = round(time.monotonic() - started, 3)
                    _refuse(name, differences)
        for service in services.values():
            self.restore_seconds |= service.seconds

    def _test_itself(self) -> None:
        # The smallest artifact of every kind: damage is damage, and the copies should cost little.
        smallest = {a.kind: a for a in sorted(self._manifest.artifacts, key=lambda a: -a.stored_bytes)}
        for artifact in smallest.values():
            for how, copy in damaged_copies(self._folder / artifact.path, self._bench.spool):
                for check in (check_hash, self.read_through):
                    _expect_refusal(check, artifact, copy, how)


def check_hash(artifact: Artifact, path: Path) -> None:
    """Hold a stored file against the manifest; raises `Corrupt` when it is missing or differs."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise Corrupt(f"{artifact.path} is missing", where=str(path)) from None
    if size != artifact.stored_bytes:
        raise Corrupt(f"{artifact.path} has {size} bytes instead of {artifact.stored_bytes}", where=str(path))
    if sha256_of(path) != artifact.sha256:
        raise Corrupt(f"{artifact.path} was changed: its sha256 is not the manifest's", where=str(path))


def _refuse(service: str, differences: list[str]) -> None:
    if not differences:
        return
    more = f", and {len(differences) - 1} more differences" if len(differences) > 1 else ""
    raise Corrupt(f"{service} came back different: {differences[0]}{more}")


def _expect_refusal(check: Callable[[Artifact, Path], None], artifact: Artifact, copy: Path, how: str) -> None:
    try:
        check(artifact, copy)
    except Corrupt:
        return
    raise OpsError(
        f"the verifier accepted a {how} copy of {artifact.path}, so its word on this set is worth nothing",
        remedy="report this with the versions that sutazai-ops doctor prints",
    )
