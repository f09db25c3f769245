"""What is broken: how, how it stays so, when it is whole again, and how a person mends it."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import requests
from chaos_platform import Broken, await_true
from chaos_traffic import Traffic

from sutazai_ops.remediation.incidents import HOST

SERVED_SECONDS = 5.0
"""So long every request has to be answered until users count as served again."""
BACKEND, AGENT = ("backend", 8000), 8080
LEAKY = "ai-engineer"
LOOPING = "code-improver"
FLAPPING = "qa-validator"
DISK = Path("/var/lib/docker")
AGE_OF_IMAGE = timedelta(days=2)
POISON = 8
"""Entries that no agent can finish: more than there are agents."""
POISON_ROUNDS = 5
ROLLED_SECONDS = 180
LEAKS_AFTER_SECONDS = 25
"""The roll-out is over by then; and three times within the two minutes that are looked back on, the kernel ends it."""


@dataclass
class Broke:
    """A fault that is on."""

    is_whole: Callable[[], bool]
    keep: Callable[[], None] = lambda: None
    """Called each second, for what goes on being broken."""


@dataclass(frozen=True)
class Fault:
    """One way to break it."""

    what: str
    """In one sentence."""
    target: str
    """The service that is broken."""
    break_it: Callable[[Broken, Traffic], Iterator[Broke]]
    """A context: broken inside, and mended as a person would mend it at its end."""
    lasts: float = 180.0
    """How long it is watched, at the most, until the harness mends it."""
    ends_by_itself: bool = False
    """Whether Docker is expected to mend it, so that it is watched for as long where nobody does anything."""
    shows_after: float = 0.0
    """Seconds after which a health check can fail of it."""

    def broken(self, platform: Broken, traffic: Traffic):
        """The context."""
        return contextmanager(self.break_it)(platform, traffic)


def served(traffic: Traffic) -> bool:
    return traffic.is_served(SERVED_SECONDS, time.monotonic())


def kill(platform: Broken, traffic: Traffic) -> Iterator[Broke]:
    platform.kill("backend")
    yield Broke(lambda: served(traffic))
    platform.start("backend")


def hang(platform: Broken, traffic: Traffic) -> Iterator[Broke]:
    platform.fault("backend", "hang", 8000)
    yield Broke(lambda: served(traffic))
    _behave(platform, "backend", 8000)


def crash_loop(platform: Broken, _traffic: Traffic) -> Iterator[Broke]:
    """It ends five seconds after each start, whatever is done."""
    up_since: list[float] = []

    def keep() -> None:
        if not platform.answers(LOOPING, AGENT, "/"):
            up_since.clear()
        elif not up_since:
            up_since.append(time.monotonic())
        elif time.monotonic() - up_since[0] >= 5:
            up_since.clear()
            with suppress(requests.RequestException, AssertionError):
                platform.fault(LOOPING, "crash")

    platform.fault(LOOPING, "crash")
    yield Broke(lambda: False, keep)


def leak(platform: Broken, traffic: Traffic) -> Iterator[Broke]:
    """Ten mebibytes a second until the kernel ends it."""
    before = _restarts(platform, "backend")
    platform.fault("backend", "leak", 8000)
    yield Broke(lambda: _restarts(platform, "backend") != before and served(traffic))
    platform.restart("backend")


def disk(platform: Broken, _traffic: Traffic) -> Iterator[Broke]:
    """An image that lost its name days ago takes what the engine's disk has free, but for a twentieth of it."""
    usage = shutil.disk_usage(DISK)
    free = usage.free - usage.total // 20
    platform.daemon.load_nameless(free, AGE_OF_IMAGE)
    yield Broke(lambda: shutil.disk_usage(DISK).free > usage.free - free // 2)
    platform.client.images.prune({"dangling": True})


def locks(platform: Broken, traffic: Traffic) -> Iterator[Broke]:
    """A report that has run for six minutes takes a lock on the table that everybody needs, and goes on.

    What is ended has to have run for five, so it was begun when the platform was, and waits until its turn.
    """
    report = platform.take_report()
    await_true(lambda: time.monotonic() - report.begun > REPORT_RUNS_SECONDS, REPORT_RUNS_SECONDS)
    report.lock()
    yield Broke(lambda: served(traffic))
    try:
        report.end()
    except psycopg.Error:
        # Those who wait have taken every session.
        platform.restart("postgres")


REPORT_RUNS_SECONDS = 305
"""`Patience.blocking` of actions/queries.py, and a little more."""


def poison(platform: Broken, traffic: Traffic) -> Iterator[Broke]:
    """Tasks that the backend does not know: each agent that takes one puts it back, and takes it again."""
    for number in range(POISON):
        task = {"id": 10**12 + number, "prompt": "poison", "queued_at": time.time()}
        platform.redis("RPUSH", "agent:tasks", json.dumps(task))
    yield Broke(lambda: works(traffic))
    # What an agent has in hand just now it gives back.
    for _ in range(POISON_ROUNDS):
        _take_poison(platform)
        time.sleep(1)


def _take_poison(platform: Broken) -> None:
    for key in ("agent:tasks", *platform.redis("KEYS", "agent:working:*").split()):
        for entry in platform.redis("LRANGE", key, "0", "-1").splitlines():
            if "poison" in entry:
                platform.redis("LREM", key, "0", entry)


def _behave(platform: Broken, service: str, port: int) -> None:
    """Take its fault back; one that was started anew meanwhile, or is being started, has none."""
    with suppress(requests.RequestException, AssertionError):
        platform.fault(service, None, port)


def works(traffic: Traffic) -> bool:
    """Whether a task that is given now is done before the queue would be called old."""
    task = traffic.give_task()
    return task is not None and await_true(lambda: traffic.state_of(task) == "done", 15)


def bad_release(platform: Broken, _traffic: Traffic) -> Iterator[Broke]:
    """A release that is well while it is rolled out, and then takes more and more memory after each start."""
    good = f"{{<<: *agent-environment, AGENT_NAME: {LEAKY}}}"
    bad = good.replace("}", f', FAULT: leak, FAULT_AFTER: "{LEAKS_AFTER_SECONDS}"}}')
    platform.edit("core.yaml", good, bad)
    done = platform.ops("deploy", "--yes", "--services", LEAKY)
    print(f"    the release: {(done.stdout + done.stderr).strip()[-300:]}", flush=True)
    yield Broke(lambda: "FAULT=leak" not in platform.containers()[LEAKY].attrs["Config"]["Env"])
    platform.edit("core.yaml", bad, good)
    # A roll-back that is not at its end yet holds the lock of deployments.
    mended = await_true(lambda: not platform.ops("deploy", "--yes", "--services", LEAKY).returncode, ROLLED_SECONDS)
    if not mended:
        platform.put_right()


def prometheus(platform: Broken, _traffic: Traffic) -> Iterator[Broke]:
    platform.kill("prometheus")
    yield Broke(lambda: platform.answers("prometheus", 9090, "/-/ready"))
    platform.start("prometheus")


def postgres(platform: Broken, traffic: Traffic) -> Iterator[Broke]:
    platform.kill("postgres")
    yield Broke(lambda: served(traffic))
    platform.start("postgres")


def flap(platform: Broken, _traffic: Traffic) -> Iterator[Broke]:
    """Away for fifteen seconds, there for twenty-five, again and again; each time it comes back by itself."""
    begun = time.monotonic()
    is_away: list[bool] = [False]

    def keep() -> None:
        away = (time.monotonic() - begun) % 40 < 15
        if away != is_away[0]:
            is_away[0] = away
            with suppress(requests.RequestException, AssertionError):
                platform.fault(FLAPPING, "hang" if away else None, AGENT)

    keep()
    yield Broke(lambda: False, keep)
    _behave(platform, FLAPPING, AGENT)


def daemon(platform: Broken, traffic: Traffic) -> Iterator[Broke]:
    """Docker itself is ended and started again; what runs in it ends with it."""
    begun = threading.Thread(target=platform.daemon.start_again)
    begun.start()
    yield Broke(lambda: not begun.is_alive() and served(traffic))
    begun.join()
    for service in platform.deployed:
        platform.start(service)


def _restarts(platform: Broken, service: str) -> tuple[int, str]:
    container = platform.containers()[service]
    return container.attrs["RestartCount"], container.attrs["State"]["StartedAt"]


FAULTS = {
    "kill": Fault("the backend is killed", "backend", kill),
    "poison": Fault("the queue is stuffed with what no agent can finish", "redis", poison, 240),
    "locks": Fault("a report locks the table that everybody needs", "postgres", locks, 300, shows_after=60),
    "hang": Fault("the backend answers nobody any more", "backend", hang, 240),
    "bad-release": Fault("a release leaks once it is rolled out", LEAKY, bad_release, 300),
    "postgres": Fault("PostgreSQL is killed, with all that stand on it", "postgres", postgres),
    "disk": Fault("the disk of the engine is filled by what has no name", HOST, disk, 240),
    "crash-loop": Fault("an agent ends five seconds after each start", LOOPING, crash_loop),
    "leak": Fault("the backend leaks until the kernel ends it", "backend", leak, 240, ends_by_itself=True),
    "prometheus": Fault("Prometheus is killed", "prometheus", prometheus),
    "flap": Fault("an agent is away for a quarter of a minute, again and again", FLAPPING, flap, 240),
    "daemon": Fault("the Docker daemon is started again", "backend", daemon, 240, ends_by_itself=True),
}
"""What tells most comes first, but none breaks what the one before had started again, since that is left alone for a
while; and PostgreSQL is killed after the locks, or the reports that wait for their turn would end."""
