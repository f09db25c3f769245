"""What every test shares: the rule for tests that need more than Python.

A test that needs servers or programs that are not on this machine is skipped by name. Where CI has installed them it
says so in the environment, and then a missing one is a failure instead.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

NEEDS = {
    "debian": (
        "SUTAZAI_REQUIRE_DEBIAN_SERVERS",
        "PostgreSQL 15 and Redis 7 of Debian 12: apt install postgresql-15 redis-server",
        lambda: Path("/usr/lib/postgresql/15/bin/postgres").exists() and shutil.which("redis-server") is not None,
    ),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark, (variable, what, is_here) in NEEDS.items():
        if item.get_closest_marker(mark) and not is_here():
            if os.environ.get(variable):
                pytest.fail(f"{variable} is set, and this machine lacks {what}")
            pytest.skip(f"needs {what}")
