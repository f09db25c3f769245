"""Real causes beside the services themselves: disks, replicas, models, Dagster, and what the monitoring stands on.

They do not disturb one another, so that all of them are waited for at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests
from docker.models.containers import Container

from watched.beside import postgres_replica, redis_replica
from watched.platform import Watched, await_all
from watched.together import Together

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]

beside = Together()

MODEL, OTHER_MODEL = "llama3.2:3b", "tinyllama"

UNRULY = """
groups:
  - name: unruly
    rules:
      - {record: unruly, expr: node_cpu_seconds_total * on (instance) node_cpu_seconds_total}
"""
"""Right as far as anybody can tell without the data, of which many fit many."""


END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%held%' AND pid <> pg_backend_pid()
"""


@contextmanager
def unruly(watched: Watched) -> Iterator[None]:
    """A rule that Prometheus cannot evaluate."""
    file = watched.configuration("prometheus") / "rules/unruly.yml"
    file.write_text(UNRULY)
    watched.reload_prometheus()
    try:
        yield
    finally:
        file.unlink()
        watched.reload_prometheus()


@contextmanager
def page_for_figures(watched: Watched) -> Iterator[None]:
    """A page where Prometheus scrapes Grafana."""
    watched.fault("grafana", "html", 3000)
    try:
        yield
    finally:
        watched.fault("grafana", None, 3000)


@contextmanager
def slow_models(watched: Watched) -> Iterator[None]:
    """An Ollama that takes 40 s for the small question of the exporter, and 36 for a task: longer than an agent waits.

    With two models in memory a round takes so long that it is late at two looks of Prometheus or more: with one it was
    for three seconds.
    """
    address = f"http://{watched.address('ollama')}:11434"
    for model in (MODEL, OTHER_MODEL):
        watched.containers()["ollama"].exec_run(["ollama", "pull", model])

    def keep_other(for_: int) -> None:
        requests.post(f"{address}/api/generate", json={"model": OTHER_MODEL, "keep_alive": for_}, timeout=10)

    requests.post(f"{address}/stand-in/ollama", json={"seconds_a_word": 4}, timeout=5)
    keep_other(-1)
    try:
        yield
    finally:
        requests.post(f"{address}/stand-in/ollama", json={"seconds_a_word": 0}, timeout=5)
        keep_other(0)


