"""Incidents out of what a real Prometheus says, on containers: the cause is told from what merely stands on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from .platform import WITHIN_SECONDS, Watched, await_all

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


def decided(watched: Watched) -> dict[tuple[str, str], tuple[str, str]]:
    """Look once; the last verdict's kind and reason about every incident that lasts, by target and symptom."""
    done = watched.ops("remediation", "watch", "--once")
    assert done.returncode == 0, done.stderr
    listed = watched.ops("incidents", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    return {
        (one["target"], one["symptom"]): (one["verdict"]["kind"], one["verdict"]["reason"])
        for one in json.loads(listed.stdout)
    }


def test_of_a_dead_database_it_is_known_that_what_stands_on_it_is_not_to_be_repaired(watched: Watched):
    watched.containers()["postgres"].stop()
    try:
        until = time.monotonic() + WITHIN_SECONDS
        cause, stands_on_it = ("postgres", "service-down"), ("backend", "service-down")
        skipped = ("skip", "what it depends on is broken")
        # What is due for the cause itself depends on whether a test before this one took a backup.
        while (found := decided(watched)).get(stands_on_it) != skipped or found.get(cause) in {None, skipped}:
            assert time.monotonic() < until, found
            time.sleep(5)
    finally:
        watched.containers()["postgres"].start()


def test_a_watch_that_is_killed_is_told_by_others(watched: Watched):
    sink = watched.sink
    sink.forget()
    command = [sys.executable, "-m", "sutazai_ops.cli", "remediation", "watch", "--every", "1"]
    looked = watched.home / "remediation" / "last-round"
    watch = subprocess.Popen(command, env={**os.environ, **watched.environment}, stdout=subprocess.DEVNULL)
    try:
        await_all({"it looks": looked.exists})
    finally:
        watch.kill()
        watch.wait()
    await_all({"remediation_asleep": lambda: sink.fired("remediation_asleep")})
    assert watched.ops("remediation", "mode", "off").returncode == 0
    await_all({"remediation_asleep": lambda: sink.resolved("remediation_asleep")})
    assert watched.ops("remediation", "mode", "observe").returncode == 0
    looked.unlink()
