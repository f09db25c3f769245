"""What a later phase changes of a service of an earlier one, once it is rolled out."""

from __future__ import annotations

import json

import pytest
from compose_command import config, escaped, needs_compose

from sutazai_ops.deployment.files import Files
from sutazai_ops.deployment.wanted import Ingredients, wanted_services, wanted_top
from sutazai_ops.errors import BadInput
from sutazai_ops.platform import read_platform

CORE = """
name: core
services:
  db:
    image: postgres:16
    command: [postgres]
    environment: {A: "1"}
    ports: ["127.0.0.1:5432:5432"]
    depends_on: [queue]
  queue: {image: "redis:7"}
"""
LATER = """
name: later
services:
  db:
    command: [postgres, -c, wal_level=replica]
    environment: {B: "$$2"}
    networks: [default, replication]
    secrets: [replica]
    ports: !reset []
    x-sutazai: {overlays: core, description: It can be followed}
  standby: {image: "postgres:16", x-sutazai: {needs: [db]}}
networks: {replication: {internal: true}, unused: {}}
secrets: {replica: {file: ./replica}}
"""


@pytest.fixture
def read(tmp_path):
    def read(core: str = CORE, later: str = LATER):
        (tmp_path / "core.yaml").write_text(core)
        (tmp_path / "high-availability.yaml").write_text(later)
        return read_platform(tmp_path)

    return read


def refused(read, **files: str) -> str:
    with pytest.raises(BadInput) as told:
        read(**files)
    return str(told.value)


def test_an_overlay_is_in_force_only_once_its_phase_is(read):
    platform = read()
    assert platform.definition("db", ["core"])["command"] == ["postgres"]
    assert platform.definition("db", ["core", "high-availability"])["command"][-1] == "wal_level=replica"
    assert "ports" not in platform.definition("db", ["high-availability"])


def test_an_overlay_is_no_service_of_its_phase(read):
    platform = read()
    assert platform.phase("high-availability").services == ("standby",)
    assert platform.service("db").phase == "core"
    assert [(one.service, one.description) for one in platform.overlays] == [("db", "It can be followed")]


@needs_compose
def test_compose_makes_the_same_of_both_files_as_a_release_says(read, tmp_path):
    platform = read()
    merged = {
        "name": "core",
        "services": {name: platform.definition(name, ["high-availability"]) for name in ("db", "queue")},
        **wanted_top(platform, "core", ["core", "high-availability"], Files()),
    }
    (tmp_path / "merged.json").write_text(json.dumps(escaped(merged)))
    both = config(tmp_path / "core.yaml", tmp_path / "high-availability.yaml")["services"]["db"]
    both.pop("x-sutazai", None)
    assert config(tmp_path / "merged.json")["services"]["db"] == both


def test_what_an_overlay_names_is_declared_where_its_service_runs(read):
    platform = read()
    top = wanted_top(platform, "core", ["core", "high-availability"], Files())
    assert top["networks"] == {"replication": {"internal": True}}
    assert set(top["secrets"]) == {"replica"}
    assert wanted_top(platform, "core", ["core"], Files()) == {}


def test_an_overlay_changes_the_hash_of_its_service_alone(read):
    platform = read()
    before, after = (
        {one.name: one.spec for one in wanted_services(platform, ["db", "queue"], phases, Ingredients())}
        for phases in (["core"], ["core", "high-availability"])
    )
    assert before["db"] != after["db"]
    assert before["queue"] == after["queue"]


@pytest.mark.parametrize(
    ("later", "parts"),
    [
        ("services: {db: {image: y}}", ["core.yaml", "high-availability.yaml", "overlays: core"]),
        ("services: {dbb: {x-sutazai: {overlays: core}}}", ["dbb", "'db'", "high-availability.yaml:1"]),
        ("services: {db: {x-sutazai: {overlays: croe}}}", ["croe", "'core'"]),
        ("services: {db: {x-sutazai: {overlays: high-availability}}}", ["no earlier phase"]),
        ("services: {db: {x-sutazai: {overlays: core, tier: stateful}}}", ["tier", "core.yaml"]),
        ("services: {db: {environment: 3, x-sutazai: {overlays: core}}}", ["environment", "db"]),
        ("services: {one: {image: x, x-sutazai: {needs: [dbb]}}}", ["dbb", "'db'", "x-sutazai.needs"]),
        ("services: {one: {image: x, x-sutazai: {aliases: [db]}}}", ["alias db", "a service"]),
        ("services: {one: {image: x, x-sutazai: {login: {secret: none}}}}", ["none", "login.secret"]),
        ("services: {one: {image: x, x-sutazai: {behind: {proxy: db, port: 80}}}}", ["db", "no proxy"]),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_with_what_is_near(read, later, parts):
    words = refused(read, later=later)
    for part in parts:
        assert part in words


def test_a_service_is_found_by_its_alias(read):
    platform = read(later="services: {alloy: {image: x, x-sutazai: {aliases: [promtail]}}}")
    assert platform.service("promtail").name == "alloy"
    assert [one.name for one in platform.select(["promtail", "db"])] == ["db", "alloy"]
    with pytest.raises(BadInput, match="promtial") as told:
        platform.select(["promtial"])
    assert "'promtail'" in told.value.remedy
