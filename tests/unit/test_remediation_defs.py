"""What Dagster is told of the incidents that there were."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from guard_situations import INCIDENT

from sutazai_ops.installation import Installation
from sutazai_ops.orchestration import Operations
from sutazai_ops.remediation.defs import defs, incidents
from sutazai_ops.settings import Loaded, Settings

OPENED: list[Installation] = []


class Opened(Operations):
    """Opens what the test has made."""

    def open(self) -> Installation:
        return OPENED[0]


def metadata(home: Path) -> dict[str, object]:
    result = dg.materialize([incidents], resources={"operations": Opened()})
    (made,) = result.get_asset_materialization_events()
    return {name: one.value for name, one in made.materialization.metadata.items()}


def test_the_incidents_of_the_last_thirty_days_are_figures_of_an_asset(tmp_path):
    here = Installation(Loaded(settings=Settings(home=tmp_path), origins={}))
    OPENED[:] = [here]
    assert metadata(tmp_path) == {"incidents": 0, "open": 0, "given_to_a_person": 0, "repairs": 0, "helped": 0}
    opened = datetime.now(UTC) - timedelta(days=2)
    began = opened - timedelta(minutes=1)
    here.ledger.incidents.open_incident(replace(INCIDENT, opened_at=opened, broken_since=began, changes=[began]), [])
    found = metadata(tmp_path)
    assert (found["incidents"], found["open"], found["to_detect"]) == (1, 1, 60.0)
    assert "to_repair" not in found


def test_it_is_counted_each_morning_in_production_alone(tmp_path):
    for environment, status in (("production", "RUNNING"), ("staging", "STOPPED")):
        (schedule,) = defs(Settings(home=tmp_path, environment=environment)).schedules
        assert schedule.default_status.value == status
