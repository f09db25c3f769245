"""The file that Compose merges over another one unasked: `compose.override.yaml`, and `PHASE.override.yaml` here."""

from __future__ import annotations

import json

import pytest
from compose_command import config, escaped, needs_compose

from sutazai_ops.errors import BadInput
from sutazai_ops.platform import read_platform

WRITTEN = """
name: shop
services:
  web:
    image: "web:${TAG:-1}"
    command: [serve]
    environment: {A: "1", B: "2"}
    ports: ["127.0.0.1:8080:80"]
    volumes: ["./page:/page", "data:/data"]
    depends_on: [db]
  db: {image: "postgres:16"}
volumes: {data: }
networks: {default: {driver_opts: {a: "1"}}}
"""
OVERRIDE = """
services:
  web:
    extends: common
    command: [serve, --debug]
    environment: [B=3, "C=${TAG:-1}"]
    ports: !override ["127.0.0.1:8081:80"]
    volumes: ["./other:/page"]
    networks: [default, debug]
  common: {image: "common:1", labels: {made: "by hand"}}
  mail: {image: "mail:1", depends_on: [web]}
networks: {default: {driver_opts: {b: "2"}}, debug: {internal: true}}
"""


@pytest.fixture
def read(tmp_path):
    def read(**files: str):
        for name, text in files.items():
            (tmp_path / f"{name.replace('__', '.').replace('_', '-')}.yaml").write_text(text)
        return read_platform(tmp_path)

    return read


def refused(read, **files: str) -> str:
    with pytest.raises(BadInput) as told:
        read(**files)
    return str(told.value)


@needs_compose
def test_it_is_merged_as_compose_merges_it(read, tmp_path):
    platform = read(compose=WRITTEN, compose__override=OVERRIDE)
    (phase,) = platform.phases
    content = {
        "name": phase.project,
        "services": {name: platform.definition(name) for name in phase.services},
        **{section: values for section, values in phase.top.items() if values},
    }
    resolved = tmp_path / "resolved" / "resolved.json"
    resolved.parent.mkdir()
    resolved.write_text(json.dumps(escaped(content)))
    assert config(resolved) == config(tmp_path / "compose.yaml", tmp_path / "compose.override.yaml")


def test_its_services_are_of_the_phase_that_it_overrides(read):
    platform = read(core=WRITTEN, core__override="services: {mail: {image: 'mail:1', x-sutazai: {needs: [web]}}}")
    assert [phase.name for phase in platform.phases] == ["core"]
    assert platform.service("mail").phase == "core"
    assert platform.service("mail").depends_on == ("web",)


def test_its_words_for_us_win(read):
    over = "services: {web: {x-sutazai: {tier: stateful, description: Shows the shop}}}"
    web = read(core=WRITTEN, core__override=over).service("web")
    assert (web.tier, web.description) == ("stateful", "Shows the shop")


def test_either_name_of_composes_own_file_goes_with_either_override(read):
    platform = read(docker_compose=WRITTEN, compose__override="services: {web: {image: 'web:debug'}}")
    assert platform.service("web").image == "web:debug"


def test_it_may_hold_no_service_and_another_project(read):
    (phase,) = read(compose=WRITTEN, compose__override="name: ${OTHER:-workshop}\nvolumes: {more: }\n").phases
    assert (phase.project, sorted(phase.top["volumes"])) == ("workshop", ["data", "more"])


def test_what_is_wrong_in_it_is_told_with_its_own_line(read):
    words = refused(read, core=WRITTEN, core__override="services:\n  web:\n    x-sutazai: {tear: stateful}\n")
    assert "core.override.yaml:3" in words
    assert "'tier'" in words


def test_what_is_wrong_below_it_is_told_with_that_files_line(read):
    words = refused(
        read, core=WRITTEN.replace("depends_on: [db]", "depends_on: 5"), core__override="services: {web: {init: true}}"
    )
    assert "core.yaml:10" in words


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ("services: {web: {environment: {A: {b: c}}}}", "core.override.yaml"),
        ("services: {web: {build: [a]}}", "core.override.yaml"),
        ("services: [web]", "services of core.override.yaml is not a mapping"),
        ("services: {web: }", "the service web is not a mapping"),
        ("include: [x.yaml]", "`include` is not followed"),
    ],
)
def test_what_cannot_be_merged_is_refused(read, over, words):
    core = WRITTEN.replace("command: [serve]", "command: [serve]\n    build: {context: .}")
    assert words in refused(read, core=core, core__override=over)


def test_one_of_a_file_that_is_not_there_is_refused(read):
    words = refused(read, core=WRITTEN, cre__override="services: {web: {init: true}}")
    assert "cre.override.yaml overrides cre.yaml, which is not there" in words


def test_two_of_one_file_are_refused(read):
    over = "services: {web: {init: true}}"
    words = refused(read, compose=WRITTEN, compose__override=over, docker_compose__override=over)
    assert "compose.yaml has two overrides" in words


def test_what_is_merged_over_an_earlier_phase_is_not_overridden(read):
    later = "services: {web: {init: true, x-sutazai: {overlays: core}}}"
    words = refused(read, core=WRITTEN, later=later, later__override="services: {web: {read_only: true}}")
    assert "later.override.yaml:1" in words
    assert "cannot be overridden itself" in words
