"""A small picture of the last sets: how large each is, how long its restore took, and what is known of it.

Drawn for the page of an asset, so it has to be read at 700 pixels, on white and on dark, and without telling red from
green: what is known of a set is told by its hatching, and by words beside the picture.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from sutazai_ops.backups.manifest import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from matplotlib.axes import Axes

LAST = 30

# Okabe and Ito's palette, which people with any kind of colour blindness can tell apart.
_LOOKS = {
    Outcome.VERIFIED: ("#0072B2", ""),
    Outcome.READ: ("#56B4E9", ""),
    Outcome.UNVERIFIED: ("#BBBBBB", "//"),
    Outcome.COULD_NOT_CHECK: ("#E69F00", "xx"),
    Outcome.CORRUPT: ("#D55E00", "xxxx"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One set in the picture."""

    taken_at: datetime
    stored_bytes: int
    outcome: Outcome
    recovery_seconds: float | None


def draw(bars: Sequence[Bar]) -> bytes:
    """A PNG of the sets, oldest left. Sets that were not restored leave a gap in the lower chart."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), dpi=100, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    sizes, seconds = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    _draw_sizes(sizes, bars)
    _draw_seconds(seconds, bars)
    labels = [f"{bar.taken_at:%d %b}" for bar in bars]
    every = max(1, len(bars) // 10)
    seconds.set_xticks(range(0, len(bars), every), labels[::every], fontsize=8)
    picture = BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def as_markdown(bars: Sequence[Bar]) -> str:
    """The picture as Markdown that holds it, for Dagster's metadata."""
    encoded = base64.b64encode(draw(bars)).decode()
    return f"![size, outcome and restore time of the last {len(bars)} sets](data:image/png;base64,{encoded})"


def _draw_sizes(axes: Axes, bars: Sequence[Bar]) -> None:
    for outcome, (colour, hatch) in _LOOKS.items():
        chosen = [(number, bar.stored_bytes / 1e6) for number, bar in enumerate(bars) if bar.outcome is outcome]
        if chosen:
            places, heights = zip(*chosen, strict=True)
            axes.bar(places, heights, color=colour, hatch=hatch, edgecolor="white", label=outcome.value)
    axes.set_title(f"last {len(bars)} backup sets, size as stored (MB)", fontsize=9, loc="left")
    axes.legend(fontsize=8, frameon=False, ncols=len(_LOOKS), loc="upper left")
    _plain(axes, headroom=1.35)


def _draw_seconds(axes: Axes, bars: Sequence[Bar]) -> None:
    measured = [(n, bar.recovery_seconds) for n, bar in enumerate(bars) if bar.recovery_seconds is not None]
    if measured:
        axes.plot(*zip(*measured, strict=True), linestyle="none", marker="o", markersize=4, color="#222222")
    axes.set_title(
        "measured time to restore all of it (seconds); none where it was not restored", fontsize=9, loc="left"
    )
    _plain(axes, headroom=1.15)


def _plain(axes: Axes, *, headroom: float) -> None:
    """Start at zero, and leave room above for the legend and the highest mark."""
    axes.set_ylim(0, max(axes.dataLim.y1, 0.001) * headroom)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.set_xlim(left=-0.7)
