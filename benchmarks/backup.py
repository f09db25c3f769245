"""A backup and a restore of ours beside what one would use instead: `python benchmarks/backup.py`.

One PostgreSQL 18 out of the wheel holds pgbench's accounts and a table of JSON events with hashes and a GIN index, in
all `BENCH_GB` gigabytes of raw dump (default 2). On it, in turn: the plan's `pg_dump | gzip`, a bare
`pg_dump -Fc -Z0 | zstd -3 -T0`, and ours with its exact row counts, hashing and fsync, started as a process of its own;
then `gunzip | psql` and our restore. CPU is that of the whole machine meanwhile (user and system of all processes, from
/proc/stat), so the server's part is in it: run nothing else. Our peak memory is that of our process, at a tenth of the
size and at all of it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.backups import night
from sutazai_ops.backups.night import Backups
from sutazai_ops.backups.postgres.restore import archive_of, restore_database
from sutazai_ops.engines.postgres import connect
from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import Loaded, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

GIGABYTES = float(os.environ.get("BENCH_GB", "2"))
# Measured with this data: a scale of pgbench (100,000 accounts) dumps to 9.9 MB, a thousand events to 0.5 MB.
SCALE = int(GIGABYTES * 60)
EVENTS = int(GIGABYTES * 1_000_000)

FILL = """
    CREATE TABLE accounts AS SELECT n AS aid, 1 + n / 100000 AS bid, 0 AS abalance, rpad('', 84) AS filler
        FROM generate_series(1, {accounts}) n;
    ALTER TABLE accounts ADD PRIMARY KEY (aid);
    CREATE TABLE events AS SELECT n AS id, '2026-01-01Z'::timestamptz + n * interval '1 second' AS at,
        jsonb_build_object('agent', n % 8, 'prompt', md5(n::text), 'tokens', n % 512, 'tags', jsonb_build_array(
        'a' || n % 100, 'b' || n % 1000)) AS payload,
        (SELECT string_agg(md5((n * k)::text), ' ') FROM generate_series(1, 8) k) AS body
        FROM generate_series(1, {events}) n;
    ALTER TABLE events ADD PRIMARY KEY (id);
    CREATE INDEX ON events USING gin (payload);
"""


@dataclass(frozen=True)
class Cost:
    """What something took."""

    wall: float
    cpu: float


def cost(act: Callable[[], object]) -> Cost:
    """Measure `act`."""
    cpu, started = _cpu(), time.monotonic()
    act()
    return Cost(time.monotonic() - started, _cpu() - cpu)


def _cpu() -> float:
    user, nice, system = (int(word) for word in Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def shell(command: str, environment: dict[str, str]) -> Callable[[], object]:
    """A pipeline that fails when any part of it does."""
    return lambda: subprocess.run(["bash", "-o", "pipefail", "-c", command], env=environment, check=True)


def open_backups(home: Path) -> Backups:
    """An installation of its own in `home`."""
    return Backups.of(Installation(Loaded(settings=Settings(home=home, engine="embedded"), origins={})))


def fill(backups: Backups, database: str, share: float) -> None:
    """Make a database of that share of the full size."""
    server = backups.engine.server("postgres")
    with connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    with connect(server, database, autocommit=True) as connection:
        sizes = {"accounts": int(SCALE * 100_000 * share), "events": int(EVENTS * share)}
        connection.execute(FILL.format(**sizes).encode())
        connection.execute("VACUUM ANALYZE")


def only(backups: Backups, database: str) -> list[object]:
    """The service with nothing but that database."""
    (service,) = backups.services(["postgres"])
    with connect(backups.engine.server("postgres")) as connection:
        others = tuple(n for (n,) in connection.execute("SELECT datname FROM pg_database") if n != database)
    backup = service.backup.model_copy(update={"exclude_databases": others})
    return [service.model_copy(update={"backup": backup})]


def take(home: Path, database: str) -> None:
    """Take one set and print our own peak memory in MB; runs in a process of its own."""
    backups = open_backups(home)
    one = night.take_set(backups, only(backups, database), Silent())
    print(one.id, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)


def ours(home: Path, database: str) -> tuple[str, float]:
    """Take a set in a process of its own; its id and peak memory."""
    command = [sys.executable, __file__, "take", str(home), database]
    set_id, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return set_id, float(peak)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench ") as folder:
        home = Path(folder)
        home.chmod(0o755)
        backups = open_backups(home)
        try:
            measure(backups, home)
        finally:
            backups.engine.stop("postgres")


def measure(backups: Backups, home: Path) -> None:
    """Fill, measure each in turn, and print the table."""
    backups.engine.start("postgres")
    server = backups.engine.server("postgres")
    fill(backups, "small", 0.1)
    fill(backups, "large", 1.0)
    tools = server.tools().folder
    passwords = home / "pgpass"
    passwords.touch(mode=0o600)
    passwords.write_text(f"*:*:*:*:{server.account.password.get_secret_value()}\n")
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}", "PGHOST": server.endpoint.host, "PGPORT": str(server.endpoint.port),
        "PGUSER": str(server.account.user), "PGPASSFILE": str(passwords), "OUT": str(home),
    }  # fmt: skip
    _, small_peak = ours(home, "small")
    gzip = cost(shell('pg_dump large | gzip > "$OUT/plain.gz"', environment))
    zstd = cost(shell('pg_dump -Fc -Z0 large | zstd -q -f -3 -T0 -o "$OUT/bare.zst"', environment))
    result: list[tuple[str, float]] = []
    mine = cost(lambda: result.append(ours(home, "large")))
    (set_id, peak) = result[0]
    one = backups.store.find(set_id)
    manifest = one.manifest()
    subprocess.run(["createdb", "plain"], env=environment, check=True)
    psql = cost(shell('gunzip -c "$OUT/plain.gz" | psql -qX -v ON_ERROR_STOP=1 -o /dev/null plain', environment))
    database = manifest.services["postgres"].databases["large"]
    archive = one.folder / archive_of(manifest, "postgres", "large").path
    with backups.bench() as bench:
        back = cost(lambda: restore_database(server, database, archive, "back", bench))
    version = manifest.services["postgres"].version
    print(f"PostgreSQL {version}, raw dump {manifest.raw_bytes / 1e9:.2f} GB, {manifest.rows:,} rows")
    size = manifest.stored_bytes / (home / "plain.gz").stat().st_size
    for what, value in (
        ("pg_dump | gzip", gzip),
        ("pg_dump | zstd", zstd),
        ("ours", mine),
        ("gunzip | psql", psql),
        ("our restore", back),
    ):
        print(f"{what:16} {value.wall:7.1f} s wall {value.cpu:7.1f} s CPU")
    goals = (
        ("wall of gzip", mine.wall / gzip.wall, 0.30), ("CPU of gzip", mine.cpu / gzip.cpu, 0.40),
        ("wall of bare zstd", mine.wall / zstd.wall, 1.10), ("size of gzip", size, 0.90),
        ("wall of gunzip | psql", back.wall / psql.wall, 0.85), ("peak memory, of 100 MB", peak / 100, 1.0),
    )  # fmt: skip
    for what, ratio, goal in goals:
        print(f"{what:24} {ratio:5.2f}   goal: at most {goal:.2f}   {'met' if ratio <= goal else 'missed'}")
    print(f"peak memory {small_peak:.0f} MB at a tenth of the data, {peak:.0f} MB at all of it")


if __name__ == "__main__":
    if sys.argv[1:2] == ["take"]:
        take(Path(sys.argv[2]), sys.argv[3])
    else:
        main()
