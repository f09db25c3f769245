"""Expressions mean here what they mean to Debian's Prometheus, asked on the spot over the same series."""

from __future__ import annotations

import io
import math
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import promql_cases
import promql_made
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from promql_ours import disagreements, load
from promtool import RULES, Answer, Failed, Promtool, Question, Series, ask
from promtool_notation import Point, labels
from promtool_tests import states
from rulebooks import PACKAGED, rulebook, signal, threshold

from sutazai_ops.monitoring.rule_tests import rule_tests_file
from sutazai_ops.monitoring.rules import rules_file

pytestmark = pytest.mark.docker

URL = "https://docs.example/runbooks"


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
        folder = io.BytesIO()
        with tarfile.open(fileobj=folder, mode="w") as tar:
            tar.add(file.parent, "asked")
        script = "rm -rf /tmp/asked && tar -x -C /tmp && exec promtool test rules /tmp/asked/$0"
        command = ["docker", "exec", "--interactive", str(container.id), "sh", "-c", script, file.name]
        done = subprocess.run(command, input=folder.getvalue(), capture_output=True, timeout=60, check=False)
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())

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


def test_the_generated_tests_of_the_generated_rules_pass(promtool: Promtool, tmp_path: Path) -> None:
    (tmp_path / RULES).write_text(rules_file(PACKAGED, URL))
    tests = tmp_path / "tests.yaml"
    tests.write_text(rule_tests_file(PACKAGED, RULES, URL))
    said = promtool(tests)
    assert said.returncode == 0, said.stdout + said.stderr


def test_an_alert_waits_and_stays_as_prometheus_lets_it(promtool: Promtool, tmp_path: Path) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.sampled_from([0.0, 20.0, 20.0, math.nan, None, "stale"]), min_size=1, max_size=40),
        st.sampled_from([0, 60, 90, 180]),
        st.sampled_from([0, 60, 150]),
    )
    def compare(values: list[Point], waits: int, stays: int) -> None:
        # A little beside the samples: of one that is exactly five minutes old, Prometheus 2 and 3 differ.
        book = rulebook(
            [signal(query="load offset 7s")], [threshold(**{"for": f"{waits}s", "keep_firing_for": f"{stays}s"})]
        )
        series = {"load": values}
        minutes = range(len(values) // 2 + 6)
        asked = [Question("ALERTS", 60 * minute + 7) for minute in minutes]
        (theirs,) = ask(promtool, tmp_path, [(series, asked)], rules_file(book, URL))
        assert [_state(answer) for answer in theirs] == states(book, series, len(minutes))

    compare()


def _state(answer: Answer) -> str | None:
    assert not isinstance(answer, Failed)
    found = [labels(key)["alertstate"] for key in answer]
    return found[0] if found else None
