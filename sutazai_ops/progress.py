"""How long work tells that it goes on, without knowing who listens.

A function that may take more than two seconds takes a `Progress` and opens a `step` for each thing a person would
name. The terminal draws bars, Dagster logs a line a step, tests and library use are silent.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType


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


class Steps:
    """Steps that begin side by side and end one by one; whatever is open when the context ends, ends with it."""

    def __init__(self, progress: Progress, steps: Mapping[str, str]) -> None:
        """Of `steps`, by a key of the caller's, each in a person's words."""
        self._progress, self._words = progress, steps
        self._open: dict[str, ExitStack] = {}
        self._started = time.monotonic()
        self.seconds: dict[str, float] = {}
        """How long each took that has ended well."""

    def __enter__(self) -> Self:
        """Open all of them."""
        for key, words in self._words.items():
            self._open[key] = ExitStack()
            self._open[key].enter_context(self._progress.step(words))
        return self

    def end(self, key: str) -> None:
        """This one has ended well; ending it once more does nothing."""
        if key in self._open:
            self.seconds[key] = time.monotonic() - self._started
            self._open.pop(key).close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End those that are open, as the context ends."""
        for key in list(self._open):
            if error is None:
                self.end(key)
            else:
                self._open.pop(key).__exit__(kind, error, trace)


class Silent:
    """Tells nobody."""

    @contextmanager
    def step(self, what: str, expected: int | None = None) -> Iterator[Callable[[int], None]]:  # noqa: ARG002
        """Open a step that nobody sees."""
        yield lambda _passed: None
