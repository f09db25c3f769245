"""The monthly report: one value that is written, read back, shown, and never says more than is known."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from capacity_days import MIB, days

from sutazai_ops.capacity import defs as capacity_defs
from sutazai_ops.capacity import report_model as m
from sutazai_ops.capacity import shelf
from sutazai_ops.capacity.kpis import read_kpis
from sutazai_ops.capacity.monthly import Known, Sized, monthly_report
from sutazai_ops.capacity.report import Head
from sutazai_ops.capacity.report_html import to_html
from sutazai_ops.capacity.report_picture import draw
from sutazai_ops.capacity.sample import sample_report
from sutazai_ops.capacity.sizing import Size
from sutazai_ops.capacity.writing import to_markdown
from sutazai_ops.installation import Installation
from sutazai_ops.orchestration import Operations
from sutazai_ops.settings import Loaded, Settings
from sutazai_ops.slo import period

DOCS = Path(__file__).parents[2] / "docs"
OCTOBER = period.month("2026-10")


@pytest.fixture(scope="module")
def report() -> m.Report:
    return sample_report()


def empty(**changes: object) -> m.Report:
    known = {
        "services": [Sized("web", Size())],
        "facts": {},
        "values": {},
        "kpis": read_kpis(),
        "prices": None,
        "agent_memory": int(256 * MIB),
        "today": OCTOBER.end - timedelta(days=1),
    }
    return monthly_report(Head("production", "nowhere"), OCTOBER, Known(**{**known, **changes}))  # type: ignore[arg-type]


def test_a_month_of_which_nothing_was_measured_says_so_in_one_sentence():
    made = empty(is_over=True)
    assert made.summary.sentence == "nothing was measured in October 2026"
    assert to_markdown(made).splitlines()[2] == "**Unknown.** Nothing was measured in October 2026."
    assert not empty().period.ended


def test_it_is_read_back_as_it_was_written(report):
    assert m.from_json(m.to_json(report)) == report


def test_the_schema_in_the_docs_is_the_one_that_this_program_makes():
    text = (DOCS / "capacity" / "report.schema.json").read_text(encoding="utf-8")
    assert text == m.schema(), "make it: sutazai-ops capacity schema"


def test_the_same_facts_give_the_same_bytes(report):
    again = sample_report()
    assert m.to_json(again) == m.to_json(report)
    assert to_html(again) == to_html(report)


def test_the_story_of_the_sample_is_told(report):
    services = {one.name: one for one in report.services}
    assert services["code-improver"].oom_kills == 4
    assert [one.kind for one in services["testing-qa-validator"].findings if one.kind == "grows"]
    assert "days before do not count" in " ".join(one.sentence for one in services["qdrant"].findings)
    assert services["chroma"].proposed is None
    assert {str(one.verdict) for one in report.metrics} == {"met", "missed", "insufficient"}
    assert {one.service: one.holds for one in report.agents} == {
        "ai-engineer": True, "code-improver": None, "qa-validator": True,
    }  # fmt: skip


def test_the_costs_of_services_add_up_to_the_host(report):
    assert sum(one.full for one in report.cost.services) == pytest.approx(report.cost.host)


def test_a_month_without_data_says_so_and_guesses_nothing():
    found = empty()
    assert {str(one.verdict) for one in found.metrics} == {"unknown"}
    assert (found.cost, found.facts_as_of, found.fit.more) == (None, None, None)
    assert found.services[0].because == "nothing was measured of it"
    page, text = to_html(found), to_markdown(found)
    for said in (page, text):
        assert "Nothing was measured of the host" in said or "nothing was measured of the host" in said
        assert "write down what the host costs" in said
    assert draw(found).startswith(b"\x89PNG")


def test_every_service_and_metric_stands_on_the_page(report):
    page, text = to_html(report), to_markdown(report)
    for one in (*report.services, *report.forecasts):
        assert one.name in page
        assert re.sub(r"\\", "", text).count(one.name) > 0
    for metric in report.metrics:
        assert metric.title.replace("'", "&#39;") in page


def test_a_name_that_is_markup_is_text(report):
    odd = report.services[0].model_copy(update={"name": "<script>alert(1)</script>"})
    page = to_html(report.model_copy(update={"services": (odd,)}))
    assert "<script" not in page


def test_the_page_asks_nobody(report):
    page = to_html(report)
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)
    assert "<script" not in page


class Stopped:
    name = "embedded"


class Opened(Operations):
    """Opens what the test has made."""

    def open(self) -> Installation:
        return OPENED[0]


OPENED: list[Installation] = []


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    platform = tmp_path / "platform"
    platform.mkdir()
    (platform / "core.yaml").write_text(
        "services: {web: {image: 'shop/web:1', deploy: {resources: {limits: {memory: 512M}}}}}\n"
    )
    installation = Installation(Loaded(settings=Settings(home=tmp_path / "home", platform=platform), origins={}))
    installation.__dict__["engine"] = Stopped()
    shelf.keep(installation.ledger, days(31), [])
    OPENED[:] = [installation]
    return installation


def loaded(here: Installation) -> dg.Definitions:
    found = capacity_defs.defs(here.settings, lambda one: list(one.platform))
    return dg.Definitions.merge(found, dg.Definitions(resources={"operations": Opened()}))


def test_every_asset_explains_itself(here):
    specs = loaded(here).resolve_all_asset_specs()
    assert {spec.key.to_user_string() for spec in specs} == {"capacity/daily_facts", "capacity/monthly_report"}
    assert [spec.key for spec in specs if not (spec.description and spec.owners and spec.kinds)] == []


def test_a_month_is_a_page_and_numbers_that_plot(here):
    job = loaded(here).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(asset_selection=[capacity_defs.REPORT], partition_key="2026-10-01")
    (made,) = result.asset_materializations_for_node("capacity__monthly_report")
    numbers = {name: value.value for name, value in made.metadata.items()}
    assert (numbers["services_to_resize"], numbers["oom_kills"], numbers["metrics_unknown"]) == (1, 0, 9)
    page = Path(str(numbers["page"]))
    assert page == here.settings.reports / "capacity" / "2026-10.html"
    assert m.from_json(page.with_suffix(".json").read_text()).services[0].name == "web"
    assert "data:image/png;base64" in str(numbers["picture"])


@pytest.mark.parametrize(("at", "asked"), [(date(2026, 11, 1), "2026-10-01"), (date(2028, 3, 1), "2028-02-01")])
def test_the_schedule_asks_for_the_month_that_is_over(here, at, asked):
    schedules = {one.name: one for one in capacity_defs.defs(here.settings, lambda one: []).schedules or ()}
    moment = datetime(at.year, at.month, at.day, 6, 30, tzinfo=UTC)
    request = schedules["monthly_capacity_report"](dg.build_schedule_context(scheduled_execution_time=moment))
    assert request.partition_key == asked


def test_schedules_run_by_themselves_in_production_alone(here):
    for environment, status in (("development", "STOPPED"), ("production", "RUNNING")):
        settings = here.settings.model_copy(update={"environment": environment})
        schedules = capacity_defs.defs(settings, lambda one: []).schedules or ()
        assert {one.default_status.name for one in schedules} == {status}
