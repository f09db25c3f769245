"""Grafana's dashboards: what every one of them keeps to, and that each panel asks for something that is measured."""

from __future__ import annotations

import json
from itertools import combinations

import pytest

from sutazai_ops.monitoring.dashboards import Found, check_dashboards, dashboard_files, dashboards_for
from sutazai_ops.monitoring.dashboards.boards import bound
from sutazai_ops.monitoring.dashboards.grafana import dashboard_json, panel_id
from sutazai_ops.monitoring.dashboards.panels import Dashboard, Panel, Query, Row, Source
from sutazai_ops.monitoring.presence import exporters_of
from sutazai_ops.monitoring.prometheus import Answer, Value
from sutazai_ops.monitoring.promql import asked_ranges
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM, MonitoringSettings

EXPORTERS = exporters_of(read_platform(PACKAGED_PLATFORM))
RULEBOOK = read_rulebook(MonitoringSettings()).on(EXPORTERS)
BOARDS = dashboards_for(RULEBOOK, EXPORTERS)
FILES = {name: json.loads(text) for name, text in dashboard_files(RULEBOOK, EXPORTERS).items()}

each_file = pytest.mark.parametrize("name", FILES)


def test_there_is_a_dashboard_for_each_thing_that_a_person_looks_after():
    assert [board.uid.removeprefix("sutazai-") for board in BOARDS] == [
        "platform", "service", "host", "ai", "backups", "delivery", "monitoring",
    ]  # fmt: skip


@each_file
def test_panels_do_not_overlap_and_stay_within_the_grid(name):
    places = [panel["gridPos"] for panel in FILES[name]["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@each_file
def test_numbers_of_panels_are_their_own_and_follow_from_titles(name):
    panels = FILES[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["id"] == panel_id(panel["title"]) for panel in panels if panel["type"] != "row")


def test_a_panel_keeps_its_number_when_another_is_put_before_it():
    one, other = (Panel(title, "", (Query("up"),)) for title in ("One", "Other"))
    ids = [
        {panel["title"]: panel["id"] for panel in json.loads(dashboard_json(Dashboard("u", "t", "", rows)))["panels"]}
        for rows in ((Row("r", (one,)),), (Row("r", (other, one)),))
    ]
    assert ids[0]["One"] == ids[1]["One"]


@each_file
def test_every_question_goes_to_a_data_source_that_provisioning_fixes(name):
    for panel in FILES[name]["panels"]:
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] in {"prometheus", "loki"}
    assert FILES[name]["editable"] is False
    assert FILES[name]["uid"] == name.removesuffix(".json")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.title)
def test_every_panel_asks_for_what_is_measured_here_and_says_what_it_shows(board):
    known = RULEBOOK.catalogue()
    for panel in board.panels:
        assert panel.description.endswith("."), panel.title
        for query in panel.queries:
            if panel.source is Source.PROMETHEUS:
                names = asked_ranges([bound(query.expression)])
                assert names
                assert [name for name in names if known.find(name) is None] == []


def test_the_same_input_gives_the_same_bytes():
    assert dashboard_files(RULEBOOK, EXPORTERS) == dashboard_files(RULEBOOK, EXPORTERS)


def test_a_level_that_is_changed_is_drawn_where_it_wakes_people():
    loud = RULEBOOK.thresholds["host_cpu_high"].model_copy(update={"above": 0.5})
    book = RULEBOOK.model_copy(update={"thresholds": {**RULEBOOK.thresholds, "host_cpu_high": loud}})
    host = json.loads(dashboard_files(book, EXPORTERS)["sutazai-host.json"])
    (panel,) = [one for one in host["panels"] if one["title"] == "Processors busy"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1] == {"color": "red", "value": 0.5}


def test_a_platform_without_an_exporter_has_no_panel_that_waits_for_its_figures():
    fewer = EXPORTERS - {"node", "application"}
    boards = {board.uid: board for board in dashboards_for(RULEBOOK.on(fewer), fewer)}
    assert {panel.title for panel in boards["sutazai-host"].panels} == {"Jumps of the clock"}
    assert "API response times" not in {panel.title for panel in boards["sutazai-platform"].panels}


def test_the_plans_three_panels_are_there_and_ask_for_what_they_say():
    (overview,) = [board for board in BOARDS if board.uid == "sutazai-platform"]
    asked = {panel.title: panel.queries[0].expression for panel in overview.panels}
    assert "up{" not in asked["Service health"]
    assert "sutazai_probe_state" in asked["Service health"]
    p95 = RULEBOOK.signals[asked["API response times"].removeprefix("signal:")].query
    assert "rate(" in p95
    assert "by (service, le)" in p95
    assert "signal:service_memory" in asked["Memory of its limit"]


class Said:
    """A Prometheus that has values for some expressions."""

    def __init__(self, *known: str) -> None:
        self.known = known

    def query(self, expression: str) -> Answer:
        has = any(word in expression for word in self.known)
        return Answer((Value({}, 1.0),) if has else ())


def test_a_panel_that_shows_nothing_is_a_finding_unless_it_says_when_that_is_right():
    rows = (
        Row(
            "r",
            (
                Panel("Full", "", (Query("full"), Query("empty"))),
                Panel("Empty", "", (Query("empty"),)),
                Panel("Quiet", "", (Query("empty"),), empty_when="nothing happened"),
                Panel("Log", "", (Query("{}"),), source=Source.LOKI),
            ),
        ),
    )
    checked = list(check_dashboards([Dashboard("u", "t", "", rows)], Said("full")))
    assert [one.found for one in checked] == [Found.DATA, Found.EMPTY, Found.MAY_BE_EMPTY, Found.NOT_ASKED]
    assert [one.is_well for one in checked] == [True, False, True, True]


def test_where_nothing_is_measured_the_count_of_failures_is_empty_and_not_zero():
    (overview,) = [board for board in BOARDS if board.uid == "sutazai-platform"]
    counts = [panel.queries[0].expression for panel in overview.panels if panel.title.startswith("Services ")]
    assert len(counts) == 3
    assert not [expression for expression in counts if "vector(" in expression]
