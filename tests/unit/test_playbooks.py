"""Playbooks: one for every threshold that names one, and nothing in them that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.remediation.playbook import NO_PLAYBOOK, Action, Check
from sutazai_ops.remediation.playbooks import PACKAGED, playbook_of, read_playbooks
from sutazai_ops.settings import MonitoringSettings

SERVICES = ("backend", "postgres")


@pytest.fixture(scope="module")
def rulebook():
    return read_rulebook(MonitoringSettings())


@pytest.fixture(scope="module")
def packaged(rulebook):
    return read_playbooks(rulebook, SERVICES)


def test_every_threshold_that_names_a_playbook_has_it_and_every_playbook_is_named(rulebook, packaged):
    named = {one.playbook for one in rulebook.thresholds.values() if one.playbook}
    assert named == set(packaged)


def test_the_mildest_rung_comes_first(packaged):
    assert [rung.name for rung in packaged["service-down"].ladder] == [
        "end-queries",
        "restart",
        "recreate",
        "roll-back",
    ]


def test_a_memory_leak_is_never_restarted_unasked(packaged):
    assert all(rung.approval for rung in packaged["service-memory"].ladder if rung.act.disrupts)


def test_no_action_of_the_list_can_delete_data():
    """What is dropped of a Redis its files call a cache, and a queue that one holds is refused where they are read."""
    assert set(Action) == {
        "reload", "restart", "recreate", "roll-back", "end-queries", "unload-model", "drop-cache", "dead-letter",
        "scale-out", "free-disk",
    }  # fmt: skip


def test_the_head_of_the_file_names_every_action_and_every_check():
    head = PACKAGED.read_text(encoding="utf-8").partition("\n# The host.")[0]
    assert " | ".join(Action) in re.sub(r"\n#\s+", " ", head)
    assert f"[{', '.join(Check)}]" in head


def test_a_file_of_ones_own_is_laid_over_key_by_key(tmp_path, rulebook, packaged):
    own = tmp_path / "own.yaml"
    own.write_text("service-down: {persists: 5m}\nhost-cpu: {ladder: [{act: restart, targets: [backend]}]}\n")
    found = read_playbooks(rulebook, SERVICES, own)
    assert found["service-down"].persists == 300
    assert found["service-down"].ladder == packaged["service-down"].ladder
    assert found["host-cpu"].ladder[0].targets == ("backend",)


def test_an_incident_whose_playbook_was_taken_away_has_none(packaged):
    assert playbook_of(packaged, "gone") is NO_PLAYBOOK


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("service-down:\n  ladder:\n    - act: restrat\n", 3, "act"),
        ("service-down:\n  ladder:\n    - act: restart\n    - {act: rm -rf /}\n", 4, "act"),
        ("service-down:\n  ladder:\n    - act: restart\n      targets: [backend, bakend]\n", 4, "no service 'bakend'"),
        (
            "service-down:\n  ladder:\n    - act: restart\n      verify:\n        signal: htp_p95\n        below: 1\n",
            5,
            "no signal 'htp_p95'",
        ),
        ("service-down:\n  ladder:\n    - act: restart\n      when: [sunny]\n", 4, "when"),
        ("service-down:\n  ladder:\n    - act: restart\n      command: reboot\n", 4, "no key of a playbook"),
        ("service-down:\n  persists: 90\n", 2, "persists"),
        ("service-down:\n  loss: 2\n", 2, "loss"),
        ("service-down:\n  ladder:\n    - act: restart\n    - act: restart\n", 1, "twice"),
        ("mine:\n  ladder: []\n", 1, "no description"),
        ("service-down:\n  ladder: restart\n", 2, "is no list"),
        ("1: {ladder: []}\n", 1, "1 is no name"),
        (
            "service-down:\n  ladder:\n    - act: restart\n      verify:\n        signal: host_cpu\n        above: 5\n",
            6,
            "above 5 says nothing",
        ),
    ],
)
def test_what_there_is_not_is_refused_with_its_line(tmp_path, rulebook, text, line, said):
    own = tmp_path / "own.yaml"
    own.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_playbooks(rulebook, SERVICES, own)
    assert caught.value.where.startswith(f"{own}:{line}")
    assert said in caught.value.what


def test_a_threshold_that_names_a_playbook_that_there_is_not_is_refused_with_its_line(tmp_path):
    own = tmp_path / "thresholds.yaml"
    own.write_text("host_cpu_high:\n  above: 0.9\n  playbook: host-cup\n")
    rulebook = read_rulebook(MonitoringSettings(thresholds=own))
    with pytest.raises(BadInput, match="no playbook 'host-cup'") as caught:
        read_playbooks(rulebook, SERVICES, own_thresholds=own)
    assert caught.value.where.startswith(f"{own}:3")
    assert "host-cpu" in caught.value.remedy


def test_taking_away_a_playbook_that_a_threshold_names_is_refused_where_it_is_taken_away(tmp_path, rulebook):
    """It was told of the packaged thresholds, a file that nobody had written, with another playbook in its place."""
    own = tmp_path / "own.yaml"
    own.write_text("service-down: null\n")
    with pytest.raises(BadInput, match="the threshold service_down names it") as caught:
        read_playbooks(rulebook, SERVICES, own)
    assert caught.value.where.startswith(str(own))
    assert "ladder: []" in caught.value.remedy


def test_the_playbooks_of_the_page_can_be_read_and_it_names_every_action_and_check(tmp_path, rulebook):
    page = (Path(__file__).parents[2] / "docs" / "remediation" / "write-a-playbook.md").read_text(encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert read_playbooks(rulebook, SERVICES, own)["orders-slow"].ladder[0].verify.signal == "http_p95"
    assert all(f"| {action} | " in page for action in Action)
    assert all(f"`{check}`" in page for check in Check)
