"""What a person is told of a broken threshold: the sentences of `thresholds.yaml` with their values filled in.

Prometheus fills them in with its template functions, the embedded engine with the same functions written here, so that
a sentence reads the same whoever sends it: https://prometheus.io/docs/prometheus/latest/configuration/template_reference/.
"""

from __future__ import annotations

import math
import string
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.duration import format_duration
from sutazai_ops.monitoring.signals import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sutazai_ops.monitoring.signals import Signal

VALUE = "value"
LEVEL = "level"
_SMALL = "munpfazy"
_LARGE = ("", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_GO = {
    Unit.RATIO: "{{ $value | humanizePercentage }}",
    Unit.SECONDS: "{{ $value | humanizeDuration }}",
    Unit.BYTES: "{{ $value | humanize1024 }}B",
    Unit.COUNT: '{{ $value | printf "%.4g" }}',
    Unit.PER_SECOND: '{{ $value | printf "%.4g" }}/s',
}


def fill_in(text: str, signal: Signal, labels: Mapping[str, str], value: float, level: float) -> str:
    """The sentence as a person reads it."""
    known = {VALUE: show(value, signal.unit), LEVEL: show_level(level, signal.unit)}
    return _replace(text, lambda name: known.get(name) or labels.get(name, ""))


def as_template(text: str, signal: Signal, level: float) -> str:
    """The same sentence as Prometheus' template."""
    known = {VALUE: _GO[signal.unit], LEVEL: show_level(level, signal.unit)}
    return _replace(text, lambda name: known.get(name) or f"{{{{ $labels.{name} }}}}")


def placeholders(text: str) -> list[str]:
    """The names in braces, in their order; raises `ValueError` for what is none."""
    found = []
    for literal, name, form, conversion in string.Formatter().parse(text):
        if "{" in literal or "}" in literal or form or conversion:
            msg = "braces are for names alone, such as {value}"
            raise ValueError(msg)
        if name is not None:
            found.append(name)
    return found


def show(value: float, unit: Unit) -> str:
    """A value as Prometheus' template functions write it."""
    if not math.isfinite(value):
        return _not_finite(value) + {Unit.RATIO: "%", Unit.BYTES: "B", Unit.PER_SECOND: "/s"}.get(unit, "")
    match unit:
        case Unit.RATIO:
            return f"{value * 100:.4g}%"
        case Unit.SECONDS:
            return _duration(value)
        case Unit.BYTES:
            return f"{_binary(value)}B"
        case Unit.PER_SECOND:
            return f"{value:.4g}/s"
        case Unit.COUNT:
            return f"{value:.4g}"


def show_level(level: float, unit: Unit) -> str:
    """A level as a person wrote it."""
    if unit is Unit.SECONDS and level >= 1 and level == int(level):
        return format_duration(level)
    return show(level, unit)


def _replace(text: str, of: Callable[[str], str]) -> str:
    parts = string.Formatter().parse(text)
    return "".join(literal + (of(name) if name is not None else "") for literal, name, _, _ in parts)


def _duration(value: float) -> str:
    """Go's `HumanizeDuration` of Prometheus' template/template.go."""
    size, sign = abs(value), "-" if value < 0 else ""
    if size == 0:
        return "0s"
    if size < 1:
        steps = next((n for n in range(1, len(_SMALL) + 1) if size * 1000**n >= 1), len(_SMALL))
        return f"{sign}{size * 1000**steps:.4g}{_SMALL[steps - 1]}s"
    whole = int(size)
    days, hours, minutes, seconds = whole // 86_400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{size:.4g}s"


def _binary(value: float) -> str:
    """Go's `humanize1024`."""
    steps = next((n for n in range(len(_LARGE)) if abs(value) < 1024 ** (n + 1)), len(_LARGE) - 1)
    return f"{value / 1024**steps:.4g}{_LARGE[steps]}"


def _not_finite(value: float) -> str:
    """As Go writes it."""
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
