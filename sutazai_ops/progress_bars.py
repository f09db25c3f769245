"""Draws what is under way: one line a step, with bytes, rate and time left, and what it came to when it is done."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, ProgressColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from sutazai_ops import human

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Task

BAR_WIDTH = 20


@contextmanager
def progress_bars(console: Console) -> Iterator[RichProgress]:
    """Draw on `console` while the context lasts; the lines of what was done stay."""
    with Bars(TextColumn("{task.description}"), BarColumn(BAR_WIDTH), Figures(), console=console) as bars:
        yield RichProgress(bars)


class RichProgress:
    """A `Progress` that draws; steps may be open side by side and in several threads."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    @contextmanager
    def step(self, what: str, expected: int | None = None) -> Iterator[Callable[[int], None]]:
        """Draw a step."""
        task = self._bars.add_task(what, total=expected, expected=expected, result="")
        started = time.monotonic()
        passed = 0

        def advance(more: int) -> None:
            nonlocal passed
            passed += more
            # What is expected is an estimate; a bar that is full would stop counting.
            self._bars.update(task, completed=passed, total=max(expected, passed + 1) if expected else None)

        result = "failed"
        try:
            yield advance
            result = "done"
        finally:
            amount = f"{human.size(passed)} in " if passed else ""
            text = f"{result}  {amount}{human.duration(time.monotonic() - started)}"
            full = max(passed, 1) if result == "done" else passed
            self._bars.update(task, total=max(passed, 1), completed=full, result=text)
            self._bars.stop_task(task)


class Figures(ProgressColumn):
    """Bytes passed of about so many, the rate, the time left; or what the step came to."""

    def render(self, task: Task) -> Text:
        """The figures of one step."""
        if result := task.fields["result"]:
            return Text(result)
        passed = int(task.completed)
        if not passed:
            return Text(human.duration(task.elapsed or 0))
        expected = task.fields["expected"]
        parts = [human.size(passed) + (f" of about {human.size(expected)}" if expected else "")]
        if task.speed:
            parts.append(f"{human.size(int(task.speed))}/s")
        if task.time_remaining is not None:
            parts.append(f"{human.duration(task.time_remaining)} left")
        return Text("   ".join(parts))
