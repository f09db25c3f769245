"""Steps that begin together: each ends on its own, and what is open ends with the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sutazai_ops.progress import Steps


class Told:
    """Writes down what is under way, and how it ended."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @contextmanager
    def step(self, what: str, expected: int | None = None) -> Iterator[Callable[[int], None]]:
        self.words.append(f"begin {what}")
        how = "failed"
        try:
            yield lambda _: None
            how = "done"
        finally:
            self.words.append(f"{how} {what}")


def test_each_step_ends_on_its_own_and_the_rest_with_the_whole():
    told = Told()
    with Steps(told, {"a": "start a", "b": "start b"}) as steps:
        steps.end("b")
        steps.end("b")
    assert told.words == ["begin start a", "begin start b", "done start b", "done start a"]
    assert set(steps.seconds) == {"a", "b"}


def test_what_is_open_when_something_fails_has_failed():
    told = Told()
    steps = Steps(told, {"a": "start a", "b": "start b"})

    def fail() -> None:
        with steps:
            steps.end("a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert told.words[2:] == ["done start a", "failed start b"]
    assert set(steps.seconds) == {"a"}
