"""What every test shares: the rule for tests that need more than Python.

A test that needs servers or programs that are not on this machine is skipped by name. Where CI has installed them it
says so in the environment, and then a missing one is a failure instead.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from prometheus_server import program
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from sutazai_ops.termination import heed_termination

COMPOSE_FLOOR = (2, 24)

# How long an example takes says something of the machine and nothing of the claim. In CI the examples are the same each
# time, so that a change is not judged by luck; new ones are looked for where somebody is there to look at them.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("any machine")


@cache
def has_docker() -> bool:
    """Whether an engine answers, a new enough Compose is there, and images can be made and offered to it."""
    if not all(map(shutil.which, ("docker", "debootstrap", "docker-registry"))) or os.geteuid() != 0:
        return False
    info = subprocess.run(["docker", "info"], capture_output=True, check=False)
    compose = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True, check=False)
    version = re.search(r"(\d+)\.(\d+)", compose.stdout)
    return info.returncode == 0 and version is not None and tuple(map(int, version.groups())) >= COMPOSE_FLOOR


def has_prometheus() -> bool:
    """Whether both programs are here, or can be unpacked."""
    return all(map(program, ("prometheus", "promtool")))


NEEDS = {
    "browser": (
        "SUTAZAI_REQUIRE_BROWSER",
        "a browser, and what reads the PDF that it prints: apt install chromium poppler-utils",
        lambda: Path("/usr/bin/chromium").exists() and shutil.which("pdftotext") is not None,
    ),
    "debian": (
        "SUTAZAI_REQUIRE_DEBIAN_SERVERS",
        "PostgreSQL 15 and Redis 7 of Debian 12: apt install postgresql-15 redis-server",
        lambda: Path("/usr/lib/postgresql/15/bin/postgres").exists() and shutil.which("redis-server") is not None,
    ),
    "docker": (
        "SUTAZAI_REQUIRE_DOCKER",
        "a Docker engine with Compose 2.24 or newer, debootstrap and docker-registry, as root: .ci/docker-engine",
        has_docker,
    ),
    "prometheus": (
        "SUTAZAI_REQUIRE_PROMETHEUS",
        "Prometheus and promtool, or apt-get and dpkg to unpack Debian's package of them",
        has_prometheus,
    ),
}


def pytest_configure() -> None:
    # What runs in the background ignores SIGINT, and Dagster has SIGTERM do what SIGINT does: no tool could be ended.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    heed_termination()


TOGETHER = ("tests/docker/watched/services/", "tests/docker/watched/around/", "tests/docker/")
"""Folders whose tests share a rolled out platform, or drive the engine's containers, and so run one after another."""
WAITING = ("tests/embedded/test_budget_burns.py", "tests/embedded/test_alarms_of_servers.py", "tests/browser/")
LONGEST = (*TOGETHER, *WAITING)
"""What takes minutes begins first, so that nobody waits for it alone in the end; whatever is short fills the rest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _first_of(LONGEST, item.nodeid))


def _first_of(beginnings: Sequence[str], nodeid: str) -> int:
    return next((i for i, one in enumerate(beginnings) if nodeid.startswith(one)), len(beginnings))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Where tests run side by side, those of a file stay together, and so do those that share a rolled out platform."""
    return OneAfterAnother(config, log)


class OneAfterAnother(LoadScopeScheduling):
    """Gives a worker one file after another, where those of some folders count as one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark, (variable, what, is_here) in NEEDS.items():
        if item.get_closest_marker(mark) and not is_here():
            if os.environ.get(variable):
                pytest.fail(f"{variable} is set, and this machine lacks {what}")
            pytest.skip(f"needs {what}")
