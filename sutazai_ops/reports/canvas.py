"""A figure to draw a report's picture on, for where a page cannot go: matplotlib, without a window and without state.

matplotlib is imported when the first picture is drawn. A picture is for white paper; it names no program and no time in
its file, so that the same value gives the same bytes on the same version of matplotlib.
"""

from __future__ import annotations

import base64
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from sutazai_ops.reports.look import LIGHT, Tone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 100
FILLS = {
    Tone.GOOD: (LIGHT.good_fill, ""),
    Tone.GOOD_IN_PART: (LIGHT.good_fill, "////"),
    Tone.BAD: (LIGHT.bad_fill, ""),
    Tone.BAD_IN_PART: (LIGHT.bad_fill, "////"),
    Tone.UNKNOWN: (LIGHT.unknown_fill, "////"),
    Tone.QUIET: (LIGHT.paper, ""),
    Tone.NONE: (LIGHT.paper, ""),
}
"""The ground of a cell, and its hatching."""
INKS = {
    Tone.GOOD: LIGHT.good,
    Tone.GOOD_IN_PART: LIGHT.good,
    Tone.BAD: LIGHT.bad,
    Tone.BAD_IN_PART: LIGHT.bad,
    Tone.UNKNOWN: LIGHT.soft,
    Tone.QUIET: LIGHT.soft,
    Tone.NONE: LIGHT.soft,
}
"""The colour of a word."""


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """A white figure of so many pixels, on which dollars and backslashes of a text are just that."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Text in a report is what somebody wrote, and never TeX.
    looks: dict[Any, Any] = {
        "text.parse_math": False,
        "font.size": 9,
        "hatch.linewidth": 0.8,
        "hatch.color": LIGHT.unknown,
        "text.color": LIGHT.ink,
        "axes.edgecolor": LIGHT.line,
        "xtick.color": LIGHT.soft,
        "ytick.color": LIGHT.soft,
    }
    with rc_context(looks):
        figure = Figure(
            figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), dpi=DOTS_PER_INCH, facecolor=LIGHT.paper
        )
        FigureCanvasAgg(figure)
        yield figure


def to_png(figure: Figure) -> bytes:
    """The figure as a file."""
    picture = BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def in_markdown(png: bytes, words: str) -> str:
    """The picture as Markdown that holds it, for Dagster's metadata."""
    return f"![{words}](data:image/png;base64,{base64.b64encode(png).decode()})"


def bare(axes: Axes) -> None:
    """Without a frame and without ticks: what is drawn is labelled directly."""
    axes.set_frame_on(False)
    axes.set_xticks([])
    axes.set_yticks([])
