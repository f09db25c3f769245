"""Advice as files: a diff that changes a number and nothing else, and an override that the platform reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from capacity_days import MIB, days

from sutazai_ops.capacity.changes import diff, override, size_of
from sutazai_ops.capacity.edit import CannotEdit, edit
from sutazai_ops.capacity.sizing import Advice, Confidence, Evidence, Size, advise
from sutazai_ops.errors import BadInput
from sutazai_ops.platform import read_platform

MEMORY = ("services", "web", "deploy", "resources", "limits", "memory")
FLOW = """\
services:
  # The shop.
  web:
    image: shop/web:1   # pinned
    deploy: {resources: {limits: {cpus: "1.00", memory: 512M, pids: 200}}}
"""
BLOCK = """\
services:
  web:
    image: shop/web:1
    deploy:
      resources:
        limits:
          # What it needs.
          memory: '512M'
"""
SHARED = """\
x-usual: &usual
  deploy: {resources: {limits: {memory: 512M}}}
services:
  web:
    <<: *usual
    image: shop/web:1
"""


def proposal(memory: int | None, cpus: float | None = None, *, now: Size | None = None) -> Advice:
    new = Size(memory and int(memory * MIB), cpus)
    return Advice("web", 1, now or Size(int(512 * MIB), 1.0), new, Confidence.HIGH, Evidence(), (), "it used as much")


def platform_of(folder: Path, text: str, **more: str):
    (folder / "core.yaml").write_text(text)
    for name, other in more.items():
        (folder / f"{name}.yaml").write_text(other)
    return read_platform(folder)


@pytest.mark.parametrize("text", [FLOW, BLOCK])
def test_one_value_is_changed_and_nothing_else(text):
    changed = edit(text, MEMORY, "768M")
    assert changed is not None
    assert changed.replace("'768M'", "768M").replace("768M", "X") == text.replace("'512M'", "512M").replace("512M", "X")


@pytest.mark.parametrize("text", [FLOW, BLOCK, "services:\n  web:\n    image: shop/web:1\n"])
def test_what_is_missing_is_added(text):
    changed = edit(text, ("services", "web", "deploy", "resources", "reservations", "cpus"), "0.25")
    assert changed is not None
    read = yaml.safe_load(changed)["services"]["web"]
    assert read["deploy"]["resources"]["reservations"] == {"cpus": "0.25"}
    assert read["image"] == "shop/web:1"
    assert "#" not in text or "# " in changed


def test_what_others_share_is_left_to_a_person():
    with pytest.raises(CannotEdit, match="anchor"):
        edit(SHARED, MEMORY, "768M")


def test_what_a_variable_sets_is_left_to_a_person():
    with pytest.raises(CannotEdit, match="variable"):
        edit(FLOW.replace("512M", '"${WEB_MEMORY:-512M}"'), MEMORY, "768M")


def test_a_number_stays_text():
    changed = edit(FLOW, (*MEMORY[:-1], "cpus"), "0.50")
    assert changed is not None
    assert yaml.safe_load(changed)["services"]["web"]["deploy"]["resources"]["limits"]["cpus"] == "0.50"


def test_the_diff_is_of_the_file_that_speaks_last(tmp_path):
    over = "services:\n  web:\n    x-sutazai: {overlays: core}\n    deploy: {resources: {limits: {memory: 640M}}}\n"
    platform = platform_of(tmp_path, FLOW, later=over)
    changes, by_hand = diff([proposal(768)], platform, ["core", "later"])
    assert by_hand == []
    assert "--- a/later.yaml" in changes
    assert "+    deploy: {resources: {limits: {memory: 768M}}}" in changes
    before, _ = diff([proposal(768)], platform, ["core"])
    assert "--- a/core.yaml" in before


def test_what_cannot_be_edited_is_named(tmp_path):
    changes, by_hand = diff([proposal(768)], platform_of(tmp_path, SHARED), ["core"])
    assert changes == ""
    assert by_hand == [
        "web: deploy.resources.limits.memory to 768M, by hand: it comes from an anchor, which other services share"
    ]


def test_an_old_place_is_kept(tmp_path):
    platform = platform_of(tmp_path, "services:\n  web:\n    image: shop/web:1\n    mem_limit: 512m\n")
    changes, _ = diff([proposal(768, now=Size(int(512 * MIB)))], platform, ["core"])
    assert "+    mem_limit: 768M" in changes


@pytest.mark.parametrize("text", [FLOW, BLOCK, SHARED])
def test_the_override_is_a_phase_that_says_what_was_proposed(tmp_path, text):
    facts = days(14, 900 * MIB)
    advice = advise("web", facts, Size(int(512 * MIB), 1.0))
    platform = platform_of(tmp_path, text)
    (tmp_path / "right-sizing.yaml").write_text(override([advice], platform))
    sized = read_platform(tmp_path)
    definition = sized.definition("web", ["core", "right-sizing"])
    assert size_of(definition) == advice.proposed
    assert size_of(sized.definition("web", ["core"])).memory == 512 * MIB


def test_nothing_to_change_is_no_override(tmp_path):
    platform = platform_of(tmp_path, FLOW)
    with pytest.raises(ValueError, match="nothing"):
        override([advise("web", [], Size())], platform)
    assert diff([advise("web", [], Size())], platform, []) == ("", [])


def test_limits_that_are_no_numbers_are_refused():
    with pytest.raises(BadInput, match="no numbers"):
        size_of({"deploy": {"resources": {"limits": {"memory": "much"}}}})
