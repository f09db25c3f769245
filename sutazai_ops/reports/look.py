"""The tones in which a report says something, and their colours on white and on black.

A tone never stands alone: a word stands beside it, and a sign or a hatching tells it apart in grey. The hues are those
of Okabe and Ito (jfly.uni-koeln.de/color), which people with any kind of colour blindness can tell apart, darkened or
lightened until text in them has a contrast of 4.5 to 1 on its ground (WCAG 2.2, 1.4.3). What is bad is darker than what
is good, so that a black-and-white print says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a thing is, as far as its colour goes; also its CSS class."""

    GOOD = "good"
    GOOD_IN_PART = "good-in-part"
    """Good, as far as was measured."""
    BAD = "bad"
    BAD_IN_PART = "bad-in-part"
    """Bad, though not all was measured."""
    UNKNOWN = "unknown"
    QUIET = "quiet"
    """Neither, and known: nothing happened."""
    NONE = "none"
    """Not there at all: before it began, or still to come."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The colours of one ground, each as CSS and matplotlib read it."""

    paper: str
    raised: str
    """The ground of what stands out a little: code, the notes."""
    ink: str
    soft: str
    """Text of the second order."""
    line: str
    """Rules between rows, and axes."""
    link: str
    good: str
    """As text, and as a line in a chart."""
    good_fill: str
    """As the ground of a cell."""
    bad: str
    bad_fill: str
    on_bad: str
    """The sign on that ground."""
    unknown: str
    """The strokes of the hatching of what is not known."""
    unknown_fill: str
    steps: tuple[str, str, str, str]
    """From little to much, where colour stands for a number."""


LIGHT = Scheme(
    paper="#ffffff",
    raised="#f3f5f6",
    ink="#16191d",
    soft="#545c65",
    line="#d5dade",
    link="#0a5a9c",
    good="#00694f",
    good_fill="#a3dccb",
    bad="#a83a00",
    bad_fill="#b84100",
    on_bad="#ffffff",
    unknown="#8a929a",
    unknown_fill="#e6e9ec",
    steps=("#d6e9f8", "#8fc1e6", "#3f86bd", "#0b3d66"),
)
DARK = Scheme(
    paper="#14171a",
    raised="#1f2428",
    ink="#e9ecef",
    soft="#a9b2ba",
    line="#3a4147",
    link="#86bff2",
    good="#63cfb0",
    good_fill="#1d6150",
    bad="#ff9c66",
    bad_fill="#ff9257",
    on_bad="#14171a",
    unknown="#8b949c",
    unknown_fill="#2a3035",
    steps=("#1d3447", "#2c5f86", "#5b9fd0", "#c4e2fa"),
)
