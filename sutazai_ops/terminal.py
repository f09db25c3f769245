"""How this program speaks to a person at a terminal, and to a script that reads its output.

Facts go to standard output, progress and questions to standard error, so that `--json` is never mixed with anything.
Colour stands beside a word and only on a terminal (https://no-color.org is respected by rich); where the output is not
a terminal nothing is cut to its width.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sutazai_ops.errors import Refused
from sutazai_ops.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.progress import Progress

AsJson = Annotated[bool, typer.Option("--json", help="Print the same facts as JSON.")]
"""The `--json` of every command that prints facts."""

MEANINGS = {
    **dict.fromkeys(("ok", "running", "verified", "elsewhere", "done", "good"), "green"),
    **dict.fromkeys(("failed", "corrupt", "missing"), "bold red"),
    **dict.fromkeys(("unknown", "stopped", "absent", "unverified", "could not check", "read"), "yellow"),
}
"""The words that have a colour."""

# Wide enough for any line of ours: what is piped into a file or a filter is cut by whoever reads it.
_UNCUT = 100_000


class Terminal:
    """Standard output and standard error of this process."""

    def __init__(self) -> None:
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    def say(self, line: str = "") -> None:
        """Print one line."""
        self.out.print(line)

    def show(self, facts: object, show: Callable[[], None], *, json: bool) -> None:
        """Print `facts` as JSON, or let `show` print them for a person."""
        if json:
            sys.stdout.write(to_json(facts, indent=2).decode() + "\n")
        else:
            show()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()) -> None:
        """Print rows under small headings; `right` names the columns of numbers."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for column in columns:
            last = column == columns[-1]
            table.add_column(column, justify="right" if column in right else "left", no_wrap=not last, overflow="fold")
        for row in rows:
            table.add_row(*(_word(cell) for cell in row))
        self._print_table(table)

    def open(self, page: Path) -> None:
        """Show a page in the browser of whoever sits here; where there is none, say so."""
        import webbrowser

        if not webbrowser.open(page.absolute().as_uri()):
            self.err.print("no browser can be opened from here")

    def facts(self, facts: Mapping[str, object]) -> None:
        """Print names and values below each other."""
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in facts.items():
            table.add_row(name, _word(value))
        self._print_table(table)

    def confirm(self, name: str, *, losing: str, flag: str) -> None:
        """Ask a person to type `name` before something that cannot be undone.

        Args:
            name: what has to be typed.
            losing: what will be lost, as a sentence.
            flag: what a script gives instead, such as "--replace shop".

        Raises:
            Refused: when something else was typed, or nobody is there to ask.
        """
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise Refused(f"nobody can be asked here, and {losing}", remedy=f"give {flag} to do it")
        self.err.print(f"{losing}\ntype {name} to go on: ", end="")
        if sys.stdin.readline().strip() != name:
            raise Refused(f"{name} was not typed, so nothing was done")

    def agree(self, question: str) -> None:
        """Ask for a yes before something that loses nothing; raises `Refused` where nobody can be asked, or says no."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise Refused("nobody can be asked here", remedy="give --yes to go on without being asked")
        self.err.print(f"{question} [y/N] ", end="")
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise Refused("nothing was done")

    @contextmanager
    def progress(self, *, json: bool = False) -> Iterator[Progress]:
        """Show what is under way on standard error; silent with `--json` and where that is no terminal."""
        if json or not self.err.is_terminal:
            yield Silent()
            return
        from sutazai_ops.progress_bars import progress_bars

        with progress_bars(self.err) as progress:
            yield progress

    def _print_table(self, table: Table) -> None:
        with self.out.capture() as capture:
            self.out.print(table)
        # rich fills every line to the table's width.
        for line in capture.get().splitlines():
            self.out.file.write(line.rstrip() + "\n")


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _UNCUT
    return console


def _word(cell: Any) -> Text:  # noqa: ANN401
    text = "" if cell is None else str(cell)
    return Text(text, style=MEANINGS.get(text, ""))
