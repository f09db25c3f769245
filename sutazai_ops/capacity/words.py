"""Figures of capacity in words; what is not known is empty in a table."""

from __future__ import annotations

from sutazai_ops import human


def memory(count: float | None) -> str:
    """Bytes of memory.

    >>> memory(512 * 1024**2), memory(None)
    ('512 MiB', '')
    """
    return "" if count is None else human.memory(round(count))


def cores(number: float | None) -> str:
    """Processors, to a hundredth.

    >>> cores(0.5), cores(0.0012), cores(None)
    ('0.50', '0.00', '')
    """
    return "" if number is None else f"{number:.2f}"


def share(part: float | None) -> str:
    """A share, in whole percent.

    >>> share(0.997), share(0.0), share(None)
    ('100 %', '0 %', '')
    """
    return "" if part is None else f"{part * 100:.0f} %"
