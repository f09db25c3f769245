"""Which image of `tests/images` takes the place of which, worked out without an engine."""

from __future__ import annotations

import re

import pytest
from build import references
from recipes import CHECKOUT, PROFILES, RECIPE_OF, Recipe, image_of, in_registry, recipe, recipe_for, tag_of

from sutazai_ops.deployment.images import choose
from sutazai_ops.errors import BadInput
from sutazai_ops.settings import PACKAGED_PLATFORM, ImageSettings


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("postgres:16.11-alpine", "postgres"),
        ("docker.io/library/redis@sha256:0123", "redis"),
        ("docker.n8n.io/n8nio/n8n:2.41.3", "n8n"),
        ("quay.io/prometheuscommunity/postgres-exporter:v0.20.1", "postgres-exporter"),
        ("registry.example:5000/team/backend", "backend"),
    ],
)
def test_a_recipe_is_found_by_the_last_part_of_a_name(reference, name):
    assert recipe_for(reference) == name


def test_an_image_without_a_recipe_is_refused_by_name():
    with pytest.raises(BadInput, match=r"example/unheard-of:1"):
        recipe_for("example/unheard-of:1")


def test_every_image_of_the_platform_has_a_recipe():
    assert [recipe_for(reference) for reference in references(PACKAGED_PLATFORM)]


@pytest.mark.parametrize(
    ("reference", "where"),
    [
        ("postgres:16.11-alpine", "127.0.0.1:5000/postgres:16.11-alpine"),
        ("docker.io/library/postgres:16", "127.0.0.1:5000/postgres:16"),
        ("grafana/grafana:13.2.0", "127.0.0.1:5000/grafana/grafana:13.2.0"),
        ("docker.n8n.io/n8nio/n8n:2.41.3", "127.0.0.1:5000/n8nio/n8n:2.41.3"),
        ("postgres:16@sha256:0123", "127.0.0.1:5000/postgres:16"),
        ("busybox", "127.0.0.1:5000/busybox:latest"),
    ],
)
def test_the_registry_holds_an_image_under_its_usual_name_and_tag(reference, where):
    assert in_registry(reference, "127.0.0.1:5000") == where


def test_every_image_of_the_platform_is_where_the_mirror_setting_looks_for_it():
    settings = ImageSettings(mirror="127.0.0.1:5000")
    for reference in references(PACKAGED_PLATFORM):
        assert in_registry(reference, "127.0.0.1:5000") == choose("any", reference, settings)


def test_the_port_of_a_registry_is_no_tag():
    assert tag_of("registry.example:5000/backend") == ""
    assert tag_of("registry.example:5000/backend:1.8.2") == "1.8.2"


def test_an_image_is_another_when_a_file_of_its_folder_changes(tmp_path):
    made = Recipe("example", "base", "FROM $PARENT", (("program", tmp_path / "program"),))
    (tmp_path / "program").write_text("one")
    before = made.image
    assert made.image == before
    (tmp_path / "program").write_text("two")
    assert made.image != before


def test_our_own_image_is_made_of_the_whole_program_and_of_its_locked_dependencies():
    names = [name for name, _ in recipe("ops").contents]
    assert {"uv.lock", "pyproject.toml", "dagster.yaml", "sutazai_ops/cli.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests", ".sutazai"))]


def test_the_makefile_and_the_dockerfile_install_with_the_same_uv():
    versions = re.findall(r"UV_VERSION *:?= *([\d.]+)", (CHECKOUT / "Makefile").read_text())
    versions += re.findall(r"UV_VERSION=([\d.]+)", (CHECKOUT / "Dockerfile").read_text())
    assert len(versions) == 2
    assert len(set(versions)) == 1


def test_an_image_is_another_when_what_it_is_made_from_changes():
    assert Recipe("example", "servers", "FROM $PARENT").image != Recipe("example", "base", "FROM $PARENT").image


def test_every_name_in_the_table_has_a_recipe_of_its_own():
    images = {name: image_of(name) for name in set(RECIPE_OF.values())}
    assert len(set(images.values())) == len(images)


def test_every_stand_in_is_made_from_the_image_that_carries_the_label():
    assert all(recipe(name).parent == "stand-in" for name in PROFILES)
    assert "LABEL org.sutazai.stand-in=true" in recipe("stand-in").dockerfile
