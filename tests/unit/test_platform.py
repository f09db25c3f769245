"""The platform's files: what is read, inferred and refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.errors import BadInput
from sutazai_ops.platform import External, Tier, read_platform, with_external
from sutazai_ops.platform.infer import image_name
from sutazai_ops.settings import PACKAGED_PLATFORM

EXAMPLE = Path(__file__).parents[2] / "docs/platform"


@pytest.fixture
def read(tmp_path):
    def read(**files: str):
        (tmp_path / "parts").mkdir(exist_ok=True)
        (tmp_path / "parts/common.yaml").write_text("services: {web: {restart: always}}")
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return read_platform(tmp_path)

    return read


def refused(read, **files: str) -> str:
    with pytest.raises(BadInput) as told:
        read(**files)
    return str(told.value)


BASE = "services: {base: {restart: always, environment: {TZ: Europe/Berlin}}}\n"
WEB = "services: {web: {image: 'shop/web:1.0', extends: {file: common.yaml, service: base}}}\n"


def test_a_file_that_others_are_made_of_is_no_phase_and_the_project_is_that_of_compose(read, tmp_path):
    platform = read(common=BASE, compose=WEB)
    assert [phase.name for phase in platform.phases] == ["compose"]
    assert platform.phase("compose").project == tmp_path.name.lower().lstrip("_-")
    assert platform.service("web").compose["restart"] == "always"


def test_a_file_that_others_extend_is_a_phase_where_something_in_it_can_run(read):
    platform = read(common=BASE.replace("{restart", "{image: 'shop/base:1.0', restart"), compose=WEB)
    assert [phase.name for phase in platform.phases] == ["common", "compose"]


def test_the_packaged_platform_is_read():
    platform = read_platform(PACKAGED_PLATFORM)
    assert [service.name for service in platform.backed_up()] == ["postgres", "redis"]
    assert all(service.description and service.owner and not service.inferred for service in platform)


def test_the_example_is_read_and_shows_every_key():
    from sutazai_ops.platform.model import Addition

    platform = read_platform(EXAMPLE)
    text = (EXAMPLE / "example.yaml").read_text()
    assert [key for key in Addition.model_fields if f"{key}:" not in text] == []
    assert platform.service("database").backup.exclude_databases == ("scratch",)
    assert platform.service("cache").inferred


FOREIGN = """
x-base: &base {restart: always}
services:
  db:
    <<: *base
    image: registry.example:5000/mirror/postgres:${PG:-16}-alpine
    env_file: [.env]
  queue: {image: "redis@sha256:0f3c", depends_on: {db: {condition: service_healthy}}}
  metrics: {image: prometheuscommunity/postgres-exporter:v0.15, depends_on: [db]}
  app: {build: ., extends: {file: parts/common.yaml, service: web}}
"""


def test_a_foreign_file_is_read_and_what_its_images_give_away_is_called_inferred(read):
    platform = read(compose=FOREIGN)
    db = platform.service("db")
    assert (db.backup.kind, db.tier) == ("postgres", Tier.STATEFUL)
    assert {"backup", "tier"} <= db.inferred
    assert db.image.endswith("postgres:16-alpine")
    assert platform.service("queue").backup.kind == "redis"
    assert platform.service("queue").depends_on == ("db",)
    assert platform.service("metrics").backup is None
    assert platform.service("app").inferred == frozenset()


def test_an_unknown_key_is_refused_with_file_line_service_and_the_nearest(read):
    words = refused(read, core="services:\n  db:\n    image: postgres:16\n    x-sutazai:\n      bakup: postgres\n")
    for part in ("bakup", "core.yaml:5", "db", "backup"):
        assert part in words


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("services: [1]", ["core.yaml", "services"]),
        ("services:\n  db: 3", ["core.yaml", "db", "mapping"]),
        ("services:\n  db: {image: x\n", ["core.yaml:3", "not YAML"]),
        ("services:\n  db: {image: x}\n  db: {image: y}", ["core.yaml", "db"]),
        ("services:\n  a: {image: x, depends_on: [b]}", ["core.yaml", "a", "b"]),
        ("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}", ["a", "b"]),
        ("services:\n  db: {image: '${NEEDED:?say which}'}", ["core.yaml", "db", "say which"]),
        ("services:\n  db: {image: x, x-sutazai: {tier: statefull}}", ["core.yaml", "db", "tier"]),
        ("services:\n  db: {image: x, x-sutazai: {backup: mysql}}", ["core.yaml", "db", "backup"]),
    ],
)
def test_what_is_wrong_is_named_with_file_service_and_key(read, text, parts):
    words = refused(read, core=text)
    for part in parts:
        assert part in words


def test_a_service_that_stands_in_two_phases_names_both_files(read):
    words = refused(read, core="services: {db: {image: x}}", later="services: {db: {image: y}}")
    assert "core.yaml" in words
    assert "later.yaml" in words


def test_a_folder_without_a_compose_file_is_refused(read, tmp_path):
    assert str(tmp_path) in refused(read)


def test_text_that_is_not_utf_8_is_refused(read, tmp_path):
    (tmp_path / "core.yaml").write_bytes(b"services: {db: {image: '\xff'}}")
    assert "core.yaml" in refused(read)


def test_an_unknown_service_is_refused_with_the_nearest():
    with pytest.raises(BadInput, match="postgers") as told:
        read_platform(PACKAGED_PLATFORM).select(["postgers"])
    assert "'postgres'" in told.value.remedy


def test_settings_can_say_that_a_service_is_somebody_elses():
    platform = with_external(
        read_platform(PACKAGED_PLATFORM), {"postgres": External(address="postgresql://u@db.example")}
    )
    assert platform.service("postgres").external.address == "postgresql://u@db.example"
    assert platform.service("redis").external is None


names = st.from_regex(r"[a-z][a-z0-9_-]{0,10}", fullmatch=True)


@given(st.lists(names, min_size=1, max_size=4), st.none() | names, st.booleans())
def test_an_image_has_the_same_name_in_every_registry(path, tag, digest):
    image = "registry.example:5000/" + "/".join(path) + (f":{tag}" if tag else "") + ("@sha256:00" if digest else "")
    assert image_name(image) == path[-1]


def test_no_variable_of_a_platform_file_is_read_from_elsewhere(read, monkeypatch):
    monkeypatch.setitem(os.environ, "PG", "17")
    assert read(compose=FOREIGN).service("db").image.endswith("postgres:17-alpine")
