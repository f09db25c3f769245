"""What stands on the board: the newest of each source, and nothing whose source has died."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.monitoring.exporter.board import Board
from sutazai_ops.monitoring.exporter.measured import Measured

DEPTH = "sutazai_queue_depth"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def values(board: Board) -> list[tuple[str, float]]:
    return [(one.name, one.value) for one in board.measured()]


def test_a_source_shows_only_what_it_said_last():
    board = Board()
    board.put("queues", [Measured(DEPTH, 1, {"queue": "a"}), Measured(DEPTH, 2, {"queue": "b"})], stands=60)
    board.put("queues", [Measured(DEPTH, 3, {"queue": "a"})], stands=60)
    assert [(one.value, one.labels) for one in board.measured()] == [(3, {"queue": "a"})]


def test_what_nobody_renews_goes_and_what_was_said_for_that_case_stands_in_its_place():
    clock = Clock()
    board = Board(clock)
    board.put("queues", [Measured(DEPTH, 1)], stands=60)
    board.put("probe", [Measured("sutazai_probe_state", 1, {"state": "ok"})], 60, then=[Measured("unknown", 1)])
    clock.now += 60
    assert values(board) == [(DEPTH, 1), ("sutazai_probe_state", 1)]
    assert [metric for metric, _ in board.lines()] == [DEPTH, "sutazai_probe_state"]
    clock.now += 0.1
    assert values(board) == [("unknown", 1)]
    assert list(board.lines()) == [("unknown", "unknown 1.0\n")]


def test_an_age_grows_until_it_is_put_again():
    clock = Clock()
    board = Board(clock)
    board.put_age("probe", "sutazai_probe_age_seconds", {"service": "shop"})
    clock.now += 12.5
    assert values(board) == [("sutazai_probe_age_seconds", 12.5)]
    assert list(board.lines()) == [("sutazai_probe_age_seconds", 'sutazai_probe_age_seconds{service="shop"} 12.5\n')]
    board.put_age("probe", "sutazai_probe_age_seconds", {"service": "shop"})
    assert values(board) == [("sutazai_probe_age_seconds", 0)]


def test_a_source_that_is_removed_leaves_neither_figures_nor_ages():
    board = Board()
    board.put("a", [Measured(DEPTH, 1)], stands=60)
    board.put_age("a", "age", {})
    board.remove("a")
    board.remove("never there")
    assert values(board) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 90), st.floats(0, 100), st.integers(1, 60))))
def test_no_figure_outlives_its_time(puts):
    clock = Clock()
    board = Board(clock)
    last = {}
    for source, value, later, stands in puts:
        clock.now += later
        board.put(source, [Measured(source, value)], stands)
        last[source] = (value, clock.now + stands)
    expected = {(source, value) for source, (value, ends) in last.items() if clock.now <= ends}
    assert set(values(board)) == expected
