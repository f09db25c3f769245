"""A backup and a restore of ours beside what one would use instead: `python benchmarks/backup.py`.

On one PostgreSQL 18 out of the wheel, and on each of two databases of `BENCH_GB` gigabytes of raw dump (default 2):

- `platform`: the tables of `make demo`, with rows as wide as the platform's own: tasks whose JSON holds a prompt and an
  answer of words that are as frequent as words are (Zipf), and an embedding of 384 dimensions for each fifth of them.
  This is what a user of this program has.
- `rows`: many narrow rows and a GIN index: pgbench's accounts, and events of JSON and hashes. This was the only one
  until the first was added. Counting, and building indexes, cost most here.

In turn: the plan's `pg_dump | gzip`; three times a bare `pg_dump -Fc -Z0 | zstd -3 -T0`, and ours with its exact row
counts, hashing and fsync, started as a process of its own; the first again, since a machine's speed drifts; then
`gunzip | psql` and our restore. Of what is measured more than once the medians are shown. CPU is that of the whole
machine meanwhile (user and system of all processes, from /proc/stat), so the server's part is in it: run nothing else.
Each measurement waits until the machine is quiet and the disk has what was written before. Our peak memory is that of
our process, at a tenth of the size and at all of it.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.backups import night
from sutazai_ops.backups.night import Backups
from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import Loaded, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sutazai_ops.engines import Server

GIGABYTES = float(os.environ.get("BENCH_GB", "2"))
DATABASES = os.environ.get("BENCH_DATABASES", "platform,rows").split(",")
ROUNDS = 3
# Measured: a task with a fifth of an embedding dumps to 1.9 kB, an account to 0.1 kB, an event to 0.5 kB.
TASKS = int(GIGABYTES * 525_000)
ACCOUNTS = int(GIGABYTES * 6_000_000)
EVENTS = int(GIGABYTES * 1_000_000)
QUIET_CPU = 0.1
"""Of one processor: what others may take while we measure."""

ROWS = """
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

PLATFORM = """
    CREATE TABLE agents (id int PRIMARY KEY, name text UNIQUE NOT NULL, model text NOT NULL);
    INSERT INTO agents SELECT n, 'agent-' || n, 'tinyllama' FROM generate_series(1, 8) n;
    CREATE TABLE tasks (
        id bigint PRIMARY KEY, agent int NOT NULL REFERENCES agents, state text NOT NULL CHECK (state <> ''),
        payload jsonb NOT NULL, created_at timestamptz NOT NULL);
    CREATE INDEX ON tasks (agent, state);
    CREATE TABLE embeddings (task bigint PRIMARY KEY REFERENCES tasks, vector real[] NOT NULL);
    CREATE VIEW open_tasks AS SELECT * FROM tasks WHERE state <> 'done';
"""
# The numbers of a vector of length one, which are as good as random to a compressor.
EMBEDDINGS = """
    INSERT INTO embeddings
    SELECT n, ARRAY(SELECT (random_normal() / sqrt(384))::real FROM generate_series(1, 384) k WHERE n IS NOT NULL)
    FROM generate_series(1, {tasks}, 5) n
"""


def tasks(count: int) -> Iterator[str]:
    """So many tasks as lines for COPY, the same in every run."""
    import numpy as np

    random = np.random.default_rng(1)
    syllables = [a + b for a in "bcdfghjklmnprstvw" for b in ("a", "e", "i", "o", "u", "ai", "ou")]
    words = ["".join(syllables[i] for i in random.integers(0, len(syllables), n)) for n in random.integers(1, 5, 8000)]
    frequencies = np.cumsum(1 / np.arange(1, len(words) + 1))
    states = ("queued", "running", "done")
    for first in range(1, count + 1, 1000):
        batch = range(first, min(first + 1000, count + 1))
        picks = np.searchsorted(frequencies, random.random((len(batch), 130)) * frequencies[-1]).tolist()
        prompts = random.integers(20, 40, len(batch)).tolist()
        seconds = random.random(len(batch)).tolist()
        traces = random.bytes(8 * len(batch)).hex()
        for row, n in enumerate(batch):
            said = [words[pick] for pick in picks[row]]
            end = prompts[row]
            yield (
                f"{n}\t{1 + n % 8}\t{states[n % 3]}\t"
                f'{{"prompt": "{" ".join(said[:end])}", "answer": "{" ".join(said[end : end + 90])}",'
                f' "model": "tinyllama", "trace": "{traces[16 * row : 16 * row + 16]}",'
                f' "tokens": {{"prompt": {end}, "answer": 90}}, "seconds": {seconds[row]:.3f}}}'
                f"\t2026-01-01 {n % 24:02}:{n % 60:02}:00Z\n"
            )


@dataclass(frozen=True)
class Cost:
    """What something took, in seconds."""

    wall: float
    cpu: float


def cost(act: Callable[[], object]) -> Cost:
    """Measure `act` on a quiet machine."""
    settle()
    cpu, started = _cpu(), time.monotonic()
    act()
    return Cost(time.monotonic() - started, _cpu() - cpu)


def settle() -> None:
    """Wait until the disk has everything and nothing else works, or two minutes."""
    os.sync()
    for _ in range(120):
        before = _cpu()
        time.sleep(1)
        if _cpu() - before < QUIET_CPU:
            return
    print("note: this machine does not become quiet, so what follows is worth less", file=sys.stderr)


def median(costs: list[Cost]) -> Cost:
    """The medians of wall and of CPU time."""
    return Cost(statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs))


def _cpu() -> float:
    user, nice, system = (int(word) for word in Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def peak_memory() -> float:
    """The most that this process held, in MB. Not `ru_maxrss`, which begins with what the parent held at the fork."""
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) * 1024 / 1e6


