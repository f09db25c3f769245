"""The report on capacity as one picture, for an asset's page: the verdict, success metrics, and peaks of memory.

It is read at 700 pixels, on white and on dark, and in grey: a word stands beside each colour.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from sutazai_ops.capacity.report_html import TONES
from sutazai_ops.reports import canvas, figures
from sutazai_ops.reports.look import LIGHT
from sutazai_ops.reports.page import clean, sentence, tied

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sutazai_ops.capacity.report_model import Report, Service

WIDTH = 1200
MOST_SERVICES = 20
_HEAD, _ROW, _SPACE, _FOOT = 140, 24, 44, 20
_LEFT, _RIGHT = 260, 330


def draw(report: Report) -> bytes:
    """The picture as PNG."""
    services = [one for one in report.services if one.memory_peak is not None and one.now.memory][:MOST_SERVICES]
    height = _HEAD + (len(report.metrics) + len(services)) * _ROW + 2 * _SPACE + _FOOT
    with canvas.canvas(WIDTH, height) as figure:
        top = _head(figure, report, height)
        for number, one in enumerate(report.metrics):
            y = top - number * _ROW
            _write(figure, 24, y, sentence(one.verdict), weight="bold", color=canvas.INKS[TONES[one.verdict]])
            _write(figure, 124, y, clean(one.title))
            _write(figure, WIDTH - 260, y, one.measured or "not known", weight="bold", ha="right")
            _write(figure, WIDTH - 24, y, one.target, color=LIGHT.soft, ha="right")
        top -= len(report.metrics) * _ROW + _SPACE
        if services:
            _services(figure, services, top)
        return canvas.to_png(figure)


def as_markdown(report: Report) -> str:
    """The picture as Markdown that holds it, for Dagster's metadata."""
    return canvas.in_markdown(draw(report), f"{report.title}: {report.summary.verdict}")


def _head(figure: Figure, report: Report, height: int) -> int:
    sample = "Sample, all made up.  " if report.sample else ""
    of = f"{sample}{report.environment}, {figures.days(report.period.start, report.period.end)}, UTC"
    verdict = sentence(report.summary.verdict) + ("" if report.period.ended else ", so far")
    why = tied(textwrap.shorten(clean(report.summary.sentence), 260, placeholder=" …"))
    _write(figure, 24, height - 26, clean(report.title), size=12, weight="bold")
    _write(figure, WIDTH - 24, height - 26, clean(of), color=LIGHT.soft, ha="right")
    _write(figure, 24, height - 62, verdict, size=20, weight="bold", color=canvas.INKS[TONES[report.summary.verdict]])
    for number, line in enumerate(textwrap.wrap(why, 130)[:2]):
        _write(figure, 24, height - 94 - number * 17, line, size=10.5)
    return height - _HEAD


def _services(figure: Figure, services: list[Service], top: int) -> None:
    """The peak of each as a bar, its limit as the end of the scale, and the line that the plan's alert lies on."""
    height = len(services) * _ROW
    _write(figure, 24, top + 14, "Peak of memory, of the limit", weight="bold")
    axes = figure.add_axes((
        _LEFT / WIDTH, (top - height) / _height(figure), (WIDTH - _LEFT - _RIGHT) / WIDTH, height / _height(figure),
    ))  # fmt: skip
    canvas.bare(axes)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(services), 0)
    for place, one in enumerate(services):
        part = min(1.0, (one.memory_peak or 0.0) / (one.now.memory or 1))
        axes.barh(place + 0.5, 1, 0.62, color=LIGHT.unknown_fill)
        axes.barh(place + 0.5, part, 0.62, color=LIGHT.bad_fill if part > 0.85 else LIGHT.steps[2])  # noqa: PLR2004
        y = top - (place + 0.5) * _ROW
        _write(figure, 24, y, clean(one.name))
        words = f"{part * 100:.0f} %" + (f", killed {one.oom_kills} times" if one.oom_kills else "")
        _write(figure, WIDTH - _RIGHT + 16, y, words)
    axes.axvline(0.85, color=LIGHT.bad, linestyle="--", linewidth=1)


def _write(figure: Figure, x: float, y: float, text: str, **looks: Any) -> None:  # noqa: ANN401  (matplotlib's own)
    figure.text(x / WIDTH, y / _height(figure), text, va="center", **looks)


def _height(figure: Figure) -> float:
    return float(figure.get_figheight() * canvas.DOTS_PER_INCH)