@contextmanager
def aside(file: Path) -> Iterator[None]:
    """A file that is not where it is looked for."""
    moved = file.with_name(f"{file.name}.aside")
    file.rename(moved)
    try:
        yield
    finally:
        moved.rename(file)


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """A folder that nobody without root's capabilities can look into, not even its owner."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0)
    try:
        yield
    finally:
        folder.chmod(0o700)


def database(watched: Watched, service: str, statement: str) -> str:
    """What psql answers."""
    command = ["psql", "-h", "127.0.0.1", "-U", "sutazai", "-d", "sutazai", "-Atqc", statement]
    password = (watched.home / "secrets/postgres-password").read_text().strip()
    done = watched.containers()[service].exec_run(command, environment={"PGPASSWORD": password})
    return str(done.output.decode().strip()) if done.exit_code == 0 else ""


@contextmanager
def locked(watched: Watched) -> Iterator[None]:
    """A session that holds the lock of a row and sleeps, and one that waits for it.

    Who locks a whole table keeps postgres-exporter waiting, too, which asks for its size.
    """
    database(watched, "postgres", "CREATE TABLE held AS SELECT 1 AS n")
    for statement in ("BEGIN; UPDATE held SET n = 2; SELECT pg_sleep(1200)", "UPDATE held SET n = 3"):
        command = ["psql", "-U", "sutazai", "-d", "sutazai", "-qc", statement]
        watched.containers()["postgres"].exec_run(command, detach=True)
        time.sleep(1)
    try:
        yield
    finally:
        database(watched, "postgres", END_OTHERS)
        database(watched, "postgres", "DROP TABLE held")


@contextmanager
def silent(watched: Watched, follower: Container) -> Iterator[None]:
    """A replica of Redis that says nothing more to its master, after it followed it."""
    await_all({"it follows": lambda: "state=online" in watched.redis("INFO", "replication")})
    # A master lets go of it after a minute, and then has none that is late.
    watched.redis("CONFIG", "SET", "repl-timeout", "600")
    follower.pause()
    try:
        yield
    finally:
        follower.unpause()
        watched.redis("CONFIG", "SET", "repl-timeout", "60")


@contextmanager
def held_up(watched: Watched) -> Iterator[None]:
    """A replica of PostgreSQL that receives what it does not apply, after something that it did."""
    streams = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"
    await_all({"it streams": lambda: database(watched, "postgres-replica", streams) == "1"})
    database(watched, "postgres", "CREATE TABLE late AS SELECT 1 AS n")
    await_all({"it applied": lambda: database(watched, "postgres-replica", "SELECT n FROM late") == "1"})
    database(watched, "postgres-replica", "SELECT pg_wal_replay_pause()")
    database(watched, "postgres", "DROP TABLE late")
    try:
        yield
    finally:
        database(watched, "postgres-replica", "SELECT pg_wal_replay_resume()")


@contextmanager
def filled(watched: Watched) -> Iterator[None]:
    """A disk that fills up and was seen to be empty before."""
    empty = f'signal:host_disk{{mountpoint="{watched.disk.folder}"}} offset 1m < 0.1'
    await_all({"the disk is measured": lambda: bool(watched.prometheus(empty))})
    watched.disk.fill()
    try:
        yield
    finally:
        watched.disk.empty()


def give_tasks(watched: Watched, count: int) -> None:
    """Have the agents ask the model."""
    url = f"http://{watched.address('backend')}:8000/tasks"
    for _ in range(count):
        # While it cannot reach what it stands on, it takes none.
        await_all({"taken": lambda: requests.post(url, json={"prompt": "add two and two and two"}, timeout=10).ok})


def ask_anew(watched: Watched) -> None:
    """Unload the model and load it again: it is then asked at once how long it takes."""
    url = f"http://{watched.address('ollama')}:11434/api/generate"
    loaded = f'sutazai_model_loaded{{model="{MODEL}"}} == 1'

    def is_unloaded() -> bool:
        # Again and again: an agent that still has a task of those loads it.
        requests.post(url, json={"model": MODEL, "keep_alive": 0, "stream": False}, timeout=10)
        return not watched.prometheus(loaded)

    await_all({"unloaded": is_unloaded})
    requests.post(url, json={"model": MODEL, "prompt": "one", "stream": False}, timeout=10)
    await_all({"it answers soon": lambda: 0 < sum(watched.prometheus("signal:inference_seconds").values()) < 10})


# Whichever test is the first waits for the platform as well.
@pytest.mark.timeout(2400)
@beside
def test_each_cause_beside_the_services_is_told_and_its_end_too(watched: Watched):
    sink, disk = watched.sink.from_now(), {"mountpoint": str(watched.disk.folder)}
    of_dagster = {"dagster_schedule_missed": {"schedule": "hourly"}, "dagster_runs_stuck": {}}
    told = {
        "host_disk_full": disk,
        "host_disk_filling": disk,
        "target_down": {"service": "grafana"},
        "inference_slow": {"service": "ollama"},
        "task_slow": {},
        "collector_late": {"collector": "inference"},
        "postgres_locked": {"service": "postgres"},
        "rules_failing": {},
        "signal_unknown": {"signal": "backup_age"},
        "collector_failing": {"collector": "backups"},
        "service_unknown": {"service": "redis"},
        "redis_replica_late": {},
        "postgres_replica_late": {},
    }

    def fired(which: Mapping[str, Mapping[str, str]]) -> dict[str, Callable[[], bool]]:
        return {name: partial(sink.fired, name, **labels) for name, labels in which.items()}

    def resolved(which: Mapping[str, Mapping[str, str]]) -> dict[str, Callable[[], bool]]:
        return {name: partial(sink.resolved, name, **labels) for name, labels in which.items()}

    with redis_replica(watched) as follower, postgres_replica(watched):
        with watched.dagster.daemon():
            watched.dagster.spoil()
            with ExitStack() as causes:
                causes.enter_context(slow_models(watched))
                give_tasks(watched, 5 * len(watched.agents()))
                causes.enter_context(locked(watched))
                causes.enter_context(held_up(watched))
                causes.enter_context(silent(watched, follower))
                causes.enter_context(page_for_figures(watched))
                causes.enter_context(unruly(watched))
                causes.enter_context(closed(watched.home / "backups"))
                causes.enter_context(aside(watched.home / "secrets/redis-password"))
                causes.enter_context(filled(watched))
                await_all(fired(told | of_dagster))
                assert watched.dagster.has_breathed()
                assert not sink.fired("dagster_asleep")
            watched.dagster.mend()
            ask_anew(watched)
            # Beside dagster_asleep they are not told of, nor is their end.
            await_all(resolved(of_dagster))
        await_all(resolved(told) | fired({"dagster_asleep": {"daemon": "SCHEDULER"}}))
    with watched.dagster.daemon():
        await_all(resolved({"dagster_asleep": {}}))
    watched.dagster.forget_daemon()
