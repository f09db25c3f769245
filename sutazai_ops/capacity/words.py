"""Figures of capacity in words; what is not known is empty in a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.capacity.kpis import Source
from sutazai_ops.reports import figures

if TYPE_CHECKING:
    from sutazai_ops.capacity.kpis import Kpi

_SMALL = 0.1


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


def money(amount: float, currency: str) -> str:
    """An amount, with three digits that say something where it is small.

    >>> money(12.5, "EUR"), money(0.00123456, "EUR"), money(0.01, "EUR"), money(0, "EUR")
    ('12.50 EUR', '0.00123 EUR', '0.01 EUR', '0.00 EUR')
    """
    if 0 < amount < _SMALL:
        whole, decimals = f"{amount:.{2 - math.floor(math.log10(amount))}f}".split(".")
        return f"{whole}.{decimals.rstrip('0'):0<2} {currency}"
    return f"{amount:,.2f} {currency}"


def metric_value(kpi: Kpi, value: float | None) -> str:
    """What a success metric came to, in its unit; empty for what is not known.

    A share is never rounded across its target.
    """
    if value is None:
        return ""
    match kpi.kind:
        case Source.MEAN:
            return figures.seconds(value)
        case Source.PER_DAY:
            return f"{figures.count(round(value))} a day"
        case Source.ESTIMATE:
            return f"about {figures.count(round(value))} h"
        case Source.COST:
            return money(value, kpi.currency or "")
        case _:
            return figures.percent(value, kpi.target)


def metric_target(kpi: Kpi) -> str:
    """What a success metric is held against."""
    side = "at least" if kpi.at_least is not None else "at most"
    if kpi.kind in {Source.SHARE, Source.VOTES, Source.HOST, Source.OBJECTIVES}:
        return f"{side} {figures.promised(kpi.target)}"
    return f"{side} {metric_value(kpi, kpi.target).removeprefix('about ')}"
