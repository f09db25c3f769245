"""What Dagster is told of objectives: facts by the day, reports that plot, and the gate as a check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from slo_days import UP, dead_from, measured
from slo_sample import sample_report

from sutazai_ops.installation import Installation
from sutazai_ops.orchestration import Operations
from sutazai_ops.settings import Loaded, ObjectiveSettings, Settings
from sutazai_ops.slo import defs as slo_defs
from sutazai_ops.slo.day import Measured, make_fact
from sutazai_ops.slo.shelf import keep

NOW = datetime.now(UTC)


class Embedded:
    """An engine whose exporter keeps the facts."""

    name = "embedded"


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    platform = tmp_path / "platform"
    platform.mkdir()
    (platform / "core.yaml").write_text("services: {web: {image: 'shop/web:1'}}\n")
    over = tmp_path / "objectives.yaml"
    over.write_text("web-is-up: {gate: true, target: 0.999, alerts: ticket}\n")
    settings = Settings(home=tmp_path / "home", platform=platform, slo=ObjectiveSettings(objectives=over))
    installation = Installation(Loaded(settings=settings, origins={}))
    installation.__dict__["engine"] = Embedded()
    return installation


class Opened(Operations):
    """Opens what the test has made."""

    def open(self) -> Installation:
        return OPENED[0]


OPENED: list[Installation] = []


@pytest.fixture
def loaded(here: Installation) -> dg.Definitions:
    OPENED[:] = [here]
    found = slo_defs.defs(here.settings, lambda one: list(one.platform))
    return dg.Definitions.merge(found, dg.Definitions(resources={"operations": Opened()}))


def fill(here: Installation, what: Measured | None = None) -> None:
    facts = []
    for number in range(70):
        day = (NOW - timedelta(days=number)).date()
        one = what if what and number == 10 else measured()
        changed = {"day": day, "elapsed": (NOW.hour * 60 + NOW.minute) // 5 * 5 if number == 0 else 1440}
        one = Measured(**{name: getattr(one, name) for name in one.__slots__} | changed)
        facts.append(make_fact(UP.model_copy(update={"name": "web-is-up"}), "q", one, [], NOW))
    keep(here.ledger, facts)


def test_every_asset_explains_itself(loaded: dg.Definitions) -> None:
    specs = loaded.resolve_all_asset_specs()
    assert {spec.key.to_user_string() for spec in specs} == {
        "objectives/daily_facts", "objectives/weekly_report", "objectives/monthly_report",
    }  # fmt: skip
    assert [spec.key for spec in specs if not (spec.description and spec.owners and spec.kinds)] == []


def test_schedules_run_by_themselves_in_production_alone(here: Installation) -> None:
    for environment, status in (("development", "STOPPED"), ("production", "RUNNING")):
        settings = here.settings.model_copy(update={"environment": environment})
        schedules = slo_defs.defs(settings, lambda one: []).schedules or ()
        assert {one.default_status.name for one in schedules} == {status}
        assert {one.name for one in schedules} == {
            "compute_facts", "weekly_objectives_report", "monthly_objectives_report",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "at", "asked"),
    [
        ("monthly", datetime(2026, 11, 1, 6, tzinfo=UTC), "2026-10-01"),
        ("monthly", datetime(2028, 3, 1, 6, tzinfo=UTC), "2028-02-01"),
        ("weekly", datetime(2026, 11, 2, 6, 30, tzinfo=UTC), "2026-10-26"),
    ],
)
def test_a_schedule_asks_for_what_is_over(here: Installation, name: str, at: datetime, asked: str) -> None:
    schedules = {one.name: one for one in slo_defs.defs(here.settings, lambda one: []).schedules or ()}
    request = schedules[f"{name}_objectives_report"](dg.build_schedule_context(scheduled_execution_time=at))
    assert request.partition_key == asked


def test_a_month_is_a_page_and_numbers_that_plot(here: Installation, loaded: dg.Definitions) -> None:
    fill(here, dead_from(3, 20))
    month = (NOW.date().replace(day=1) - timedelta(days=1)).replace(day=1)
    job = loaded.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey(["objectives", "monthly_report"])], partition_key=month.isoformat()
    )
    assert result.success
    (made,) = result.asset_materializations_for_node("objectives__monthly_report")
    numbers = {name: value.value for name, value in made.metadata.items()}
    assert {"budget_left_share", "burn_rate", "coverage", "objectives_missed", "objectives_unknown"} <= set(numbers)
    # The backup was never measured.
    assert numbers["coverage"] == 0.5
    page = Path(str(made.metadata["page"].value))
    assert page.parent == here.settings.reports / "slo"
    assert "<html" in page.read_text()
    assert page.with_suffix(".json").exists()
    assert page.with_suffix(".md").exists()
    assert "data:image/png;base64" in numbers["picture"]


def test_a_report_made_again_is_the_same_bytes(here: Installation, loaded: dg.Definitions) -> None:
    fill(here, dead_from(3, 20))
    month = (NOW.date().replace(day=1) - timedelta(days=1)).replace(day=1)
    job, written = loaded.resolve_implicit_global_asset_job_def(), []
    for _ in range(2):
        job.execute_in_process(
            asset_selection=[dg.AssetKey(["objectives", "monthly_report"])], partition_key=month.isoformat()
        )
        written.append([file.read_bytes() for file in sorted((here.settings.reports / "slo").iterdir())])
    assert written[0] == written[1]


@pytest.mark.parametrize(("minutes", "is_open"), [(20, True), (120, False)])
def test_the_gate_is_a_check(here: Installation, loaded: dg.Definitions, minutes: int, is_open: bool) -> None:
    fill(here, dead_from(3, minutes))
    result = loaded.resolve_job_def("ask_deploy_gate").execute_in_process()
    (check,) = result.get_asset_check_evaluations()
    assert check.passed is is_open
    assert ("open" if is_open else "closed") in (check.description or "")


def test_on_the_embedded_engine_the_hourly_job_leaves_the_facts_to_the_exporter(
    here: Installation, loaded: dg.Definitions
) -> None:
    result = loaded.resolve_job_def("compute_facts").execute_in_process()
    assert result.success
    assert here.ledger.facts_between(NOW.date(), NOW.date()) == []


def test_the_metadata_of_a_full_report_has_one_kind_for_each_name() -> None:
    metadata = slo_defs.metadata_of(sample_report())
    assert isinstance(metadata["availability"], float)
    assert isinstance(metadata["burn_rate"], float)
    assert metadata["verdict"] == "missed"
