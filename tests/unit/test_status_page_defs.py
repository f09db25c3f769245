"""What Dagster is told of the status page."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from sutazai_ops.installation import Installation
from sutazai_ops.orchestration import Operations
from sutazai_ops.settings import Loaded, Settings
from sutazai_ops.status_page import basis, defs

OPENED: list[Installation] = []


class Embedded:
    name = "embedded"


class Opened(Operations):
    """Opens what the test has made."""

    def open(self) -> Installation:
        return OPENED[0]


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(Loaded(settings=Settings(home=tmp_path), origins={}))
    installation.__dict__["engine"] = Embedded()
    OPENED[:] = [installation]
    return installation


def test_the_asset_gathers_what_the_page_is_made_of(here):
    found = defs.defs(here.settings, lambda one: list(one.platform))
    result = dg.materialize(list(found.assets), resources={"operations": Opened()})
    (made,) = result.get_asset_materialization_events()
    metadata = made.materialization.metadata
    kept = basis.read(here.settings.status_page_basis)
    assert kept is not None
    assert metadata["journeys"].value == len(kept.journeys) > 0
    # Of a platform that has never run nothing is known, and no figure says otherwise.
    assert metadata["journeys_unknown"].value == len(kept.journeys)
    assert "worst_share" not in metadata


def test_the_schedule_runs_by_itself_in_production_alone(here):
    for environment, status in (("development", "STOPPED"), ("production", "RUNNING")):
        settings = here.settings.model_copy(update={"environment": environment})
        (schedule,) = defs.defs(settings, lambda one: list(one.platform)).schedules
        assert schedule.default_status.value == status
