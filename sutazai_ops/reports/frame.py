"""What the head, the first screen and the foot of any report say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.reports.look import Tone


@dataclass(frozen=True, slots=True)
class Head:
    """What the report is of."""

    kind: str
    """"Objectives", "Drill"."""
    title: str
    environment: str
    time: str
    """Which time it speaks of, in words."""
    made: str
    """What it rests on and of when that is: not the time of printing, so that the same facts give the same bytes."""
    sample: bool = False
    """Whether all in it is made up, which the page then says before anything else."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the few figures of the first screen."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class FirstScreen:
    """Whether it was good, and why."""

    tone: Tone
    verdict: str
    sentence: str
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Method:
    """How one number is got."""

    name: str
    meaning: str
    formula: str
    source: str


@dataclass(frozen=True, slots=True)
class Foot:
    """Where it all is from."""

    source: str
    program: str
    again: str
    """The command that makes this report again."""
    methods: Sequence[Method] = field(default=())
