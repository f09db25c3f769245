"""How logs come to Loki. Neither Alloy nor Loki is here, so their files are held against the words of their manuals."""

from __future__ import annotations

import re

import pytest
import yaml

from sutazai_ops.engines.labels import PHASE
from sutazai_ops.settings import PACKAGED_PLATFORM

ALLOY = (PACKAGED_PLATFORM / "config/alloy/config.alloy").read_text()
LOKI = yaml.safe_load((PACKAGED_PLATFORM / "config/loki/loki.yaml").read_text())
# https://grafana.com/docs/alloy/latest/reference/components/
KNOWN = {
    "logging": {"level", "format"},
    "discovery.docker": {"host", "refresh_interval", "filter"},
    "discovery.relabel": {"targets", "rule"},
    "loki.source.docker": {"host", "targets", "refresh_interval", "forward_to"},
    "local.file_match": {"path_targets"},
    "loki.source.file": {"targets", "forward_to"},
    "loki.relabel": {"forward_to", "rule"},
    "loki.write": {"endpoint"},
    "filter": {"name", "values"},
    "rule": {"action", "source_labels", "regex", "target_label"},
    "endpoint": {"url"},
}


def blocks(text: str) -> list[tuple[str, str, set[str]]]:
    """Each block: its name, its label and the keys and blocks directly in it."""
    found: list[tuple[str, str, set[str]]] = []
    open_ones: list[tuple[str, str, set[str]]] = []
    depth_of_lists = 0
    for line in (line.partition("//")[0].strip() if "://" not in line else line.strip() for line in text.splitlines()):
        if opened := re.fullmatch(r'([\w.]+)(?: "(\w+)")? \{', line):
            if open_ones:
                open_ones[-1][2].add(opened[1])
            open_ones.append((opened[1], opened[2] or "", set()))
        elif line == "}":
            found.append(open_ones.pop())
        elif depth_of_lists == 0 and (key := re.match(r"(\w+)\s*=", line)):
            open_ones[-1][2].add(key[1])
        depth_of_lists += line.count("[") - line.count("]")
    assert not open_ones
    assert depth_of_lists == 0
    return found


def test_every_word_of_alloys_configuration_is_in_its_manual():
    for name, _, keys in blocks(ALLOY):
        assert name in KNOWN, name
        assert keys <= KNOWN[name], (name, keys - KNOWN[name])


def test_what_alloys_components_name_is_there():
    there = {f"{name}.{label}" for name, label, _ in blocks(ALLOY) if label}
    named = set(re.findall(r"\b((?:discovery|loki|local)\.[\w.]+)\.(?:targets|output|receiver)\b", ALLOY))
    assert named <= there
    assert named


def test_alloy_reaches_docker_by_the_proxy_alone():
    hosts = re.findall(r'host\s+= "([^"]+)"', ALLOY)
    assert hosts == ["tcp://docker-proxy:2375"] * 2
    assert "docker.sock" not in ALLOY


def test_a_log_has_few_labels_and_they_are_those_of_a_release():
    assert set(re.findall(r'target_label\s+= "(\w+)"', ALLOY)) == {"service", "phase"}
    assert f"__meta_docker_container_label_{PHASE.replace('.', '_')}" in ALLOY


@pytest.mark.parametrize(
    ("phase", "project", "kept"),
    [
        ("core", "sutazai-core", True),
        ("core", "plat-1-core", True),
        ("", "sutazai-core", True),
        ("", "somebody-elses", False),
    ],
)
def test_logs_are_those_of_the_platform_and_of_nobody_else(phase, project, kept):
    rule = re.search(r'regex = "(\(\.\+;[^"]+)"', ALLOY)[1]
    assert bool(re.fullmatch(rule, f"{phase};{project}")) == kept


def test_loki_deletes_what_is_older_than_it_keeps():
    assert LOKI["compactor"]["retention_enabled"] is True
    assert LOKI["compactor"]["delete_request_store"] == "filesystem"
    assert LOKI["limits_config"]["retention_period"] == "720h"
    (schema,) = LOKI["schema_config"]["configs"]
    assert (schema["store"], schema["schema"], schema["index"]["period"]) == ("tsdb", "v13", "24h")
    assert LOKI["common"]["path_prefix"] == "/loki"
