"""Whether every panel shows something: each of its questions is put to Prometheus, and an empty answer is a finding."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.dashboards.boards import bound
from sutazai_ops.monitoring.dashboards.panels import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sutazai_ops.monitoring.dashboards.panels import Dashboard, Panel
    from sutazai_ops.monitoring.prometheus import Prometheus


class Found(StrEnum):
    """What a panel has to show."""

    DATA = "data"
    EMPTY = "empty"
    MAY_BE_EMPTY = "may be empty"
    """It shows nothing, and says when that is right."""
    REFUSED = "refused"
    NOT_ASKED = "not asked"
    """It is asked of somebody else than Prometheus."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One panel, and what it has to show."""

    dashboard: str
    panel: str
    found: Found
    because: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nothing has to be mended."""
        return self.found not in {Found.EMPTY, Found.REFUSED}


def check_dashboards(dashboards: Iterable[Dashboard], prometheus: Prometheus) -> Iterator[Checked]:
    """Put every question of every panel.

    Raises:
        Unreachable: when Prometheus gives no answer.
    """
    for dashboard in dashboards:
        for panel in dashboard.panels:
            found, because = _check(panel, prometheus)
            yield Checked(dashboard.title, panel.title, found, because)


def _check(panel: Panel, prometheus: Prometheus) -> tuple[Found, str]:
    if panel.source is not Source.PROMETHEUS:
        return Found.NOT_ASKED, f"its answers come from {panel.source}"
    try:
        answers = [prometheus.query(_asked(query.expression)) for query in panel.queries]
    except BadInput as error:
        return Found.REFUSED, error.what
    if any(answer.values for answer in answers):
        return Found.DATA, ""
    return (Found.MAY_BE_EMPTY, panel.empty_when) if panel.empty_when else (Found.EMPTY, "it shows nothing")


def _asked(expression: str) -> str:
    """With any service in the place of the one that a person chooses."""
    return bound(expression.replace('="$service"', '=~"$service"'))
