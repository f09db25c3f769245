"""What counters counted: exact through gaps and restarts, and from zero where a series is new."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sutazai_ops.slo.counting import count, key_of
from sutazai_ops.slo.source import Line

START, STEP, STEPS = 1_759_276_800, 300, 12


def line(values: list[float | None], **labels: str) -> Line:
    """A series with a reading at `START` and at the end of each step; None where there is none."""
    points = [(START + STEP * index, value) for index, value in enumerate(values) if value is not None]
    return Line({"job": "shop", **labels}, points)


def counted(*lines: Line, **more: object) -> list[float]:
    return list(count(lines, START, STEP, STEPS, **more).counts)  # type: ignore[arg-type]


def test_a_counter_is_subtracted_and_not_guessed() -> None:
    assert counted(line([10, 12, 12, 15])) == [2, 0, 3, *[0] * 9]


def test_a_gap_in_which_the_process_lived_on_loses_nothing() -> None:
    assert counted(line([0, 10, None, None, 40])) == [10, 10, 10, 10, *[0] * 8]


def test_a_restart_begins_at_zero() -> None:
    assert counted(line([100, 110, 5])) == [10, 5, *[0] * 10]


def test_what_was_counted_just_before_a_restart_counts_where_it_is_known() -> None:
    one = line([100, 110, 5])
    assert counted(one, peaks={(key_of(one.labels), 2): 117.0}) == [10, 12, *[0] * 10]


def test_the_first_failure_of_a_process_that_was_there_is_a_failure() -> None:
    assert counted(line([50, 60, 70, 80], status="200"), line([None, None, 3, 4], status="500"))[1:3] == [13, 11]


def test_a_process_that_is_found_only_now_had_counted_before() -> None:
    assert sum(counted(line([None, None, 1000, 1010]))) == 10


def test_a_new_instance_of_a_known_job_counts_from_zero() -> None:
    assert sum(counted(line([0, 10, 20], instance="a"), line([None, None, None, 7, 9], instance="b"))) == 29


def test_an_old_process_that_joins_a_known_job_does_not_bring_its_past() -> None:
    found = count([line([0, 10, 20]), line([None, None, 90_000, 90_010], instance="b")], START, STEP, STEPS)
    assert sum(found.counts) == 30
    assert found.unlikely == 1


def test_a_reading_from_before_midnight_bridges_a_gap_over_it() -> None:
    one = line([None, None, 130, 140])
    assert sum(counted(one, before={key_of(one.labels): 100.0})) == 40


def test_nothing_counted_is_nothing() -> None:
    found = count([], START, STEP, STEPS)
    assert sum(found.counts) == 0
    assert not any(found.seen)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), min_size=STEPS, max_size=STEPS), min_size=1, max_size=4), st.data())
def test_whatever_readings_are_missing_in_between_the_whole_is_the_same(
    increments: list[list[int]], data: st.DataObject
) -> None:
    lines = []
    for number, ones in enumerate(increments):
        readings: list[float | None] = [0.0]
        for one in ones:
            readings.append((readings[-1] or 0) + one)
        for index in data.draw(st.sets(st.integers(1, STEPS - 1))):
            readings[index] = None
        # What was lost is carried by the readings, so the sums have to be remembered before.
        total, filled = 0.0, [0.0]
        for one in ones:
            total += one
            filled.append(total)
        readings = [None if missing is None else value for missing, value in zip(readings, filled, strict=True)]
        lines.append(line(readings, instance=str(number)))
    assert sum(counted(*lines)) == pytest.approx(sum(map(sum, increments)))
