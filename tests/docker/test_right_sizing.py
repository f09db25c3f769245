"""Limits on a real kernel: what was proposed holds under the peak that it rests on, and the naive one does not.

The program touches as much memory as it is told; everything else is the real thing: facts, advice, judgement, and the
kernel's own end of whoever goes above its limit.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sutazai_ops.capacity.facts import SLICES, ServiceDay, Slices, make_day
from sutazai_ops.capacity.sizing import MIB, Size, advise, judge

pytestmark = pytest.mark.docker

PEAK = 300 * MIB
PLAN = 256 * MIB
"""What the plan asks for agents."""
TOUCH = "import sys; held = bytearray(b'x') * int(sys.argv[1]); print('held', len(held))"
DAYS = 14


def facts(peak: float, growth: float = 0.0) -> list[ServiceDay]:
    """Two weeks with that peak for an hour a day, each day a little more."""
    found = []
    for number in range(DAYS):
        top = peak + growth * number
        slices = Slices(
            memory=[top * 0.8] * (SLICES - 12) + [top] * 12,
            cpu=[0.1] * SLICES,
            memory_limit=[512 * MIB] * SLICES,
            cpu_limit=[0.5] * SLICES,
            kills=[0.0] * (SLICES + 1),
        )
        day = date(2026, 10, 1) + timedelta(days=number)
        found.append(make_day("agent", day, slices, SLICES, datetime(2026, 11, 1, tzinfo=UTC)))
    return found


@pytest.fixture(scope="module")
def run(engine_client, image):
    """Run the program under a limit; whether it came to its end, or the kernel ended it."""
    reference = image("python")

    def run(limit: int, touched: int) -> bool:
        container = engine_client.containers.run(
            reference,
            ["python3", "-c", TOUCH, str(touched)],
            entrypoint=[],
            mem_limit=limit,
            memswap_limit=limit,
            detach=True,
        )
        try:
            code = container.wait(timeout=120)["StatusCode"]
            container.reload()
            was_ended = container.attrs["State"]["OOMKilled"]
        finally:
            container.remove(force=True)
        assert was_ended is (code == 137)
        return bool(code == 0)

    return run


def test_the_limit_of_the_plan_is_judged_as_the_kernel_judges_it(run):
    judged = judge("agent", facts(PEAK), PLAN)
    assert judged.holds is False
    assert not run(PLAN, PEAK)


def test_what_is_proposed_holds_under_the_peak(run):
    proposed = advise("agent", facts(PEAK), Size(512 * MIB, 0.5)).proposed
    assert proposed is not None
    assert proposed.memory is not None
    assert proposed.memory < 512 * MIB
    assert run(proposed.memory, PEAK)


def test_what_is_proposed_holds_a_known_leak_for_a_month_and_what_it_had_does_not(run):
    leak = 12 * MIB
    advice = advise("agent", facts(150 * MIB, leak), Size(512 * MIB, 0.5))
    assert advice.proposed is not None
    assert advice.proposed.memory is not None
    in_a_month = 150 * MIB + leak * (DAYS - 1 + 30)
    assert not run(512 * MIB, in_a_month)
    assert run(advice.proposed.memory, in_a_month)
