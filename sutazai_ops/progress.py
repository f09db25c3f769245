"""How long work tells that it goes on, without knowing who listens.

A function that may take more than two seconds takes a `Progress` and opens a `step` for each thing a person would
name. The terminal draws bars, Dagster logs a line a step, tests and library use are silent.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Progress(Protocol):
    """Receives what is under way."""

    def step(self, what: str, expected: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
        """Open a step, such as "postgres sutazai"; it ends with the context.

        Args:
            what: what is under way, in a person's words.
            expected: bytes that will about pass, where that can be known.

        Returns:
            A context whose value is called with the number of further bytes that have passed.
        """


class Silent:
    """Tells nobody."""

    @contextmanager
    def step(self, what: str, expected: int | None = None) -> Iterator[Callable[[int], None]]:  # noqa: ARG002
        """Open a step that nobody sees."""
        yield lambda _passed: None
