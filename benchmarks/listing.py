"""How long it takes to list 10,000 backup sets and to plan their retention: `.venv/bin/python benchmarks/listing.py`.

Writes real sets (a manifest of about 5 kB and one verification each, no artifacts) into a temporary folder, takes the
best of three of each, and fails when one takes a second or more.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.backups.manifest import (
    Artifact,
    ArtifactKind,
    Database,
    Inventory,
    Manifest,
    Outcome,
    PostgresFacts,
    RedisFacts,
    Rung,
    RungResult,
    Verification,
)
from sutazai_ops.backups.retention import Night, facts, plan_retention
from sutazai_ops.backups.sets import SUMS, sum_line
from sutazai_ops.backups.store import Store
from sutazai_ops.settings import BackupSettings

if TYPE_CHECKING:
    from collections.abc import Callable

SETS = 10_000
LIMIT_SECONDS = 1.0
FIRST = datetime(2000, 1, 1, 2, tzinfo=UTC)


def manifest(number: int, store: str) -> Manifest:
    """One night's manifest, with an inventory of 40 tables."""
    at = FIRST + timedelta(days=number)
    rows = {f"public.table_{table:02}": table * 1000 + number for table in range(30)}
    inventory = Inventory(
        rows=rows, constraints={f"{t}.pk": True for t in rows}, indexes=dict.fromkeys(rows, True), objects={"views": 3}
    )
    database = Database(
        name="sutazai",
        owner="sutazai",
        encoding="UTF8",
        collate="C",
        ctype="C",
        locale_provider="libc",
        inventory=inventory,
    )
    postgres = PostgresFacts(
        version="18.6",
        major=18,
        client_version="18.6",
        roles=("sutazai",),
        role_passwords=True,
        databases={"sutazai": database},
    )
    redis = RedisFacts(product="valkey", version="9.1.2", major=9, keys=5000, expiring=100)
    return Manifest(
        id=f"{at:%Y%m%dT%H%M%SZ}-{number:04x}",
        store=store,
        environment="production",
        written_by="benchmark",
        started_at=at,
        taken_at=at,
        finished_at=at + timedelta(seconds=61),
        artifacts=tuple(
            Artifact(
                path=f"postgres/{name}.dump.zst",
                kind=ArtifactKind.POSTGRES_DATABASE,
                service="postgres",
                name=name,
                stored_bytes=274_000_000,
                raw_bytes=1_800_000_000,
                sha256=hashlib.sha256(name.encode()).hexdigest(),
                seconds=8.4,
            )
            for name in ("sutazai", "n8n", "keycloak")
        ),
        services={"postgres": postgres, "redis": redis},
    )


def write(store: Store, number: int, store_id: str) -> int:
    """Write one set as a commit leaves it, without the fsyncs that would make 10,000 take minutes."""
    made = manifest(number, store_id)
    content = made.model_dump_json(indent=1).encode() + b"\n"
    sha256 = hashlib.sha256(content).hexdigest()
    folder = store.folder / made.id
    folder.mkdir()
    (folder / "manifest.json").write_bytes(content)
    (folder / SUMS).write_text(
        "".join(sum_line(a.sha256, a.path) for a in made.artifacts) + sum_line(sha256, "manifest.json")
    )
    proof = Verification(
        set=made.id,
        manifest_sha256=sha256,
        started_at=made.finished_at,
        finished_at=made.finished_at,
        outcome=Outcome.VERIFIED if number % 7 else Outcome.READ,
        rungs=tuple(RungResult(rung=rung, outcome="passed", seconds=1.5) for rung in Rung),
    )
    (folder / "verification-20000101T000000.000000Z.json").write_text(proof.model_dump_json(indent=2))
    return len(content)


def best_of_three(act: Callable[[], object]) -> float:
    """Seconds of the fastest of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    """Measure, print, and say by the exit code whether both stay under the limit."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store_id = store.id
        size = sum(write(store, number, store_id) for number in range(SETS)) // SETS
        listing = store.listing()
        assert len(listing.sets) == SETS
        assert not any(one.problem for one in listing.sets)
        policy = BackupSettings(keep_daily=30, keep_weekly=52, keep_monthly=120)
        night = Night(FIRST + timedelta(days=SETS), UTC)
        known = facts(listing)
        seconds = {
            "list them": best_of_three(store.listing),
            "ask who reads them": best_of_three(lambda: facts(listing)),
            "plan their retention": best_of_three(lambda: plan_retention(known, policy, night)),
        }
        deleted = len(plan_retention(known, policy, night).deletes)
    print(f"{SETS:,} sets, manifests of {size:,} bytes; best of three; limit {LIMIT_SECONDS} s each")
    for what, taken in seconds.items():
        print(f"  {what:22} {taken:6.3f} s   {'ok' if taken < LIMIT_SECONDS else 'TOO SLOW'}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"  the plan deletes {deleted:,}; peak memory {peak:.0f} MB")
    return int(max(seconds.values()) >= LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
