"""Lanes of events: one row a kind, one mark an event, all over one axis of time.

What stands in a lane is given; here is only where each mark lies. An empty lane says whether nothing happened or nobody
writes such things down, which is not the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.reports import figures
from sutazai_ops.reports.look import Tone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sutazai_ops.reports.chart import TimeAxis


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, as a lane shows it."""

    id: str
    """Its place on the page, for links to it."""
    start: datetime
    end: datetime | None
    """None for what took no time; for what has not ended, see `ongoing`."""
    title: str
    tone: Tone = Tone.QUIET
    note: str = ""
    """In the words of a row: what came of it, who did it."""
    ongoing: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """All events of one kind."""

    title: str
    happenings: Sequence[Happening]
    recorded: bool = True


@dataclass(frozen=True, slots=True)
class Mark:
    """Where an event lies, in thousandths of the width."""

    id: str
    left: float
    right: float
    tone: Tone
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """One lane, laid out."""

    title: str
    marks: Sequence[Mark]
    empty: str
    """What it says instead of marks."""

    @property
    def words(self) -> str:
        """What it holds, for whoever cannot see it."""
        return f"{self.title}: " + ("; ".join(mark.words for mark in self.marks) if self.marks else self.empty)


def lay_out(lanes: Sequence[Lane], axis: TimeAxis) -> list[Row]:
    """Find the place of every event that lies on the axis at all."""
    return [
        Row(
            title=lane.title,
            marks=[_mark(one, axis) for one in lane.happenings if axis.overlaps(one.start, _end(one, axis))],
            empty="none" if lane.recorded else "not written down here",
        )
        for lane in lanes
    ]


def _mark(one: Happening, axis: TimeAxis) -> Mark:
    when = f"since {figures.moment(one.start)}" if one.ongoing else figures.span(one.start, one.end)
    words = f"{when} {one.title}" + (f" ({one.note})" if one.note else "")
    return Mark(one.id, axis.place(one.start), axis.place(_end(one, axis) or one.start), one.tone, words)


def _end(one: Happening, axis: TimeAxis) -> datetime | None:
    return axis.end if one.ongoing else one.end
