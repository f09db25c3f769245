"""All that Dagster sees of the status page: the last ninety days of the journeys, gathered out of the facts.

    objectives/daily_facts ──> objectives/status_page

The page itself is written every half minute by the exporter, which adds the state of now.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from sutazai_ops.orchestration import Operations, production_schedule, telling_dagster
from sutazai_ops.platform import Service
from sutazai_ops.settings import Settings

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation

AREA = "objectives"
TAGS = {"ops/area": AREA}
JOB = "refresh_status_page"
Meant = Callable[["Installation"], Sequence[Service]]
"""Finds the services that are meant to run; given by whoever knows of releases."""


def defs(settings: Settings, meant: Meant) -> dg.Definitions:
    """The asset, its job and its schedule; asks no server."""

    @dg.asset(
        key=dg.AssetKey([AREA, "status_page"]),
        group_name=AREA,
        description="What the platform's own users read: how the last ninety days of each journey were, and what was"
        " announced.",
        kinds={"html"},
        owners=["team:operations"],
        tags=TAGS,
        deps=[dg.AssetKey([AREA, "daily_facts"])],
    )
    def status_page(operations: Operations) -> dg.MaterializeResult[None]:
        from sutazai_ops.slo import promises_of
        from sutazai_ops.status_page.basis import refresh_of

        with telling_dagster():
            here = operations.open()
            basis = refresh_of(here, promises_of(here, meant(here)).objectives.values(), datetime.now(UTC))
        journeys = basis.journeys or ()
        known = [one for one in journeys if one.share is not None]
        metadata: dict[str, int | float | dg.PathMetadataValue] = {
            "journeys": len(journeys),
            "journeys_unknown": len(journeys) - len(known),
            "notices": len(basis.notices),
            "page": dg.MetadataValue.path(here.settings.status_page_folder / "index.html"),
        }
        if known:
            metadata["worst_share"] = min(one.share for one in known if one.share is not None)
            metadata["coverage"] = sum(one.coverage for one in known) / len(known)
        return dg.MaterializeResult(metadata=metadata)

    return dg.Definitions(
        assets=[status_page],
        jobs=[
            dg.define_asset_job(
                JOB,
                selection=dg.AssetSelection.assets(dg.AssetKey([AREA, "status_page"])),
                description="Gathers what the status page is made of, besides the state of now.",
                tags=TAGS,
            )
        ],
        schedules=[production_schedule(JOB, settings.status_page.schedule, settings, "every hour, after the facts")],
    )