def shell(command: str, environment: dict[str, str]) -> Callable[[], object]:
    """A pipeline that fails when any part of it does."""
    return lambda: subprocess.run(["bash", "-o", "pipefail", "-c", command], env=environment, check=True)


def open_backups(home: Path) -> Backups:
    """An installation of its own in `home`."""
    return Backups.of(Installation(Loaded(settings=Settings(home=home, engine="embedded"), origins={})))


def fill(server: Server, kind: str, database: str, share: float) -> None:
    """Make a database of one kind, of that share of the full size."""
    from sutazai_ops.engines.postgres import connect

    with connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    with connect(server, database, autocommit=True) as connection:
        if kind == "rows":
            sizes = {"accounts": int(ACCOUNTS * share), "events": int(EVENTS * share)}
            connection.execute(ROWS.format(**sizes).encode())
        else:
            connection.execute(PLATFORM.encode())
            with connection.cursor().copy("COPY tasks FROM STDIN") as copy:
                for line in tasks(int(TASKS * share)):
                    copy.write(line)
            connection.execute("SELECT setseed(0.5)")
            connection.execute(EMBEDDINGS.format(tasks=int(TASKS * share)).encode())
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def only(backups: Backups, database: str) -> list[object]:
    """The service with nothing but that database."""
    from sutazai_ops.engines.postgres import connect

    (service,) = backups.services(["postgres"])
    with connect(backups.engine.server("postgres")) as connection:
        others = tuple(n for (n,) in connection.execute("SELECT datname FROM pg_database") if n != database)
    backup = service.backup.model_copy(update={"exclude_databases": others})
    return [service.model_copy(update={"backup": backup})]


def take(home: Path, database: str) -> None:
    """Take one set and print our own peak memory; runs in a process of its own."""
    backups = open_backups(home)
    one = night.take_set(backups, only(backups, database), Silent())
    print(one.id, peak_memory())


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
            backups.engine.start("postgres")
            for kind in DATABASES:
                measure(backups, home, kind)
        finally:
            backups.engine.stop("postgres")


def measure(backups: Backups, home: Path, kind: str) -> None:
    """Fill one kind of database, measure each in turn, and print the table."""
    from sutazai_ops.backups.postgres.restore import archive_of, drop_database, restore_database

    server = backups.engine.server("postgres")
    fill(server, kind, "small", 0.1)
    fill(server, kind, "large", 1.0)
    environment = _environment(server, home)
    _, small_peak = ours(home, "small")
    plan = shell('pg_dump large | gzip > "$OUT/plain.gz"', environment)
    plans, bare, mine = [cost(plan)], [], []
    taken: list[tuple[str, float]] = []
    for _ in range(ROUNDS):
        bare.append(cost(shell('pg_dump -Fc -Z0 large | zstd -q -f -3 -T0 -o "$OUT/bare.zst"', environment)))
        mine.append(cost(lambda: taken.append(ours(home, "large"))))
    plans.append(cost(plan))
    one = backups.store.find(taken[-1][0])
    manifest = one.manifest()
    subprocess.run(["createdb", "plain"], env=environment, check=True)
    psql = cost(shell('gunzip -c "$OUT/plain.gz" | psql -qX -v ON_ERROR_STOP=1 -o /dev/null plain', environment))
    drop_database(server, "plain")
    database = manifest.services["postgres"].databases["large"]
    archive = one.folder / archive_of(manifest, "postgres", "large").path
    with backups.bench() as bench:
        back = cost(lambda: restore_database(server, database, archive, "back", bench))
    gzip, zstd, own, peak = median(plans), median(bare), median(mine), max(peak for _, peak in taken)
    version = manifest.services["postgres"].version
    print(f"\n{kind}: PostgreSQL {version}, raw dump {manifest.raw_bytes / 1e9:.2f} GB, {manifest.rows:,} rows")
    for what, value in (
        ("pg_dump | gzip", gzip), ("pg_dump | zstd", zstd), ("ours", own), ("gunzip | psql", psql),
        ("our restore", back),
    ):  # fmt: skip
        print(f"{what:16} {value.wall:7.1f} s wall {value.cpu:7.1f} s CPU")
    size = manifest.stored_bytes / (home / "plain.gz").stat().st_size
    goals = (
        ("wall of gzip", own.wall / gzip.wall, 0.30), ("CPU of gzip", own.cpu / gzip.cpu, 0.40),
        ("wall of bare zstd", own.wall / zstd.wall, 1.10), ("size of gzip", size, 0.90),
        ("wall of gunzip | psql", back.wall / psql.wall, 0.85), ("peak memory, of 100 MB", peak / 100, 1.0),
    )  # fmt: skip
    for what, ratio, goal in goals:
        print(f"{what:24} {ratio:5.2f}   goal: at most {goal:.2f}   {'met' if ratio <= goal else 'missed'}")
    print(f"peak memory {small_peak:.0f} MB at a tenth of the data, {peak:.0f} MB at all of it", flush=True)
    for name in ("small", "large", "back"):
        drop_database(server, name)


def _environment(server: Server, home: Path) -> dict[str, str]:
    passwords = home / "pgpass"
    passwords.touch(mode=0o600)
    passwords.write_text(f"*:*:*:*:{server.account.password.get_secret_value()}\n")
    return {
        "PATH": f"{server.tools().folder}:{os.environ['PATH']}", "PGHOST": server.endpoint.host,
        "PGPORT": str(server.endpoint.port), "PGUSER": str(server.account.user), "PGPASSFILE": str(passwords),
        "OUT": str(home),
    }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["take"]:
        take(Path(sys.argv[2]), sys.argv[3])
    else:
        main()
