"""A day whose truth is known, in a real Prometheus: the facts of capacity are that truth."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from prometheus_server import program, running

from sutazai_ops.capacity.facts import SLICES
from sutazai_ops.capacity.measure import measure_services, measure_values
from sutazai_ops.capacity.values import HOST_MEMORY_SIZE, MEASURES, REQUESTS, TASKS
from sutazai_ops.slo.source import PrometheusSource

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(600)]

DAY = date(2026, 10, 14)
START = int(datetime(2026, 10, 14, tzinfo=UTC).timestamp())
AFTER = datetime(2026, 10, 20, tzinfo=UTC)
SCRAPE = 60
MIB = 1024**2
MOMENTS = range(START - 600, START + 86_400 + 1, SCRAPE)
DEAD = range(START + 6 * 3600, START + 7 * 3600)
"""An hour in which Prometheus was not there."""


def written() -> Iterator[str]:
    """What would have been scraped: 300 MiB, at noon 500 for ten minutes, a fifth of a core, two kills, requests."""
    noon = range(START + 12 * 3600, START + 12 * 3600 + 600)
    series = {
        'sutazai_service_memory_working_set_bytes{service="web"}': lambda at: (500 if at in noon else 300) * MIB,
        'sutazai_service_memory_limit_bytes{service="web"}': lambda _: 512 * MIB,
        'sutazai_service_cpu_seconds_total{service="web"}': lambda at: (at - START + 600) / 5,
        'sutazai_service_oom_kills_total{service="web"}': lambda at: (
            int(at >= START + 3600) + int(at >= START + 60_000)
        ),
        'http_requests_total{service="web",status="200"}': lambda at: (at - START + 600) * 2,
        'agent_tasks_total{service="web",agent="planner",status="done"}': lambda at: (at - START + 600) / 60,
        'node_memory_MemTotal_bytes{instance="host"}': lambda _: 16 * 1024 * MIB,
    }
    for name, at_moment in series.items():
        yield f"# TYPE {name.partition('{')[0].removesuffix('_total')} {'counter' if '_total{' in name else 'gauge'}\n"
        yield from (f"{name} {at_moment(at)} {at}\n" for at in MOMENTS if at not in DEAD)
    yield "# EOF\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusSource]:
    folder = tmp_path_factory.mktemp("prometheus")
    text, promtool = folder / "day.om", program("promtool")
    assert promtool
    text.write_text("".join(written()), encoding="utf-8")
    command = [promtool, "tsdb", "create-blocks-from", "--max-block-duration=744h", "openmetrics", "-q", text]
    subprocess.run([*command, folder / "data"], check=True, capture_output=True)
    with running(Path(folder / "data")) as address:
        yield PrometheusSource(address)


def test_a_service_is_measured_as_it_was(source):
    (fact,) = measure_services(["web"], DAY, source, AFTER, {})
    assert fact.memory.spread.peak == 500 * MIB
    assert fact.memory.spread.quantile(0.95) == pytest.approx(300 * MIB, rel=0.01)
    assert fact.cpu.spread.quantile(0.95) == pytest.approx(0.2, rel=0.02)
    assert (fact.memory.limit, fact.cpu.limit) == (512 * MIB, None)
    assert fact.kills == 2
    assert fact.expected == SLICES
    # The hour in which nobody looked is not measured, and is no zero.
    assert fact.memory.measured == pytest.approx(SLICES - 12, abs=1)
    assert fact.coverage == pytest.approx(23 / 24, abs=0.01)


def test_work_is_counted_and_an_hour_that_nobody_saw_is_not_there(source):
    found = {one.measure: one for one in measure_values([REQUESTS, TASKS, HOST_MEMORY_SIZE], DAY, source, AFTER, {})}
    assert found["requests"].label == {"service": "web"}
    assert found["requests"].value == pytest.approx(2 * 3600 * 23, rel=0.02)
    assert found["tasks"].label == {"agent": "planner", "service": "web", "status": "done"}
    assert found["host_memory_size"].last == 16 * 1024 * MIB


def test_what_is_not_there_is_no_value(source):
    assert {one.measure for one in measure_values(MEASURES, DAY, source, AFTER, {})} == {
        "requests", "tasks", "host_memory_size",
    }  # fmt: skip
