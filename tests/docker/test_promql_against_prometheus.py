"""Expressions mean here what they mean to Debian's Prometheus, asked on the spot over the same series."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import promql_cases
import promql_made
import pytest
from hypothesis import HealthCheck, given, settings
from promql_ours import disagreements, load
from promtool import Promtool, Question, Series, ask

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def promtool(engine_client: docker.DockerClient, image: Callable[[str], str]) -> Iterator[Promtool]:
    """The promtool of our Prometheus image, in a container that is removed afterwards."""
    container = engine_client.containers.run(
        image("prometheus"),
        entrypoint=["sleep", "infinity"],
        name=f"test-promtool-{uuid.uuid4().hex[:10]}",
        network_mode="none",
        init=True,
        detach=True,
    )

    def run(file: Path) -> subprocess.CompletedProcess[str]:
        script = "cat > /tmp/asked.yaml && exec promtool test rules /tmp/asked.yaml"
        command = ["docker", "exec", "--interactive", str(container.id), "sh", "-c", script]
        return subprocess.run(command, input=file.read_text(), capture_output=True, text=True, timeout=60, check=False)

    try:
        yield run
    finally:
        container.remove(force=True)


def test_every_expression_of_the_table_has_the_same_value(promtool: Promtool, tmp_path: Path) -> None:
    asked = promql_cases.questions(promql_cases.TIMES)
    (theirs,) = ask(promtool, tmp_path, [(promql_cases.SERIES, asked)])
    assert disagreements(load(promql_cases.SERIES), asked, theirs) == []


def test_series_that_nobody_thought_of_have_the_same_values(promtool: Promtool, tmp_path: Path) -> None:
    asked = [Question(expression, at) for expression in promql_made.EXPRESSIONS for at in promql_made.TIMES]

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(promql_made.series())
    def compare(series: Series) -> None:
        (theirs,) = ask(promtool, tmp_path, [(series, asked)])
        assert disagreements(load(series), asked, theirs) == []

    compare()
