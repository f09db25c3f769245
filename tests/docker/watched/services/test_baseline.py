"""A baseline of a platform that runs in containers, taken as a person takes it."""

from __future__ import annotations

import json

import pytest

from watched.platform import Watched

pytestmark = pytest.mark.docker


def test_it_is_taken_of_the_environment_that_was_named_alone_and_compared_with_the_last(watched: Watched):
    refused = watched.ops("baseline", "run")
    assert refused.returncode == 4
    assert "the load is meant for staging" in refused.stderr
    watched.containers()["ollama"].exec_run(["ollama", "pull", "llama3.2:3b"])
    bounds = ("--rate", "10", "--seconds", "8", "--environment", "production")
    first = watched.ops("baseline", "run", *bounds)
    assert first.returncode == 0, first.stderr
    assert "ms a request, of all services together" in first.stdout
    second = json.loads(watched.ops("baseline", "run", *bounds, "--json").stdout)
    requests = second["baseline"]["detail"]["requests"]
    assert set(requests) == {"all", "front-page", "tasks", "chat"}
    assert sum(one["count"] for name, one in requests.items() if name != "all") == requests["all"]["count"]
    assert [name for name, one in requests.items() if one["failures"]] == []
    used = second["baseline"]["detail"]["used"]
    assert used["backend"]["cpu_seconds"] > 0
    assert used["backend"]["memory_bytes"] > 5_000_000
    assert {one["request"] for one in second["against"]["requests"]} == set(requests)
    assert second["against"]["differences"] == []
    listed = watched.ops("baseline", "list").stdout
    assert listed.count("10/s, 8 s") == 2
